// Package calibrate judges whether a sampler's error bars can be believed: from
// pairs of a truth and posterior draws given data simulated from it.
//
// It knows nothing of priors, operators or kernels: whoever has pairs can ask.
package calibrate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"limpid/engine"
)

// Pair is one simulated experiment: a truth drawn from the prior, and draws of
// the posterior given data simulated from that truth. All have the same length.
type Pair struct {
	Truth []float32
	Draws [][]float32
}

// Functional reduces an image to a number whose rank among the draws is
// uniform if the posterior is right (Talts+2018).
type Functional struct {
	Name string
	Of   func(image []float32) float64
	// Fine takes ranks with independent noise of Options.Precision on the number.
	Fine bool
}

const defaultBins = 10

// Options of a Suite.
type Options struct {
	Functionals []Functional
	Level       float64 // of the intervals whose coverage is counted; default .9
	Bins        int     // of rank histograms; default 10
	// BrightShare is the share of the brightest true pixels whose coverage is
	// counted apart; default .01.
	BrightShare float64
	// Precision is the standard deviation of independent noise that truth and draws are both
	// given before coverage is counted once more: draws of a right posterior stay so, and a
	// truth of which many pixels are exactly 0, which every interval from 0 on holds,
	// can be judged. 0: it is not counted.
	Precision float64
}

// Suite takes pairs in and reports.
type Suite struct {
	opt                       Options
	ranks                     [][]float64 // per functional, (rank + u)/(L + 1) in (0, 1)
	tarp, tarpFar             []float64   // per pair, the share of draws nearer to a reference than the truth
	last                      []float32   // truth of the pair before
	inside, total             float64
	insideFine                float64 // at Precision
	brightInside, brightTotal float64
	zSum, zCount              float64 // Σ ((truth − mean)/std)²
	pairs                     int
}

// NewSuite starts empty.
func NewSuite(o Options) *Suite {
	if o.Level == 0 {
		o.Level = 0.9
	}
	if o.Bins == 0 {
		o.Bins = defaultBins
	}
	if o.BrightShare == 0 {
		o.BrightShare = 0.01
	}
	return &Suite{opt: o, ranks: make([][]float64, len(o.Functionals))}
}

// Add takes one pair in; key breaks ties and places the reference point of TARP.
// It needs at least 8 draws.
func (s *Suite) Add(p Pair, key engine.Key) error {
	if len(p.Draws) < 8 {
		return fmt.Errorf("calibrate: %d draws, at least 8", len(p.Draws))
	}
	if s.pairs > 0 && len(p.Truth) != len(s.last) {
		return fmt.Errorf("calibrate: a truth of %d pixels after one of %d", len(p.Truth), len(s.last))
	}
	for i, d := range p.Draws {
		if len(d) != len(p.Truth) {
			return fmt.Errorf("calibrate: draw %d has %d pixels, the truth %d", i, len(d), len(p.Truth))
		}
	}
	for i, f := range s.opt.Functionals {
		s.ranks[i] = append(s.ranks[i], s.rank(f, p, key, uint64(i)))
	}
	s.tarp = append(s.tarp, nearerShare(p, besideMean(p, key), key, 1<<50))
	other := make([]float64, len(p.Truth))
	for i, v := range s.last {
		other[i] = float64(v)
	}
	s.tarpFar = append(s.tarpFar, nearerShare(p, other, key, 1<<51))
	s.last = slices.Clone(p.Truth)
	s.addCoverage(p)
	if s.opt.Precision > 0 {
		s.addFine(p, key)
	}
	s.pairs++
	return nil
}

// uniform is a number in (0, 1) from a key.
func uniform(key engine.Key, i uint64) float64 {
	return (float64(engine.Philox(key.Seed, key.Counter, i)[0]) + 0.5) / (1 << 32)
}

// rank is the truth's place among the draws, spread over its cell by chance.
func (s *Suite) rank(f Functional, p Pair, key engine.Key, i uint64) float64 {
	rng := rand.New(rand.NewPCG(key.Seed^key.Counter, 1<<40+i))
	of := func(image []float32) float64 {
		v := f.Of(image)
		if f.Fine {
			v += s.opt.Precision * rng.NormFloat64()
		}
		return v
	}
	truth, below := of(p.Truth), 0
	for _, d := range p.Draws {
		if of(d) < truth {
			below++
		}
	}
	return (float64(below) + uniform(key, i)) / float64(len(p.Draws)+1)
}

