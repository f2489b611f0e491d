package deblend

import (
	"context"
	"fmt"
	"math"
	"slices"

	"limpid"
	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/deblend/internal/dense"
	"limpid/solvers/deblend/internal/skymap"
)

// DetectOptions of Detect.
type DetectOptions struct {
	Threshold float64 // S/N of a peak in the matched filter; default 6
	Rounds    int     // how often the residual of a fit is searched; default 2, < 0: never
	Max       int     // sources; default 1000
}

func (o DetectOptions) withDefaults() DetectOptions {
	if o.Threshold <= 0 {
		o.Threshold = 6
	}
	if o.Rounds == 0 {
		o.Rounds = 2
	}
	if o.Max <= 0 {
		o.Max = 1000
	}
	return o
}

// Detect finds sources: the peaks of the matched filter over all bands; then,
// round by round, those of the residual after fitting profiles to what is known,
// which shows sources on the flanks of brighter ones. A constant background is
// taken off first (Background).
func Detect(ctx context.Context, dev engine.Device, obs *solvers.Observation, o DetectOptions, fit Options) ([]Source, error) {
	o = o.withDefaults()
	flat := *obs
	flat.Data = obs.Data.Clone()
	for c := range flat.Data.C {
		level := Background(obs, c)
		w := obs.Weights.Plane(c)
		for i := range flat.Data.Plane(c) {
			if w[i] > 0 {
				flat.Data.Plane(c)[i] -= float32(level)
			}
		}
	}
	found := peaks(skymap.SNR(&flat), flat.Data.H, flat.Data.W, o.Threshold, skymap.Width(obs), nil)
	fit.NoFreeForm = true
	for range o.Rounds {
		if len(found) == 0 || len(found) >= o.Max {
			break
		}
		number(found)
		r, err := Fit(ctx, dev, &flat, found, fit)
		if err != nil {
			return nil, err
		}
		more := peaks(r.residualSNR(&flat), flat.Data.H, flat.Data.W, o.Threshold, skymap.Width(obs), found)
		if len(more) == 0 {
			break
		}
		found = append(found, more...)
	}
	if len(found) > o.Max {
		found = found[:o.Max]
	}
	number(found)
	return found, nil
}

func number(s []Source) {
	for i := range s {
		s[i].ID = i + 1
	}
}

// Background is the sky of a band: the median of the valid pixels after clipping
// at 3 σ (of the median absolute deviation) until nothing changes, ten times at
// most. It is 0 where fewer than 16 pixels are left.
func Background(obs *solvers.Observation, band int) float64 {
	var v []float32
	w := obs.Weights.Plane(band)
	for i, d := range obs.Data.Plane(band) {
		if w[i] > 0 {
			v = append(v, d)
		}
	}
	level := 0.0
	for range 10 {
		if len(v) < 16 {
			return 0
		}
		m := skymap.Median(v)
		level = float64(m)
		dev := make([]float32, len(v))
		for i, d := range v {
			dev[i] = max(d-m, m-d)
		}
		cut := 3 * 1.4826 * skymap.Median(dev)
		n := len(v)
		v = slices.DeleteFunc(v, func(d float32) bool { return d-m > cut || m-d > cut })
		if len(v) == n {
			break
		}
	}
	return level
}

