package binning_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"limpid/fitsio"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/binning"
)

func shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("LIMPID_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	dir = filepath.Join(dir, "massmapping", "jax-lensing")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("needs the shared test data: set LIMPID_DATA to its folder")
	}
	return dir
}

func plane(t testing.TB, path string) []float64 {
	t.Helper()
	f, err := fitsio.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	v, err := f.HDUs[0].ReadFloat64(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func cosmos(t testing.TB) binning.Rows {
	t.Helper()
	f, err := fitsio.Open(filepath.Join(shared(t), "cosmos_schrabback2010_full.fits"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tab, err := f.HDUs[1].Table()
	if err != nil {
		t.Fatal(err)
	}
	var r binning.Rows
	for name, dst := range map[string]*[]float64{"RA": &r.RA, "DEC": &r.Dec, "E1": &r.E1, "E2": &r.E2, "WEIGHT": &r.Weight} {
		if *dst, err = tab.Float64(context.Background(), name); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func rows(r binning.Rows) binning.Source {
	return func(_ context.Context, use func(binning.Rows) error) error { return use(r) }
}

// The published maps were made of RA in float64; the catalogue at hand has it in float32,
// whose steps are 0.055″ there: a galaxy nearer than half a step to the border of two
// columns may be on the wrong side of it. Those are tried on the other side, and nothing
// else is allowed to differ.
func TestBin_COSMOS_ReproducesThePublishedMapsAndMask(t *testing.T) {
	const tolerance, side, half = 1e-6, 360, 1.0 / (1 << 16)
	dir, r := shared(t), cosmos(t)
	want1, want2 := plane(t, filepath.Join(dir, "cosmos_full_e1_0.29arcmin360.fits")), plane(t, filepath.Join(dir, "cosmos_full_e2_0.29arcmin360.fits"))
	mask := plane(t, filepath.Join(dir, "cosmos_full_mask_0.29arcmin360.fits"))
	o := binning.Options{Projection: massmap.FlatEast, Arcmin: 0.29, W: side, H: side, Noise: binning.FromCounts}
	bin := func() *massmap.Field {
		f, err := binning.Bin(context.Background(), rows(r), o)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := bin()
	if f.Projection.RA0 != 150.11610412597656 || f.Projection.Dec0 != 2.247490167617798 {
		t.Errorf("middle %v %v, want the medians", f.Projection.RA0, f.Projection.Dec0)
	}
	o.Center = &[2]float64{f.Projection.RA0, f.Projection.Dec0} // a moved galaxy must not move the map
	off := func(f *massmap.Field, i int) float64 {
		return math.Max(math.Abs(float64(f.Shear.Pix[i])-want1[i]), math.Abs(float64(f.Shear.Pix[side*side+i])-want2[i]))
	}
	before, ambiguous := 0, 0
	for i := range want1 {
		if off(f, i) > tolerance {
			before++
		}
	}
	// galaxies at the border of columns, by the pixel to their left
	at := map[int][]int{}
	for i, ra := range r.RA {
		x := (ra-f.Projection.RA0)*60/0.29 + side/2
		edge := math.Round(x)
		if math.Abs(x-edge)*0.29/60 <= half {
			y := int((r.Dec[i]-f.Projection.Dec0)*60/0.29 + side/2)
			at[y*side+int(edge)-1] = append(at[y*side+int(edge)-1], i)
			ambiguous++
		}
	}
	moveToMatch(r, at, f, want1, func(i int) bool { return off(f, i) > tolerance })
	f = bin()
	left, wrong, byRow := 0, 0, 0
	onRow := rowBorders(r, f)
	for i := range want1 {
		switch {
		case off(f, i) > tolerance && onRow[i]:
			byRow++
		case off(f, i) > tolerance:
			left++
		}
		if (mask[i] > 0) == f.Masked(i) {
			wrong++
		}
	}
	t.Logf("%d of %d pixels differ as read; %d galaxies lie within float32 of a border; with those resolved %d pixels differ that hold a galaxy within float32 of a border of rows, %d others, and %d of the mask", before, side*side, ambiguous, byRow, left, wrong)
	if left > 0 || wrong > 0 || before > 700 || byRow > 30 {
		t.Errorf("%d pixels and %d of the mask differ (as read %d)", left, wrong, before)
	}
}

// rowBorders marks pixels that touch a galaxy which float32 of Dec (steps of 2.4e-7°, in
// it and in the median) may have put into the wrong row.
func rowBorders(r binning.Rows, f *massmap.Field) map[int]bool {
	const side, step = 360, 2.4e-7
	out := map[int]bool{}
	for i, dec := range r.Dec {
		y := (dec-f.Projection.Dec0)*60/0.29 + side/2
		if edge := math.Round(y); math.Abs(y-edge)*0.29/60 <= step {
			x := int((r.RA[i]-f.Projection.RA0)*60/0.29 + side/2)
			out[(int(edge)-1)*side+x], out[int(edge)*side+x] = true, true
		}
	}
	return out
}

// moveToMatch nudges galaxies over a border where the mean of the pixel to its left then
// becomes the published one. at lists the galaxies at the right border of pixels.
func moveToMatch(r binning.Rows, at map[int][]int, f *massmap.Field, want []float64, differs func(i int) bool) {
	const step, side = 2.0 / (1 << 16), 360
	column := func(i int) float64 { return (r.RA[i]-f.Projection.RA0)*60/0.29 + side/2 }
	cells := map[int][]int{}
	for i, dec := range r.Dec {
		y := int((dec-f.Projection.Dec0)*60/0.29 + side/2)
		cells[y*side+int(column(i))] = append(cells[y*side+int(column(i))], i)
	}
	for pix := range side * side { // from left to right: a pixel's left border is settled first
		border := at[pix]
		if len(border) == 0 || !differs(pix) && !differs(pix+1) || len(border) > 8 {
			continue
		}
		var w0, e0 float64
		moving := map[int]bool{}
		for _, i := range border {
			moving[i] = true
		}
		for _, i := range cells[pix] {
			if !moving[i] {
				w0, e0 = w0+r.Weight[i], e0+r.Weight[i]*r.E1[i]
			}
		}
		best, kept := math.Inf(1), 0
		for choice := range 1 << len(border) { // bit k: galaxy k is in the left pixel
			w, e := w0, e0
			for k, i := range border {
				if choice>>k&1 == 1 {
					w, e = w+r.Weight[i], e+r.Weight[i]*r.E1[i]
				}
			}
			mean := 0.0
			if w > 0 {
				mean = e / w
			}
			if d := math.Abs(mean - want[pix]); d < best {
				best, kept = d, choice
			}
		}
		for k, i := range border {
			inLeft := int(column(i))%side == pix%side
			switch {
			case kept>>k&1 == 1 && !inLeft:
				r.RA[i] -= step
				cells[pix+1] = slices.DeleteFunc(cells[pix+1], func(j int) bool { return j == i })
			case kept>>k&1 == 0 && inLeft:
				r.RA[i] += step
				cells[pix+1] = append(cells[pix+1], i)
			}
		}
	}
}
