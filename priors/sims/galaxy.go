// Package sims simulates scenes: the truth behind images we ship, the training
// sets of learned priors, and the skies that calibrate error bars. Everything is
// reproducible from an engine.Key.
package sims

import (
	"math"
	"math/rand/v2"

	"limpid/engine"
)

// Rand is a generator seeded by a key.
func Rand(key engine.Key) *rand.Rand { return rand.New(rand.NewPCG(key.Seed, key.Counter)) }

// Scene is a noiseless image of the sky before the PSF: (H, W), flux per pixel.
type Scene struct {
	H, W int
	Pix  []float64
}

// NewScene allocates an empty scene.
func NewScene(h, w int) *Scene { return &Scene{H: h, W: w, Pix: make([]float64, h*w)} }

// Galaxy is a Sérsic bulge in an exponential disk with logarithmic spiral arms
// and star-forming knots along them. Lengths are pixels, angles radians, the
// position angle from +x towards +y.
type Galaxy struct {
	X, Y        float64
	Flux        float64 // total
	BulgeShare  float64 // of the flux
	BulgeRadius float64 // half-light, circularised
	BulgeN      float64 // Sérsic index
	BulgeQ      float64 // axis ratio
	DiskScale   float64 // exponential scale length
	DiskQ       float64 // axis ratio: the inclination
	Angle       float64
	Arms        int     // 0: no spiral
	ArmContrast float64 // 0 … 1
	Pitch       float64
	Winding     float64 // phase of the arms
	Knots       int
	KnotShare   float64 // of the flux
}

// sersicB solves Γ(2n) = 2γ(2n, b) to 1e-4 for n > .36 (Ciotti & Bertin 1999,
// eq. 18).
func sersicB(n float64) float64 {
	return 2*n - 1.0/3 + 4/(405*n) + 46/(25515*n*n) + 131/(1148175*n*n*n)
}

// Add renders a galaxy into the scene; rng places its knots.
func (s *Scene) Add(g Galaxy, rng *rand.Rand) {
	knots := 0.0
	if g.Knots > 0 {
		knots = g.KnotShare
	}
	smooth := g.Flux * (1 - knots)
	if g.BulgeShare > 0 {
		b := sersicB(g.BulgeN)
		s.addProfile(g, g.BulgeQ, smooth*g.BulgeShare, func(r, _ float64) float64 {
			return math.Exp(-b * (math.Pow(r/g.BulgeRadius, 1/g.BulgeN) - 1))
		}, g.BulgeRadius)
	}
	if g.BulgeShare < 1 {
		s.addProfile(g, g.DiskQ, smooth*(1-g.BulgeShare), func(r, phi float64) float64 {
			return math.Exp(-r/g.DiskScale) * (1 + g.arms(r, phi))
		}, g.DiskScale)
	}
	s.addKnots(g, g.Flux*knots, rng)
}

// arms is the relative excess of the spiral at (r, phi) in the disk's plane; it
// fades into the bulge.
func (g Galaxy) arms(r, phi float64) float64 {
	if g.Arms == 0 {
		return 0
	}
	phase := float64(g.Arms) * (phi - math.Log(math.Max(r, 0.1)/g.DiskScale)/math.Tan(g.Pitch) - g.Winding)
	fade := 1 - math.Exp(-r*r/(g.DiskScale*g.DiskScale*0.5))
	c := math.Cos(phase)
	// sharpened: arms are narrower than the gaps between them
	return g.ArmContrast * fade * (math.Exp(2*(c-1))*3.24 - 1)
}

