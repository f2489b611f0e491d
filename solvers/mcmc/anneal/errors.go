package anneal

import (
	"context"
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors"
	"limpid/solvers"
	"limpid/solvers/operator"
)

// How errors are counted.
const (
	binsFrom   = -4.0 // decimal logarithm of the least believed variance over σ²
	binWidth   = 0.25
	binCount   = 18
	binLeast   = 300   // pixels that a bin is judged by
	darkBelow  = 0.003 // of σ²: sky whose variance is less is surest
	factorMost = 100.0
)

// errorFactors are λ, from the centre of the errors out to sources that nothing announced.
var errorFactors = []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30, 100, 1000, 1e4}

// rareTails are the least shares of λ above 3: more of them than these cannot be excluded by what a few
// scenes hold, and without them what is there could never be drawn.
var rareTails = []float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 1e-4, 3e-5, 1e-5, 1e-6}

// What variances are told apart by: denoised values over σ, each twice the one before, residuals over σ and sharpness, evenly spaced.
var (
	errorBright   = []float64{.18, .35, .7, 1.4, 2.8, 5.6, 11, 22, 45}
	errorResidual = []float64{-3.5, -2.5, -1.5, -.5, .5, 1.5, 2.5, 3.5, 4.5}
	errorSharp    = []float64{-.6, -.4, -.2, 0, .2, .4, .6, .8}
)

// errorCount gathers the errors of a denoiser.
type errorCount struct {
	bins  [][binCount][3]float64 // by brightness and bin: pixels, Σ e², Σ c, both over σ²
	kept  []keptError
	count int
}

// keptError is an error of one pixel: e²/σ², the believed variance over σ², the denoised value and the residual over σ, and the sharpness.
type keptError struct{ square, believed, bright, residual, sharp float32 }

// keepEvery thins what surprise and tails are fitted to.
const keepEvery = 3

// add counts a pixel.
func (e *errorCount) add(k keptError) {
	b := &e.bins[brightOf(float64(k.bright))][binOf(float64(k.believed))]
	b[0], b[1], b[2] = b[0]+1, b[1]+float64(k.square), b[2]+float64(k.believed)
	if e.count++; e.count%keepEvery == 0 {
		e.kept = append(e.kept, k)
	}
}

func binOf(believed float64) int {
	return min(max(int((math.Log10(believed)-binsFrom)/binWidth), 0), binCount-1)
}

// brightOf is the entry of errorBright that is nearest, which double.
func brightOf(v float64) int {
	i := math.Round(math.Log2(math.Max(math.Abs(v), 1e-9) / errorBright[0]))
	return int(min(max(i, 0), float64(len(errorBright)-1)))
}

// table is what was counted.
func (e *errorCount) table(scenes int) *priors.Errors {
	t := &priors.Errors{Scenes: scenes, Factors: errorFactors, DarkBelow: darkBelow, Bright: errorBright}
	for b := range binCount {
		t.Believed = append(t.Believed, math.Pow(10, binsFrom+(float64(b)+0.5)*binWidth))
	}
	for i := range e.bins {
		t.Variance = append(t.Variance, factorsOf(&e.bins[i]))
	}
	surprise := e.besides(t, errorResidual, func(k keptError) float64 { return float64(k.residual) })
	t.Residual, t.Surprise = errorResidual, surprise
	peaks := e.besides(t, errorSharp, func(k keptError) float64 { return float64(k.sharp) })
	t.Sharp, t.Peaks = errorSharp, peaks
	var squares [4][]float64
	for _, k := range e.kept {
		v, ws := k.variance(t)
		shares, kind := errorKinds(t, v, ws), 0
		for i, s := range shares {
			if s > shares[kind] {
				kind = i
			}
		}
		squares[kind] = append(squares[kind], float64(k.square)/v)
	}
	t.DarkTails, t.SkyTails, t.FaintTails, t.LightTails = fitTails(squares[0]), fitTails(squares[1]), fitTails(squares[2]), fitTails(squares[3])
	return t
}

// variance is that over σ² by the table, and the kinds of the place.
func (k keptError) variance(t *priors.Errors) (v float64, ws [kinds]float64) {
	ws = classWeights(float64(k.bright))
	v = float64(k.believed) * t.Factor(float64(k.believed), float64(k.bright))
	return v * t.SurpriseAt(ws, float64(k.residual)) * t.PeaksAt(ws, float64(k.sharp)), ws
}

