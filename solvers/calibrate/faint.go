package calibrate

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Faint says what the truth of faint pixels is, given the mean and the standard deviation of
// posterior draws, as simulations have it, and brings draws to that.
//
// A sampler whose steps are Gaussian gives empty sky draws of both signs about a mean near 0.
// The sky of a scene of galaxies is not like that: nearly everywhere next to nothing, never
// below 0, here and there a faint source. Draws z, in units of the standard deviation about the mean, are
// mapped by the monotone function that makes their distribution over all simulated pixels of
// the same q = mean/std that of the truths,
//
//	y = G⁻¹(H(z)),
//
// H the distribution of the draws' z and G that of the truths' y (quantile recalibration:
// Kuleshov+2018). y is the distance from 0 in units of the standard deviation where |q| < 1, since
// that is where sky is, and farther out goes on as z + 1 or z − 1. The
// order of the draws of a pixel, and with it how pixels go together, stays. Pixels that were
// not observed, that are bright or whose error is large keep the draws that they have.
type Faint struct {
	Prior string `json:"prior"`
	Steps int    `json:"prior_steps"` // of its training: which weights
	Pairs int    `json:"pairs"`
	// Draws and Truth count pixels by class of q and by bin of z and y.
	Draws [][]int64 `json:"draws"`
	Truth [][]int64 `json:"truth"`

	maps []faintMap // per class; of no pixels: the identity
}

// faintMap is y at the borders of the bins of z, and mean and standard deviation of y over the
// draws.
type faintMap struct {
	to        []float64
	mean, std float64
}

const (
	faintFull  = 0.3 // σ of a data pixel: means below are mapped …
	faintNone  = 1.0 // … above not, and between in part
	sureFull   = 0.5 // the same of standard deviations
	sureNone   = 1.0
	faintBins  = 601
	faintReach = 12.0 // largest |z| and |y|
	faintFine  = 1000 // over |z|: below, bins are even
	faintLeast = 500  // truths in a class that is used
	FaintFew   = 8    // draws, at least
)

// faintClasses are the values of mean/std between whose maps a pixel's is interpolated.
var faintClasses = [...]float64{-1, -0.5, -0.2, 0, 0.2, 0.4, 0.6, 0.85, 1.25, 1.75, 2.5, 3.5, 5, 8}

// binOf is the bin of z or y, finer about 0: evenly in asinh 1000 z.
func binOf(z float64) int {
	return min(max(int(math.Floor(binAt(z))), 0), faintBins-1)
}

// binAt is the place of z or y among the borders of bins, 0 to faintBins.
func binAt(z float64) float64 {
	return (math.Asinh(faintFine*z)/math.Asinh(faintFine*faintReach) + 1) / 2 * faintBins
}

// border is the lower border of a bin.
func border(i float64) float64 {
	return math.Sinh((2*i/faintBins-1)*math.Asinh(faintFine*faintReach)) / faintFine
}

// NewFaint is a table of no pixels.
func NewFaint(prior string, steps int) *Faint {
	f := &Faint{Prior: prior, Steps: steps}
	for range faintClasses {
		f.Draws, f.Truth = append(f.Draws, make([]int64, faintBins)), append(f.Truth, make([]int64, faintBins))
	}
	return f
}

// share is how much of a pixel is mapped, 0 to 1, for the mean and standard deviation of its
// draws over the noise.
func share(mean, std float64) float64 {
	if !(std > 0) {
		return 0
	}
	ramp := func(v, full, none float64) float64 {
		return math.Min(1, math.Max(0, (none-v)/(none-full)))
	}
	return ramp(mean, faintFull, faintNone) * ramp(std, sureFull, sureNone)
}

// origin is the value that y is 0 at.
func origin(mean, std float64) float64 {
	return mean - std*math.Max(-1, math.Min(1, mean/std))
}

// classOf is the class below a value of mean/std and how far it is from there to the next.
func classOf(q float64) (class int, part float64) {
	last := len(faintClasses) - 2
	i := 0
	for i < last && q >= faintClasses[i+1] {
		i++
	}
	return i, math.Min(1, math.Max(0, (q-faintClasses[i])/(faintClasses[i+1]-faintClasses[i])))
}

// Add counts a pair whose noise is 1 in every pixel.
func (f *Faint) Add(p Pair) error {
	l := len(p.Draws)
	if l < FaintFew {
		return fmt.Errorf("calibrate: %d draws, at least %d", l, FaintFew)
	}
	for i, t := range p.Truth {
		mean, std := spreadOf(p.Draws, i)
		if share(mean, std) == 0 {
			continue
		}
		c, part := classOf(mean / std)
		if part > 0.5 {
			c++
		}
		f.Truth[c][binOf((float64(t)-origin(mean, std))/std)]++
		for _, d := range p.Draws {
			f.Draws[c][binOf((float64(d[i])-mean)/std)]++
		}
	}
	f.Pairs++
	return nil
}

// Merge adds the counts of another table.
func (f *Faint) Merge(o *Faint) {
	f.Pairs += o.Pairs
	for c := range f.Draws {
		for i := range f.Draws[c] {
			f.Draws[c][i] += o.Draws[c][i]
			f.Truth[c][i] += o.Truth[c][i]
		}
	}
}

// spreadOf is the mean and the standard deviation of a pixel's draws.
func spreadOf(draws [][]float32, i int) (mean, std float64) {
	l := float64(len(draws))
	for _, d := range draws {
		mean += float64(d[i]) / l
	}
	for _, d := range draws {
		std += (float64(d[i]) - mean) * (float64(d[i]) - mean) / (l - 1)
	}
	return mean, math.Sqrt(std)
}

