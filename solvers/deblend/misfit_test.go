package deblend

import (
	"context"
	"math"
	"testing"

	"limpid/solvers"
)

// fitAll fits without free forms, to the last digit, and leaves the curvature's outcomes.
func fitAll(t *testing.T, obs *solvers.Observation, src []Source) *group {
	t.Helper()
	g, err := newGroup(device(t), obs, src, Options{NoFreeForm: true, Components: 1}.withDefaults(obs))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	if err := g.profiles(context.Background()); err != nil {
		t.Fatal(err)
	}
	grad := make([]float64, len(g.free))
	for range 6 { // a fit ends half a standard deviation from the mode
		if _, err := g.gradient(grad); err != nil {
			t.Fatal(err)
		}
		h, err := g.normal(seenFine)
		if err != nil {
			t.Fatal(err)
		}
		g.move(g.values(), g.step(h, grad))
	}
	if err := g.finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	return g
}

// A source that is its profile and a bump has the bump's light more, and the fit of profiles
// finds other fluxes, the neighbour's as well: by what is propagated to first order.
func TestMisfit_ABump_MovesTheFluxesOfAFitAsPropagated(t *testing.T) {
	shapes, flux := pair()
	obs, src := sceneWith(t, device(t), 40, 44, shapes, flux, 1, false)
	g := fitAll(t, obs, src)
	light, err := g.lights()
	if err != nil {
		t.Fatal(err)
	}
	owners := g.owners()
	at := 0
	for o := range owners {
		bumps := g.bumpsOf(owners[o], light[o])
		if len(bumps) < 5 {
			t.Fatalf("source %d: %d bumps", o, len(bumps))
		}
		f := g.misfit.rough[owners[o][0]]
		if f <= 0 {
			t.Fatalf("source %d departs by %g", o, f)
		}
		for j := range 3 { // those that the data tell most of
			u := &bumps[j]
			const c = 0.02
			with := *obs
			with.Data = obs.Data.Clone()
			for b := range g.p.b {
				for y := u.y0; y < u.y1; y++ {
					for x, v := range u.row(b, y) {
						i := (b*g.p.h+y)*g.p.w + u.x0 + x
						with.Data.Pix[i] += c * v / g.p.root[i]
					}
				}
			}
			moved := fitAll(t, &with, src)
			var off, size float64
			for i := range g.flux {
				want := -g.misfit.flux[at+j][i] / f * c
				if i/g.p.b == u.k {
					want += c * u.light[i%g.p.b]
				}
				got := moved.flux[i] - g.flux[i]
				off, size = off+(got-want)*(got-want), size+want*want
			}
			if rel := math.Sqrt(off / size); rel > 0.03 {
				t.Errorf("source %d, bump %d: the fluxes of the fit moved by other than what is propagated, by %.2f of it", o, j, rel)
			} else {
				t.Logf("source %d, bump %d: %.2f of a change of %.2f", o, j, rel, math.Sqrt(size))
			}
		}
		at += len(bumps)
	}
	if at != len(g.misfit.flux) {
		t.Errorf("%d vectors for %d bumps", len(g.misfit.flux), at)
	}
}

// Bumps count in what a fit says that it needs.
func TestMemory_ErrorsOfTheModel_Count(t *testing.T) {
	shapes, flux := pair()
	obs, src := sceneWith(t, device(t), 40, 44, shapes, flux, 1, false)
	g := fitAll(t, obs, src)
	light, err := g.lights()
	if err != nil {
		t.Fatal(err)
	}
	var held int64
	for o, parts := range g.owners() {
		held += 4 * int64(len(light[o]))
		for _, u := range g.bumpsOf(parts, light[o]) {
			held += 4*int64(len(u.v)) + 8*int64(len(g.free)+len(g.flux))
		}
	}
	with := g.p.memory(len(src))
	g.p.opt.ModelError = 0
	if without := g.p.memory(len(src)); with-without < held {
		t.Errorf("bumps hold %d bytes, %d are counted", held, with-without)
	}
}
