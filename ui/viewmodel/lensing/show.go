package lensing

import (
	"fmt"
	"math"
	"time"

	"limpid"
	"limpid/app/figure"
	"limpid/solvers/massmap"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/board"
	"limpid/ui/viewmodel/form"
)

// imageCache keeps the pictures made of planes that are still shown.
type imageCache map[*float32]*figure.Image

func (m *Model) image(w, h int, pix []float32) *figure.Image {
	if len(pix) != w*h || len(pix) == 0 {
		return nil
	}
	if im := m.images[&pix[0]]; im != nil {
		if iw, ih := im.Size(); iw == w && ih == h {
			return im
		}
	}
	im, err := figure.NewImage(figure.Plane{Data: pix, W: w, H: h})
	if err != nil {
		return nil
	}
	return im
}

// show brings the board up to date.
func (m *Model) show() {
	f := m.field()
	if f == nil {
		m.board.Set(nil, nil, "")
		return
	}
	var layers []*board.Layer
	kept := imageCache{}
	add := func(key, name, title, unit string, kind board.Kind, group string, pix []float32) *board.Layer {
		l := &board.Layer{Key: key, Name: name, Title: title, Unit: unit, Kind: kind, Group: group}
		if l.Image = m.image(f.W, f.H, pix); l.Image != nil {
			kept[&pix[0]] = l.Image
		}
		layers = append(layers, l)
		return l
	}
	if m.entry != nil {
		m.resultLayers(add)
	}
	p := m.planesOf(f)
	add("counts", "Counts", "Galaxies per pixel", "", board.Counts, "", f.Count)
	add("mask", "Mask", "1: data, 0: masked", "", board.Counts, "", p.mask)
	add("noise", "Noise", "Noise of a component of the shear", "", board.Spread, "", p.noise)
	add("shear", "Shear", "Reduced shear |g|, sticks along it", "", board.Spread, "", p.size)
	e, b := m.modes()
	missing := "Being computed …"
	if m.entry != nil && !m.entry.Running {
		missing = "Not computed: the run did not finish"
	}
	add("e", "E mode", "Kaiser–Squires E mode, smoothed", "", board.Signed, "modes", e).Message = missing
	add("b", "B mode", "B mode: lensing makes none", "", board.Signed, "modes", b).Message = missing
	if a := m.beside; a.aperture != nil && a.of == m.bin.field && len(a.sn) == f.H*f.W {
		add("aperture", "Aperture", "Aperture mass over its noise, straight from the shear", "σ", board.Signed, "", a.sn)
	}
	m.images = kept
	frame := ""
	var sky figure.Sky
	if f.Projection.Kind != massmap.Pixels && f.Projection.Kind != "" {
		sky, frame = &f.Projection, "ICRS"
	}
	m.board.Set(layers, sky, frame)
}

func (m *Model) modes() (e, b []float32) {
	if m.entry != nil {
		if r := m.entry.Result; r != nil {
			return r.E, r.B
		}
		if m.bin.field == nil || m.entry.Field.Galaxies != m.bin.field.Galaxies || m.entry.Field.W != m.bin.field.W {
			return nil, nil
		}
	}
	return m.bin.e, m.bin.b
}

func (m *Model) resultLayers(add func(key, name, title, unit string, kind board.Kind, group string, pix []float32) *board.Layer) {
	e := m.entry
	r := e.Result
	waiting := "Waiting for the first map …"
	if !e.Running && r == nil {
		waiting = "The run ended before there was a map"
	}
	if r == nil {
		l := add("mean", "Mean", "κ, mean so far", "", board.Signed, "kappa", e.mean)
		l.Message = waiting
		if e.Method.Samples() {
			add("sample", "Sample", "Newest sample of κ", "", board.Signed, "kappa", e.sample).Message = waiting
		}
		return
	}
	title := "κ, posterior mean"
	if r.Std == nil {
		title = "κ, " + shortName(e.Method)
	}
	l := add("mean", "Mean", title, "", board.Signed, "kappa", r.Mean)
	l.Std, l.StdIs = r.Std, "posterior"
	if l.Image != nil { // the samples are drawn with the limits of the mean
		lim := figure.Range{Kind: figure.Symmetric, Percent: 99.8}.Of(l.Image)
		l.Auto = &lim
	}
	if r.Std != nil {
		add("std", "Std", "Posterior standard deviation of κ", "", board.Spread, "", r.Std)
		add("sn", "S/N", "κ less its mean over the field, over its standard deviation", "σ", board.Signed, "", r.SN)
	}
	if n := len(r.Samples); n > 0 {
		k := min(m.sample, n-1)
		add("sample", fmt.Sprintf("Sample %d/%d", k+1, n), fmt.Sprintf("Posterior sample %d of %d", k+1, n), "", board.Signed, "kappa", r.Samples[k])
	}
}

// planes are derived of a field once.
type planes struct {
	of                *massmap.Field
	mask, noise, size []float32
}

