package sims

import (
	"math"
	"math/rand/v2"
)

// canvas is a square torus that sources are drawn on: what leaves on one side comes
// in on the other, so that every pixel of a scene is like every other. A stamp has
// borders instead: what leaves is lost.
type canvas struct {
	n     int
	stamp bool
	pix   []float64
	tmp   []float64
}

func newCanvas(n int) *canvas {
	return &canvas{n: n, pix: make([]float64, n*n), tmp: make([]float64, n*n)}
}

// at is where row or column i lies, or −1.
func (c *canvas) at(i int) int {
	if i >= 0 && i < c.n {
		return i
	}
	if c.stamp {
		return -1
	}
	return wrap(i, c.n)
}

// shape is an ellipse's orientation: u along the major axis, v across, in units in
// which the area is that of a circle.
type shape struct {
	cos, sin float64
	q        float64 // axis ratio
	root     float64 // √q
}

func newShape(q, angle float64) shape {
	s := shape{q: q, root: math.Sqrt(q)}
	s.sin, s.cos = math.Sincos(angle)
	return s
}

func (s shape) coordinates(x, y float64) (u, v float64) {
	return (x*s.cos + y*s.sin) * s.root, (y*s.cos - x*s.sin) / s.root
}

// sersic is a profile of total flux 1.
type sersic struct {
	n, b, radius, peak float64
}

func newSersic(n, radius float64) sersic {
	b := sersicB(n)
	total := 2 * math.Pi * n * radius * radius * math.Pow(b, -2*n) * math.Gamma(2*n)
	return sersic{n: n, b: b, radius: radius, peak: 1 / total}
}

// at is the brightness at radius r.
func (p sersic) at(r float64) float64 {
	x := r / p.radius
	switch p.n {
	case 1:
	case 0.5:
		x *= x
	case 4:
		x = math.Sqrt(math.Sqrt(x))
	default:
		x = math.Pow(x, 1/p.n)
	}
	return p.peak * math.Exp(-p.b*x)
}

// extent is the radius where the profile ends: its brightness there is 1e-5 of that in
// the middle, or it fills the canvas.
func (p sersic) extent(s shape, side int) float64 {
	return min(p.radius*math.Pow(11.5/p.b, p.n), 1.5*float64(side)*s.root)
}

// profile draws a Sérsic profile at (x0, y0); modulate, if not nil, multiplies it and
// is called at pixels' centres with the ellipse's coordinates.
func (c *canvas) profile(x0, y0, flux float64, s shape, p sersic, modulate func(u, v float64) float64) {
	end := p.extent(s, c.n)
	r := int(end/s.root) + 1
	cx, cy := int(math.Round(x0)), int(math.Round(y0))
	core := min(p.radius*s.root, 4)
	for y := cy - r; y <= cy+r; y++ {
		row := c.at(y) * c.n
		for x := cx - r; x <= cx+r && row >= 0; x++ {
			col := c.at(x)
			if col < 0 {
				continue
			}
			dx, dy := float64(x)-x0, float64(y)-y0
			u, v := s.coordinates(dx, dy)
			r2 := u*u + v*v
			var sum float64
			switch d := dx*dx + dy*dy; {
			case d < 2.5:
				sum = oversampled(dx, dy, s, p, 9)
			case d < 36 && d < 40*core*core || d < 9:
				sum = oversampled(dx, dy, s, p, 3)
			case r2 < end*end:
				// fades out, so that no edge is seen where it ends
				fade := 1 - r2/(end*end)
				sum = p.at(math.Sqrt(r2)) * fade * fade
			default:
				continue
			}
			if modulate != nil {
				sum *= modulate(u, v)
			}
			c.pix[row+col] += flux * sum
		}
	}
}

// oversampled is the mean of a profile over a pixel, from n × n points.
func oversampled(dx, dy float64, s shape, p sersic, n int) (sum float64) {
	for j := range n {
		for i := range n {
			u, v := s.coordinates(dx+(float64(i)+0.5)/float64(n)-0.5, dy+(float64(j)+0.5)/float64(n)-0.5)
			sum += p.at(math.Sqrt(u*u + v*v))
		}
	}
	return sum / float64(n*n)
}

// point draws a round Gaussian, integrated over pixels.
func (c *canvas) point(x0, y0, flux, sigma float64) {
	const most = 24
	var fx, fy [2*most + 2]float64
	r := min(int(math.Ceil(4*sigma))+1, most)
	cx, cy := int(math.Round(x0)), int(math.Round(y0))
	k := 1 / (sigma * math.Sqrt2)
	lastX, lastY := math.Erf((float64(cx-r)-0.5-x0)*k), math.Erf((float64(cy-r)-0.5-y0)*k)
	for i := range 2*r + 1 {
		ex, ey := math.Erf((float64(cx-r+i)+0.5-x0)*k), math.Erf((float64(cy-r+i)+0.5-y0)*k)
		fx[i], fy[i] = (ex-lastX)/2, (ey-lastY)/2
		lastX, lastY = ex, ey
	}
	for j := range 2*r + 1 {
		row := c.at(cy-r+j) * c.n
		for i := range 2*r + 1 {
			if col := c.at(cx - r + i); row >= 0 && col >= 0 {
				c.pix[row+col] += flux * fy[j] * fx[i]
			}
		}
	}
}

// blur smooths the whole canvas by a Gaussian, rows and then columns.
func (c *canvas) blur(sigma float64) {
	r := int(math.Ceil(3.5 * sigma))
	k := make([]float64, 2*r+1)
	var sum float64
	for i := range k {
		k[i] = math.Exp(-0.5 * math.Pow(float64(i-r)/sigma, 2))
		sum += k[i]
	}
	for i := range k {
		k[i] /= sum
	}
	pass := func(dst, src []float64, step, other int) {
		for a := range c.n {
			for b := range c.n {
				var v float64
				for i, w := range k {
					if at := c.at(b + i - r); at >= 0 {
						v += w * src[a*other+at*step]
					}
				}
				dst[a*other+b*step] = v
			}
		}
	}
	pass(c.tmp, c.pix, 1, c.n)
	pass(c.pix, c.tmp, c.n, 1)
}

// walk strews n points along random walks from a start with steps of the given
// length, their fluxes a power law; it returns the points drawn.
func (c *canvas) walk(x, y, flux, step, width float64, n int, rng *rand.Rand) {
	weights := make([]float64, n)
	var sum float64
	for i := range weights {
		weights[i] = min(math.Pow(1-rng.Float64(), -1/1.5), 30)
		sum += weights[i]
	}
	for _, w := range weights {
		x, y = x+step*rng.NormFloat64(), y+step*rng.NormFloat64()
		c.point(x, y, flux*w/sum, width*(0.5+rng.Float64()))
	}
}