// besides are errors over what the table says so far, by the entry of at, evenly spaced, that a quantity is nearest to; an entry of few
// pixels has what the one before it has, seen from the one at 0.
func (e *errorCount) besides(t *priors.Errors, at []float64, quantity func(keptError) float64) [kinds][]float64 {
	var square, believed, count [kinds][]float64
	for c := range kinds {
		square[c], believed[c], count[c] = make([]float64, len(at)), make([]float64, len(at)), make([]float64, len(at))
	}
	entry := func(v float64) int {
		return int(min(max(math.Round((v-at[0])/(at[1]-at[0])), 0), float64(len(at)-1)))
	}
	for _, k := range e.kept {
		v, ws := k.variance(t)
		r := entry(quantity(k))
		for c, w := range ws {
			square[c][r], believed[c][r], count[c][r] = square[c][r]+w*float64(k.square), believed[c][r]+w*v, count[c][r]+w
		}
	}
	var out [kinds][]float64
	for c := range kinds {
		out[c] = make([]float64, len(at))
		last, middle := 1.0, entry(0)
		fill := func(r int) {
			if count[c][r] >= besidesLeast && square[c][r] > 0 {
				last = square[c][r] / believed[c][r]
			}
			out[c][r] = last
		}
		for r := middle; r >= 0; r-- {
			fill(r)
		}
		last = out[c][middle]
		for r := middle; r < len(at); r++ {
			fill(r)
		}
	}
	return out
}

// besidesLeast are the pixels that an entry of besides is judged by.
const besidesLeast = 30

// factorsOf are errors over belief by bin; a bin of few pixels has what the nearest other has.
func factorsOf(bins *[binCount][3]float64) []float64 {
	out := make([]float64, binCount)
	for b := range out {
		out[b] = 1
		if at := nearest(b, binCount, func(i int) bool { return bins[i][0] >= binLeast && bins[i][1] > 0 }); at >= 0 {
			out[b] = math.Min(factorMost, bins[at][1]/bins[at][2])
		}
	}
	return out
}

// nearest is the entry of n nearest to b that is good, the later of two; −1: none is.
func nearest(b, n int, good func(i int) bool) int {
	for off := range n {
		for _, at := range [2]int{b + off, b - off} {
			if at >= 0 && at < n && good(at) {
				return at
			}
		}
	}
	return -1
}

// tailRounds are those of expectation and maximisation, on a histogram of the decimal logarithm of squares.
const (
	tailRounds  = 200
	squaresFrom = -10.0
	squareWidth = 0.02
	squareBins  = 800
)

// fitTails are the shares of the factors λ that make errors z ~ N(0, λ) of squares most likely; of few squares the
// errors are taken as Gaussian.
func fitTails(squares []float64) []float64 {
	n := len(errorFactors)
	share := make([]float64, n)
	for i := range share {
		share[i] = 1 / float64(n)
	}
	if len(squares) < binLeast {
		for i, l := range errorFactors {
			share[i] = 0
			if l == 1 {
				share[i] = 1
			}
		}
		squares = nil
	}
	var count [squareBins]float64
	for _, z := range squares {
		count[min(max(int((math.Log10(math.Max(z, 1e-30))-squaresFrom)/squareWidth), 0), squareBins-1)]++
	}
	var like [squareBins][]float64
	for i := range like {
		z := math.Pow(10, squaresFrom+(float64(i)+0.5)*squareWidth)
		for _, l := range errorFactors {
			like[i] = append(like[i], math.Exp(-z/2/l)/math.Sqrt(l))
		}
	}
	for range tailRounds {
		next, seen := make([]float64, n), 0.0
		for i, many := range count {
			var sum float64
			for j, p := range like[i] {
				sum += share[j] * p
			}
			if many == 0 || sum <= 0 {
				continue
			}
			seen += many
			for j, p := range like[i] {
				next[j] += many * share[j] * p / sum
			}
		}
		if seen == 0 {
			break
		}
		for j := range next {
			share[j] = next[j] / seen
		}
	}
	var sum float64
	for j := range share {
		share[j] = math.Max(share[j], rareTails[j])
		sum += share[j]
	}
	for j := range share {
		share[j] /= sum
	}
	return share
}

// errorKinds are the shares of sky that is surest, other sky, faint and bright light at a place of weights ws whose variance over σ² is v.
func errorKinds(e *priors.Errors, v float64, ws [kinds]float64) [4]float64 {
	u := v / e.DarkBelow
	dark := ws[0] / (1 + u*u)
	return [4]float64{dark, ws[0] - dark, ws[1], ws[2]}
}

