package lens

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors/gaussian/theory"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/measure"
)

// Recovery is what became of an injected halo: the mean of κ in discs about it, less that
// of the field, injected and in the map with it less the map without.
type Recovery struct {
	Halo   Halo        `json:"halo"`
	X, Y   float64     // pixels from 0
	Points []Recovered `json:"points"`
}

// Recovered is one disc. Std is the posterior's of the map with the halo; NaN without
// samples.
type Recovered struct {
	Radius    float64 `json:"radius"` // arcmin
	Injected  float64 `json:"injected"`
	Recovered float64 `json:"recovered"`
	Std       float64 `json:"std"`
}

// recoveryRadii of the discs, arcmin.
var recoveryRadii = []float64{1, 2, 4}

// Carry maps a field by a recipe, with what is asked for beside the map. tell may be nil.
func (r *Recipe) Carry(ctx context.Context, dev engine.Device, f *massmap.Field, tell func(Progress)) (*Result, error) {
	if err := r.Choose(f); err != nil {
		return nil, err
	}
	over, err := OpenOverlay(ctx, f, r.Marks, r.Contours)
	if err != nil {
		return nil, err
	}
	set := massmap.Settings{Method: r.Method, Shift: r.Shift, Pad: r.Pad, Smoothing: r.Smoothing, FillGaps: r.FillGaps, Reduced: r.Reduced}
	var prior *LearnedPrior
	switch r.Method {
	case massmap.Score:
		if prior, err = OpenPrior(dev, r.prior(), f.Arcmin); err != nil {
			return nil, err
		}
		defer prior.Close()
		set.Learned = prior.Learned
		f.Findings = append(f.Findings, prior.Findings...)
	case massmap.UNet:
		net, err := OpenNetwork(dev, r.Prior, f)
		if err != nil {
			return nil, err
		}
		defer net.Close()
		set.Network = net
	}
	if set.Spectrum, err = r.spectrum(ctx, dev, f, prior); err != nil {
		return nil, err
	}
	job := Job{Field: f, Settings: set, Samples: r.Samples, Seed: r.Seed, Smoothing: r.Smoothing}
	var inj *measure.Injection
	var without *Result
	if r.Inject != nil {
		if inj, err = r.inject(dev, f); err != nil {
			return nil, err
		}
		bare := job
		bare.Rotations = -1
		if without, err = Map(ctx, dev, bare, tell); err != nil {
			return nil, err
		}
		job.Field = inj.Field
	}
	res, err := Map(ctx, dev, job, tell)
	if err != nil {
		return nil, err
	}
	if prior != nil {
		if err := prior.Err(); err != nil {
			return nil, err
		}
	}
	if inj != nil {
		res.Recovery = recovery(*r.Inject, inj, without, res)
	}
	if over != nil {
		over.stack(res.Job.Field, res.Mean)
		res.Overlay = over
		res.Findings = append(res.Findings, over.Findings...)
	}
	return res, r.beside(res)
}

// inject puts the halo into a copy of the field.
func (r *Recipe) inject(dev engine.Device, f *massmap.Field) (*measure.Injection, error) {
	h := r.Inject
	x, y, err := place(f, h.RA, h.Dec)
	if err != nil {
		return nil, err
	}
	src, err := r.Sources()
	if err != nil {
		return nil, err
	}
	return measure.Inject(dev, f, theory.Planck2015(), theory.Halo{Mass: h.Mass, Concentration: h.Concentration, Z: h.Z}, src, x, y)
}

// place is the pixel of a position: on the sky, or where the field has none, the pixel
// itself.
func place(f *massmap.Field, ra, dec float64) (x, y float64, err error) {
	x, y = ra, dec
	if f.Projection.Kind != massmap.Pixels {
		var ok bool
		if x, y, ok = f.Projection.ToPixel(ra, dec); !ok {
			x = math.NaN()
		}
	}
	if !(x >= -0.5 && y >= -0.5 && x < float64(f.W)-0.5 && y < float64(f.H)-0.5) {
		return 0, 0, fmt.Errorf("lens: position (%g, %g) is not on the map: %w", ra, dec, massmap.ErrSetting)
	}
	return x, y, nil
}

// disc is the mean of a map within radius of a pixel, less that of the field.
func disc(f *massmap.Field, m []float32, x, y, radius float64) float64 {
	var sum, n float64
	for i, v := range m {
		if math.Hypot(float64(i%f.W)-x, float64(i/f.W)-y)*f.Arcmin <= radius {
			sum, n = sum+float64(v), n+1
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum/n - measure.Mean(f, m)
}

func recovery(h Halo, inj *measure.Injection, without, with *Result) *Recovery {
	f := with.Job.Field
	out := &Recovery{Halo: h, X: inj.X, Y: inj.Y}
	for _, radius := range recoveryRadii {
		p := Recovered{Radius: radius, Injected: disc(f, inj.Kappa, inj.X, inj.Y, radius), Std: math.NaN()}
		p.Recovered = disc(f, with.Mean, inj.X, inj.Y, radius) - disc(f, without.Mean, inj.X, inj.Y, radius)
		if n := float64(len(with.Samples)); n > 1 {
			var s, ss float64
			for _, m := range with.Samples {
				v := disc(f, m, inj.X, inj.Y, radius)
				s, ss = s+v/n, ss+v*v/n
			}
			p.Std = math.Sqrt(math.Max(0, ss-s*s) * n / (n - 1))
		}
		out.Points = append(out.Points, p)
	}
	return out
}

// beside adds the aperture mass and the profile.
func (r *Recipe) beside(res *Result) error {
	f := res.Job.Field
	var err error
	if a := r.Aperture; a != nil {
		if res.Aperture, err = measure.ApertureMass(f, a.Filter, a.Radius); err != nil {
			return err
		}
	}
	if p := r.Profile; p != nil {
		x, y, err := place(f, p.RA, p.Dec)
		if err != nil {
			return err
		}
		b, err := measure.Profile(f, res.Mean, res.Samples, x, y, p.Width, p.Radius)
		if err != nil {
			return err
		}
		res.Profile = &b
	}
	return nil
}
