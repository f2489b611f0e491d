package session_test

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/fitsio"
	"limpid/solvers/observe"
)

// A PSF at nodes comes from a cube or from HDUs alike, a cut-out takes the nodes of its
// place, and a file that does not fit is refused with the numbers.
func TestObserve_PSFAtNodes(t *testing.T) {
	s, r := newSession(t)
	r.Input.Cutout = nil
	const rows, cols, side = 2, 3, 21
	cube := make([]float32, 0, rows*cols*side*side)
	hdus := []*fitsio.NewHDU{}
	add := func(h *fitsio.NewHDU, err error) {
		if err != nil {
			t.Fatal(err)
		}
		hdus = append(hdus, h)
	}
	for i := range rows * cols {
		plane := make([]float32, side*side)
		width := 1.5 + float64(i%cols) // widens along the columns alone
		for k := range plane {
			x, y := float64(k%side-side/2), float64(k/side-side/2)
			plane[k] = float32(math.Exp(-(x*x + y*y) / (2 * width * width)))
		}
		cube = append(cube, plane...)
		add(fitsio.NewImage("NODE", []int{side, side}, plane, nil))
	}
	single := filepath.Join(t.TempDir(), "hdus.fits")
	if err := fitsio.WriteFile(single, fitsio.WriteOptions{}, hdus...); err != nil {
		t.Fatal(err)
	}
	hdus = nil
	add(fitsio.NewImage("NODES", []int{rows * cols, side, side}, cube, nil))
	file := filepath.Join(t.TempDir(), "cube.fits")
	if err := fitsio.WriteFile(file, fitsio.WriteOptions{}, hdus...); err != nil {
		t.Fatal(err)
	}
	first := 0
	r.PSF = recipe.PSF{Kind: observe.PSFFile, File: file, HDU: &first, Rows: rows, Cols: cols}
	whole, err := s.Observe(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if f := whole.Obs.Field; f.Rows != rows || f.Cols != cols || len(f.Nodes) != rows*cols {
		t.Fatalf("%d × %d, %d nodes", f.Rows, f.Cols, len(f.Nodes))
	}
	other := r
	other.PSF.File = single
	again, err := s.Observe(context.Background(), other)
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range whole.Obs.Field.Nodes {
		same(t, "node", again.Obs.Field.Nodes[i], n)
	}
	w := whole.Obs.Data.W
	r.Input.Cutout = &[4]int{w / 2, w, 0, 64}
	part, err := s.Observe(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	width := func(o *session.Observed, i int) float64 {
		n := o.Obs.Field.Nodes[i]
		return observe.FWHM(n.Plane(0), n.H, n.W)
	}
	if a, b := width(part, 0), width(whole, 1); math.Abs(a-b) > 0.05*b {
		t.Errorf("the cut-out begins in the middle, its PSF is %.2f px wide; there it is %.2f", a, b)
	}
	if a, b := width(part, 2), width(whole, 2); math.Abs(a-b) > 0.01*b {
		t.Errorf("the cut-out ends at the border, its PSF is %.2f px wide; there it is %.2f", a, b)
	}
	r.Draw.Samples = 2
	res := mustRun(t, s, r)
	if h := strings.Join(res.History(), "\n"); !strings.Contains(h, "2 x 3 nodes") {
		t.Errorf("history:\n%s", h)
	}
	r.PSF.Rows = 3
	if _, err := s.Observe(context.Background(), r); err == nil || !strings.Contains(err.Error(), "6 planes") {
		t.Errorf("9 nodes of 6 planes: %v", err)
	}
	r.PSF.Rows, r.Method.Tile = rows, 128
	if err := r.Validate(); err == nil {
		t.Error("tiles with a PSF that varies were taken")
	}
}
