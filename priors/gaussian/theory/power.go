package theory

import (
	"math"
	"sort"
)

// Power is the matter power spectrum of a cosmology: linear by Eisenstein & Hu (1998),
// with the non-linear part by the halofit of Takahashi+2012.
type Power struct {
	Cosmology
	logK, logP []float64 // linear, today, normalised to σ8
	k, delta2  []float64 // k and k³P/2π² of the same
}

// Wavenumbers of the table, h/Mpc: 0.0001 to 1000, 60 per decade.
const (
	lowestK   = 1e-4
	perDecade = 60
	decades   = 7
)

// NewPower tabulates the linear spectrum.
func NewPower(c Cosmology) (*Power, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	p := &Power{Cosmology: c}
	t := c.Transfer()
	for i := range perDecade*decades + 1 {
		lk := math.Log(lowestK) + float64(i)/perDecade*math.Ln10
		p.logK = append(p.logK, lk)
		p.logP = append(p.logP, c.NS*lk+2*math.Log(t(math.Exp(lk))))
	}
	for i, lk := range p.logK {
		p.k = append(p.k, math.Exp(lk))
		p.delta2 = append(p.delta2, math.Exp(3*lk+p.logP[i])/(2*math.Pi*math.Pi))
	}
	norm := c.Sigma8 * c.Sigma8 / p.variance(topHat, 8)
	for i := range p.logP {
		p.logP[i] += math.Log(norm)
		p.delta2[i] *= norm
	}
	return p, nil
}

// Linear is the linear spectrum at z in (Mpc/h)³, k in h/Mpc.
func (p *Power) Linear(k, z float64) float64 {
	g := p.Growth(z)
	return g * g * p.today(math.Log(k))
}

func (p *Power) today(lk float64) float64 {
	x := (lk - p.logK[0]) / (p.logK[1] - p.logK[0])
	i := min(max(int(x), 0), len(p.logK)-2)
	t := x - float64(i)
	return math.Exp(p.logP[i] + t*(p.logP[i+1]-p.logP[i]))
}

// window is W²(kR) and its first two derivatives with respect to ln R.
type window func(x float64) (w2, d1, d2 float64)

func topHat(x float64) (float64, float64, float64) {
	if x < 1e-2 {
		return 1 - x*x/5, 0, 0
	}
	w := 3 * (math.Sin(x) - x*math.Cos(x)) / (x * x * x)
	return w * w, 0, 0
}

func gauss(x float64) (float64, float64, float64) {
	x2 := x * x
	w := math.Exp(-x2)
	return w, -2 * x2 * w, (4*x2*x2 - 4*x2) * w
}

// variance is σ²(R) of the linear field today, R in Mpc/h.
func (p *Power) variance(f window, r float64) float64 {
	v, _, _ := p.moments(f, r)
	return v
}

// moments are σ² and dσ²/d ln R, d²σ²/d(ln R)², by Simpson's rule over ln k.
func (p *Power) moments(f window, r float64) (v, d1, d2 float64) {
	n := len(p.logK)
	h := p.logK[1] - p.logK[0]
	for i, k := range p.k {
		if k*r > 60 {
			break
		}
		weight := h * 4 / 3
		switch {
		case i == 0 || i == n-1:
			weight = h / 3
		case i%2 == 0:
			weight = h * 2 / 3
		}
		delta := weight * p.delta2[i]
		w0, w1, w2 := f(k * r)
		v, d1, d2 = v+delta*w0, d1+delta*w1, d2+delta*w2
	}
	return v, d1, d2
}

// SigmaM is the linear standard deviation today of spheres that hold the mass m, in
// Msun/h, on average, and RadiusOfMass their radius in Mpc/h.
func (p *Power) SigmaM(m float64) float64 {
	return math.Sqrt(p.variance(topHat, p.RadiusOfMass(m)))
}

// CriticalDensity is 3H0²/8πG in (Msun/h)/(Mpc/h)³.
const CriticalDensity = 2.77536627e11

