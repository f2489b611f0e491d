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
	binLeast   = 1000  // pixels that a bin is judged by
	darkBelow  = 0.003 // of σ²: sky whose variance is less is surest
	factorMost = 100.0
)

// errorFactors are λ, from the centre of the errors out to sources that nothing announced.
var errorFactors = []float64{.001, .003, .01, .03, .1, .3, 1, 3, 10, 30, 100, 1000, 1e4}

// rareTails are the least shares of λ above 3: more of them than these cannot be excluded by what a few
// scenes hold, and without them what is there could never be drawn.
var rareTails = []float64{0, 0, 0, 0, 0, 0, 0, 0, 0, 1e-3, 3e-4, 1e-4, 1e-5}

// errorCount gathers the errors of a denoiser.
type errorCount struct {
	// of sky and of light, by bin: pixels, Σ r², Σ c, both over σ²
	bins  [2][binCount][3]float64
	kept  []keptError
	count int
}

// keptError is an error of one pixel: r²/σ², the believed variance over σ², the share of sky.
type keptError struct{ square, believed, sky float32 }

// keepEvery thins what the tails are fitted to.
const keepEvery = 7

// add counts a pixel.
func (e *errorCount) add(square, believed, sky float64) {
	kind := 0
	if sky < 0.5 {
		kind = 1
	}
	b := &e.bins[kind][binOf(believed)]
	b[0], b[1], b[2] = b[0]+1, b[1]+square, b[2]+believed
	if e.count++; e.count%keepEvery == 0 {
		e.kept = append(e.kept, keptError{float32(square), float32(believed), float32(sky)})
	}
}

func binOf(believed float64) int {
	return min(max(int((math.Log10(believed)-binsFrom)/binWidth), 0), binCount-1)
}

// table is what was counted.
func (e *errorCount) table(scenes int) *priors.Errors {
	t := &priors.Errors{Scenes: scenes, Factors: errorFactors, DarkBelow: darkBelow}
	for b := range binCount {
		t.Believed = append(t.Believed, math.Pow(10, binsFrom+(float64(b)+0.5)*binWidth))
	}
	t.Sky, t.Light = factorsOf(&e.bins[0]), factorsOf(&e.bins[1])
	var squares [3][]float64
	for _, k := range e.kept {
		sky := float64(k.sky)
		v := float64(k.believed) * t.Factor(float64(k.believed), sky)
		dark, faint, light := errorKinds(t, v, sky)
		kind := 0
		if faint > dark {
			kind = 1
		}
		if light > max(dark, faint) {
			kind = 2
		}
		squares[kind] = append(squares[kind], float64(k.square)/v)
	}
	t.DarkTails, t.SkyTails, t.LightTails = fitTails(squares[0]), fitTails(squares[1]), fitTails(squares[2])
	return t
}

// factorsOf are errors over belief by bin; a bin of few pixels has what the nearest other has.
func factorsOf(bins *[binCount][3]float64) []float64 {
	out := make([]float64, binCount)
	for b := range out {
		out[b] = 1
		for off := range binCount {
			found := false
			for _, at := range [2]int{b + off, b - off} {
				if at >= 0 && at < binCount && bins[at][0] >= binLeast && bins[at][1] > 0 {
					out[b], found = math.Min(factorMost, bins[at][1]/bins[at][2]), true
					break
				}
			}
			if found {
				break
			}
		}
	}
	return out
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

// errorKinds are the shares of sky that is surest, other sky and light at a place whose variance over σ² is v.
func errorKinds(e *priors.Errors, v, sky float64) (dark, faint, light float64) {
	u := v / e.DarkBelow
	dark = sky / (1 + u*u)
	return dark, sky - dark, 1 - sky
}

// Scene is a scene and the σ of the noise that it is seen under.
type Scene struct {
	Pix    []float32
	Sigmas []float64
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
		Op: op, Data: solvers.NewImage(1, h, w), Weights: weights, Prior: prior, Power: make([]float64, h*(w/2+1)),
		Batch: defaultProbes, Patches: true, Moves: -1, SigmaMin: 1, SigmaMax: 2, Stream: s,
	}
	k, err := NewBridge(dev, cfg)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	k.local.patches.errors = nil
	var count errorCount
	for i, scene := range scenes {
		for j, sigma := range scene.Sigmas {
			if err := k.countErrors(ctx, &count, scene.Pix, margin, sigma, key.Fold(uint64(i)).Fold(uint64(j))); err != nil {
				return nil, err
			}
		}
	}
	return count.table(len(scenes)), nil
}

// countErrors denoises a scene under a batch of noise.
func (k *Bridge) countErrors(ctx context.Context, to *errorCount, scene []float32, margin int, sigma float64, key engine.Key) error {
	n := k.dom.Len()
	all := make([]float32, k.n*n)
	for i := range k.n {
		copy(all[i*n:], scene)
	}
	k.s.Upload(k.x, all)
	k.normals(k.t, k.n, key.Fold(0))
	k.s.Axpy(k.x, float32(sigma), k.t)
	if err := k.denoise(ctx, k.m, k.x, sigma); err != nil {
		return err
	}
	k.s.Download(all, k.m)
	p := k.local.patches
	if err := k.jacobian(ctx, k.local, k.x, sigma, key.Fold(1)); err != nil {
		return err
	}
	k.s.Download(p.means, k.m)
	if err := p.variances(k.core, k.local); err != nil {
		return err
	}
	for i := range k.n {
		for j := range n {
			if y, x := j/k.dom[2], j%k.dom[2]; min(y, x) < margin || y >= k.dom[1]-margin || x >= k.dom[2]-margin {
				continue
			}
			m := float64(all[i*n+j])
			r, ws := (float64(scene[j])-m)/sigma, classWeights(m/sigma)
			to.add(r*r, p.believed(ws, j), ws[0])
		}
	}
	return k.s.Err()
}
