package observe

import (
	"fmt"
	"math"
	"slices"

	"limpid"
	"limpid/solvers"
)

// NoiseSpectrum says whether the noise of pixels is independent, and if not, where its power
// spectrum comes from.
type NoiseSpectrum string

// SpectrumWhite is noise that is independent from pixel to pixel.
const (
	SpectrumWhite    NoiseSpectrum = ""
	SpectrumMeasured NoiseSpectrum = "measured" // of the image's own empty sky
	SpectrumFile     NoiseSpectrum = "file"     // of an image of noise alone, or a table of k and P
)

// How an image's noise is told from its sources, and its correlations from chance.
const (
	emptySmoothing = 2.0     // px, σ of the Gaussian that sources are found with
	emptyCut       = 2.5     // σ of the smoothed sky above its level
	emptyGrow      = 4       // px about a source
	emptyOutlier   = 5.0     // σ: a single pixel that is not noise
	emptyFewest    = 500     // pixels that are needed
	lagsMost       = 12      // px
	lagsRing       = 2       // rings of lags without correlation that end the search
	lagsSmall      = 0.012   // correlation, rms over a ring, that is left out
	lagsChance     = 2.5     // times the mean square that chance explains
	startsMost     = 1 << 19 // pixels that pairs begin at
	neighbourLag   = 3       // px, lags that the finding looks at
	positiveGrid   = 64      // modes along each side that the power is made positive at
	correlatedSide = 1024    // px of an image that are enough to see it
	correlatedFrom = 0.1     // mean correlation of neighbours that is worth a finding
	correlatedOver = 5       // σ by which it must stand out
)

// emptySky marks the pixels of z, data over their noise, that hold no source: where z,
// smoothed, stays below a cut in units of its own scatter below the median, which light does
// not raise and which knows of the noise's correlation, and no source is near. level is the
// median of what is left.
func emptySky(z, weights []float32, h, w int) (free []bool, level float64) {
	sm := smooth(z, weights, h, w, emptySmoothing)
	var v []float64
	for i := 0; i < len(sm); i += stride(len(sm)) {
		if weights[i] > 0 {
			v = append(v, sm[i])
		}
	}
	free = make([]bool, len(z))
	if len(v) == 0 {
		return free, 0
	}
	centre, scatter := lowerHalf(v)
	source := make([]bool, len(z))
	for i, s := range sm {
		source[i] = weights[i] > 0 && s > centre+emptyCut*scatter
	}
	grown := dilate(source, h, w, emptyGrow)
	v = v[:0]
	for i := range free {
		free[i] = weights[i] > 0 && !grown[i]
		if free[i] {
			v = append(v, float64(z[i]))
		}
	}
	l := ClippedLevel(v, 4)
	for i := range free {
		free[i] = free[i] && math.Abs(float64(z[i])-l.Median) < emptyOutlier*l.Sigma
	}
	return free, l.Mean
}

// lowerHalf is the mode of v, and how far it scatters below, as 1 σ of a normal: light does
// not raise it. v is reordered and must not be empty.
func lowerHalf(v []float64) (centre, scatter float64) {
	slices.Sort(v)
	centre = ClippedLevel(slices.Clone(v), 2.5).Mode()
	below := v[:lowerBound(v, centre)]
	if len(below) == 0 {
		return centre, 0
	}
	const oneSigma = 0.3173 // of a normal's lower half lies farther below
	return centre, centre - below[int(oneSigma*float64(len(below)))]
}

// dilate grows what is set by r pixels along rows and columns.
func dilate(set []bool, h, w, r int) []bool {
	across, out := make([]bool, len(set)), make([]bool, len(set))
	for i, v := range set {
		if v {
			y, x := i/w, i%w
			for k := max(0, x-r); k <= min(w-1, x+r); k++ {
				across[y*w+k] = true
			}
		}
	}
	for i, v := range across {
		if v {
			y, x := i/w, i%w
			for k := max(0, y-r); k <= min(h-1, y+r); k++ {
				out[k*w+x] = true
			}
		}
	}
	return out
}