// RadiusOfMass is (3m/4πρ)^⅓ in Mpc/h, ρ the mean density of matter.
func (p *Power) RadiusOfMass(m float64) float64 {
	return math.Cbrt(3 * m / (4 * math.Pi * CriticalDensity * p.OmegaM))
}

// halofit holds the parameters of Takahashi+2012 (ApJ 761, 152), appendix, at one z.
type halofit struct {
	kSigma                         float64 // 0: everything is linear
	a, b, c, gamma, alpha, beta, v float64
	f1, f2, f3                     float64
}

// leastNonlinear is the radius, in Mpc/h, below which no scale counts as non-linear.
const leastNonlinear = 1e-3

func (p *Power) halofit(z float64) halofit {
	g2 := math.Pow(p.Growth(z), 2)
	// R with σ²(R) = 1, falling in R.
	lo, hi := math.Log(leastNonlinear), math.Log(50.0)
	if g2*p.variance(gauss, leastNonlinear) < 1 {
		return halofit{}
	}
	for range 40 {
		if mid := (lo + hi) / 2; g2*p.variance(gauss, math.Exp(mid)) > 1 {
			lo = mid
		} else {
			hi = mid
		}
	}
	r := math.Exp((lo + hi) / 2)
	v, d1, d2 := p.moments(gauss, r)
	n := -3 - d1/v
	c := -(d2/v - d1*d1/(v*v))
	om := p.OmegaMAt(z)
	n2 := n * n
	n3, n4 := n2*n, n2*n2
	ten := func(x float64) float64 { return math.Pow(10, x) }
	return halofit{
		kSigma: 1 / r,
		a:      ten(1.5222 + 2.8553*n + 2.3706*n2 + 0.9903*n3 + 0.2250*n4 - 0.6038*c),
		b:      ten(-0.5642 + 0.5864*n + 0.5716*n2 - 1.5474*c),
		c:      ten(0.3698 + 2.0404*n + 0.8161*n2 + 0.5869*c),
		gamma:  0.1971 - 0.0843*n + 0.8460*c,
		alpha:  math.Abs(6.0835 + 1.3373*n - 0.1959*n2 - 5.5274*c),
		beta:   2.0379 - 0.7354*n + 0.3157*n2 + 1.2490*n3 + 0.3980*n4 - 0.1682*c,
		v:      ten(5.2105 + 3.6902*n),
		f1:     math.Pow(om, -0.0307), f2: math.Pow(om, -0.0585), f3: math.Pow(om, 0.0743),
	}
}

// boost is the non-linear over the linear spectrum for a linear Δ².
func (h halofit) boost(k, delta2 float64) float64 {
	if h.kSigma == 0 || delta2 == 0 {
		return 1
	}
	y := k / h.kSigma
	quasi := math.Pow(1+delta2, h.beta) / (1 + h.alpha*delta2) * math.Exp(-y/4-y*y/8)
	halo := h.a * math.Pow(y, 3*h.f1) / (1 + h.b*math.Pow(y, h.f2) + math.Pow(h.c*h.f3*y, 3-h.gamma))
	halo /= 1 + h.v/(y*y)
	return quasi + halo/delta2
}

// Nonlinear is the spectrum at z in (Mpc/h)³, k in h/Mpc. At one z for many k, use At.
func (p *Power) Nonlinear(k, z float64) float64 { return p.At(z)(k) }

// At prepares the non-linear spectrum at z.
func (p *Power) At(z float64) func(k float64) float64 {
	h := p.halofit(z)
	g := p.Growth(z)
	return func(k float64) float64 {
		lin := g * g * p.today(math.Log(k))
		return lin * h.boost(k, lin*k*k*k/(2*math.Pi*math.Pi))
	}
}

// table interpolates y over ascending x, linearly; beyond the ends it is 0.
type table struct{ x, y []float64 }

func (t table) at(x float64) float64 {
	n := len(t.x)
	if x < t.x[0] || x > t.x[n-1] {
		return 0
	}
	i := min(max(sort.SearchFloat64s(t.x, x), 1), n-1)
	f := (x - t.x[i-1]) / (t.x[i] - t.x[i-1])
	return t.y[i-1] + f*(t.y[i]-t.y[i-1])
}