// besideMean is a reference point for TARP that sees the width of draws in all their pixels: the mean of truth and draws, with white noise
// of 1.5 times their spread. About the mean of the draws alone, of which
// each is a part, they would be nearer than the truth, by a tenth of the squared distance with 20 of them.
func besideMean(p Pair, key engine.Key) []float64 {
	n := len(p.Truth)
	mean, m2 := make([]float64, n), make([]float64, n)
	for _, d := range append([][]float32{p.Truth}, p.Draws...) {
		for i, v := range d {
			mean[i] += float64(v)
			m2[i] += float64(v) * float64(v)
		}
	}
	var scale float64
	l := float64(len(p.Draws))
	for i := range mean {
		mean[i] /= l + 1
		scale += math.Max(0, m2[i]/(l+1)-mean[i]*mean[i]) / float64(n)
	}
	scale = math.Sqrt(scale)
	ref := make([]float64, n)
	for i := range ref {
		w := engine.Philox(key.Seed, key.Counter^0x5bd1e995, uint64(i))
		u, v := (float64(w[0])+0.5)/(1<<32), float64(w[1])/(1<<32)
		ref[i] = mean[i] + 1.5*scale*math.Sqrt(-2*math.Log(u))*math.Cos(2*math.Pi*v)
	}
	return ref
}

// nearerShare is the statistic of TARP (Lemos+2023, alg. 2): the share of draws nearer to a reference point than the truth is, spread over its
// cell by chance; uniform if the posterior is right, whatever the reference, as long as it knows truth and draws alike.
func nearerShare(p Pair, ref []float64, key engine.Key, tie uint64) float64 {
	distance := func(x []float32) float64 {
		var sum float64
		for i, v := range x {
			d := float64(v) - ref[i]
			sum += d * d
		}
		return sum
	}
	truth, nearer := distance(p.Truth), 0
	for _, d := range p.Draws {
		if distance(d) < truth {
			nearer++
		}
	}
	return (float64(nearer) + uniform(key, tie)) / float64(len(p.Draws)+1)
}

// addCoverage counts the pixels whose truth lies in the central interval of the
// draws, all and the brightest.
func (s *Suite) addCoverage(p Pair) {
	n := len(p.Truth)
	bright := brightest(p.Truth, s.opt.BrightShare)
	v := make([]float64, len(p.Draws))
	l := float64(len(v))
	expect := (1 + 1/l) * (l - 1) / (l - 3) // of z², the std being of l draws
	for i := range n {
		var mean, m2 float64
		for j, d := range p.Draws {
			v[j] = float64(d[i])
			mean += v[j] / float64(len(v))
		}
		for _, x := range v {
			m2 += (x - mean) * (x - mean) / float64(len(v)-1)
		}
		slices.Sort(v)
		truth := float64(p.Truth[i])
		lo, hi := Quantile(v, (1-s.opt.Level)/2), Quantile(v, (1+s.opt.Level)/2)
		in := 0.0
		if truth >= lo && truth <= hi {
			in = 1
		}
		s.inside, s.total = s.inside+in, s.total+1
		if truth >= bright {
			s.brightInside, s.brightTotal = s.brightInside+in, s.brightTotal+1
		}
		if m2 > 0 {
			s.zSum, s.zCount = s.zSum+(truth-mean)*(truth-mean)/(m2*expect), s.zCount+1
		}
	}
}

// addFine counts the pixels whose truth lies in the interval when noise of Precision is on both.
func (s *Suite) addFine(p Pair, key engine.Key) {
	noise := make([][]float32, len(p.Draws)+1)
	for j := range noise {
		noise[j] = make([]float32, len(p.Truth))
		rng := rand.New(rand.NewPCG(key.Seed^key.Counter, uint64(j)))
		for i := range noise[j] {
			noise[j][i] = float32(s.opt.Precision * rng.NormFloat64())
		}
	}
	v := make([]float64, len(p.Draws))
	for i, truth := range p.Truth {
		for j, d := range p.Draws {
			v[j] = float64(d[i] + noise[j][i])
		}
		slices.Sort(v)
		t := float64(truth + noise[len(v)][i])
		if t >= Quantile(v, (1-s.opt.Level)/2) && t <= Quantile(v, (1+s.opt.Level)/2) {
			s.insideFine++
		}
	}
}