func (m *Model) planesOf(f *massmap.Field) planes {
	if m.derived.of == f {
		return m.derived
	}
	n := f.H * f.W
	p := planes{of: f, mask: make([]float32, n), noise: make([]float32, n), size: make([]float32, n)}
	nan := float32(math.NaN())
	for i := range n {
		if f.Masked(i) {
			p.noise[i], p.size[i] = nan, nan
			continue
		}
		p.mask[i] = 1
		p.noise[i] = float32(f.Std(0, i))
		p.size[i] = float32(math.Hypot(float64(f.Shear.Pix[i]), float64(f.Shear.Pix[n+i])))
	}
	m.derived = p
	return p
}

// SampleNumber is the sample shown, from 0, and how many there are.
func (m *Model) SampleNumber() (k, n int) {
	if m.entry == nil || m.entry.Result == nil {
		return 0, 0
	}
	n = len(m.entry.Result.Samples)
	return min(m.sample, max(0, n-1)), n
}

// SetSample shows sample k; beyond the ends it goes round.
func (m *Model) SetSample(k int) {
	_, n := m.SampleNumber()
	if n == 0 {
		return
	}
	m.sample = (k%n + n) % n
	m.show()
	m.board.Show("sample")
}

// Playing says whether samples are shown one after the other.
func (m *Model) Playing() bool { return m.playing }

// Play starts or stops showing samples one after the other.
func (m *Model) Play() {
	_, n := m.SampleNumber()
	m.setPlaying(!m.playing && n > 1)
	m.changed()
}

func (m *Model) setPlaying(on bool) {
	m.playing = on
	if m.player != nil {
		m.player.Stop()
	}
	if on {
		m.player = time.AfterFunc(160*time.Millisecond, func() {
			m.run.Answer(func() {
				if m.playing {
					m.SetSample(m.sample + 1)
					m.setPlaying(true)
				}
			})
		})
	}
}

// Summary is what a run says of itself: a sentence, rows of numbers, and findings.
func (e *Entry) Summary() (sentence string, level viewmodel.Level, rows []viewmodel.Row, found []viewmodel.Finding) {
	r := e.Result
	if r == nil {
		return "", viewmodel.Unknown, nil, nil
	}
	level = viewmodel.Fine
	for _, x := range r.Findings {
		found = append(found, viewmodel.Finding{Finding: inWords(x)})
		if x.Severity != limpid.Info {
			level = viewmodel.Doubtful
		}
	}
	row := func(label, value string) { rows = append(rows, viewmodel.Row{Label: label, Value: value}) }
	number := func(format string, v float64) string {
		if math.IsNaN(v) {
			return "–"
		}
		return fmt.Sprintf(format, v)
	}
	if n := r.Null; n != nil {
		row("E mode", fmt.Sprintf("%.1f σ", n.SigmaE))
		row("B mode (expect within 2)", fmt.Sprintf("%.1f σ", n.SigmaB))
		sentence = fmt.Sprintf("Against %d random turns of the shear the E mode has %.1f σ more power, the B mode %.1f σ: ", n.Rotations, n.SigmaE, n.SigmaB)
		switch {
		case math.Abs(n.SigmaB) > 5 && n.SigmaB > n.SigmaE/4:
			sentence += "the B mode says that something other than lensing is in the shear"
		case n.SigmaE > 3:
			sentence += "there is lensing, and no sign of anything else beyond what a mask leaks"
		default:
			sentence += "lensing is not detected"
		}
	}
	row("χ² per component of the mean", number("%.3f", r.Chi2))
	if len(r.Samples) > 0 {
		row("χ² of samples (expect 1)", number("%.3f", r.Chi2Draws))
		row("R-hat, ESS", number("%.3f", r.Convergence.RHat)+", "+number("%.0f", min(r.Convergence.ESS, float64(len(r.Samples)))))
		if r.Acceptance > 0 {
			row("Acceptance", fmt.Sprintf("%.2f", r.Acceptance))
		}
		found = append(found, viewmodel.Finding{Finding: limpid.Finding{
			Severity: limpid.Info, Code: "mass.peaks",
			What:   "where the truth is highest the intervals hold about half of it: most such pixels cannot be seen in the noise",
			Advice: "docs/massmap.md has the coverage that was measured",
		}})
	}
	row("Peaks", fmt.Sprint(len(r.Peaks)))
	if o := r.Overlay; o != nil && o.Stack != nil {
		row(fmt.Sprintf("Map at %d marks", o.Stack.Used), fmt.Sprintf("%.1f σ above random places", o.Stack.Sigma))
	}
	if q := r.Recovery; q != nil {
		for _, p := range q.Points {
			row(fmt.Sprintf("Test halo, κ within %g′", p.Radius), fmt.Sprintf("%.4f put in, %.4f ± %.4f found", p.Injected, p.Recovered, p.Std))
		}
	}
	if sentence != "" {
		sentence = form.Plain(sentence)
	}
	return sentence, level, rows, found
}
