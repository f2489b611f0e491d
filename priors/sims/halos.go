package sims

import (
	"math"
	"math/rand/v2"
	"sort"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/priors/gaussian/theory"
)

// haloField strews NFW haloes (Navarro, Frenk & White 1997), truncated at their
// radius, with the mass function of Tinker+2008 and the concentrations of Duffy+2008
// with a scatter of .14 dex, seen by the sources; their isodensity lines are ellipses.
type haloField struct {
	arcmin   float64
	profiles []theory.Profile // cells of (z, mass, concentration)
	sum      []float64        // cumulated haloes per pixel
	mean     float64          // κ per pixel on average
	lightest float64
}

// cells of the integral over redshift, mass and concentration.
const (
	haloRedshifts      = 20
	haloMasses         = 20
	haloMassive        = 3e15
	haloScatter        = 0.32 // of ln concentration
	haloConcentrations = 5
)

func newHaloField(p *theory.Power, s theory.Sources, arcmin, least float64) *haloField {
	h := &haloField{arcmin: arcmin, lightest: least}
	q := p.Efficiency(s)
	omega := math.Pow(arcmin/60*math.Pi/180, 2)
	top := math.Min(s.Max(), 2)
	dz, dm := top/haloRedshifts, math.Log(haloMassive/least)/haloMasses
	quantiles := [haloConcentrations]float64{-1.28, -0.52, 0, 0.52, 1.28}
	var total float64
	for i := range haloRedshifts {
		z := (float64(i) + 0.5) * dz
		chi := p.Distance(z)
		volume := omega * chi * chi * theory.HubbleDistance / p.E(z) * dz
		n := p.MassFunction(z)
		for j := range haloMasses {
			m := least * math.Exp((float64(j)+0.5)*dm)
			rate := n(m) * dm * volume / haloConcentrations
			for _, x := range quantiles {
				f := p.Lens(theory.Halo{Mass: m, Concentration: theory.Concentration(m, z) * math.Exp(haloScatter*x), Z: z, Mean: true}, q(z))
				f.Truncated = true
				total += rate
				h.profiles, h.sum = append(h.profiles, f), append(h.sum, total)
				h.mean += rate * integral(f) / (arcmin * arcmin)
			}
		}
	}
	return h
}

// integral of the profile over the plane, arcmin².
func integral(p theory.Profile) float64 {
	const n = 400
	var sum float64
	for i := range n {
		r := p.C * p.Scale * (float64(i) + 0.5) / n
		sum += p.Kappa(r) * 2 * math.Pi * r * p.C * p.Scale / n
	}
	return sum
}

// add strews haloes over a map on the torus and takes their mean off.
func (h *haloField) add(dst []float64, side int, rng *rand.Rand) {
	total := h.sum[len(h.sum)-1]
	for range poisson(total*float64(side*side), rng) {
		i := sort.SearchFloat64s(h.sum, total*rng.Float64())
		h.render(dst, side, h.profiles[min(i, len(h.profiles)-1)], rng)
	}
	for i := range dst {
		dst[i] -= h.mean
	}
}

// render adds one halo, averaged over pixels.
func (h *haloField) render(dst []float64, side int, p theory.Profile, rng *rand.Rand) {
	x0, y0 := rng.Float64()*float64(side), rng.Float64()*float64(side)
	q := 0.5 + 0.5*rng.Float64()
	sin, cos := math.Sincos(math.Pi * rng.Float64())
	edge := p.C * p.Scale / h.arcmin
	r := int(edge/math.Sqrt(q)) + 1
	for y := int(y0) - r; y <= int(y0)+r+1; y++ {
		for x := int(x0) - r; x <= int(x0)+r+1; x++ {
			dx, dy := float64(x)-x0, float64(y)-y0
			n := 1
			if d := dx*dx + dy*dy; d < 4 {
				n = 6
			} else if d < 36 {
				n = 2
			}
			var sum float64
			for j := range n * n {
				u := dx + (float64(j%n)+0.5)/float64(n) - 0.5
				v := dy + (float64(j/n)+0.5)/float64(n) - 0.5
				a, b := (u*cos+v*sin)*math.Sqrt(q), (v*cos-u*sin)/math.Sqrt(q)
				if t := math.Hypot(a, b); t < edge {
					sum += p.Kappa(math.Max(t, 0.02) * h.arcmin)
				}
			}
			dst[wrap(y, side)*side+wrap(x, side)] += sum / float64(n*n)
		}
	}
}

func wrap(i, n int) int { return ((i % n) + n) % n }

// poisson draws from a Poisson distribution: by multiplication in pieces.
func poisson(mean float64, rng *rand.Rand) int {
	n := 0
	for mean > 0 {
		part := math.Min(mean, 30)
		mean -= part
		limit, p := math.Exp(-part), rng.Float64()
		for p > limit {
			n++
			p *= rng.Float64()
		}
	}
	return n
}

// What without measures on.
const (
	haloMaps    = 48
	haloMapSide = 192
	leastField  = 0.25 // of the power stays with the smooth field
)

// without is a spectrum less that of the haloes, measured on maps of haloes alone.
func (h *haloField) without(s gaussian.Spectrum) (gaussian.Spectrum, error) {
	maps := make([][]float64, haloMaps)
	for i := range maps {
		maps[i] = make([]float64, haloMapSide*haloMapSide)
		h.add(maps[i], haloMapSide, Rand(engine.NewKey(uint64(i)).Fold(0x4a10)))
	}
	bins, err := gaussian.Periodogram(maps, haloMapSide, haloMapSide, 3, 0)
	if err != nil {
		return s, err
	}
	var k, p []float64
	for _, b := range bins {
		k, p = append(k, b.K), append(p, b.Power)
	}
	own, err := gaussian.NewSpectrum(k, p)
	if err != nil {
		return s, err
	}
	k, p = nil, nil
	for _, lk := range s.LogK {
		f := math.Exp(lk)
		k, p = append(k, f), append(p, math.Max(s.At(f)-own.At(math.Max(f, bins[0].K)), leastField*s.At(f)))
	}
	return gaussian.NewSpectrum(k, p)
}