// brightest is the value above which the given share of the pixels lies.
func brightest(x []float32, share float64) float64 {
	v := make([]float64, len(x))
	for i, a := range x {
		v[i] = float64(a)
	}
	slices.Sort(v)
	return v[min(len(v)-1, int((1-share)*float64(len(v))))]
}

// Quantile places order statistic k of n at k/(n+1), so that a central interval
// holds a further draw with just its level.
func Quantile(sorted []float64, q float64) float64 {
	at := q*float64(len(sorted)+1) - 1
	i := min(max(int(math.Floor(at)), 0), len(sorted)-2)
	t := min(max(at-float64(i), 0), 1)
	return sorted[i] + t*(sorted[i+1]-sorted[i])
}

// Report is the verdict.
type Report struct {
	Pairs    int
	Level    float64
	Coverage float64 // of all pixels
	Fine     float64 // of all pixels at Options.Precision
	Bright   float64 // of the brightest pixels
	ZRMS     float64 // rms of (truth − mean)/std, corrected for few draws: 1 if right
	SBC      []Ranks
	TARP     []float64 // sorted shares of draws nearer to a point beside their mean than the truth
	TARPP    float64   // Kolmogorov–Smirnov p of their uniformity
	// TARPFar and TARPFarP are the same with the truth of the pair before as the point, which knows nothing of this one: a draw of the prior.
	TARPFar  []float64
	TARPFarP float64
}

// Ranks is the histogram of one functional and its χ² p value.
type Ranks struct {
	Name   string
	Counts []int
	P      float64
}

// WorstP is the smallest p value, times the number of tests (Bonferroni), at
// most 1.
func (r Report) WorstP() float64 {
	worst := math.Min(r.TARPP, r.TARPFarP)
	for _, s := range r.SBC {
		worst = math.Min(worst, s.P)
	}
	return math.Min(1, worst*float64(len(r.SBC)+2))
}

// LeastPairs is how many pairs a report of the default options needs.
const LeastPairs = 2 * defaultBins

// Report computes the verdict of the pairs taken in so far.
func (s *Suite) Report() (Report, error) {
	if s.pairs < 2*s.opt.Bins {
		return Report{}, fmt.Errorf("calibrate: %d pairs, at least %d", s.pairs, 2*s.opt.Bins)
	}
	r := Report{
		Pairs: s.pairs, Level: s.opt.Level, Coverage: s.inside / s.total,
		Fine: s.insideFine / s.total, Bright: s.brightInside / s.brightTotal, ZRMS: math.Sqrt(s.zSum / s.zCount),
		TARP: slices.Clone(s.tarp), TARPFar: slices.Clone(s.tarpFar),
	}
	slices.Sort(r.TARP)
	r.TARPP = kolmogorov(r.TARP)
	slices.Sort(r.TARPFar)
	r.TARPFarP = kolmogorov(r.TARPFar)
	for i, f := range s.opt.Functionals {
		h := Ranks{Name: f.Name, Counts: make([]int, s.opt.Bins)}
		for _, u := range s.ranks[i] {
			h.Counts[min(s.opt.Bins-1, int(u*float64(s.opt.Bins)))]++
		}
		want, chi2 := float64(s.pairs)/float64(s.opt.Bins), 0.0
		for _, c := range h.Counts {
			chi2 += (float64(c) - want) * (float64(c) - want) / want
		}
		h.P = distuv.ChiSquared{K: float64(s.opt.Bins - 1)}.Survival(chi2)
		r.SBC = append(r.SBC, h)
	}
	return r, nil
}

// kolmogorov is the p value of sorted values being uniform on (0, 1)
// (Stephens 1970: the asymptotic law with a correction for small n).
func kolmogorov(sorted []float64) float64 {
	n := float64(len(sorted))
	var d float64
	for i, v := range sorted {
		d = math.Max(d, math.Max(float64(i+1)/n-v, v-float64(i)/n))
	}
	x := d * (math.Sqrt(n) + 0.12 + 0.11/math.Sqrt(n))
	var p float64
	for k := 1; k < 100; k++ {
		term := 2 * math.Exp(-2*float64(k*k)*x*x)
		if k%2 == 0 {
			term = -term
		}
		p += term
	}
	return math.Min(1, math.Max(0, p))
}
