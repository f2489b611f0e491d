package observe

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"
)

// stackStars averages stamps by inverse variance, dropping pixels more than 4 σ
// off the median of the stars. errs is the standard error per pixel.
func stackStars(stamps []stamp, n int) (stack, errs []float64) {
	stack, errs = make([]float64, n*n), make([]float64, n*n)
	column := make([]float64, 0, len(stamps))
	for i := range stack {
		column = column[:0]
		for _, s := range stamps {
			if !math.IsInf(s.sigma[i], 0) {
				column = append(column, s.v[i])
			}
		}
		if len(column) == 0 {
			errs[i] = math.Inf(1)
			continue
		}
		slices.Sort(column)
		med := sortedMedian(column)
		scatter := mad(column, med, make([]float64, len(column))) * madToSigma
		spread := math.Max(scatter, 0.05*math.Abs(med))
		var sum, wsum float64
		for _, s := range stamps {
			tol := 4 * math.Hypot(spread, s.sigma[i])
			if math.IsInf(s.sigma[i], 0) || math.Abs(s.v[i]-med) > tol {
				continue
			}
			// the 2 % floor keeps one bright star from deciding alone
			wt := 1 / (s.sigma[i]*s.sigma[i] + math.Pow(0.02*med, 2))
			sum, wsum = sum+wt*s.v[i], wsum+wt
		}
		stack[i], errs[i] = med, math.Inf(1)
		if wsum > 0 {
			// neighbours' light scatters the stars beyond their noise
			stack[i], errs[i] = sum/wsum, math.Max(1/math.Sqrt(wsum), scatter/math.Sqrt(float64(len(column))))
		}
	}
	return stack, errs
}

// stamp is one star on the stack's grid, of unit flux, and its noise.
type stamp struct{ v, sigma []float64 }

// cutStars cuts a stamp of radius r about every star, centres it by Lanczos
// interpolation, takes off what is left of the sky in its outer ring, and scales
// it to unit flux within its inner half.
func cutStars(data, weights []float32, h, w int, stars []Star, r int) []stamp {
	n := 2*r + 1
	var stamps []stamp
	for _, s := range stars {
		v, sig := make([]float64, n*n), make([]float64, n*n)
		for j := range n {
			for i := range n {
				x, y := s.X+float64(i-r), s.Y+float64(j-r)
				v[j*n+i] = lanczos(data, h, w, x, y)
				xi, yi := int(math.Round(x)), int(math.Round(y))
				sig[j*n+i] = math.Inf(1)
				if xi >= 0 && yi >= 0 && xi < w && yi < h && weights[yi*w+xi] > 0 {
					sig[j*n+i] = 1 / math.Sqrt(float64(weights[yi*w+xi]))
				}
			}
		}
		sky := ringMedian(v, sig, n, 0.85*float64(r))
		var flux float64
		for i := range v {
			v[i] -= sky
			if d := math.Hypot(float64(i%n-r), float64(i/n-r)); d < 0.5*float64(r) && !math.IsInf(sig[i], 0) {
				flux += v[i]
			}
		}
		if !(flux > 0) {
			continue
		}
		for i := range v {
			v[i] /= flux
			sig[i] /= flux
		}
		stamps = append(stamps, stamp{v, sig})
	}
	return stamps
}

// Relative errors of a measured PSF: what is assumed when a single star cannot
// tell, and the most that is believed.
const (
	loneStarError = 0.05
	maxPSFError   = 0.3
)

// relativeError is how much the stars differ from the PSF beyond their noise,
// relative to the PSF's own rms, within radius r of the centre: the median over
// stars, corrected for each star being part of the stack.
func relativeError(stamps []stamp, psf []float64, n int, r float64) float64 {
	if len(stamps) < 2 {
		return loneStarError
	}
	c := float64(n-1) / 2
	var all []float64
	for _, s := range stamps {
		var vp, pp float64
		for i, p := range psf {
			if math.Hypot(float64(i%n)-c, float64(i/n)-c) <= r && !math.IsInf(s.sigma[i], 0) {
				vp, pp = vp+s.v[i]*p, pp+p*p
			}
		}
		if pp == 0 {
			continue
		}
		var excess float64
		for i, p := range psf {
			if math.Hypot(float64(i%n)-c, float64(i/n)-c) <= r && !math.IsInf(s.sigma[i], 0) {
				d := s.v[i] - vp/pp*p
				excess += d*d - s.sigma[i]*s.sigma[i]
			}
		}
		all = append(all, math.Max(0, excess)/pp)
	}
	if len(all) == 0 {
		return loneStarError
	}
	slices.Sort(all)
	k := float64(len(stamps))
	return math.Min(maxPSFError, math.Sqrt(sortedMedian(all)*k/(k-1)))
}