// peaks are the local maxima of an S/N map above a threshold, brightest first,
// not within .6 FWHM of a known one.
func peaks(snr []float32, h, w int, threshold, fwhm float64, known []Source) []Source {
	type peak struct {
		Source
		v float32
	}
	var list []peak
	r := max(int(fwhm/2), 1)
	for y := range h {
		for x := range w {
			v := snr[y*w+x]
			if float64(v) < threshold || !skymap.LocalPeak(snr, h, w, x, y, r) {
				continue
			}
			s := Source{X: float64(x) + vertex(snr, x, 1, w, y*w+x), Y: float64(y) + vertex(snr, y, w, h, y*w+x), Kind: Galaxy}
			if !slices.ContainsFunc(known, func(k Source) bool { return math.Hypot(k.X-s.X, k.Y-s.Y) < 0.6*fwhm }) {
				list = append(list, peak{s, v})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b peak) int {
		switch {
		case a.v > b.v:
			return -1
		case a.v < b.v:
			return 1
		}
		return 0
	})
	out := make([]Source, len(list))
	for i, p := range list {
		out[i] = p.Source
	}
	return out
}

// vertex is the offset of the parabola through a peak and its two neighbours.
func vertex(v []float32, at, stride, n, i int) float64 {
	if at == 0 || at == n-1 {
		return 0
	}
	a, b, c := float64(v[i-stride]), float64(v[i]), float64(v[i+stride])
	if d := a - 2*b + c; d < 0 {
		return min(max(0.5*(a-c)/d, -0.5), 0.5)
	}
	return 0
}

// part is a group of sources and its cut-out.
type part struct {
	index          []int
	x0, x1, y0, y1 int
	label          int32
	labels         []int32 // of the whole image; nil: one part
}

// Fields up to these are one group: splitting saves nothing.
const (
	smallSide    = 128
	smallSources = 12
	footprintSNR = 3.0 // of the image smoothed by the PSF, all bands
)

// partition splits a field into groups whose footprints touch.
func partition(obs *solvers.Observation, sources []Source, opt Options) ([]part, error) {
	d := obs.Data
	if d.H <= smallSide && d.W <= smallSide && len(sources) <= smallSources {
		all := part{x1: d.W, y1: d.H}
		for k := range sources {
			all.index = append(all.index, k)
		}
		return []part{all}, nil
	}
	snr := skymap.SNR(obs)
	labels := make([]int32, d.H*d.W)
	reach := int(math.Ceil(1.2 * skymap.Width(obs)))
	for _, s := range sources { // a source is in its own footprint whatever its S/N
		cx, cy := int(math.Round(s.X)), int(math.Round(s.Y))
		for y := max(cy-reach, 0); y <= min(cy+reach, d.H-1); y++ {
			for x := max(cx-reach, 0); x <= min(cx+reach, d.W-1); x++ {
				snr[y*d.W+x] = max(snr[y*d.W+x], footprintSNR+1)
			}
		}
	}
	n := skymap.Label(labels, snr, d.H, d.W, footprintSNR)
	byLabel := make([][]int, n+1)
	for k, s := range sources {
		x, y := min(max(int(math.Round(s.X)), 0), d.W-1), min(max(int(math.Round(s.Y)), 0), d.H-1)
		l := labels[y*d.W+x]
		byLabel[l] = append(byLabel[l], k)
	}
	boxes := skymap.LabelBoxes(labels, d.H, d.W, n)
	margin := max(obs.PSF.H/2, int(3*skymap.Width(obs)))
	var out []part
	for l, list := range byLabel {
		if len(list) == 0 {
			continue
		}
		b := boxes[l]
		out = append(out, part{
			index: list, label: int32(l), labels: labels,
			x0: max(b[0]-margin, 0), x1: min(b[1]+margin, d.W), y0: max(b[2]-margin, 0), y1: min(b[3]+margin, d.H),
		})
	}
	return out, nil
}

// group cuts the part out. light, if given, is what to take off first; the
// footprints of other parts are masked only where it is not.
func (t part) group(dev engine.Device, obs *solvers.Observation, sources []Source, light *solvers.Image, opt Options) (*group, error) {
	cut := *obs
	cut.Data, cut.Weights = obs.Data.Crop(t.x0, t.x1, t.y0, t.y1), obs.Weights.Crop(t.x0, t.x1, t.y0, t.y1)
	if light != nil {
		l := light.Crop(t.x0, t.x1, t.y0, t.y1)
		for i, w := range cut.Weights.Pix {
			if w > 0 {
				cut.Data.Pix[i] -= l.Pix[i]
			}
		}
	} else if t.labels != nil {
		t.maskOthers(&cut, obs.Data.W)
	}
	var src []Source
	for _, k := range t.index {
		s := sources[k]
		s.X, s.Y = s.X-float64(t.x0), s.Y-float64(t.y0)
		src = append(src, s)
	}
	g, err := newGroup(dev, &cut, src, opt)
	if err != nil {
		return nil, err
	}
	g.index, g.x0, g.y0 = append([]int(nil), t.index...), t.x0, t.y0
	if t.labels != nil {
		g.foreign = func(x, y int) bool {
			l := t.labels[(min(max(y, 0), cut.Data.H-1)+t.y0)*obs.Data.W+min(max(x, 0), cut.Data.W-1)+t.x0]
			return l != t.label
		}
	}
	return g, nil
}

func (t part) maskOthers(cut *solvers.Observation, width int) {
	w := cut.Data.W
	for i := range cut.Data.H * w {
		l := t.labels[(i/w+t.y0)*width+i%w+t.x0]
		if l == 0 || l == t.label {
			continue
		}
		for c := range cut.Data.C {
			cut.Weights.Plane(c)[i] = 0
		}
	}
}

// checkSources looks for positions that cannot be, or look exchanged.
func checkSources(obs *solvers.Observation, sources []Source) ([]limpid.Finding, error) {
	d := obs.Data
	var out []limpid.Finding
	outside, swapped := 0, 0
	for i, s := range sources {
		if math.IsNaN(s.X) || math.IsNaN(s.Y) || math.IsInf(s.X, 0) || math.IsInf(s.Y, 0) {
			return nil, fmt.Errorf("deblend: source %d has no position: %w", i+1, ErrSource)
		}
		in := func(x, y float64) bool {
			return x >= -0.5 && y >= -0.5 && x <= float64(d.W)-0.5 && y <= float64(d.H)-0.5
		}
		if !in(s.X, s.Y) {
			outside++
			if in(s.Y, s.X) {
				swapped++
			}
		}
	}
	if outside > 0 {
		what := fmt.Sprintf("%d of %d sources lie outside the image of %d×%d pixels", outside, len(sources), d.W, d.H)
		if swapped == outside {
			what += "; with x and y exchanged they would lie inside"
		}
		return nil, fmt.Errorf("deblend: %s: %w", what, ErrSource)
	}
	if f := exchanged(obs, sources); f != nil {
		out = append(out, *f)
	}
	return append(out, coincident(sources)...), nil
}

// exchanged warns if the light lies where the sources would be with x and y
// swapped.
func exchanged(obs *solvers.Observation, sources []Source) *limpid.Finding {
	d := obs.Data
	snr := skymap.SNR(obs)
	var as, swapped float64
	differ := 0
	for _, s := range sources {
		x, y := int(math.Round(s.X)), int(math.Round(s.Y))
		if y >= d.W || x >= d.H {
			return nil
		}
		if math.Hypot(s.X-s.Y, s.Y-s.X) > 3*skymap.Width(obs) {
			differ++
		}
		as += math.Min(float64(snr[y*d.W+x]), 50)
		swapped += math.Min(float64(snr[x*d.W+y]), 50)
	}
	if differ == 0 || swapped < 2*math.Max(as, 0) || swapped < 10*float64(len(sources)) {
		return nil
	}
	return &limpid.Finding{
		Severity: limpid.Warning, Code: "deblend.exchanged", Where: "sources",
		What:   fmt.Sprintf("the light lies where the sources would be with x and y exchanged (mean S/N %.1f there, %.1f as given)", swapped/float64(len(sources)), as/float64(len(sources))),
		Advice: "check the order of the coordinates, or give --swap-xy",
	}
}

// coincident warns of sources at one position.
func coincident(sources []Source) []limpid.Finding {
	var out []limpid.Finding
	for i, a := range sources {
		for _, b := range sources[:i] {
			if math.Hypot(a.X-b.X, a.Y-b.Y) < 0.5 {
				out = append(out, limpid.Finding{
					Severity: limpid.Warning, Code: "deblend.coincident", Where: fmt.Sprintf("sources %d and %d", b.ID, a.ID),
					What:   fmt.Sprintf("they stand %.2f px apart", math.Hypot(a.X-b.X, a.Y-b.Y)),
					Advice: "only differing shapes or colours tell them apart: look at the covariance of their fluxes, or remove one",
				})
			}
		}
	}
	return out
}

// added marks a component that nobody gave; it gets its index in the end.
const added = -1

// Sources are added in so many rounds, each from the residual of the last.
const completeRounds = 3

// complete adds sources where the residual shows some (S/N above unmodelledSNR,
// none known within .6 FWHM), and takes those out again that end fainter than
// that.
func (g *group) complete(ctx context.Context) error {
	if !g.p.opt.Complete {
		return nil
	}
	for range completeRounds {
		more := g.residualPeaks()
		if len(more) == 0 {
			return nil
		}
		for _, s := range more {
			g.add(added, s, -1)
		}
		g.arrange()
		if err := g.refit(); err != nil {
			return err
		}
		if err := g.gaussNewton(ctx); err != nil {
			return err
		}
		dropped, err := g.dropFaint()
		if err != nil {
			return err
		}
		if dropped > 0 {
			if err := g.gaussNewton(ctx); err != nil {
				return err
			}
		}
		if dropped == len(more) {
			return nil
		}
	}
	return nil
}

// residualPeaks are the places where the residual looks like a source.
func (g *group) residualPeaks() []Source {
	p := g.p
	res := &solvers.Observation{Data: solvers.NewImage(p.b, p.h, p.w), Weights: solvers.NewImage(p.b, p.h, p.w), PSF: p.stamps}
	model := solvers.Image{C: p.b, H: p.h, W: p.w, Pix: g.model}
	for i, w := range p.weights {
		if w > 0 {
			res.Data.Pix[i] = p.data[i] - g.model[i]
		}
		res.Weights.Pix[i] = w
	}
	var known []Source
	for k, s := range g.src {
		s.X, s.Y = g.theta[k][iX], g.theta[k][iY]
		known = append(known, s)
	}
	found := peaks(residualSNR(res, model), p.h, p.w, unmodelledSNR, skymap.Width(res), known)
	return slices.DeleteFunc(found, func(s Source) bool {
		return g.foreign != nil && g.foreign(int(math.Round(s.X)), int(math.Round(s.Y)))
	})
}

// dropFaint removes added sources whose flux over error, all bands together, is
// below unmodelledSNR.
func (g *group) dropFaint() (int, error) {
	if err := g.render(true); err != nil {
		return 0, err
	}
	h, err := g.normal(seenRough)
	if err != nil {
		return 0, err
	}
	n := len(g.free)
	cov := dense.Inverse(h, n)
	var faint []int
	for k := range g.src {
		if g.index[k] == added && g.snr(cov, k) < unmodelledSNR {
			faint = append(faint, k)
		}
	}
	for i := len(faint) - 1; i >= 0; i-- {
		g.remove(faint[i])
	}
	return len(faint), nil
}

// snr is the flux of component k over its error, all bands together.
func (g *group) snr(cov []float64, k int) float64 {
	var s float64
	for b, i := range g.slot.flux[k] {
		if i >= 0 {
			f := g.flux[k*g.p.b+b]
			s += f * f / cov[i*len(g.free)+i]
		}
	}
	return math.Sqrt(s)
}