// ReadFaint reads a table from JSON.
func ReadFaint(text []byte) (*Faint, error) {
	f := &Faint{}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("calibrate: table of faint pixels: %w", err)
	}
	if len(f.Draws) != len(faintClasses) || len(f.Truth) != len(faintClasses) {
		return nil, fmt.Errorf("calibrate: table of faint pixels: %d and %d classes, not %d", len(f.Draws), len(f.Truth), len(faintClasses))
	}
	for _, counts := range slices.Concat(f.Draws, f.Truth) {
		if len(counts) != faintBins || slices.Min(counts) < 0 {
			return nil, fmt.Errorf("calibrate: table of faint pixels: %d bins, not %d, or negative counts", len(counts), faintBins)
		}
	}
	f.prepare()
	return f, nil
}

// prepare makes the maps from the counts.
func (f *Faint) prepare() {
	for c := range faintClasses {
		m := faintMap{to: make([]float64, faintBins+1), std: 1}
		draws, truth := cumulative(f.Draws[c]), cumulative(f.Truth[c])
		if truth[faintBins] < faintLeast {
			off := math.Max(-1, math.Min(1, faintClasses[c]))
			for i := range m.to {
				m.to[i] = border(float64(i)) + off
			}
			m.mean = off
			f.maps = append(f.maps, m)
			continue
		}
		at := 0
		for i := range m.to {
			want := draws[i] / draws[faintBins] * truth[faintBins]
			for at+1 < faintBins && truth[at+1] < want {
				at++
			}
			inside := 0.0
			if n := truth[at+1] - truth[at]; n > 0 {
				inside = math.Min(1, math.Max(0, (want-truth[at])/n))
			}
			m.to[i] = border(float64(at) + inside)
		}
		m.mean, m.std = m.moments(f.Draws[c])
		f.maps = append(f.maps, m)
	}
}

func cumulative(counts []int64) []float64 {
	out := make([]float64, len(counts)+1)
	for i, n := range counts {
		out[i+1] = out[i] + float64(n)
	}
	return out
}

// moments are mean and standard deviation of mapped draws.
func (m faintMap) moments(counts []int64) (mean, std float64) {
	var sum, first, second float64
	for i, n := range counts {
		v := (m.to[i] + m.to[i+1]) / 2
		sum, first, second = sum+float64(n), first+float64(n)*v, second+float64(n)*v*v
	}
	mean = first / sum
	return mean, math.Sqrt(math.Max(0, second/sum-mean*mean))
}

// at is y.
func (m faintMap) at(z float64) float64 {
	b := math.Min(faintBins, math.Max(0, binAt(z)))
	i := min(int(b), faintBins-1)
	return m.to[i] + (b-float64(i))*(m.to[i+1]-m.to[i])
}

// Pixel is how the draws of one pixel are mapped.
type Pixel struct {
	mean, std, share, part float64
	lo, hi                 *faintMap
}

// Pixel is the map, of a table that was read, for a pixel whose draws have that mean and standard deviation, in a unit in
// which the noise of the data there is sigma; sigma 0: not observed.
func (f *Faint) Pixel(mean, std, sigma float64) Pixel {
	p := Pixel{mean: mean, std: std}
	if !(sigma > 0) {
		return p
	}
	if p.share = share(mean/sigma, std/sigma); p.share == 0 {
		return p
	}
	c, part := classOf(mean / std)
	p.part, p.lo, p.hi = part, &f.maps[c], &f.maps[c+1]
	return p
}

// Draw is the value of a draw of v.
func (p Pixel) Draw(v float64) float64 {
	if p.share == 0 {
		return v
	}
	z := (v - p.mean) / p.std
	y := (1-p.part)*p.lo.at(z) + p.part*p.hi.at(z)
	return v + p.share*(origin(p.mean, p.std)+p.std*y-v)
}

// Moments are the mean and the standard deviation of mapped draws, as simulations have them.
func (p Pixel) Moments() (mean, std float64) {
	if p.share == 0 {
		return p.mean, p.std
	}
	y := (1-p.part)*p.lo.mean + p.part*p.hi.mean
	factor := (1-p.part)*p.lo.std + p.part*p.hi.std
	return p.mean + p.share*(origin(p.mean, p.std)+p.std*y-p.mean), p.std * (1 + p.share*(factor-1))
}

// Map maps mean, standard deviation and draws of an image in place. sigma is the noise of a
// pixel of the data, 0 where it was not observed.
func (f *Faint) Map(mean, std []float32, draws [][]float32, sigma func(i int) float64) {
	for i := range mean {
		p := f.Pixel(float64(mean[i]), float64(std[i]), sigma(i))
		if p.share == 0 {
			continue
		}
		m, s := p.Moments()
		mean[i], std[i] = float32(m), float32(s)
		for _, d := range draws {
			d[i] = float32(p.Draw(float64(d[i])))
		}
	}
}

// MapDraws is Map of draws whose mean and standard deviation are not known.
func (f *Faint) MapDraws(draws [][]float32, sigma func(i int) float64) {
	mean, std := make([]float32, len(draws[0])), make([]float32, len(draws[0]))
	for i := range mean {
		m, s := spreadOf(draws, i)
		mean[i], std[i] = float32(m), float32(s)
	}
	f.Map(mean, std, draws, sigma)
}
