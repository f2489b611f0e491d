package learned

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"limpid/app/calibration"
	"limpid/ui/viewmodel"
)

// Report is the verdict of a calibration as limpid-cli calibrate writes it: whether
// error bars hold, by simulation.
type Report struct{ calibration.Report }

// IsReport says whether a file is a report of a calibration, and reads it.
func IsReport(path string) (*Report, bool) {
	const most = 16 << 20
	if info, err := os.Stat(path); err != nil || info.Size() > most || filepath.Ext(path) != ".json" {
		return nil, false
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, false
	}
	var r Report
	if json.Unmarshal(text, &r) != nil || r.Pairs < 1 || len(r.Rows) == 0 {
		return nil, false
	}
	return &r, true
}

// Numbers are its results in rows.
func (r *Report) Numbers() []viewmodel.Row {
	rows := []viewmodel.Row{
		{Label: "Pairs of truth and data", Value: fmt.Sprintf("%d, %d draws each", r.Pairs, r.Draws)},
		{Label: "90 % intervals hold", Value: fmt.Sprintf("%.1f %% of pixels", 100*r.Coverage)},
		{Label: "of the brightest 1 %", Value: fmt.Sprintf("%.1f %%", 100*r.Bright)},
		{Label: "of total fluxes", Value: fmt.Sprintf("%.1f %%", 100*r.FluxCover)},
	}
	if e := r.Expected(); e < calibration.Level { // so few draws do not reach far enough
		rows[1].Value += fmt.Sprintf("; with so few draws %.1f %% expected", 100*e)
	}
	if r.Fine > 0 { // 0: from before it was measured
		rows = slices.Insert(rows, 2, viewmodel.Row{Label: "the same to a tenth of the noise", Value: fmt.Sprintf("%.1f %%", 100*r.Fine)})
	}
	if s := r.Stars; s != nil {
		rows = append(rows,
			viewmodel.Row{Label: "of fluxes of stars", Value: fmt.Sprintf("%.1f %% on the brightest source, %.1f %% elsewhere", 100*s.Host.Flux, 100*s.Field.Flux)},
			viewmodel.Row{Label: "of their coordinates", Value: fmt.Sprintf("%.1f %% on the brightest source, %.1f %% elsewhere", 100*s.Host.Place, 100*s.Field.Place)},
			viewmodel.Row{Label: "of skies", Value: fmt.Sprintf("%.1f %%", 100*s.Sky)})
	}
	rows = append(rows,
		viewmodel.Row{Label: "rms of z (expect 1)", Value: fmt.Sprintf("%.3f", r.ZRMS)},
		viewmodel.Row{Label: "χ²/pixel of draws (expect 1)", Value: fmt.Sprintf("%.3f", r.Chi2)})
	if g := r.Shapes; g != nil {
		rows = append(rows, viewmodel.Row{
			Label: "Shears g, rms error",
			Value: fmt.Sprintf("%.4f, samples say %.4f; 90 %% intervals hold %.1f %%", g.Square, g.Scatter, 100*g.Held),
		})
	}
	if r.Resolution > 0 {
		rows = append(rows, viewmodel.Row{Label: "Target resolution", Value: fmt.Sprintf("FWHM %g px", r.Resolution)})
	}
	if r.Correlated > 0 {
		rows = append(rows, viewmodel.Row{Label: "Noise", Value: fmt.Sprintf("correlated, as if smoothed with σ %g px", r.Correlated)})
	}
	if r.Masked > 0 {
		rows = append(rows, viewmodel.Row{Label: "Masked", Value: fmt.Sprintf("%g %%", 100*r.Masked)})
	}
	return rows
}

// Brightness gives the coverage of 90 % intervals by the true brightness, in σ of a data
// pixel: the middles of the bins and the shares.
func (r *Report) Brightness() (x, y []float64) {
	for _, b := range r.Rows {
		if b.Pixels == 0 {
			continue
		}
		at := b.From * 1.7
		if b.From == 0 {
			at = b.To / 2
		}
		x, y = append(x, at), append(y, b.Coverage)
	}
	return x, y
}

// Ranks is the histogram of test i in equal classes, flat if error bars hold: the middles of
// the classes as shares of the draws, how many pairs are in each, how many should be, and two
// standard deviations of that number.
func (r *Report) Ranks(i int) (x, counts []float64, expect, spread float64) {
	classes := float64(len(r.Tests[i].Counts))
	for k, n := range r.Tests[i].Counts {
		x, counts = append(x, (float64(k)+0.5)/classes), append(counts, float64(n))
		expect += float64(n) / classes
	}
	return x, counts, expect, 2 * math.Sqrt(expect*(1-1/classes))
}

// RankLabel says what the classes of test i are of.
func (r *Report) RankLabel(i int) string {
	if strings.HasPrefix(r.Tests[i].Name, "TARP") {
		return "share of samples nearer to the reference than the truth"
	}
	return "share of samples below the truth"
}