// covariances are those of z at all lags up to reach over pairs of free pixels, as
// Correlation.At but not normalised, and how many pairs there are at the lag 0.
func covariances(z []float32, free []bool, level float64, h, w, reach int) (at []float64, pairs float64) {
	side := 2*reach + 1
	at = make([]float64, side*side)
	step := max(1, h*w/startsMost)
	for dy := 0; dy <= reach; dy++ {
		for dx := -reach; dx <= reach; dx++ {
			if dy == 0 && dx < 0 {
				continue
			}
			var sum, n float64
			for y := 0; y+dy < h; y += step {
				a, b := y*w, (y+dy)*w+dx
				for x := max(0, -dx); x < min(w, w-dx); x++ {
					if free[a+x] && free[b+x] {
						sum += (float64(z[a+x]) - level) * (float64(z[b+x]) - level)
						n++
					}
				}
			}
			if dy == 0 && dx == 0 {
				pairs = n
			}
			if n > 0 {
				at[(reach+dy)*side+reach+dx], at[(reach-dy)*side+reach-dx] = sum/n, sum/n
			}
		}
	}
	return at, pairs
}

// MeasureCorrelation estimates the power spectrum of noise from the empty sky of a plane z,
// data over their standard deviation, 0 where weights are: the transform of its covariances,
// those beyond the lags that stand out from chance tapered to 0 by a window with a flat top
// (Politis & Romano 1995; Politis 2003 for the lags), made positive. variance is that of z:
// 1 where the weights are right.
func MeasureCorrelation(z, weights []float32, h, w int, where string) (c solvers.Correlation, variance float64, err error) {
	free, level := emptySky(z, weights, h, w)
	at, pairs := covariances(z, free, level, h, w, lagsMost)
	centre := len(at) / 2
	if pairs < emptyFewest || !(at[centre] > 0) {
		return c, 0, kinded{ErrSpectrum, fmt.Errorf("observe: %s: %.0f pixels of empty sky are too few to measure the noise's spectrum from: at least %d", where, pairs, emptyFewest)}
	}
	variance = at[centre]
	for i := range at {
		at[i] /= variance
	}
	q := lastLag(at, lagsMost, pairs)
	return positive(at, lagsMost, q), variance, nil
}

// ring is the sum of squares of the lags at the distance q, and how many they are.
func ring(at []float64, reach, q int) (sum, n float64) {
	side := 2*reach + 1
	for dy := -q; dy <= q; dy++ {
		for dx := -q; dx <= q; dx++ {
			if max(dy, -dy, dx, -dx) == q {
				v := at[(reach+dy)*side+reach+dx]
				sum, n = sum+v*v, n+1
			}
		}
	}
	return sum, n
}

// lastLag is the last ring of lags with a correlation that chance does not explain. The
// variance of an estimated correlation is Σρ²/n where there is none (Bartlett 1946).
func lastLag(at []float64, reach int, pairs float64) int {
	inside, quiet := 1.0, 0
	for q := 1; q <= reach; q++ {
		sum, n := ring(at, reach, q)
		if sum/n < math.Max(lagsChance*inside/pairs, lagsSmall*lagsSmall) {
			if quiet++; quiet == lagsRing {
				return q - lagsRing
			}
			continue
		}
		quiet = 0
		inside += sum
	}
	return reach
}

