package session_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// stopAt runs a recipe and cancels it once it has drawn.
func stopAt(t *testing.T, s *session.Session, r recipe.Recipe, draws int) *session.State {
	t.Helper()
	s.KeepStates(session.StatesOfAll)
	run, err := s.Start(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	cancel := s.Subscribe(func(e session.Event) {
		if e.Run == run && run.Status().Done >= draws {
			run.Cancel()
		}
	})
	defer cancel()
	err = run.Wait()
	st := run.TakeState()
	if st == nil {
		t.Fatalf("no state after %v", err)
	}
	return st
}

func same(t *testing.T, what string, a, b solvers.Image) {
	t.Helper()
	if len(a.Pix) == 0 || len(a.Pix) != len(b.Pix) {
		t.Fatalf("%s: %d and %d pixels", what, len(a.Pix), len(b.Pix))
	}
	for i := range a.Pix {
		if math.Float32bits(a.Pix[i]) != math.Float32bits(b.Pix[i]) {
			t.Fatalf("%s: pixel %d is %g and %g", what, i, a.Pix[i], b.Pix[i])
		}
	}
}

func TestResume_CancelledOrAskedForMore_GivesTheSamplesOfAnUninterruptedRun(t *testing.T) {
	s, r := newSession(t)
	gaussian := r
	gaussian.Draw.Samples = 40
	gaussian.Method.Resolution = 2
	learned := r
	learned.Method, learned.Prior = recipe.Method{Kind: deconv.Learned, Budget: deconv.Quick}, recipe.Prior{Kind: recipe.PriorGalaxies}
	learned.Input.Cutout = &[4]int{60, 76, 70, 86}
	learned.PSF = recipe.PSF{Kind: observe.PSFGaussian, FWHM: 1.5} // small, so that the grid is
	learned.Draw.Samples = 20
	tiles := r
	tiles.Input.Cutout, tiles.Method.Tile, tiles.Draw.Samples = &[4]int{0, 192, 30, 130}, 128, 10
	recipes := map[string]recipe.Recipe{"gaussian": gaussian, "learned": learned, "tiles": tiles}
	if underRace {
		delete(recipes, "learned")
	}
	for name, r := range recipes {
		want := mustRun(t, s, r)
		few := r
		few.Draw.Samples = 5
		stopped := stopAt(t, s, r, 3)
		ended := stopAt(t, s, few, 100)
		for how, st := range map[string]*session.State{"cancelled": stopped, "ended early": ended} {
			if st.Draws >= r.Draw.Samples {
				t.Fatalf("%s, %s: %d draws were in already", name, how, st.Draws)
			}
			path := filepath.Join(t.TempDir(), "run.state")
			if err := st.Write(path); err != nil {
				t.Fatal(err)
			}
			back, err := session.ReadState(path)
			if err != nil {
				t.Fatal(err)
			}
			run, err := s.Resume(context.Background(), back, r.Draw.Samples)
			if err != nil {
				t.Fatal(err)
			}
			if err := run.Wait(); err != nil {
				t.Fatalf("%s, %s: %v", name, how, err)
			}
			got := run.Result()
			if got.Draws != want.Draws || len(got.Samples) != len(want.Samples) {
				t.Fatalf("%s, %s at %d: %d draws, %d samples; uninterrupted %d, %d", name, how, st.Draws, got.Draws, len(got.Samples), want.Draws, len(want.Samples))
			}
			for i := range want.Samples {
				same(t, name+", "+how+", sample", got.Samples[i], want.Samples[i])
			}
			same(t, name+", mean", got.Mean, want.Mean)
			same(t, name+", std", got.Std, want.Std)
			if got.Fits[0] != want.Fits[0] {
				t.Errorf("%s, %s: %+v, uninterrupted %+v", name, how, got.Fits[0], want.Fits[0])
			}
		}
	}
}

func TestResume_WhatIsNoStateOfTheRun_IsRefused(t *testing.T) {
	s, r := newSession(t)
	r.Draw.Samples = 4
	st := stopAt(t, s, r, 100)
	if _, err := s.Resume(context.Background(), st, 4); !errors.Is(err, session.ErrState) {
		t.Errorf("nothing left to draw: %v", err)
	}
	other := r
	other.Draw.Seed++
	if what := st.Differs(other); what != "seed" {
		t.Errorf("another seed: differs in %q", what)
	}
	other = r
	other.Method.Resolution = 2
	if what := st.Differs(other); what != "method" {
		t.Errorf("another resolution: differs in %q", what)
	}
	path := filepath.Join(t.TempDir(), "run.state")
	if err := st.Write(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{nil, []byte("SIMPLE  = T"), whole[:len(whole)/2]} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := session.ReadState(path); !errors.Is(err, session.ErrState) {
			t.Errorf("%d of %d bytes: %v", len(text), len(whole), err)
		}
	}
	st.Scenes = st.Scenes[:len(st.Scenes)-3]
	run, err := s.Resume(context.Background(), st, 8)
	if err == nil {
		err = run.Wait()
	}
	if !errors.Is(err, session.ErrState) {
		t.Errorf("cut scenes: %v", err)
	}
}

func TestRun_TargetResolution_IsTheMeanSmoothedAndCalmer(t *testing.T) {
	s, r := newSession(t)
	r.Draw.Samples = 12
	sharp := mustRun(t, s, r)
	r.Method.Resolution = 4
	smooth := mustRun(t, s, r)
	if d := math.Abs(smooth.Fits[0].Chi2 - sharp.Fits[0].Chi2); d > 1e-6 {
		t.Errorf("χ² %g and %g: the model must not be smoothed twice", sharp.Fits[0].Chi2, smooth.Fits[0].Chi2)
	}
	var a, b, peakA, peakB float64
	for i := range sharp.Std.Pix {
		a, b = a+float64(sharp.Std.Pix[i]), b+float64(smooth.Std.Pix[i])
		peakA, peakB = math.Max(peakA, float64(sharp.Mean.Pix[i])), math.Max(peakB, float64(smooth.Mean.Pix[i]))
	}
	if b > 0.6*a || peakB > 0.9*peakA {
		t.Errorf("std %g of %g, peak %g of %g", b, a, peakB, peakA)
	}
	// Away from the cut's edge the smoothed mean is the mean smoothed.
	const n, fwhm, reach = 64, 4.0, 8
	sigma := fwhm / (2 * math.Sqrt(2*math.Ln2))
	for _, at := range [][2]int{{32, 32}, {20, 40}} {
		var sum, norm float64
		for dy := -reach; dy <= reach; dy++ {
			for dx := -reach; dx <= reach; dx++ {
				w := math.Exp(-float64(dx*dx+dy*dy) / (2 * sigma * sigma))
				sum, norm = sum+w*float64(sharp.Mean.Pix[(at[1]+dy)*n+at[0]+dx]), norm+w
			}
		}
		if got := float64(smooth.Mean.Pix[at[1]*n+at[0]]); math.Abs(got-sum/norm) > 2e-3*peakB {
			t.Errorf("at %v: %g, the mean smoothed is %g", at, got, sum/norm)
		}
	}
}
