package calibration_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/app/calibration"
	"limpid/app/training"
	"limpid/priors/card"
	"limpid/solvers"
	"limpid/solvers/deconv"
)

func TestStore_ReportsOfTheseWeights_AreKeptAndFound(t *testing.T) {
	e := training.Entry{Name: "mine", Path: filepath.Join(t.TempDir(), "mine.safetensors"), Card: card.Card{Steps: 40}}
	if all, err := calibration.Stored(e); err != nil || all != nil {
		t.Fatalf("nothing stored: %v, %v", all, err)
	}
	faint := &calibration.Report{Sampler: "bridge", Steps: 40, Draws: 20, PSF: "a", LowSNR: 5, HighSNR: 30, Pairs: 100, Coverage: 0.9, Bright: 0.85, FluxCover: 0.88}
	bright := &calibration.Report{Sampler: "bridge", Steps: 40, PSF: "a", LowSNR: 30, HighSNR: 300, Pairs: 50, Coverage: 0.7}
	others := &calibration.Report{Sampler: "bridge", Steps: 39, PSF: "b", LowSNR: 5, HighSNR: 300, Pairs: 500}
	for _, r := range []*calibration.Report{others, faint, bright, faint} {
		if _, err := calibration.Store(e, r); err != nil {
			t.Fatal(err)
		}
	}
	all, err := calibration.Stored(e)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d reports, %v: those of 39 steps are of other weights, and the faint one was stored twice", len(all), err)
	}
	for snr, want := range map[float64]float64{10: 5, 100: 30, 1000: 30, 1: 5} {
		if r := calibration.Nearest(all, calibration.Like{SNR: snr}); r == nil || r.LowSNR != want {
			t.Errorf("S/N %g: %+v", snr, r)
		}
	}
	if r := nearest(all, 10); !r.Right() || r.Apart(calibration.Like{SNR: 10}).SNR || !r.Apart(calibration.Like{SNR: 1000}).SNR {
		t.Errorf("right %v, %+v, %+v", r.Right(), r.Apart(calibration.Like{SNR: 10}), r.Apart(calibration.Like{SNR: 1000}))
	}
	if nearest(all, 100).Right() {
		t.Error("intervals that hold 70 % are not right")
	}
	if s := nearest(all, 10).Sentence(); !strings.Contains(s, "90 % of the pixels") || !strings.Contains(s, "100 simulated fields") {
		t.Error(s)
	}
	quick, own, hmc := *faint, *bright, *bright
	quick.Budget, quick.Pairs, own.Own, own.PSF, hmc.Sampler, hmc.PSF = deconv.Quick, 60, true, "own", "hmc", "hmc"
	for _, r := range []*calibration.Report{&quick, &own, &hmc} {
		if _, err := calibration.Store(e, r); err != nil {
			t.Fatal(err)
		}
	}
	if all, err = calibration.Stored(e); err != nil || len(all) != 3 {
		t.Fatalf("%d reports, %v: those of walks that no result has do not count", len(all), err)
	}
	for budget, pairs := range map[deconv.Budget]int{deconv.Quick: 60, deconv.Standard: 100, deconv.Publication: 100} {
		// but for a budget without a calibration of its own, those of the standard one are as near
		if r := calibration.Nearest(all, calibration.Like{SNR: 20, Budget: budget}); r == nil || r.Pairs != pairs {
			t.Errorf("budget %s: %+v", budget.Name(), r)
		}
	}
	if nearest(nil, 10) != nil {
		t.Error("the nearest of none")
	}
	if err := os.WriteFile(calibration.StoreOf(e), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := calibration.Stored(e); err == nil {
		t.Error("a damaged file was read")
	}
	if _, err := calibration.Store(training.Entry{Name: "galaxies"}, faint); !errors.Is(err, calibration.ErrInvalid) {
		t.Errorf("a prior that ships: %v", err)
	}
}

// A prior of one galaxy in the middle has calibrations of single galaxies, others those of fields.
func TestStored_CentredPrior_IsOfSingleGalaxies(t *testing.T) {
	for _, centred := range []bool{false, true} {
		e := training.Entry{Name: "mine", Path: filepath.Join(t.TempDir(), "mine.safetensors"), Card: card.Card{Steps: 40, Centred: centred}}
		for _, single := range []bool{false, true} {
			if _, err := calibration.Store(e, &calibration.Report{Sampler: "bridge", Steps: 40, Draws: 20, PSF: "a", LowSNR: 5, HighSNR: 30, Pairs: 100, Single: single}); err != nil {
				t.Fatal(err)
			}
		}
		all, err := calibration.Stored(e)
		if err != nil || len(all) != 1 || all[0].Single != centred || strings.Contains(all[0].Sentence(), "100 simulated single galaxies") != centred {
			t.Errorf("centred %v: %+v, %v", centred, all, err)
		}
	}
}