// positive tapers correlations beyond the lag q and raises the power spectrum to
// solvers.LeastNoisePower where it is lower.
func positive(at []float64, reach, q int) solvers.Correlation {
	far := min(q+1+q/2, reach)
	c := solvers.Correlation{Reach: far}
	for dy := -far; dy <= far; dy++ {
		for dx := -far; dx <= far; dx++ {
			r := math.Hypot(float64(dy), float64(dx))
			t := (r - float64(q)) / float64(far+1-q)
			v := at[(reach+dy)*(2*reach+1)+reach+dx]
			if m := max(dy, -dy, dx, -dx); m > q || t > 0 {
				t = max(t, float64(m-q)/float64(far+1-q))
				v *= math.Max(0, 0.5+0.5*math.Cos(math.Pi*math.Min(t, 1)))
			}
			c.At = append(c.At, v)
		}
	}
	centre, n := len(c.At)/2, positiveGrid
	for range 3 { // what is cut off beyond far makes it slightly negative again
		power := c.Modes(n, n, n)
		for i := range power {
			power[i] = math.Max(power[i], solvers.LeastNoisePower)
		}
		c = solvers.CorrelationOf(power, n, far)
	}
	lowest := slices.Min(c.Modes(n, n, n))
	if lack := solvers.LeastNoisePower - lowest; lack > 0 {
		c.At[centre] += lack
	}
	for i, top := 0, c.At[centre]; i < len(c.At); i++ {
		c.At[i] /= top
	}
	return c
}

// isotropic is the correlation of noise with the power P at k cycles per pixel, ascending,
// linear between them and constant beyond.
func isotropic(k, p []float64) (solvers.Correlation, error) {
	if len(k) == 0 || len(k) != len(p) {
		return solvers.Correlation{}, badSetting(fmt.Errorf("observe: the noise's spectrum has %d k and %d P", len(k), len(p)))
	}
	for i := range k {
		if !(k[i] >= 0) || !(p[i] > 0) || math.IsInf(p[i], 0) || i > 0 && !(k[i] > k[i-1]) {
			return solvers.Correlation{}, badSetting(fmt.Errorf("observe: the noise's spectrum has k %g and P %g in row %d: k must rise from 0 on, and P be positive", k[i], p[i], i+1))
		}
	}
	n := positiveGrid
	power := make([]float64, n*n)
	for i := range power {
		at := math.Hypot(cycles(i/n, n), cycles(i%n, n))
		j, found := slices.BinarySearch(k, at)
		switch {
		case found || j == 0:
			power[i] = p[j]
		case j == len(k):
			power[i] = p[j-1]
		default:
			t := (at - k[j-1]) / (k[j] - k[j-1])
			power[i] = (1-t)*p[j-1] + t*p[j]
		}
	}
	c := solvers.CorrelationOf(power, n, lagsMost)
	top := c.At[len(c.At)/2]
	for i := range c.At {
		c.At[i] /= top
	}
	return positive(c.At, lagsMost, lastLag(c.At, lagsMost, math.Inf(1))), nil
}

// cycles is the frequency of row y of n modes, per pixel.
func cycles(y, n int) float64 {
	if 2*y > n {
		y -= n
	}
	return float64(y) / float64(n)
}

// overNoise is data over their standard deviation, 0 where masked.
func overNoise(data, weights []float32) []float32 {
	z := make([]float32, len(data))
	for i, v := range data {
		if weights[i] > 0 {
			z[i] = float32(float64(v) * math.Sqrt(float64(weights[i])))
		}
	}
	return z
}