// Scene is a scene and the σ of the noise that it is seen under.
type Scene struct {
	Pix    []float32
	Sigmas []float64
}

// unjudged is a prior whose errors are about to be measured.
type unjudged struct{ priors.Prior }

func (unjudged) Errors() *priors.Errors { return &priors.Errors{} }

// Err is that of the prior.
func (p unjudged) Err() error {
	if f, ok := p.Prior.(interface{ Err() error }); ok {
		return f.Err()
	}
	return nil
}

// MeasureErrors measures how wrong the denoiser of a prior is on scenes of h × w pixels, which are multiples of the
// prior's Align, each under noise of some σ, in the scene's unit; pixels within margin of the border do not count. The
// variance that it believes in is taken as a walk takes it.
func MeasureErrors(ctx context.Context, dev engine.Device, s engine.Stream, prior priors.Prior, scenes []Scene, h, w, margin int, key engine.Key) (*priors.Errors, error) {
	delta := solvers.NewImage(1, 1, 1)
	delta.Pix[0] = 1
	op, err := operator.NewConvolutionOn(dev, s, delta, operator.Grid{C: 1, H: h, W: w, ImgH: h, ImgW: w}, defaultProbes)
	if err != nil {
		return nil, fmt.Errorf("anneal: %w", err)
	}
	defer op.Close()
	weights := solvers.NewImage(1, h, w)
	for i := range weights.Pix {
		weights.Pix[i] = 1
	}
	cfg := Config{
		Op: op, Data: solvers.NewImage(1, h, w), Weights: weights, Prior: unjudged{prior}, Power: make([]float64, h*(w/2+1)),
		Batch: defaultProbes, Patches: true, Moves: -1, SigmaMin: 1, SigmaMax: 2, Stream: s,
	}
	k, err := NewBridge(dev, cfg)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	k.local.patches.doubt = nil
	if k.local.patches.tails = k.newTailFilters(tailWidthSeen, &err); err != nil {
		return nil, err
	}
	each := func(of func(pix []float32, sigma float64, key engine.Key) error) error {
		for i, scene := range scenes {
			for j, sigma := range scene.Sigmas {
				if err := of(scene.Pix, sigma, key.Fold(uint64(i)).Fold(uint64(j))); err != nil {
					return err
				}
			}
		}
		return nil
	}
	count := errorCount{bins: make([][binCount][3]float64, len(errorBright))}
	err = each(func(pix []float32, sigma float64, key engine.Key) error {
		return k.countErrors(ctx, &count, pix, margin, sigma, key)
	})
	if err != nil {
		return nil, err
	}
	t := count.table(len(scenes))
	k.local.patches.errors = t
	spectra := newErrorSpectra(k.core)
	err = each(func(pix []float32, sigma float64, key engine.Key) error {
		return k.countSpectra(ctx, spectra, pix, margin, sigma, key)
	})
	if err != nil {
		return nil, err
	}
	spectra.fill(k.core, t)
	scales, err := k.newErrorScales()
	if err != nil {
		return nil, err
	}
	err = each(func(pix []float32, sigma float64, key engine.Key) error {
		return k.countScales(ctx, scales, pix, margin, sigma, key)
	})
	if err != nil {
		return nil, err
	}
	scales.fill(t)
	return t, nil
}

// errorSpectra gathers the power of errors, and of draws of what is believed of them, by kind of place and mode.
type errorSpectra struct {
	found, believed [kinds][]float64
	host            []float32 // (n, modes, 2)
}

func newErrorSpectra(k *core) *errorSpectra {
	e := &errorSpectra{host: make([]float32, k.spec.Len())}
	for c := range kinds {
		e.found[c], e.believed[c] = make([]float64, len(k.rings.log)), make([]float64, len(k.rings.log))
	}
	return e
}

// fill writes their ratios in rings.
func (e *errorSpectra) fill(k *core, t *priors.Errors) {
	var ratio [kinds][]float64
	for c := range kinds {
		ratio[c] = k.rings.average(e.found[c], e.believed[c])
	}
	for r, l := range k.rings.center {
		good := !math.IsNaN(l)
		for c := range kinds {
			good = good && ratio[c][r] > 0 && !math.IsInf(ratio[c][r], 0)
		}
		if !good {
			continue
		}
		t.Rings = append(t.Rings, math.Exp(l))
		for c := range kinds {
			t.Power[c] = append(t.Power[c], ratio[c][r])
		}
	}
}