func nearest(all []calibration.Report, snr float64) *calibration.Report {
	return calibration.Nearest(all, calibration.Like{SNR: snr})
}

// The nearest is what is apart in the fewest, and what it is apart in is told.
func TestNearest_WhatAResultIs_IsAskedFor(t *testing.T) {
	base := calibration.Report{LowSNR: 5, HighSNR: 300, Pairs: 200, FWHM: 4.5, PSF: "base"}
	of := func(name string, change func(*calibration.Report)) calibration.Report {
		r := base
		r.PSF = name
		change(&r)
		return r
	}
	all := []calibration.Report{
		base,
		of("quick", func(r *calibration.Report) { r.Budget = deconv.Quick }),
		of("narrow", func(r *calibration.Report) { r.FWHM = 2 }),
		of("wide", func(r *calibration.Report) { r.FWHM = 8 }),
		of("resolution", func(r *calibration.Report) { r.Resolution = 2.5 }),
		of("correlated", func(r *calibration.Report) { r.Correlated = 0.7 }),
		of("masked", func(r *calibration.Report) { r.Masked = 0.1 }),
	}
	for _, c := range []struct {
		like  calibration.Like
		want  string
		apart calibration.Apart
	}{
		{calibration.Like{SNR: 50, FWHM: 4}, "base", calibration.Apart{}},
		{calibration.Like{SNR: 50}, "base", calibration.Apart{}},
		{calibration.Like{SNR: 50, FWHM: 2.5}, "narrow", calibration.Apart{}},
		{calibration.Like{SNR: 50, FWHM: 1}, "narrow", calibration.Apart{PSF: true}},
		{calibration.Like{SNR: 50, FWHM: 30}, "wide", calibration.Apart{PSF: true}},
		{calibration.Like{SNR: 50, FWHM: 4, Budget: deconv.Quick}, "quick", calibration.Apart{}},
		{calibration.Like{SNR: 50, FWHM: 2, Budget: deconv.Quick}, "narrow", calibration.Apart{Budget: true}},
		{calibration.Like{SNR: 50, FWHM: 4, Resolution: 3}, "resolution", calibration.Apart{}},
		{calibration.Like{SNR: 50, FWHM: 4, Resolution: 1}, "base", calibration.Apart{Resolution: true}},
		{calibration.Like{SNR: 50, FWHM: 4, Correlated: true}, "correlated", calibration.Apart{}},
		{calibration.Like{SNR: 5000, FWHM: 4}, "base", calibration.Apart{SNR: true}},
		{calibration.Like{SNR: 550, FWHM: 4}, "base", calibration.Apart{}},
		{calibration.Like{SNR: 4, FWHM: 4}, "base", calibration.Apart{SNR: true}},
	} {
		r := calibration.Nearest(all, c.like)
		if r.PSF != c.want || r.Apart(c.like) != c.apart {
			t.Errorf("%+v: %s, %+v; want %s, %+v", c.like, r.PSF, r.Apart(c.like), c.want, c.apart)
		}
	}
}

// What ships is calibrated with the weights that ship.
func TestStored_ShippedPrior_HasACalibration(t *testing.T) {
	e, err := training.Find("galaxies")
	if err != nil {
		t.Fatal(err)
	}
	all, err := calibration.Stored(e)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d calibrations, %v", len(all), err)
	}
	for _, b := range deconv.Budgets() {
		if r := calibration.Nearest(all, calibration.Like{SNR: 50, FWHM: 4.5, Budget: b}); r.Budget != b || !r.Right() {
			t.Errorf("budget %s: %s; right: %v", b.Name(), r.Sentence(), r.Right())
		}
	}
	for _, r := range all {
		fewest := 40
		if r.LowSNR < 300 && r.Correlated == 0 && r.Exposures == 0 {
			fewest = 200
		}
		if r.Pairs < fewest || !(r.Coverage > 0.5 && r.Coverage <= 1) || len(r.Rows) == 0 {
			t.Errorf("%d pairs, coverage %g, %d rows", r.Pairs, r.Coverage, len(r.Rows))
		}
	}
}

// A table of faint pixels is used with the standard walk, and is measured with no other.
func TestRun_LearnWithAnotherWalk_IsRefused(t *testing.T) {
	psf := solvers.NewImage(1, 3, 3)
	psf.Pix[4] = 1
	for _, o := range []calibration.Options{{Budget: deconv.Quick}, {Levels: 5}, {Budget: "long"}} {
		o.Prior, o.PSF, o.Pairs, o.Learn = "galaxies", psf, 20, true
		if _, err := calibration.Run(t.Context(), nil, o, nil); !errors.Is(err, calibration.ErrInvalid) || !strings.Contains(err.Error(), "budget") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
