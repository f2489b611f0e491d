package massmap

import (
	"fmt"
	"math"
)

// ProjectionKind says how the sky is laid on the pixels.
type ProjectionKind string

// The projections. Gnomonic is the tangent plane (Calabretta & Greisen 2002, sec. 5.1.3),
// north up and columns towards the west, as FITS images are. FlatEast is RA − RA0 and
// Dec − Dec0 without a cosine, columns towards the east: what the published COSMOS maps
// use. Pixels has no sky.
const (
	Gnomonic ProjectionKind = "gnomonic"
	FlatEast ProjectionKind = "flat-east"
	Pixels   ProjectionKind = "pixels"
)

// Projection maps the sky, in degrees, to pixels counted from 0 at the centre of the
// lower left one.
type Projection struct {
	Kind      ProjectionKind `json:"kind"`
	RA0, Dec0 float64        // of the middle of the map
	Arcmin    float64        // side of a pixel
	H, W      int

	sin0, cos0 float64
	scale      float64 // pixels per degree
	ready      bool
}

// Prepare computes what many calls share; without it every call does.
func (p *Projection) Prepare() {
	p.sin0, p.cos0 = math.Sincos(p.Dec0 * math.Pi / 180)
	p.scale = 60 / p.Arcmin
	p.ready = true
}

// wrapDegrees brings an angle to (−180, 180].
func wrapDegrees(a float64) float64 {
	if a > 180 || a <= -180 {
		a -= 360 * math.Ceil((a-180)/360)
	}
	return a
}

// ToPixel gives the pixel of a position; ok is false where the projection has none.
func (p *Projection) ToPixel(ra, dec float64) (x, y float64, ok bool) {
	x, y, _, _, ok = p.Place(ra, dec)
	return x, y, ok
}

// Place is ToPixel with the turn of north against the y axis there: cos 2α and sin 2α,
// by which e in a frame along north and (as the columns run) west or east becomes
// e exp(2iα) in the map's.
func (p *Projection) Place(ra, dec float64) (x, y, cos2, sin2 float64, ok bool) {
	if !p.ready {
		q := *p
		q.Prepare()
		p = &q
	}
	midX, midY := float64(p.W)/2-0.5, float64(p.H)/2-0.5
	switch p.Kind {
	case FlatEast:
		return midX + wrapDegrees(ra-p.RA0)*p.scale, midY + (dec-p.Dec0)*p.scale, 1, 0, true
	case Gnomonic:
		sd, cd := math.Sincos(dec * math.Pi / 180)
		sa, ca := math.Sincos((ra - p.RA0) * math.Pi / 180)
		d := p.sin0*sd + p.cos0*cd*ca
		if d < 0.01 { // 89.4° from the middle
			return 0, 0, 1, 0, false
		}
		f := p.scale * 180 / math.Pi / d
		x, y = midX-cd*sa*f, midY+(p.cos0*sd-p.sin0*cd*ca)*f
		// ∂(x, y)/∂dec is along (sin δ0 sin Δ, cos Δ)
		nx, ny := p.sin0*sa, ca
		r2 := nx*nx + ny*ny
		return x, y, (ny*ny - nx*nx) / r2, -2 * nx * ny / r2, true
	}
	return 0, 0, 1, 0, false
}

// ToSky gives RA (0 … 360) and Dec of a pixel; ok is false without a sky.
func (p *Projection) ToSky(x, y float64) (ra, dec float64, ok bool) {
	if !p.ready {
		q := *p
		q.Prepare()
		p = &q
	}
	dx, dy := (x-float64(p.W)/2+0.5)/p.scale, (y-float64(p.H)/2+0.5)/p.scale
	switch p.Kind {
	case FlatEast:
		ra, dec = p.RA0+dx, p.Dec0+dy
	case Gnomonic:
		xi, eta := -dx*math.Pi/180, dy*math.Pi/180
		ra = p.RA0 + math.Atan2(xi, p.cos0-eta*p.sin0)*180/math.Pi
		dec = math.Atan2(p.sin0+eta*p.cos0, math.Hypot(xi, p.cos0-eta*p.sin0)) * 180 / math.Pi
	default:
		return 0, 0, false
	}
	return math.Mod(ra+720, 360), dec, true
}

// PixelToSky is ToSky under the name figures ask for.
func (p *Projection) PixelToSky(x, y float64) (lon, lat float64, ok bool) { return p.ToSky(x, y) }

// East reports whether columns run towards the east.
func (p *Projection) East() bool { return p.Kind == FlatEast }

// Distortion is the largest error of distances of the flat map, at its corners: 1/cos² of
// the angle from the middle, less 1, for the gnomonic projection; 1 − cos δ, east against
// north, for the flat one.
func (p *Projection) Distortion() float64 {
	switch p.Kind {
	case Gnomonic:
		t := math.Hypot(float64(p.W), float64(p.H)) / 2 * p.Arcmin / 60 * math.Pi / 180
		return t * t // tan² = 1/cos² − 1
	case FlatEast:
		dec := math.Abs(p.Dec0) + float64(p.H)/2*p.Arcmin/60
		return 1 - math.Cos(dec*math.Pi/180)
	}
	return 0
}

func (p *Projection) String() string {
	switch p.Kind {
	case Gnomonic:
		return fmt.Sprintf("gnomonic about RA %.5f°, Dec %+.5f°, columns towards the west, pixels of %g′", p.RA0, p.Dec0, p.Arcmin)
	case FlatEast:
		return fmt.Sprintf("flat, RA − %.5f° without cos δ and Dec − %+.5f°, columns towards the east, pixels of %g′", p.RA0, p.Dec0, p.Arcmin)
	}
	return fmt.Sprintf("pixels of %g′ without a sky", p.Arcmin)
}
