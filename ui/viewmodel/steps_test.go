package viewmodel

import (
	"strings"
	"testing"

	"limpid/ui/viewmodel/form"
)

func TestRecipe_BadField_BlocksAndNamesIt(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Set(form.PSFKind, "gaussian")
	if ok, why := b.CanRun(); ok || why == "" {
		t.Error("a Gaussian without a width can be run")
	}
	b.Run()
	if b.Active() != nil || b.TakeFocus() != form.FWHM {
		t.Error("Run did not lead to the field that is missing")
	}
	b.Set(form.FWHM, "3.4")
	b.until("the new measurement", func() bool { return b.settled() && b.Steps()[1].Level == Fine })
	if v := b.Steps()[1].Verdict; !strings.HasPrefix(v, "Gaussian, FWHM 3.") {
		t.Errorf("verdict %q", v)
	}
}

func TestRecipe_Impossible_IsSaidInItsStep(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Set(form.Cutout, "0:999,0:20")
	b.until("the measurement to fail", func() bool { return b.settled() && b.file.measure.problem != nil })
	s := b.Steps()[0]
	if s.Level != Wrong || len(s.Findings) == 0 || s.Findings[0].Advice == "" {
		t.Errorf("step Data stands at %v with %v", s.Level, s.Findings)
	}
	if ok, why := b.CanRun(); ok || !strings.Contains(why, "beyond") {
		t.Errorf("could run: %v %q", ok, why)
	}
	b.Set(form.Cutout, "")
	b.until("the measurement to succeed", func() bool { return b.settled() && b.Steps()[0].Level == Fine })
}

func TestFix_Applied_ChangesRecipe(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Apply(form.Fix{Sets: []form.Set{{ID: form.SkyKind, Value: "constant"}}, Focus: form.SkyLevel})
	r, _ := b.Draft()
	if r.Sky.Kind != "constant" || b.TakeFocus() != form.SkyLevel || !b.Steps()[2].Open {
		t.Errorf("sky %v, step open %v", r.Sky, b.Steps()[2].Open)
	}
}

func TestUseRegion_WhatIsInView_BecomesTheCutout(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 64, 80))
	b.UseRegion(-5, 40, 10, 999)
	r, _ := b.Draft()
	if r.Input.Cutout == nil || *r.Input.Cutout != [4]int{0, 40, 10, 64} {
		t.Errorf("cut-out %v", r.Input.Cutout)
	}
	if c, ok := b.Cutout(); !ok || c[1] != 40 {
		t.Errorf("shown cut-out %v %v", c, ok)
	}
	b.UseRegion(0, 80, 0, 64)
	if r, _ := b.Draft(); r.Input.Cutout != nil {
		t.Errorf("all of the image is cut-out %v", r.Input.Cutout)
	}
	b.UseRegion(0, 3, 0, 3)
	if len(b.Notices()) != 1 {
		t.Error("a cut-out of 3×3 was taken silently")
	}
}
