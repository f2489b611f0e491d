package evaluate

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"limpid"
	"limpid/engine"
	"limpid/priors"
	"limpid/priors/card"
)

// Test tells images unlike those that a prior was trained on. It looks at tiles of
// 64 × 64 pixels, without 8 at each border. With r = y − D(y, σ) the noise that the
// prior finds in a tile y,
//
//	noise      ⟨r²⟩/σ²               wrong noise, or structure taken for noise
//	neighbours ⟨r r′⟩/⟨r²⟩           r′ one pixel off: correlated noise, other scales
//	structure  ⟨(D(y+n, τ) − y)²⟩/τ² n of rms τ = max(2σ, std(y)/3) added: light that
//	                                 the prior cannot tell from noise
//
// are compared with their distribution over simulated tiles. The p-value of a tile is
// that of its most extreme statistic, two-sided, times three (Bonferroni); at most a
// share Alarm of tiles like the training's lies below Alarm. An image is called unlike
// where it has more such tiles than a binomial distribution of that share has with
// probability Alarm.
type Test struct {
	dev   engine.Device
	s     engine.Stream
	p     priors.Prior
	x, y  *engine.Tensor // (1, 1, 64, 64)
	known card.Typical
}

// Alarm is the rate of false alarms that the test is made for.
const Alarm = 0.01

// MostTiles of an image are looked at, spread evenly.
const MostTiles = 36

// TileSide is the side of the tiles, tileMargin what is left out at their borders.
const (
	TileSide   = 64
	tileMargin = 8
)

// Statistics names what is compared.
var Statistics = []string{"noise", "neighbours", "structure"}

// NewTest prepares the test of a prior; known is from its card, and may be empty where
// it is to be measured.
func NewTest(dev engine.Device, s engine.Stream, p priors.Prior, known card.Typical) (*Test, error) {
	t := &Test{dev: dev, s: s, p: p, known: known}
	var err error
	for _, x := range []**engine.Tensor{&t.x, &t.y} {
		if *x, err = dev.Alloc(engine.Shape{1, 1, TileSide, TileSide}); err != nil {
			t.Close()
			return nil, fmt.Errorf("evaluate: %w", err)
		}
	}
	return t, nil
}

// Close frees the work space.
func (t *Test) Close() {
	t.x.Free()
	t.y.Free()
}

// denoise returns D of a tile at σ.
func (t *Test) denoise(tile []float32, sigma float64) []float32 {
	t.s.Upload(t.x, tile)
	t.p.Score(t.s, t.y, t.x, sigma)
	t.s.Axpy(t.x, float32(sigma*sigma), t.y)
	out := make([]float32, len(tile))
	t.s.Download(out, t.x)
	return out
}

// Measure gives the statistics of a tile with noise sigma; key draws what is added.
func (t *Test) Measure(tile []float32, sigma float64, key engine.Key) []float64 {
	d := t.denoise(tile, sigma)
	var r2, rr, n float64
	inner(func(i int) {
		a, b, c := float64(tile[i]-d[i]), float64(tile[i+1]-d[i+1]), float64(tile[i+TileSide]-d[i+TileSide])
		r2, rr, n = r2+a*a, rr+a*(b+c)/2, n+1
	})
	tau := max(2*sigma, deviation(tile)/3)
	noise := make([]float32, len(tile))
	t.s.Normal(t.y, key)
	t.s.Download(noise, t.y)
	for i, v := range tile {
		noise[i] = v + float32(tau)*noise[i]
	}
	d = t.denoise(noise, math.Hypot(tau, sigma))
	var e float64
	inner(func(i int) { e += math.Pow(float64(d[i]-tile[i]), 2) })
	return []float64{r2 / n / (sigma * sigma), rr / max(r2, 1e-300), e / n / (tau * tau)}
}

// inner calls f for the pixels of a tile that count.
func inner(f func(i int)) {
	for y := tileMargin; y < TileSide-tileMargin; y++ {
		for x := tileMargin; x < TileSide-tileMargin; x++ {
			f(y*TileSide + x)
		}
	}
}

// Quantiles is how many numbers describe a distribution: the first and last are its
// ends.
const Quantiles = 201

