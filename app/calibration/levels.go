package calibration

import (
	"context"
	"fmt"
	"math"
	"slices"

	"limpid/engine"
	"limpid/priors/sims"
	"limpid/solvers"
	"limpid/solvers/mcmc/anneal"
)

// LevelRanks is how many parts the ranks of a level are counted in.
const LevelRanks = 7

// LevelReport is how right one level of a walk is by itself, over the truths: see anneal.Bridge.Judge.
type LevelReport struct {
	Index int
	Sigma float64 // median over the truths, over the noise of the data
	Free  Judged  // draws that have not seen the data
	Given Judged  // draws given the data

	sigmas []float64
}

// Judged compares truths with draws: ranks as of Talts+2018, Variance and Near without unit.
type Judged struct {
	Ranks [LevelRanks]int // of |truth − mean|² among the draws; even where the level is right
	Ratio float64         // median of |truth − mean|² over the draws' own
	// Variance is that of the draws over the squared error of their mean, by how bright the denoised scene is
	// over σ, from LevelBrightness; Near is the correlation of errors two pixels apart on sky and in light, NearDraws that of the draws.
	Variance        []float64
	Near, NearDraws [2]float64

	ratios, square, variance []float64
	sums, drawn              [2][2]float64
}

// LevelBrightness are the lower ends of the classes of brightness, in σ.
func LevelBrightness() []float64 { return []float64{0, 0.25, 1, 3, 10} }

// Levels judges levels of the walk that o describes, each by itself, on o.Pairs truths. All draws of a truth begin at one x, where those of a
// walk begin at many: what a level measures on its batch, the derivative and haze, is of that x.
func Levels(ctx context.Context, dev engine.Device, o Options, levels []int, status func(pairs int)) ([]LevelReport, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.Correlated > 0 || o.Resolution > 0 || o.Star || o.Exposures > 0 {
		return nil, fmt.Errorf("%w: a level is judged on its own pixels, under independent noise", ErrInvalid)
	}
	for _, l := range levels {
		if l < 0 || l >= o.Levels {
			return nil, fmt.Errorf("%w: level %d of a walk of %d", ErrInvalid, l, o.Levels)
		}
	}
	r := &rig{o: o, dev: dev, s: dev.NewStream()}
	defer r.close()
	if err := r.open(); err != nil {
		return nil, err
	}
	out := make([]LevelReport, len(levels))
	for i, l := range levels {
		out[i].Index = l
		for _, j := range []*Judged{&out[i].Free, &out[i].Given} {
			j.square, j.variance = make([]float64, len(LevelBrightness())), make([]float64, len(LevelBrightness()))
		}
	}
	for i := range o.Pairs {
		if err := r.levels(ctx, out, engine.NewKey(o.Seed).Fold(uint64(i))); err != nil {
			return nil, err
		}
		if status != nil {
			status(i + 1)
		}
	}
	for i := range out {
		out[i].Sigma = median(out[i].sigmas)
		out[i].Free.finish()
		out[i].Given.finish()
	}
	return out, nil
}

// levels judges them on one truth.
func (r *rig) levels(ctx context.Context, out []LevelReport, key engine.Key) error {
	scene, data, err := r.seen(ctx, key.Fold(1))
	if err != nil {
		return err
	}
	scale, weights := r.observe(data, r.measured(scene, data), sims.Rand(key.Fold(2)))
	obs := &solvers.Observation{Data: data, Weights: weights, PSF: r.o.PSF, Bands: []string{"sim"}}
	cfg, err := r.walk(obs)
	if err != nil {
		return err
	}
	k, err := anneal.NewBridge(r.dev, cfg)
	if err != nil {
		return err
	}
	defer k.Close()
	g, sky := r.grid, r.sky.Grid
	truth := make([]float32, g.H*g.W)
	for y := range g.H {
		from := (y+sky.Row-g.Row)*sky.W + sky.Col - g.Col
		for x, v := range scene[from:][:g.W] {
			truth[y*g.W+x] = scale * v
		}
	}
	crop := func(all []float32) (list [][]float32) {
		for i := range cfg.Batch {
			list = append(list, inner(g.Crop(all[i*len(truth):][:len(truth)]), r.o.Side, r.o.Margin))
		}
		return list
	}
	inside := inner(g.Crop(truth), r.o.Side, r.o.Margin)
	for i := range out {
		l := &out[i]
		sigma, noise := k.Sigmas()[l.Index], sims.Rand(key.Fold(uint64(4+l.Index)))
		x := make([]float32, cfg.Batch*len(truth))
		for j, v := range truth {
			x[j] = v + float32(sigma*noise.NormFloat64())
		}
		for b := 1; b < cfg.Batch; b++ {
			copy(x[b*len(truth):], x[:len(truth)])
		}
		judged, err := k.Judge(ctx, l.Index, x, key.Fold(uint64(1000+l.Index)))
		if err != nil {
			return err
		}
		l.sigmas = append(l.sigmas, sigma)
		mean := crop(judged.Mean)[0]
		l.Free.add(inside, mean, crop(judged.Free), sigma)
		l.Given.add(inside, mean, crop(judged.Given), sigma)
	}
	return nil
}

// add judges draws of one truth, where the denoised scene is m.
func (j *Judged) add(truth, m []float32, draws [][]float32, sigma float64) {
	n, mean := float64(len(draws)), average(draws)
	all := make([]float64, len(truth)) // sum of truth and draws, of which none is told apart
	for i, v := range truth {
		all[i] = float64(v) + n*float64(mean[i])
	}
	apart := func(v []float32) (sum float64) {
		for i, x := range v {
			d := float64(x) - (all[i]-float64(x))/n
			sum += d * d
		}
		return sum
	}
	own, rank, others := apart(truth), 0, 0.0
	for _, d := range draws {
		a := apart(d)
		others += a / n
		if a < own {
			rank++
		}
	}
	j.Ranks[rank*LevelRanks/(len(draws)+1)]++
	j.ratios = append(j.ratios, own/others)
	side := int(math.Sqrt(float64(len(truth))))
	near := func(sums *[2][2]float64, v []float32, mean []float32, by float64) {
		for i := range v {
			light := 0
			if math.Abs(float64(m[i])) > sigma {
				light = 1
			}
			d := float64(v[i]-mean[i]) / sigma
			sums[light][0] += by * d * d
			if i%side+2 < side {
				sums[light][1] += by * d * float64(v[i+2]-mean[i+2]) / sigma
			}
		}
	}
	near(&j.sums, truth, mean, 1)
	for _, d := range draws {
		near(&j.drawn, d, mean, 1/n)
	}
	ends := LevelBrightness()
	for i, v := range truth {
		class, at := slices.BinarySearch(ends, math.Abs(float64(m[i]))/sigma)
		if !at {
			class = max(0, class-1)
		}
		e := float64(v-mean[i]) / sigma
		j.square[class] += e * e / (1 + 1/n)
		for _, d := range draws {
			e := float64(d[i]-mean[i]) / sigma
			j.variance[class] += e * e / (n - 1)
		}
	}
}

func (j *Judged) finish() {
	j.Ratio = median(j.ratios)
	for i, v := range j.variance {
		j.Variance = append(j.Variance, v/j.square[i])
	}
	for i := range j.sums {
		j.Near[i], j.NearDraws[i] = j.sums[i][1]/j.sums[i][0], j.drawn[i][1]/j.drawn[i][0]
	}
}