// colour finds the correlation of band c's noise as the settings say, and takes the level of
// a noise map from the sky where that is measured; of noise that is taken as independent it
// says whether it is.
func colour(in Input, set NoiseSettings, o *solvers.Observation, rep *Report, c int, where string) error {
	h, w := o.Data.H, o.Data.W
	data, weights := o.Data.Plane(c), o.Weights.Plane(c)
	switch set.Spectrum {
	case SpectrumWhite:
		if f, found := correlated(data, weights, h, w, where); found {
			rep.Findings = append(rep.Findings, f)
		}
		return nil
	case SpectrumMeasured:
		r, variance, err := MeasureCorrelation(overNoise(data, weights), weights, h, w, where)
		if err != nil {
			return err
		}
		o.Colour = append(o.Colour, r)
		note := fmt.Sprintf("the noise's power spectrum was measured from empty sky: neighbours correlate by %.2f, sums over many pixels scatter by %.2f of what independent noise would", neighbours(r), math.Sqrt(r.Sum()))
		switch set.Kind {
		case NoiseSky, NoiseWeights, NoiseVariance, NoiseStd: // maps of resampled images are of independent noise
			for i := range weights {
				weights[i] = float32(float64(weights[i]) / variance)
			}
			if set.Kind != NoiseSky {
				note += fmt.Sprintf("; the map's variance was multiplied by %.3g, as the sky scatters", variance)
			}
		}
		rep.Findings = append(rep.Findings, limpid.Finding{
			Severity: limpid.Info, Code: "noise.coloured", Where: where, What: note,
			Advice: "sources too faint to be found count as noise here: an image of empty sky is better, where there is one",
		})
		return nil
	case SpectrumFile:
		r, err := in.colourOf(min(c, max(0, in.NoiseOnly.C-1)), where)
		if err == nil {
			o.Colour = append(o.Colour, r)
		}
		return err
	}
	return badSetting(fmt.Errorf("observe: noise spectrum %q is not one of measured, file, or none", set.Spectrum))
}

// colourOf is the correlation of the input's image of noise, or of its points.
func (in Input) colourOf(c int, where string) (solvers.Correlation, error) {
	if in.NoiseOnly.Empty() {
		return isotropic(in.NoiseK, in.NoiseP)
	}
	m := in.NoiseOnly
	z, ones := slices.Clone(m.Plane(c)), make([]float32, m.H*m.W)
	for i, v := range z {
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
			z[i] = 0
			continue
		}
		ones[i] = 1
	}
	r, _, err := MeasureCorrelation(z, ones, m.H, m.W, where+", image of noise")
	return r, err
}

// neighbours is the mean correlation of the four next pixels.
func neighbours(c solvers.Correlation) float64 { return (c.Lag(0, 1) + c.Lag(1, 0)) / 2 }

// middleOf is the middle of a plane, of at most side pixels in each direction.
func middleOf(plane []float32, h, w, side int) ([]float32, int, int) {
	if h <= side && w <= side {
		return plane, h, w
	}
	y, x := max(0, (h-side)/2), max(0, (w-side)/2)
	cut := solvers.Image{C: 1, H: h, W: w, Pix: plane}.Crop(x, min(w, x+side), y, min(h, y+side))
	return cut.Pix, cut.H, cut.W
}

// correlated says so where neighbouring pixels of the empty sky go together; of large images it
// looks at the middle. Outskirts of a galaxy that fills the image are no empty sky, and alike over many pixels: what is common to
// pixels neighbourLag apart is taken for light.
func correlated(data, weights []float32, h, w int, where string) (limpid.Finding, bool) {
	data, _, _ = middleOf(data, h, w, correlatedSide)
	weights, h, w = middleOf(weights, h, w, correlatedSide)
	z := overNoise(data, weights)
	free, level := emptySky(z, weights, h, w)
	at, pairs := covariances(z, free, level, h, w, neighbourLag)
	c := solvers.Correlation{Reach: neighbourLag, At: at}
	light := math.Max(0, (c.Lag(0, neighbourLag)+c.Lag(neighbourLag, 0))/2)
	for i := range at {
		at[i] -= light
	}
	top := at[len(at)/2]
	if pairs < emptyFewest || !(top > 0) {
		return limpid.Finding{}, false
	}
	rho := neighbours(c) / top
	if !(rho > correlatedFrom) || rho*math.Sqrt(2*pairs) < correlatedOver {
		return limpid.Finding{}, false
	}
	return limpid.Finding{
		Severity: limpid.Warning, Code: "noise.correlated", Where: where,
		What:   fmt.Sprintf("the noise of neighbouring pixels is correlated (%.2f): the image was resampled or stacked, and sums over a few pixels scatter by %.1f times what independent noise would", rho, math.Sqrt(math.Max(0, c.Sum()/top))),
		Advice: "error bars for independent pixels are wrong here: deconvolution can measure the noise's spectrum from the sky (--noise-spectrum measure)",
	}, true
}
