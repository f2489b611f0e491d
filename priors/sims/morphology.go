package sims

import (
	"math"
	"math/rand/v2"
)

// regular draws a bulge in a disk, with arms, a bar, knots and dust as they come.
func (s *Scenes) regular(c *canvas, x, y, flux, radius float64, rng *rand.Rand) {
	q := axisRatio(rng)
	angle := math.Pi * rng.Float64()
	bulge := s.bulgeShare(rng)
	e := newShape(q, angle)
	var knots float64
	if bulge < 0.7 && rng.Float64() < 0.5 {
		knots = min((0.05+0.35*rng.Float64())*bands[s.Config.Band].knots, 0.7) * (1 - bulge)
	}
	var bar float64
	if bulge < 0.8 && rng.Float64() < 0.2 {
		bar = (0.05 + 0.2*rng.Float64()) * (1 - bulge)
	}
	disk := newSersic(1, radius*(0.9+0.3*rng.Float64()))
	if rng.Float64() < 0.4 {
		disk = newSersic(0.45+0.9*rng.Float64(), disk.radius)
	}
	sp := spiral{}
	if bulge < 0.85 && q > 0.3 && rng.Float64() < 0.4 {
		sp = newSpiral(disk.radius/1.678, rng)
	}
	if bulge > 0 {
		n := 4.0
		if rng.IntN(2) == 0 {
			n = 1.5 + 4*rng.Float64()
		}
		b := radius * math.Exp(-1.1+0.45*rng.NormFloat64()) * (1 + 1.5*bulge*bulge)
		c.profile(x, y, flux*bulge, newShape(min(1, q+0.3*rng.Float64()), angle+0.1*rng.NormFloat64()), newSersic(n, max(b, 0.1)), nil)
	}
	smooth := flux * (1 - bulge - knots - bar)
	c.profile(x, y, smooth, e, disk, modulation(sp, q, disk.radius, rng))
	if bar > 0 {
		turn := math.Pi * rng.Float64()
		c.profile(x, y, flux*bar, newShape(max(0.15, 0.35*q), angle+turn), newSersic(0.5, max(0.15, 0.45*disk.radius)), nil)
	}
	if knots > 0 {
		s.knots(c, x, y, flux*knots, e, disk.radius, sp, rng)
	}
}

// spiral is a set of logarithmic arms.
type spiral struct {
	arms                     int // 0: none
	scale, pitch, turn, amp  float64
	sharpness, normalisation float64
}

func newSpiral(scale float64, rng *rand.Rand) spiral {
	sp := spiral{arms: 2 + rng.IntN(3), scale: scale, turn: 2 * math.Pi * rng.Float64(), amp: 0.3 + 0.65*rng.Float64(), sharpness: 0.5 + 3*rng.Float64()}
	sp.pitch = math.Tan((10 + 25*rng.Float64()) * math.Pi / 180)
	if rng.IntN(2) == 0 {
		sp.pitch = -sp.pitch
	}
	// the mean of exp(s (cos − 1)) over a turn
	const n = 32
	for i := range n {
		sp.normalisation += math.Exp(sp.sharpness*(math.Cos(2*math.Pi*float64(i)/n)-1)) / n
	}
	return sp
}

// at is the factor of the disk's light at (u, v), 1 on average over a circle.
func (sp spiral) at(u, v float64) float64 {
	r2 := u*u + v*v
	phase := float64(sp.arms) * (math.Atan2(v, u) - 0.5*math.Log(max(r2, 0.01)/(sp.scale*sp.scale))/sp.pitch - sp.turn)
	fade := 1 - math.Exp(-2*r2/(sp.scale*sp.scale))
	return 1 + sp.amp*fade*(math.Exp(sp.sharpness*(math.Cos(phase)-1))/sp.normalisation-1)
}

// modulation is what arms and, edge-on, a dust lane do to the disk.
func modulation(sp spiral, q, radius float64, rng *rand.Rand) func(u, v float64) float64 {
	if sp.arms > 0 {
		return sp.at
	}
	if q > 0.35 || rng.IntN(2) == 0 {
		return nil
	}
	depth, width, off := 0.3+0.6*rng.Float64(), radius*(0.1+0.15*rng.Float64()), radius*0.15*rng.NormFloat64()
	return func(u, v float64) float64 {
		t := (v - off) / width
		w := u / (1.5 * radius)
		return 1 - depth*math.Exp(-0.5*(t*t+w*w))
	}
}

// knots strews regions of star formation: random walks of 10 to 200 points that start
// on an arm, or anywhere in the disk.
func (s *Scenes) knots(c *canvas, x, y, flux float64, e shape, radius float64, sp spiral, rng *rand.Rand) {
	n := int(logUniform(10, 200, rng))
	walks := 1 + rng.IntN(8)
	width := max(0.3, radius*0.05*(0.3+rng.Float64()))
	for range walks {
		r := radius * (0.2 + 1.6*rng.Float64())
		phi := 2 * math.Pi * rng.Float64()
		if sp.arms > 0 {
			phi = sp.turn + 2*math.Pi*float64(rng.IntN(sp.arms))/float64(sp.arms) + math.Log(r/sp.scale)/sp.pitch
		}
		u, v := r*math.Cos(phi)/e.root, r*math.Sin(phi)*e.root
		c.walk(x+u*e.cos-v*e.sin, y+u*e.sin+v*e.cos, flux/float64(walks), radius*0.12, width, max(2, n/walks), rng)
	}
}

// irregular draws blobs off centre on a faint disk, and knots.
func (s *Scenes) irregular(c *canvas, x, y, flux, radius float64, rng *rand.Rand) {
	blobs := 2 + rng.IntN(7)
	share := 0.4 + 0.4*rng.Float64()
	e := newShape(axisRatio(rng), math.Pi*rng.Float64())
	for range blobs {
		a, b := 0.7*radius*rng.NormFloat64(), 0.7*radius*rng.NormFloat64()
		p := newSersic(0.5+rng.Float64(), max(0.2, radius*(0.15+0.5*rng.Float64())))
		c.profile(x+a, y+b, flux*share/float64(blobs), newShape(axisRatio(rng), math.Pi*rng.Float64()), p, nil)
	}
	knots := (1 - share) * 0.6 * rng.Float64()
	c.profile(x, y, flux*(1-share-knots), e, newSersic(1, radius*1.2), nil)
	s.knots(c, x, y, flux*knots, e, radius, spiral{}, rng)
}

// tail draws a tidal tail: an arc of blobs that widens and fades outwards.
func tail(c *canvas, x, y, flux, radius float64, rng *rand.Rand) {
	const n = 24
	a, bend := 2*math.Pi*rng.Float64(), rng.NormFloat64()
	length := radius * (2 + 3*rng.Float64())
	for i := range n {
		t := (float64(i) + 0.5) / n
		sin, cos := math.Sincos(a + bend*t)
		c.point(x+length*t*cos, y+length*t*sin, flux*2*(1-t)/n, max(0.5, radius*(0.15+0.3*t)))
	}
}
