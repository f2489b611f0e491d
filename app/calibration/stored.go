package calibration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	"limpid/app/file"
	"limpid/app/training"
	"limpid/assets"
	"limpid/solvers/calibrate"
	"limpid/solvers/deconv"
)

// Stored are the calibrations that are kept of a prior's weights: with those that ship,
// and in a file beside a user's. Reports of other weights of the same name are left out, and
// those that no result can be compared with: of single galaxies, of total S/N, of a walk of their own.
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
		if r.Steps == e.Card.Steps && r.Pairs > 0 && !r.Single && !r.Total && !r.Own && r.Sampler == Samplers()[0] {
			out = append(out, r)
		}
	}
	return out, nil
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

// Nearest is the calibration whose signal to noise is nearest to a peak of snr σ, and of
// these the one of most pairs: of those with a budget, or of the standard one's where it
// has none, or of any; nil where there is none at all.
func Nearest(all []Report, snr float64, b deconv.Budget) *Report {
	for _, b := range []deconv.Budget{b, deconv.Standard} {
		if of := slices.DeleteFunc(slices.Clone(all), func(r Report) bool { return r.Budget != b }); len(of) > 0 {
			all = of
			break
		}
	}
	var best *Report
	far := func(r *Report) float64 {
		switch {
		case snr < r.LowSNR:
			return math.Log(r.LowSNR / math.Max(snr, 1e-3))
		case snr > r.HighSNR:
			return math.Log(snr / r.HighSNR)
		}
		return 0
	}
	for i := range all {
		r := &all[i]
		if best == nil || far(r) < far(best) || far(r) == far(best) && r.Pairs > best.Pairs {
			best = r
		}
	}
	return best
}

// Covers says whether data of a peak of snr σ are like those of the calibration.
func (r *Report) Covers(snr float64) bool { return snr >= r.LowSNR/2 && snr <= 2*r.HighSNR }

// Sentence says what a calibration found.
func (r *Report) Sentence() string {
	return fmt.Sprintf("calibrated on %d simulated fields (peak S/N %g to %g, PSF %s), where 90 %% intervals held %.0f %% of the pixels, %.0f %% of the brightest 1 %% and %.0f %% of the fluxes (χ²/pixel of samples %.2f)",
		r.Pairs, r.LowSNR, r.HighSNR, r.PSF, 100*r.Coverage, 100*r.Bright, 100*r.FluxCover, r.Chi2)
}

// Right says whether intervals hold about what they say: .85 to .98 of all pixels (empty sky is held by nearly all), at
// least .8 of the brightest and of the fluxes.
func (r *Report) Right() bool {
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
		return a.PSF == r.PSF && a.LowSNR == r.LowSNR && a.HighSNR == r.HighSNR && a.Budget == r.Budget && a.Masked == r.Masked && a.Truths == r.Truths
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