// addProfile renders a profile of deprojected radius and azimuth, sampled more
// finely near the centre, and scales it to the flux; what falls outside the scene
// is lost, as it is on a detector.
func (s *Scene) addProfile(g Galaxy, q, flux float64, f func(r, phi float64) float64, scale float64) {
	ca, sa := math.Cos(g.Angle), math.Sin(g.Angle)
	tmp := make([]float64, len(s.Pix))
	var inside float64
	for y := range s.H {
		for x := range s.W {
			dx, dy := float64(x)-g.X, float64(y)-g.Y
			d := math.Hypot(dx, dy)
			n := 3
			if d < 3 {
				n = 15
			} else if d > 6*scale+10 {
				n = 1
			}
			var sum float64
			for j := range n {
				for i := range n {
					ox := dx + (float64(i)+0.5)/float64(n) - 0.5
					oy := dy + (float64(j)+0.5)/float64(n) - 0.5
					u, v := (ox*ca+oy*sa)*math.Sqrt(q), (-ox*sa+oy*ca)/math.Sqrt(q)
					sum += f(math.Hypot(u, v), math.Atan2(v, u))
				}
			}
			tmp[y*s.W+x] = sum / float64(n*n)
			inside += tmp[y*s.W+x]
		}
	}
	if inside <= 0 {
		return
	}
	for i, v := range tmp {
		s.Pix[i] += flux * v / inside
	}
}

// addKnots strews star-forming knots: short random walks of bright points that
// start on the arms (or anywhere in an armless disk), fluxes a power law.
func (s *Scene) addKnots(g Galaxy, flux float64, rng *rand.Rand) {
	if g.Knots == 0 || flux <= 0 {
		return
	}
	type point struct{ x, y, f float64 }
	var pts []point
	var total float64
	ca, sa := math.Cos(g.Angle), math.Sin(g.Angle)
	for len(pts) < g.Knots {
		r := g.DiskScale * (0.6 + 2.4*rng.Float64())
		phi := 2 * math.Pi * rng.Float64()
		if g.Arms > 0 {
			arm := float64(rng.IntN(g.Arms)) * 2 * math.Pi / float64(g.Arms)
			phi = g.Winding + arm + math.Log(r/g.DiskScale)/math.Tan(g.Pitch) + 0.12*rng.NormFloat64()
		}
		u, v := r*math.Cos(phi), r*math.Sin(phi)
		f := math.Pow(1-rng.Float64(), -1/1.6) * math.Exp(-r/(2*g.DiskScale))
		for range 1 + rng.IntN(5) {
			a, b := u/math.Sqrt(g.DiskQ), v*math.Sqrt(g.DiskQ)
			p := point{g.X + a*ca - b*sa, g.Y + a*sa + b*ca, math.Min(f, 40) * (0.3 + rng.Float64())}
			pts, total = append(pts, p), total+p.f
			u, v = u+0.12*g.DiskScale*rng.NormFloat64(), v+0.12*g.DiskScale*rng.NormFloat64()
		}
	}
	for _, p := range pts {
		s.AddPoint(p.x, p.y, flux*p.f/total, 0.5)
	}
}

// AddPoint adds a source of Gaussian profile, sigma pixels wide, integrated over
// pixels; sigma 0 puts all light on the nearest pixel.
func (s *Scene) AddPoint(x, y, flux, sigma float64) {
	if sigma == 0 {
		if i, j := int(math.Round(x)), int(math.Round(y)); i >= 0 && j >= 0 && i < s.W && j < s.H {
			s.Pix[j*s.W+i] += flux
		}
		return
	}
	r := int(math.Ceil(5*sigma)) + 1
	cdf := func(t float64) float64 { return 0.5 * (1 + math.Erf(t/(sigma*math.Sqrt2))) }
	for j := int(y) - r; j <= int(y)+r+1; j++ {
		if j < 0 || j >= s.H {
			continue
		}
		fy := cdf(float64(j)+0.5-y) - cdf(float64(j)-0.5-y)
		for i := int(x) - r; i <= int(x)+r+1; i++ {
			if i >= 0 && i < s.W {
				s.Pix[j*s.W+i] += flux * fy * (cdf(float64(i)+0.5-x) - cdf(float64(i)-0.5-x))
			}
		}
	}
}

// Float32 is the scene as single precision.
func (s *Scene) Float32() []float32 {
	out := make([]float32, len(s.Pix))
	for i, v := range s.Pix {
		out[i] = float32(v)
	}
	return out
}
