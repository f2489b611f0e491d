package lens

import (
	"fmt"
	"math"

	"limpid"
	"limpid/app/training"
	"limpid/engine"
	"limpid/priors/card"
	"limpid/priors/gaussian"
	"limpid/priors/hybrid"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/preview"
)

// LearnedPrior is an opened prior on mass maps. Close it after the job.
type LearnedPrior struct {
	massmap.Learned
	Spectrum gaussian.Spectrum // the Gaussian part's
	Findings []limpid.Finding
	prior    *hybrid.Prior
}

// DefaultPrior is the prior on mass maps that ships.
const DefaultPrior = "kappa-cosmos"

// OpenPrior loads a prior by name or path for a field with pixels of the given size.
func OpenPrior(dev engine.Device, name string, arcmin float64) (*LearnedPrior, error) {
	entry, err := training.Find(name)
	if err != nil {
		return nil, fmt.Errorf("lens: %w: %w", err, massmap.ErrSetting)
	}
	if entry.Card.Kind != card.Hybrid {
		return nil, fmt.Errorf("lens: the prior %q is of the kind %q: it is not for mass maps: %w", name, entry.Card.Kind, massmap.ErrSetting)
	}
	f, done, err := entry.Open()
	if err != nil {
		return nil, fmt.Errorf("lens: prior %s: %w", name, err)
	}
	defer done()
	s := dev.NewStream()
	p, err := hybrid.From(dev, s, f)
	if err != nil {
		return nil, fmt.Errorf("lens: prior %s: %w", name, err)
	}
	l := &LearnedPrior{prior: p, Spectrum: *p.Card.Spectrum}
	l.Learned = massmap.Learned{Prior: p, Stream: s, Align: p.Align(), Low: p.Card.Low, Shift: massmap.DefaultShift}
	l.Findings = otherPixel(name, p.Card.Arcmin, arcmin)
	return l, nil
}

// otherPixel says that a network learned from other pixels.
func otherPixel(name string, pixel, arcmin float64) []limpid.Finding {
	if pixel == 0 || math.Abs(arcmin/pixel-1) <= samePixel {
		return nil
	}
	return []limpid.Finding{{
		Severity: limpid.Warning, Code: "prior.pixel", Where: "prior",
		What:   fmt.Sprintf("%s learned from pixels of %g′, these are of %.3g′: it expects other mass maps", name, pixel, arcmin),
		Advice: fmt.Sprintf("use --pixel %g, or the method lognormal", pixel),
	}}
}

// DefaultNetwork is the regression of mass maps that ships.
const DefaultNetwork = "kappa-unet"

// OpenNetwork loads the network of the method unet by name or path, "" being the one that
// ships, and notes in the field where that is not like what it learned from. Close it after
// the job.
func OpenNetwork(dev engine.Device, name string, field *massmap.Field) (*preview.Net, error) {
	if name == "" {
		name = DefaultNetwork
	}
	entry, err := training.Find(name)
	if err != nil {
		return nil, fmt.Errorf("lens: %w: %w", err, massmap.ErrSetting)
	}
	if entry.Card.Kind != card.Shear {
		return nil, fmt.Errorf("lens: the network %q is of the kind %q: it is not for the method unet: %w", name, entry.Card.Kind, massmap.ErrSetting)
	}
	f, done, err := entry.Open()
	if err != nil {
		return nil, fmt.Errorf("lens: network %s: %w", name, err)
	}
	defer done()
	net, err := preview.Load(dev, dev.NewStream(), f)
	if err != nil {
		return nil, fmt.Errorf("lens: network %s: %w", name, err)
	}
	field.Findings = append(field.Findings, otherPixel(name, net.Card.Arcmin, field.Arcmin)...)
	m := preview.Maps{Weight: field.Weights.Pix[:field.H*field.W]}
	if s := m.Sigma(); s < net.Card.Low || s > net.Card.High {
		field.Findings = append(field.Findings, limpid.Finding{
			Severity: limpid.Warning, Code: "prior.noise", Where: "prior",
			What:   fmt.Sprintf("%s learned from noise of %g to %g in a pixel, here it is %.3g", name, net.Card.Low, net.Card.High, s),
			Advice: "use the method wiener or lognormal",
		})
	}
	return net, nil
}

// Err is the network's own failure, after a run.
func (l *LearnedPrior) Err() error { return l.prior.Err() }

// Close frees the prior.
func (l *LearnedPrior) Close() { l.prior.Close() }

// GaussianOnly leaves the network out: the prior is then the Gaussian field of its
// spectrum, which is known in closed form.
func (l *LearnedPrior) GaussianOnly(on bool) { l.prior.GaussianOnly = on }
