// Package card describes learned priors: what a weights file is for, how it was made
// and how well it does. The description travels in the file's metadata.
package card

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"

	"limpid/engine/nn"
	"limpid/engine/nn/safetensors"
	"limpid/priors"
	"limpid/priors/gaussian"
)

// Kinds of networks.
const (
	Score  = "score"  // priors/score
	Hybrid = "hybrid" // priors/hybrid
	Mean   = "mean"   // score.Regressor, trained with the ℓ2 loss
	Median = "median" // the same with the ℓ1 loss
	Shear  = "shear"  // solvers/massmap/preview: convergence of a field of shear
)

// Card is a model card.
type Card struct {
	Kind     string        `json:"kind"`
	Name     string        `json:"name"`
	About    string        `json:"about"`
	Scenes   string        `json:"scenes"`   // what it was trained on
	Validity string        `json:"validity"` // what images it is for, and where it fails
	Trained  []string      `json:"trained"`  // the commands, in order
	Seed     uint64        `json:"seed"`
	Steps    int           `json:"steps"`
	Loss     float64       `json:"loss"` // of the averaged weights on held-out scenes
	UNet     nn.UNetConfig `json:"unet"`
	// LowSNR and HighSNR bound the peak signal to noise of the training scenes; for
	// kind Score.
	LowSNR  float64 `json:"low_snr,omitempty"`
	HighSNR float64 `json:"high_snr,omitempty"`
	Centred bool    `json:"centred,omitempty"`
	// Stamp is the side in pixels of the largest scenes that a centred prior learned from: what lies beyond is taken for empty
	// sky. 0: it sees images as large as they are.
	Stamp int `json:"stamp,omitempty"`
	// MinPixel and MaxPixel bound the sides of the training scenes' pixels in arcsec; 0 where they are not known.
	MinPixel float64 `json:"min_pixel,omitempty"`
	MaxPixel float64 `json:"max_pixel,omitempty"`
	// FWHM is the point spread that a regression undoes, in pixels.
	FWHM float64 `json:"fwhm,omitempty"`
	// Low and High bound σ in the maps' unit (of a component of the shear per pixel),
	// Spectrum is the Gaussian part, Arcmin the pixel; for the kinds Hybrid and Shear.
	Low      float64            `json:"low,omitempty"`
	High     float64            `json:"high,omitempty"`
	Spectrum *gaussian.Spectrum `json:"spectrum,omitempty"`
	Arcmin   float64            `json:"arcmin,omitempty"`
	// Measured are denoising errors on held-out scenes.
	Measured []Row `json:"measured,omitempty"`
	// Errors are those of the denoiser beside what its derivative says; for kind Score. ("errors" was a table of another form.)
	Errors *priors.Errors `json:"denoiser_errors,omitempty"`
	// Typical is what the test for unlike images compares with: see priors/score.
	Typical *Typical `json:"typical,omitempty"`
}

// Row is a line of the table of denoising errors: mean square errors over σ².
type Row struct {
	Level   float64 `json:"level"` // σ over the image's standard deviation
	Wiener  float64 `json:"wiener"`
	Starlet float64 `json:"starlet"`
	TV      float64 `json:"tv"`
	Learned float64 `json:"learned"`
}

// Typical is the distribution, over held-out scenes, of statistics of how well a prior
// explains an image: sorted values, one list per statistic.
type Typical struct {
	Names  []string    `json:"names"`
	Values [][]float64 `json:"values"`
}

const key = "limpid.prior"

// Metadata is the card as it travels.
func (c Card) Metadata() map[string]string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // a card holds finite numbers
	}
	return map[string]string{key: string(text)}
}

// Of is the card in a file's metadata.
func Of(f *safetensors.File) (Card, error) {
	var c Card
	if f.Metadata[key] == "" {
		return c, fmt.Errorf("the file holds weights, but is not a prior of Limpid: there is no %q in its metadata; docs/priors.md says how to write one", key)
	}
	if err := json.Unmarshal([]byte(f.Metadata[key]), &c); err != nil {
		return c, fmt.Errorf("the description of the prior cannot be read: %w", err)
	}
	if err := c.UNet.Check(); err != nil {
		return c, err
	}
	if c.Errors != nil {
		if err := c.Errors.Check(); err != nil {
			return c, fmt.Errorf("the card of the prior %q: %w", c.Name, err)
		}
	}
	switch c.Kind {
	case Score, Mean, Median:
	case Hybrid, Shear:
		if c.Spectrum == nil || !(c.Low > 0 && c.High > c.Low) {
			return c, fmt.Errorf("the network %q of the kind %s has no spectrum or no range of noise", c.Name, c.Kind)
		}
		if err := checkSpectrum(c.Spectrum); err != nil {
			return c, fmt.Errorf("the network %q: %w", c.Name, err)
		}
	default:
		return c, fmt.Errorf("the prior %q is of the kind %q, which this version does not know", c.Name, c.Kind)
	}
	return c, nil
}

// checkSpectrum asks for finite points of ascending wavenumber.
func checkSpectrum(s *gaussian.Spectrum) error {
	if len(s.LogK) == 0 || len(s.LogK) != len(s.LogP) {
		return fmt.Errorf("a spectrum of %d wavenumbers and %d powers", len(s.LogK), len(s.LogP))
	}
	for i := range s.LogK {
		if bad(s.LogK[i]) || bad(s.LogP[i]) || i > 0 && s.LogK[i] <= s.LogK[i-1] {
			return fmt.Errorf("point %d of its spectrum is (%g, %g)", i, s.LogK[i], s.LogP[i])
		}
	}
	return nil
}

// bad is a logarithm that overflows.
func bad(x float64) bool { return math.IsNaN(x) || math.Abs(x) > 300 }

// Read reads the card of a weights file.
func Read(path string) (Card, error) {
	r, err := os.Open(path)
	if err != nil {
		return Card{}, fmt.Errorf("card: %w", err)
	}
	defer r.Close()
	st, err := r.Stat()
	if err != nil {
		return Card{}, fmt.Errorf("card: %w", err)
	}
	c, _, err := Open(r, st.Size())
	if err != nil {
		return c, fmt.Errorf("card: %s: %w", path, err)
	}
	return c, nil
}

// Open reads the header of weights and their card.
func Open(r io.ReaderAt, size int64) (Card, *safetensors.File, error) {
	f, err := safetensors.Read(r, size)
	if err != nil {
		return Card{}, nil, err
	}
	c, err := Of(f)
	return c, f, err
}
