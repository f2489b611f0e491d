package fitsio

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// sectionOf cuts a box out of a whole image, slowly.
func sectionOf(full []float32, shape, lo, hi []int) []float32 {
	out := []float32{}
	p := slices.Clone(lo)
	for {
		off := 0
		for i := range shape {
			off = off*shape[i] + p[i]
		}
		out = append(out, full[off])
		i := len(p) - 1
		for ; i >= 0; i-- {
			if p[i]++; p[i] < hi[i] {
				break
			}
			p[i] = lo[i]
		}
		if i < 0 {
			return out
		}
	}
}

func equalBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// checkSections compares random sections of an image with the whole.
func checkSections(t *testing.T, name string, h *HDU, r *rand.Rand) {
	t.Helper()
	ctx := context.Background()
	full, err := h.ReadFloat32(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 12 {
		lo, hi := make([]int, len(h.Shape)), make([]int, len(h.Shape))
		for i, n := range h.Shape {
			lo[i] = r.IntN(n)
			hi[i] = lo[i] + 1 + r.IntN(n-lo[i])
			if r.IntN(3) == 0 {
				lo[i], hi[i] = 0, n
			}
		}
		got, err := h.Section(ctx, lo, hi)
		if err != nil {
			t.Fatalf("%s %v:%v: %v", name, lo, hi, err)
		}
		if !equalBits(got, sectionOf(full, h.Shape, lo, hi)) {
			t.Errorf("%s: section %v:%v of %v differs from the whole", name, lo, hi, h.Shape)
		}
	}
}

func TestSection_EveryStorage_EqualsTheWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	dir := t.TempDir()
	interopFiles(t, dir)
	cube := make([]int16, 5*6*7*8)
	for i := range cube {
		cube[i] = int16(i * 37)
	}
	for name, c := range map[string]*Compression{
		"plain.fits": nil, "rows.fits": {}, "blocks.fits": {Tile: []int{2, 3, 4, 5}}, "planes.fits": {Method: "GZIP_1", Tile: []int{1, 1, 7, 8}},
	} {
		shape := []int{5, 6, 7, 8}
		h, err := NewImage("C", shape, cube, nil)
		if c != nil {
			h, err = NewCompressedImage("C", shape, cube, nil, *c)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteFile(filepath.Join(dir, name), WriteOptions{}, h); err != nil {
			t.Fatal(err)
		}
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*.fits"))
	images := 0
	for _, n := range names {
		for _, h := range openTemp(t, n).HDUs {
			if h.Kind == Image {
				images++
				checkSections(t, filepath.Base(n)+" "+h.String(), h, r)
			}
		}
	}
	if images < 20 {
		t.Errorf("only %d images", images)
	}
}

func TestSection_DataFiles_EqualTheWhole(t *testing.T) {
	dir := dataDir(t)
	r := rand.New(rand.NewPCG(7, 7))
	for _, n := range []string{
		"astropy/m13_hcomp.fits", "astropy/m13_plio.fits", "astropy/m13_rice.fits", "generated/i16_rice_tile32.fits.fz",
		"generated/f32_rice_dither2.fits.fz", "generated/f64_rice_tile64.fits.fz", "generated/hyper4d_i16.fits", "generated/f32.fits.bz2",
		"nom_tam/rp600245n00_im1.fits.Z", "astropy_data/l1448_13co_cube.fits", "generated/u16_hcomp.fits.fz", "generated/i16_nocomp.fits.fz",
	} {
		f := openTemp(t, filepath.Join(dir, n))
		h, err := f.FirstImage()
		if err != nil {
			t.Fatal(err)
		}
		checkSections(t, n, h, r)
	}
}

func TestReadPlane_Cube_GivesThatPlane(t *testing.T) {
	pix := make([]float32, 3*4*5)
	for i := range pix {
		pix[i] = float32(i)
	}
	h, err := NewImage("", []int{3, 4, 5}, pix, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := openTemp(t, writeTemp(t, WriteOptions{}, h))
	got, err := f.HDUs[0].ReadPlane(context.Background(), 2)
	if err != nil || !equalBits(got, pix[40:]) {
		t.Errorf("%v %v", got, err)
	}
}

// Several goroutines read one file at once; run with -race.
func TestReadFloat32_FromManyGoroutines_AgreesWithItself(t *testing.T) {
	dir := t.TempDir()
	interopFiles(t, dir)
	for _, n := range []string{"packed.fits", "types.fits"} {
		f := openTemp(t, filepath.Join(dir, n))
		for _, h := range f.HDUs {
			if h.Kind != Image {
				continue
			}
			want, err := h.ReadFloat32(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if got, err := h.ReadFloat32(context.Background()); err != nil || !equalBits(got, want) {
						t.Errorf("%s %v: differs (%v)", n, h, err)
					}
				})
			}
			wg.Wait()
		}
	}
}

func TestOpen_GzipBeyondMemory_SpoolsToAFile(t *testing.T) {
	const rows = 3000
	pix := make([]float32, rows*4000) // 48 MB: more than a spool keeps in memory
	for i := range pix {
		pix[i] = float32(i % 1000)
	}
	h, err := NewImage("", []int{rows, 4000}, pix, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := writeTemp(t, WriteOptions{}, h)
	b, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	packed := filepath.Join(t.TempDir(), "x.fits") // told by content, not by name
	if err := os.WriteFile(packed, gz(b), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	f := openTemp(t, packed)
	got, err := f.HDUs[0].Section(context.Background(), []int{rows - 1, 0}, []int{rows, 4000})
	if err != nil || !equalBits(got, pix[(rows-1)*4000:]) {
		t.Errorf("last row differs: %v", err)
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) != 0 {
		t.Errorf("temporary files in sight: %v", left)
	}
}
