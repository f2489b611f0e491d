package calibration

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strings"

	"limpid/app/file"
	"limpid/app/training"
	"limpid/assets"
	"limpid/priors/card"
	"limpid/solvers/calibrate"
	"limpid/solvers/deconv"
)

// Stored are the calibrations that are kept of a prior's weights: with those that ship,
// and in a file beside a user's. Reports of other weights of the same name are left out, and
// those that no result can be compared with.
func Stored(e training.Entry) ([]Report, error) {
	text, err := stored(e)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("calibration: %w", err)
	}
	var all, out []Report
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("calibration: of the prior %q: %w", e.Name, err)
	}
	for _, r := range all {
		if r.Comparable(e.Card) {
			out = append(out, r)
		}
	}
	return out, nil
}

// Comparable says whether results of the weights with a card can be compared with a report: it is of the same weights and of
// the walk of results, its S/N is that of peaks, and its scenes are what the prior is for (single galaxies
// for a centred one).
func (r *Report) Comparable(c card.Card) bool {
	return r.Steps == c.Steps && r.Pairs > 0 && r.Single == c.Centred && !r.Total && !r.Scene && !r.Own && r.Sampler == Samplers()[0]
}

func stored(e training.Entry) ([]byte, error) {
	if e.Path == "" {
		return assets.ReadCalibrations(e.Name)
	}
	return os.ReadFile(StoreOf(e))
}

// StoreOf is the file of the calibrations of a user's weights.
func StoreOf(e training.Entry) string {
	return strings.TrimSuffix(e.Path, ".safetensors") + ".calibrations.json"
}

// Like is what a result is like: what a calibration is looked for by.
type Like struct {
	SNR        float64 // of the peak
	FWHM       float64 // of the PSF, px; 0: unknown
	Budget     deconv.Budget
	Resolution float64 // FWHM of the target PSF, px; 0: none
	Correlated bool
	Exposures  bool // several, or finer pixels
	Stars      bool // or a free sky beside the scene
}

// Apart says in what a calibration is of another kind than a result.
type Apart struct{ SNR, PSF, Budget, Resolution, Correlated, Exposures, Stars bool }

// How far from what was calibrated a result may be: factors of the PSF's width, where the error bars that were measured
// stay as they are from one width to the next (docs/adr/0035), and of S/N. Fainter than what was calibrated nothing is: there
// the brightest pixels are held less often (docs/adr/0037), and the peak of noise itself is above 3 σ.
const (
	widthsApart = 1.7
	peaksApart  = 2
)

// Apart is in what results like l are of another kind than those that were calibrated.
func (r *Report) Apart(l Like) Apart {
	return Apart{
		SNR:        l.SNR < r.LowSNR || l.SNR > peaksApart*r.HighSNR,
		PSF:        r.width(l) > math.Log(widthsApart),
		Budget:     r.Budget != l.Budget,
		Resolution: (r.Resolution > 0) != (l.Resolution > 0) || l.Resolution < r.Resolution/widthsApart,
		Correlated: (r.Correlated > 0) != l.Correlated,
		Exposures:  (r.Exposures > 0) != l.Exposures,
		Stars:      (r.Stars != nil) != l.Stars,
	}
}

// width is how far apart the PSFs' widths are, in ln; 0 where one is not known.
func (r *Report) width(l Like) float64 {
	if r.FWHM == 0 || l.FWHM == 0 {
		return 0
	}
	return math.Abs(math.Log(l.FWHM / r.FWHM))
}

func (a Apart) count() (n int) {
	for _, b := range []bool{a.SNR, a.PSF, a.Budget, a.Resolution, a.Correlated, a.Exposures, a.Stars} {
		if b {
			n++
		}
	}
	return n
}

// Nearest is the calibration that is the most like a result: apart in the fewest, and of those of the nearest PSF and S/N,
// with the most of the image seen, of the most pairs; nil where there is none at all.
func Nearest(all []Report, l Like) *Report {
	far := func(r *Report) float64 {
		snr := math.Max(l.SNR, 1e-3)
		return r.width(l) + math.Max(0, math.Max(math.Log(r.LowSNR/snr), math.Log(snr/r.HighSNR))) + r.Masked
	}
	order := func(a, b *Report) int {
		return cmp.Or(cmp.Compare(a.Apart(l).count(), b.Apart(l).count()), cmp.Compare(far(a), far(b)), cmp.Compare(b.Pairs, a.Pairs))
	}
	var best *Report
	for i := range all {
		if best == nil || order(&all[i], best) < 0 {
			best = &all[i]
		}
	}
	return best
}