func ringMedian(v, sig []float64, n int, from float64) float64 {
	r := float64(n-1) / 2
	var ring []float64
	for i := range v {
		if d := math.Hypot(float64(i%n)-r, float64(i/n)-r); d >= from && d <= r && !math.IsInf(sig[i], 0) {
			ring = append(ring, v[i])
		}
	}
	if len(ring) == 0 {
		return 0
	}
	slices.Sort(ring)
	return sortedMedian(ring)
}

// moffatFit is an elliptical Moffat profile (Moffat 1969):
// I = amp (1 + q)^-β, q = ((x cos θ + y sin θ)²/axis + (…)² axis)/α².
type moffatFit struct {
	amp, x, y, fwhm, beta, e1, e2 float64
}

func (m moffatFit) at(dx, dy float64) float64 {
	alpha := m.fwhm / (2 * math.Sqrt(math.Pow(2, 1/m.beta)-1))
	x, y := dx-m.x, dy-m.y
	q := ((1-m.e1)*x*x + (1+m.e1)*y*y - 2*m.e2*x*y) / math.Sqrt(math.Max(1e-6, 1-m.e1*m.e1-m.e2*m.e2))
	return m.amp * math.Pow(1+q/(alpha*alpha), -m.beta)
}

// fitMoffat fits a stack by weighted least squares (Nelder–Mead from the
// stack's own peak and half-light radius). A 2 % model error keeps the core's
// tiny errors from ignoring the wings.
func fitMoffat(stack, errs []float64, n int) moffatFit {
	r := float64(n-1) / 2
	pix := make([]float32, len(stack))
	peak := 0.0
	for i, v := range stack {
		pix[i] = float32(v)
		peak = math.Max(peak, v)
	}
	decode := func(p []float64) moffatFit {
		return moffatFit{
			amp: math.Exp(p[0]), x: p[1], y: p[2], fwhm: math.Exp(p[3]), beta: 1.1 + math.Exp(p[4]),
			e1: 0.7 * math.Tanh(p[5]), e2: 0.7 * math.Tanh(p[6]),
		}
	}
	cost := func(p []float64) float64 {
		m := decode(p)
		var sum float64
		for i, v := range stack {
			if math.IsInf(errs[i], 0) {
				continue
			}
			model := m.at(float64(i%n)-r, float64(i/n)-r)
			d := (v - model) / math.Hypot(errs[i], 0.02*peak*math.Sqrt(math.Max(model, 0)/peak))
			sum += d * d
		}
		return sum + 0.01*p[4]*p[4]
	}
	start := []float64{
		math.Log(math.Max(peak, 1e-12)), 0, 0,
		math.Log(2 * math.Max(0.6, halfLightRadius(pix, n, n, r, r)*0.8)), math.Log(2), 0, 0,
	}
	res, err := optimize.Minimize(optimize.Problem{Func: cost}, start, &optimize.Settings{FuncEvaluations: 6000}, &optimize.NelderMead{})
	if err != nil && res == nil {
		return decode(start)
	}
	return decode(res.X)
}

// extendWings replaces the stack by the fit where a ring's mean falls below
// three times its error, blending over two pixels, and takes negative pixels out.
func extendWings(stack, errs []float64, n int, fit moffatFit) {
	r := (n - 1) / 2
	edge := float64(r)
	for ring := 2; ring <= r; ring++ {
		var sum, variance, count float64
		for i := range stack {
			d := math.Hypot(float64(i%n-r), float64(i/n-r))
			if d >= float64(ring)-0.5 && d < float64(ring)+0.5 && !math.IsInf(errs[i], 0) {
				sum, variance, count = sum+stack[i], variance+errs[i]*errs[i], count+1
			}
		}
		// per pixel: a wing pixel must stand out by itself to be better than the fit
		if count == 0 || sum/count < 3*math.Sqrt(variance/count) {
			edge = float64(ring)
			break
		}
	}
	for i := range stack {
		dx, dy := float64(i%n-r), float64(i/n-r)
		model := fit.at(dx, dy)
		t := math.Min(1, math.Max(0, (math.Hypot(dx, dy)-edge+1)/2))
		if math.IsInf(errs[i], 0) {
			t = 1
		}
		stack[i] = math.Max(0, (1-t)*stack[i]+t*model)
	}
}