// Learn makes the distribution of the statistics of n tiles that draw gives, with
// their noise.
func (t *Test) Learn(n int, key engine.Key, draw func(i int, tile []float32) (sigma float64)) card.Typical {
	all := make([][]float64, len(Statistics))
	tile := make([]float32, TileSide*TileSide)
	for i := range n {
		sigma := draw(i, tile)
		for j, v := range t.Measure(tile, sigma, key.Fold(uint64(i))) {
			all[j] = append(all[j], v)
		}
	}
	out := card.Typical{Names: Statistics}
	for _, v := range all {
		sort.Float64s(v)
		q := make([]float64, Quantiles)
		for i := range q {
			at := float64(i) / (Quantiles - 1) * float64(n-1)
			lo := int(at)
			q[i] = v[lo] + (at-float64(lo))*(v[min(lo+1, n-1)]-v[lo])
		}
		out.Values = append(out.Values, q)
	}
	t.known = out
	return out
}

// PValue is the probability of statistics as extreme as these, and which is the most
// extreme one.
func (t *Test) PValue(stats []float64) (p float64, which int) {
	p = 1
	for j, v := range stats {
		q := t.known.Values[j]
		i := sort.SearchFloat64s(q, v)
		var at float64
		switch {
		case math.IsNaN(v) || i == 0 && v < q[0] || i == len(q):
			at = 0 // beyond everything seen
		case i == 0:
			at = 0.5 / float64(len(q)-1)
		default:
			at = (float64(i-1) + (v-q[i-1])/max(q[i]-q[i-1], 1e-300)) / float64(len(q)-1)
			at = min(at, 1-at)
		}
		if c := 2 * at * float64(len(stats)); c < p {
			p, which = c, j
		}
	}
	return p, which
}

// advice for the statistics, in their order.
var advice = []string{
	"the noise is larger or smaller than was said, or the image is not of the kind that the prior knows: check the noise, or take the Gaussian prior",
	"the noise is correlated or the image has another scale: rebin it, or train a prior of your own on such images",
	"it has structure that the prior was not trained on and may smooth away or break up: train a prior of your own on such images, or take the Gaussian prior",
}

// Image tests an image (h, w) with noise sigma per pixel (one value, or one per pixel)
// and returns a warning where it is unlike the training, or nil. Missing pixels are
// NaN; tiles with any are not looked at, and of large images MostTiles only. An image too small for a tile is not tested:
// ok is false.
func (t *Test) Image(pix []float32, h, w int, sigma func(i int) float64, key engine.Key) (f *limpid.Finding, ok bool) {
	var low [3]int
	tiles, bad := 0, 0
	tile := make([]float32, TileSide*TileSide)
	places := places(h, w)
	every := max(1, (len(places)+MostTiles-1)/MostTiles)
	for i := 0; i < len(places); i += every {
		y, x := places[i][0], places[i][1]
		noise, complete := cut(tile, pix, sigma, w, y, x)
		if !complete {
			continue
		}
		tiles++
		if p, which := t.PValue(t.Measure(tile, noise, key.Fold(uint64(y*w+x)))); p < Alarm {
			bad++
			low[which]++
		}
	}
	if tiles == 0 {
		return nil, false
	}
	if bad < fewest(tiles) {
		return nil, true
	}
	which := slices.Index(low[:], slices.Max(low[:]))
	return &limpid.Finding{
		Severity: limpid.Warning,
		What:     fmt.Sprintf("the image is unlike what the prior was trained on: %d of %d tiles of %d pixels fail the test of its %s (at most %.0f %% should)", bad, tiles, TileSide, Statistics[which], 100*Alarm),
		Advice:   advice[which],
	}, true
}

// places are the corners (y, x) of the tiles of an image.
func places(h, w int) (out [][2]int) {
	for y := 0; y+TileSide <= h; y += TileSide {
		for x := 0; x+TileSide <= w; x += TileSide {
			out = append(out, [2]int{y, x})
		}
	}
	return out
}

// cut copies a tile and gives the rms of its noise.
func cut(tile, pix []float32, sigma func(i int) float64, w, y0, x0 int) (noise float64, ok bool) {
	for y := range TileSide {
		for x := range TileSide {
			i := (y0+y)*w + x0 + x
			v := pix[i]
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return 0, false
			}
			tile[y*TileSide+x] = v
			noise += sigma(i) * sigma(i) / (TileSide * TileSide)
		}
	}
	return math.Sqrt(noise), noise > 0 && !math.IsInf(noise, 0)
}

// fewest is the least number of tiles below Alarm that a binomial distribution of n
// tiles has with a probability of at most Alarm.
func fewest(n int) int {
	term := math.Pow(1-Alarm, float64(n))
	tail := 1 - term
	k := 1
	for tail > Alarm*(1+1e-9) && k <= n { // one tile has exactly Alarm
		term *= float64(n-k+1) / float64(k) * Alarm / (1 - Alarm)
		tail -= term
		k++
	}
	return k
}
