package deblend

import (
	"fmt"
	"math"

	"limpid"
	"limpid/engine"
	"limpid/solvers"
)

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
	snr := signalToNoise(obs)
	labels := make([]int32, d.H*d.W)
	reach := int(math.Ceil(1.2 * width(obs)))
	for _, s := range sources { // a source is in its own footprint whatever its S/N
		cx, cy := int(math.Round(s.X)), int(math.Round(s.Y))
		for y := max(cy-reach, 0); y <= min(cy+reach, d.H-1); y++ {
			for x := max(cx-reach, 0); x <= min(cx+reach, d.W-1); x++ {
				snr[y*d.W+x] = max(snr[y*d.W+x], footprintSNR+1)
			}
		}
	}
	n := label(labels, snr, d.H, d.W, footprintSNR)
	byLabel := make([][]int, n+1)
	for k, s := range sources {
		x, y := min(max(int(math.Round(s.X)), 0), d.W-1), min(max(int(math.Round(s.Y)), 0), d.H-1)
		l := labels[y*d.W+x]
		byLabel[l] = append(byLabel[l], k)
	}
	boxes := labelBoxes(labels, d.H, d.W, n)
	margin := max(obs.PSF.H/2, int(3*width(obs)))
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

func width(obs *solvers.Observation) float64 {
	var top float64
	for c := range obs.PSF.C {
		top = max(top, psfWidth(obs.PSF.Plane(c), obs.PSF.H, obs.PSF.W))
	}
	return max(top, 2)
}

// label numbers 4-connected regions above a threshold from 1.
func label(labels []int32, v []float32, h, w int, above float32) int {
	n := int32(0)
	var stack []int
	for start := range v {
		if v[start] <= above || labels[start] != 0 {
			continue
		}
		n++
		labels[start] = n
		stack = append(stack[:0], start)
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			y, x := i/w, i%w
			for _, j := range [4]int{i - 1, i + 1, i - w, i + w} {
				if j == i-1 && x == 0 || j == i+1 && x == w-1 || j == i-w && y == 0 || j == i+w && y == h-1 {
					continue
				}
				if v[j] > above && labels[j] == 0 {
					labels[j] = n
					stack = append(stack, j)
				}
			}
		}
	}
	return int(n)
}

func labelBoxes(labels []int32, h, w, n int) [][4]int {
	boxes := make([][4]int, n+1)
	for l := range boxes {
		boxes[l] = [4]int{w, 0, h, 0}
	}
	for i, l := range labels {
		b := &boxes[l]
		x, y := i%w, i/w
		b[0], b[1], b[2], b[3] = min(b[0], x), max(b[1], x+1), min(b[2], y), max(b[3], y+1)
	}
	return boxes
}

// signalToNoise is the matched filter of all bands for point sources, in units of
// its own noise: Σ_b P̃_b ∗ (w d) over the root of Σ_b P̃_b² ∗ w, with a Gaussian of
// each PSF's width (Kaiser 2004, quoted in Bosch+2018; equal fluxes assumed).
func signalToNoise(obs *solvers.Observation) []float32 {
	d := obs.Data
	n := d.H * d.W
	num, den := make([]float32, n), make([]float32, n)
	wd, tmp := make([]float32, n), make([]float32, n)
	for c := range d.C {
		sigma := max(psfWidth(obs.PSF.Plane(c), obs.PSF.H, obs.PSF.W)/fwhmOverSigma, 0.5)
		w := obs.Weights.Plane(c)
		norm := math.Sqrt(medianPositive(w)) // every band counts by its S/N: flux in units of its noise
		if norm == 0 {
			continue
		}
		for i, v := range d.Plane(c) {
			wd[i] = v * w[i] / float32(norm)
		}
		blur(wd, tmp, d.H, d.W, gaussianKernel(sigma, false))
		for i, v := range wd {
			num[i] += v
		}
		for i, v := range w {
			wd[i] = v / float32(norm*norm)
		}
		blur(wd, tmp, d.H, d.W, gaussianKernel(sigma, true))
		for i, v := range wd {
			den[i] += v
		}
	}
	for i, v := range den {
		if v > 1e-12 {
			num[i] /= float32(math.Sqrt(float64(v)))
		} else {
			num[i] = 0
		}
	}
	return num
}

func medianPositive(w []float32) float64 {
	var v []float32
	for i := 0; i < len(w); i += max(len(w)/4096, 1) {
		if w[i] > 0 {
			v = append(v, w[i])
		}
	}
	return float64(median(v))
}

func gaussianKernel(sigma float64, squared bool) []float32 {
	r := int(math.Ceil(3.5 * sigma))
	k, sum := make([]float64, 2*r+1), 0.0
	for i := range k {
		x := float64(i-r) / sigma
		k[i] = math.Exp(-0.5 * x * x)
		sum += k[i]
	}
	out := make([]float32, len(k))
	for i, v := range k {
		v /= sum
		if squared {
			v *= v
		}
		out[i] = float32(v)
	}
	return out
}

// blur convolves rows and columns with a symmetric kernel; nothing beyond the edge.
func blur(v, tmp []float32, h, w int, k []float32) {
	r := len(k) / 2
	for y := range h {
		for x := range w {
			var s float32
			for j := max(-r, -x); j <= min(r, w-1-x); j++ {
				s += k[j+r] * v[y*w+x+j]
			}
			tmp[y*w+x] = s
		}
	}
	clear(v)
	for y := range h {
		for j := max(-r, -y); j <= min(r, h-1-y); j++ {
			a, src := k[j+r], tmp[(y+j)*w:(y+j+1)*w]
			dst := v[y*w : (y+1)*w]
			for x, s := range src {
				dst[x] += a * s
			}
		}
	}
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
	snr := signalToNoise(obs)
	var as, swapped float64
	differ := 0
	for _, s := range sources {
		x, y := int(math.Round(s.X)), int(math.Round(s.Y))
		if y >= d.W || x >= d.H {
			return nil
		}
		if math.Hypot(s.X-s.Y, s.Y-s.X) > 3*width(obs) {
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