// Sentence says what a calibration found.
func (r *Report) Sentence() string {
	found := []any{r.Pairs, r.LowSNR, r.HighSNR, r.PSF, 100 * r.Coverage, 100 * r.Bright, 100 * r.FluxCover, r.Chi2}
	s := fmt.Sprintf("calibrated on %d simulated fields (peak S/N %g to %g, PSF %s), where 90 %% intervals held %.0f %% of the pixels, %.0f %% of the brightest 1 %% and %.0f %% of the fluxes (χ²/pixel of samples %.2f)", found...)
	if r.Single {
		s = fmt.Sprintf("calibrated on %d simulated single galaxies (peak S/N %g to %g, PSF %s), where 90 %% intervals held %.0f %% of the pixels, %.0f %% of the brightest 1 %% and %.0f %% of the fluxes (χ²/pixel of samples %.2f)", found...)
	}
	if e := r.Expected(); e < Level {
		s += fmt.Sprintf("; of so few draws they hold %.0f %% where they are right", 100*e)
	}
	if r.Resolution > 0 {
		s += fmt.Sprintf("; truths and samples were compared at a target resolution of %g px", r.Resolution)
	}
	if r.Correlated > 0 {
		s += fmt.Sprintf("; their noise was correlated as if smoothed with σ %g px", r.Correlated)
	}
	if r.Exposures > 0 {
		s += fmt.Sprintf("; of %d exposures each, on pixels half as large as theirs", r.Exposures)
	}
	if r.Stars != nil {
		h, f := r.Stars.Host, r.Stars.Field
		s += fmt.Sprintf("; of a star beside each they held %.0f %% of the fluxes and %.0f %% of the coordinates, on the brightest source of a field %.0f %% and %.0f %%",
			100*f.Flux, 100*f.Place, 100*h.Flux, 100*h.Place)
	}
	if r.Masked > 0 {
		s += fmt.Sprintf("; %g %% of them was masked", 100*r.Masked)
	}
	return s
}

// Right says whether intervals hold about what they say: .85 to .98 of all pixels (empty sky is held by nearly all), at
// least .8 of the brightest, of the fluxes, and of those and the places of stars, on a host or not.
func (r *Report) Right() bool {
	if s := r.Stars; s != nil && min(s.Field.Flux, s.Field.Place, s.Host.Flux, s.Host.Place) < 0.8 {
		return false
	}
	return r.Coverage >= 0.85 && r.Coverage <= 0.98 && r.Bright >= 0.8 && r.FluxCover >= 0.8
}

// slim is a report without what only its own table needs.
func (r Report) slim() Report {
	r.TARP = nil
	return r
}

// Store adds a report to those of a user's weights, in place of one of the same
// observation.
func Store(e training.Entry, r *Report) (path string, err error) {
	if e.Path == "" {
		return "", fmt.Errorf("%w: calibrations of priors that ship are part of the program", ErrInvalid)
	}
	all, err := Stored(e)
	if err != nil {
		return "", err
	}
	same := func(a Report) bool {
		return a.PSF == r.PSF && a.Single == r.Single && a.LowSNR == r.LowSNR && a.HighSNR == r.HighSNR && a.Budget == r.Budget && a.Masked == r.Masked && a.Resolution == r.Resolution && a.Correlated == r.Correlated && a.Exposures == r.Exposures && (a.Stars != nil) == (r.Stars != nil) && a.Truths == r.Truths
	}
	var keep []Report
	for _, a := range all {
		if !same(a) {
			keep = append(keep, a)
		}
	}
	text, err := json.MarshalIndent(append(keep, r.slim()), "", "  ")
	if err != nil {
		return "", fmt.Errorf("calibration: %w", err)
	}
	path = StoreOf(e)
	return path, file.WriteBytes(path, append(text, '\n'))
}

// StoreFaint adds a table's counts to those in path, if there are of the same weights.
func StoreFaint(path string, f *calibrate.Faint) error {
	text, err := os.ReadFile(path)
	if err == nil {
		before, err := calibrate.ReadFaint(text)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrInvalid, path, err)
		}
		if before.Prior != f.Prior || before.Steps != f.Steps {
			return fmt.Errorf("%w: %s is of other weights: the prior %s after %d steps", ErrInvalid, path, before.Prior, before.Steps)
		}
		f.Merge(before)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("calibration: %w", err)
	}
	text, err = json.Marshal(f)
	if err != nil {
		return fmt.Errorf("calibration: %w", err)
	}
	return file.WriteBytes(path, append(text, '\n'))
}

// Faint is the table that draws of faint pixels are mapped by with a prior's weights; nil
// where there is none of these weights.
func Faint(e training.Entry) (*calibrate.Faint, error) {
	read := func() ([]byte, error) { return os.ReadFile(FaintOf(e)) }
	if e.Path == "" {
		read = func() ([]byte, error) { return assets.ReadFaint(e.Name) }
	}
	text, err := read()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("calibration: %w", err)
	}
	f, err := calibrate.ReadFaint(text)
	if err != nil {
		return nil, fmt.Errorf("calibration: of the prior %q: %w", e.Name, err)
	}
	if f.Steps != e.Card.Steps {
		return nil, nil
	}
	return f, nil
}

// FaintOf is the file of the table of faint pixels of a user's weights.
func FaintOf(e training.Entry) string {
	return strings.TrimSuffix(e.Path, ".safetensors") + ".faint.json"
}
