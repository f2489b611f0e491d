package massmap

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
)

// Settings of FitSpectrum.
const (
	fitRounds    = 10
	fitDraws     = 8
	fitPerOctave = 2
)

// FitSpectrum fits the power spectrum of κ to the shear, from start: expectation
// maximisation (Dempster, Laird & Rubin 1977) with the mean power of exact draws of the
// Gaussian posterior in rings of k,
//
//	P ← ⟨|κ̂|²⟩ over draws of p(κ | shear, P),
//
// a fixed number of rounds. Rings that the data do not see stay as they were at the
// start; noise is taken off by the posterior itself. pad as Settings.Pad.
func FitSpectrum(ctx context.Context, dev engine.Device, f *Field, start gaussian.Spectrum, pad int, seed uint64) (gaussian.Spectrum, error) {
	for round := range fitRounds {
		p, err := New(ctx, dev, f, Settings{Method: Wiener, Spectrum: start, Pad: pad, Batch: 2})
		if err != nil {
			return start, err
		}
		ratio, err := p.powerOfDraws(ctx, seed+uint64(round))
		p.Close()
		if err != nil {
			return start, fmt.Errorf("massmap: fitting the spectrum: %w", err)
		}
		var k, v []float64 // the shape within rings and beyond them stays
		for _, l := range start.LogK {
			q := math.Exp(l)
			k, v = append(k, q), append(v, start.At(q)*ratio(l))
		}
		if start, err = gaussian.NewSpectrum(k, v); err != nil {
			return start, fmt.Errorf("massmap: fitting the spectrum: %w", err)
		}
	}
	return start, nil
}

// powerOfDraws is the power of draws over that of the prior as a function of ln k.
func (p *Problem) powerOfDraws(ctx context.Context, seed uint64) (func(logK float64) float64, error) {
	var maps [][]float64
	for step, err := range solvers.Run(ctx, p.Kernel, nil, solvers.Options{Steps: 1 + fitDraws, Seed: seed}) {
		if err != nil {
			return nil, err
		}
		if step.State.Kind != solvers.Draw {
			continue
		}
		host := make([]float32, p.Op.H*p.Op.W)
		for b := 0; b < step.State.Count && len(maps) < fitDraws; b++ {
			step.State.Stream.Download(host, step.State.X.Slice(b, b+1))
			m := make([]float64, len(host))
			for i, v := range host {
				m[i] = float64(v)
			}
			maps = append(maps, m)
		}
		if len(maps) >= fitDraws {
			break
		}
	}
	bins, err := gaussian.Periodogram(maps, p.Op.H, p.Op.W, fitPerOctave, 0)
	if err != nil {
		return nil, err
	}
	var at, ratio []float64
	for _, b := range bins {
		at = append(at, math.Log(b.K))
		ratio = append(ratio, math.Log(b.Power/p.Settings.Spectrum.At(b.K)))
	}
	return func(l float64) float64 {
		j := 0
		for j+2 < len(at) && l > at[j+1] {
			j++
		}
		if len(at) < 2 {
			return math.Exp(ratio[0])
		}
		t := math.Min(1, math.Max(0, (l-at[j])/(at[j+1]-at[j])))
		return math.Exp(ratio[j] + t*(ratio[j+1]-ratio[j]))
	}, nil
}
