package lensing

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"limpid/app/session/lens"
	"limpid/fitsio"
	"limpid/solvers/massmap"
)

// ran maps the sample with the Wiener filter at pixels of 1′.
func (b *bench) ran(set func()) *Entry {
	b.t.Helper()
	b.Set(Method, "wiener")
	b.Set(Samples, "8")
	b.Set(Pixel, "1")
	set()
	b.until("the pixels", func() bool { return !b.bin.busy && b.bin.field != nil && b.bin.field.Arcmin == 1 })
	b.Run()
	b.until("the map", func() bool { return b.Active() == nil })
	if b.Entry() == nil || b.Entry().Result == nil {
		b.t.Fatalf("ended with %+v", b.Entry())
	}
	return b.Entry()
}

func TestBeside_ApertureMarksProfileAndHalo(t *testing.T) {
	b := newBench(t)
	b.opened()
	f := b.bin.field
	ra, dec, _ := f.Projection.ToSky(float64(f.W)/2, float64(f.H)/2)
	marks := filepath.Join(t.TempDir(), "groups.csv")
	text := "name,ra,dec\n" + strings.Join([]string{"a," + num(ra) + "," + num(dec), "b,10,-70"}, "\n") + "\n"
	if err := os.WriteFile(marks, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e := b.ran(func() {
		b.Set(Marks, marks)
		b.Set(Filter, "schneider")
		b.Set(Radius, "5")
		b.Set(Halo, num(ra)+", "+num(dec)+", 1e15, 4, 0.3")
	})
	b.until("the aperture mass", func() bool { return b.layer("aperture") })
	o := b.Overlay()
	if o == nil || len(o.Marks) != 1 || o.Stack == nil || o.Stack.Used != 1 {
		t.Fatalf("overlay %+v", o)
	}
	if d := math.Hypot(o.Marks[0][0]-float64(e.Field.W)/2, o.Marks[0][1]-float64(e.Field.H)/2); d > 1.5 {
		t.Errorf("the mark is %.1f pixels from the middle", d)
	}
	q := e.Result.Recovery
	if q == nil || len(q.Points) == 0 || !(q.Points[0].Recovered > 0) {
		t.Errorf("recovery %+v", q)
	}
	_, _, rows, _ := e.Summary()
	said := ""
	for _, r := range rows {
		said += r.Label + "\n"
	}
	if !strings.Contains(said, "Test halo") || !strings.Contains(said, "Map at 1 marks") {
		t.Errorf("rows %s", said)
	}
	b.SelectPeak(0)
	b.until("the profile", func() bool { return b.Profile() != nil })
	if p := b.Profile(); p.X != b.Peaks()[0].X || len(p.Band.X) < 4 || p.Band.Mean[0] < p.Band.Mean[len(p.Band.Mean)-1] {
		t.Errorf("profile %+v", p)
	}
	// the recipe that is exported is the run's
	plan := b.Plan(e)
	plan.Dir = t.TempDir()
	b.Export(e, plan)
	b.until("the files", func() bool { return !b.Exporting().Busy })
	r, err := lens.LoadRecipe(plan.Path("recipe"))
	if err != nil || r.Method != massmap.Wiener || r.SHA256 == "" || r.Inject == nil || filepath.Base(r.Marks) != "groups.csv" {
		t.Errorf("recipe %+v, %v", r, err)
	}
}

func num(v float64) string { return strconv.FormatFloat(v, 'f', 7, 64) }

func TestBeside_WhatCannotBeRead_IsSaid(t *testing.T) {
	b := newBench(t)
	b.opened()
	b.Set(Marks, filepath.Join(t.TempDir(), "not there.csv"))
	more := func() int {
		for _, s := range b.Steps() {
			if s.ID == StepMore {
				return len(s.Findings)
			}
		}
		return 0
	}
	b.until("the finding", func() bool { return more() > 0 })
	b.Set(Marks, "")
	b.until("its end", func() bool { return more() == 0 })
	b.Set(Halo, "1, 2, 3")
	if ok, why := b.CanRun(); ok || !strings.Contains(why, "five numbers") {
		t.Errorf("it could run: %s", why)
	}
}

// Maps of shear are opened as catalogues are, and give the same map.
func TestOpen_MapsOfShear_AreMapped(t *testing.T) {
	b := newBench(t)
	b.opened()
	e := b.ran(func() {})
	dir, n := t.TempDir(), e.Field.H*e.Field.W
	write := func(name string, pix []float32) string {
		h, err := fitsio.NewImage("", []int{e.Field.H, e.Field.W}, pix, lens.Header(e.Field))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, h); err != nil {
			t.Fatal(err)
		}
		return path
	}
	c := newBench(t)
	c.Open(write("g1.fits", e.Field.Shear.Pix[:n]))
	c.until("a complaint about the second component", func() bool { return c.reading == "" && c.bin.err != nil })
	if len(c.told) > 0 || c.plane != 1 {
		t.Fatalf("told %v, %d planes", c.told, c.plane)
	}
	c.Set(G2, write("g2.fits", e.Field.Shear.Pix[n:]))
	c.Set(Counts, write("counts.fits", e.Field.Count))
	c.Set(SigmaE, "0.25")
	c.until("the field", func() bool { return c.bin.field != nil && !c.bin.busy && c.bin.err == nil })
	if f := c.Field(); f.W != e.Field.W || f.Arcmin != 1 || f.Projection.Kind != massmap.Gnomonic {
		t.Errorf("field %d × %d of %g′, %s", f.W, f.H, f.Arcmin, f.Projection.Kind)
	}
	c.Set(Method, "ks")
	c.Run()
	c.until("the map", func() bool { return c.Active() == nil })
	if c.Entry().Result == nil {
		t.Fatalf("ended with %v", c.Entry().Problem)
	}
}

// The method follows the field: pixels that the learned prior does not know are for the
// lognormal one, and the form says so.
func TestMethod_Automatic_FollowsThePixel(t *testing.T) {
	b := newBench(t)
	b.opened()
	for pixel, want := range map[string]massmap.Method{"1": massmap.Lognormal, "0.29": massmap.Score} {
		b.Set(Pixel, pixel)
		b.until("the pixels", func() bool {
			return !b.bin.busy && b.bin.field != nil && b.bin.err == nil && math.Abs(b.bin.field.Arcmin-map[bool]float64{true: 1, false: 0.29}[pixel == "1"]) < 1e-6
		})
		r := b.recipe()
		found, got := b.settle(&r)
		if got != want || len(found) == 0 {
			t.Errorf("pixels of %s′: %s, want %s; said %v", pixel, got, want, found)
		}
	}
}
