package lens

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"

	"limpid"
	"limpid/app/training"
	"limpid/solvers/massmap"
)

// Auto takes the learned prior where the field is like what it learned from, and the
// lognormal prior elsewhere.
const Auto massmap.Method = "auto"

// Samples taken where the user names no number: the learned sampler is slow.
const (
	DefaultSamples = 64
	LearnedSamples = 32
)

// What Auto asks for: pixels within samePixel of the prior's, sources whose mean redshift
// is about that of the training (1.3).
const (
	samePixel      = 0.05
	sourcesFrom    = 1.0
	sourcesTo      = 1.7
	mostAutoPixels = 640 * 640
)

// pixels remembers what priorPixel found: the cards of all priors take long to read.
var pixels sync.Map

// priorPixel is the pixel that a prior knows, arcmin; 0: it has none.
func priorPixel(name string) float64 {
	if v, ok := pixels.Load(name); ok {
		return v.(float64)
	}
	e, err := training.Find(name)
	if err != nil {
		return 0
	}
	pixels.Store(name, e.Card.Arcmin)
	return e.Card.Arcmin
}

// autoPixel is the pixel that suits the learned prior, for a field binned with the pixel
// that its galaxies suggest: where that is not far from it and the map not too large. 0:
// the field had better stay as it is.
func autoPixel(name string, f *massmap.Field) float64 {
	p := priorPixel(name)
	ratio := f.Arcmin / p
	if p == 0 || ratio < 0.5 || ratio > 2.2 || float64(f.H*f.W)*ratio*ratio > mostAutoPixels {
		return 0
	}
	return p
}

// Choose settles what the recipe leaves open for a field: the method, the spectrum and the
// number of samples, and says why.
func (r *Recipe) Choose(f *massmap.Field) error {
	if r.Method == Auto || r.Method == "" {
		why, err := r.unlike(f)
		if err != nil {
			return err
		}
		r.Method = massmap.Score
		if why != "" {
			r.Method = massmap.Lognormal
			f.Findings = append(f.Findings, limpid.Finding{
				Severity: limpid.Info, Code: "method.chosen", Where: "method",
				What:   fmt.Sprintf("the lognormal prior is used, and not the learned prior %s: %s", r.prior(), why),
				Advice: "name the method to decide it yourself",
			})
		} else if r.SourceZ == 0 && r.NZ == "" {
			f.Findings = append(f.Findings, limpid.Finding{
				Severity: limpid.Info, Code: "method.chosen", Where: "method",
				What:   fmt.Sprintf("the learned prior %s is used: the sources are taken to lie at a mean redshift of 1.3", r.prior()),
				Advice: "say where they lie if that is not so",
			})
		}
	}
	if r.Spectrum == "" {
		r.Spectrum = "theory"
		if r.Method == massmap.Score {
			r.Spectrum = "prior"
		}
	}
	if r.Samples == 0 {
		r.Samples = DefaultSamples
		if r.Method == massmap.Score {
			r.Samples = LearnedSamples
		}
	}
	return nil
}

func (r *Recipe) prior() string {
	if r.Prior == "" {
		return DefaultPrior
	}
	return r.Prior
}

// unlike says why a field is not one for the learned prior; "" if it is.
func (r *Recipe) unlike(f *massmap.Field) (string, error) {
	p := priorPixel(r.prior())
	if p == 0 {
		return "it cannot be read, or knows no mass maps", nil
	}
	if math.Abs(f.Arcmin/p-1) > samePixel {
		return fmt.Sprintf("it knows pixels of %g′, these are of %.3g′", p, f.Arcmin), nil
	}
	if r.SourceZ == 0 && r.NZ == "" {
		return "", nil
	}
	src, err := r.Sources()
	if err != nil {
		return "", err
	}
	if z := src.Mean(); z < sourcesFrom || z > sourcesTo {
		return fmt.Sprintf("it learned of sources at a mean redshift of 1.3, these are at %.2g", z), nil
	}
	return "", nil
}

// Costs in processor seconds per pixel of the grid, as docs/benchmarks/massmap.md measured
// them at 360².
const (
	learnedCost   = 7.7e-5 // a draw with its two further walks
	lognormalCost = 9e-7   // a trajectory
	gaussianCost  = 4e-7
	otherCost     = 1e-5 // all of it
)

// Estimate is about how long a map takes on this machine's processors.
func (r *Recipe) Estimate(f *massmap.Field) time.Duration {
	pad := r.Pad
	if pad < 0 {
		pad = massmap.DefaultPad(f.H, f.W)
	}
	cost := otherCost
	n := float64(r.Samples)
	switch r.Method {
	case massmap.Score:
		cost = learnedCost*n + lognormalCost*massmap.DefaultChains*massmap.DefaultWarmup
	case massmap.Lognormal:
		cost = lognormalCost * (massmap.DefaultChains*massmap.DefaultWarmup + massmap.DefaultThin*n)
	case massmap.Wiener:
		cost = gaussianCost * (n + 1)
	}
	s := cost * float64(f.H+2*pad) * float64(f.W+2*pad) / float64(min(runtime.NumCPU(), 8))
	if r.Inject != nil {
		s *= 2
	}
	return time.Duration(s * float64(time.Second))
}

// InWords is a duration as a person would say it.
func InWords(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return "some seconds"
	case d < 90*time.Second:
		return fmt.Sprintf("about %d seconds", int(d.Round(10*time.Second).Seconds()))
	case d < 90*time.Minute:
		return fmt.Sprintf("about %d minutes", int(math.Ceil(d.Minutes())))
	}
	return fmt.Sprintf("about %.1f hours", d.Hours())
}