// errorsAndDraws denoises a scene under a batch of noise; draws are of what is believed of the errors.
func (k *Bridge) errorsAndDraws(ctx context.Context, scene []float32, sigma float64, key engine.Key) (all, draws []float32, err error) {
	if all, err = k.denoiseNoisy(ctx, scene, sigma, key); err != nil {
		return nil, nil, err
	}
	p := k.local.patches
	if err := p.believe(k.core, k.local, k.m); err != nil {
		return nil, nil, err
	}
	if err := p.measured(k.core, nil, k.m, tailMost, key.Fold(3)); err != nil {
		return nil, nil, err
	}
	draws = make([]float32, len(all))
	p.noise(k.core, k.u, key.Fold(2))
	k.s.Download(draws, k.u)
	return all, draws, k.s.Err()
}

// countSpectra compares the errors on a scene with draws.
func (k *Bridge) countSpectra(ctx context.Context, to *errorSpectra, scene []float32, margin int, sigma float64, key engine.Key) error {
	all, draws, err := k.errorsAndDraws(ctx, scene, sigma, key)
	if err != nil {
		return err
	}
	n := k.dom.Len()
	cut := make([]float32, len(all))
	for c := range kinds {
		gather := func(sum []float64, value func(at int) float32) {
			for at := range cut {
				cut[at] = 0
				if k.inside(at%n, margin) {
					w := classWeights(float64(all[at]) / sigma)[c]
					cut[at] = float32(math.Sqrt(w)) * value(at) / float32(sigma)
				}
			}
			k.s.Upload(k.t, cut)
			k.s.RFFT2(k.spec, k.t)
			k.s.Download(to.host, k.spec)
			for i := 0; i < len(to.host); i += 2 {
				re, im := float64(to.host[i]), float64(to.host[i+1])
				sum[i/2%len(sum)] += re*re + im*im
			}
		}
		gather(to.found[c], func(at int) float32 { return scene[at%n] - all[at] })
		gather(to.believed[c], func(at int) float32 { return draws[at] })
	}
	return k.s.Err()
}

// inside reports whether pixel j is not within margin of the border.
func (k *core) inside(j, margin int) bool {
	y, x := j/k.dom[2], j%k.dom[2]
	return min(y, x) >= margin && y < k.dom[1]-margin && x < k.dom[2]-margin
}

// denoiseNoisy leaves a scene under a batch of noise in x, denoised in m and on the host, and products of the
// denoiser's derivative.
func (k *Bridge) denoiseNoisy(ctx context.Context, scene []float32, sigma float64, key engine.Key) ([]float32, error) {
	n := k.dom.Len()
	all := make([]float32, k.n*n)
	for i := range k.n {
		copy(all[i*n:], scene)
	}
	k.s.Upload(k.x, all)
	k.normals(k.t, k.n, key.Fold(0))
	k.s.Axpy(k.x, float32(sigma), k.t)
	if err := k.denoise(ctx, k.m, k.x, sigma); err != nil {
		return nil, err
	}
	k.s.Download(all, k.m)
	return all, k.jacobian(ctx, k.local, k.x, sigma, key.Fold(1))
}

// countErrors denoises a scene under a batch of noise.
func (k *Bridge) countErrors(ctx context.Context, to *errorCount, scene []float32, margin int, sigma float64, key engine.Key) error {
	all, err := k.denoiseNoisy(ctx, scene, sigma, key)
	if err != nil {
		return err
	}
	p, n := k.local.patches, k.dom.Len()
	k.s.Download(p.means, k.m)
	noisy := make([]float32, len(all))
	k.s.Download(noisy, k.x)
	if err := p.blur(k.core, k.local, k.m); err != nil {
		return err
	}
	if err := p.variances(k.core, k.local); err != nil {
		return err
	}
	for i := range k.n {
		for j := range n {
			if !k.inside(j, margin) {
				continue
			}
			m, at := float64(all[i*n+j]), i*n+j
			e := (float64(scene[j]) - m) / sigma
			to.add(keptError{
				square: float32(e * e), sharp: float32(sharpness(m, float64(p.blurred[at]), sigma)), believed: float32(p.believed(classWeights(m/sigma), j)),
				bright: float32(m / sigma), residual: float32((float64(noisy[at]) - m) / sigma),
			})
		}
	}
	return k.s.Err()
}
