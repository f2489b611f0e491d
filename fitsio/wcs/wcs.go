// Package wcs turns pixels of a FITS image into positions on the sky and back
// (Greisen & Calabretta 2002, "WCS I"; Calabretta & Greisen 2002, "WCS II").
//
//	w, err := wcs.FromHeader(hdu.Header, "")    // or "A" … "Z"
//	w, err := wcs.FromHDU(ctx, file, hdu, "")   // with the distortion tables of Hubble files
//	lon, lat, ok := w.PixelToSky(x, y)          // degrees, in w.Frame
//	x, y, ok = w.SkyToPixel(lon, lat)
//	ra, dec := w.Frame.To(wcs.ICRS, lon, lat)
//	w.PixelScale()                              // arcsec
//	pa, mirrored := w.Orientation()
//	cut := wcs.ShiftHeader(hdu.Header, x0, y0)  // the header of a cut-out
//	fmt.Println(wcs.HMS(ra, 2), wcs.DMS(dec, 1)) // 10:21:09.32 -03:19:29.2
//
// Pixels count from 0: (0, 0) is the centre of the first pixel, which FITS calls
// (1, 1); x runs along NAXIS1. ok is false where a pixel has no place on the sky
// or a position none in the projection. A WCS does not change once made and may
// be used by several goroutines.
package wcs

import (
	"errors"
	"math"

	"limpid/fitsio/wcs/internal/angle"
	"limpid/fitsio/wcs/proj"
)

// ErrNoWCS is returned for a header without a celestial coordinate system.
var ErrNoWCS = errors.New("no celestial coordinates in the header")

// ErrInvalid is returned for a coordinate system that contradicts itself or the
// standard; ErrUnsupported for one that is not built in.
var (
	ErrInvalid     = errors.New("invalid coordinate system")
	ErrUnsupported = errors.New("not supported")
)

// WCS is a celestial coordinate system on two pixel axes.
type WCS struct {
	Alt   string // "" or "A" … "Z"
	Name  string // WCSNAME
	Code  string // projection: "TAN", "SIN", …
	Frame Frame  // of lon and lat
	Axes  []Axis // every axis of the image, in FITS order
	Notes []string

	xAxis, yAxis int // pixel axes (from 0) of x and y
	lonFirst     bool
	crpix        [2]float64 // counted from 1
	cd           matrix     // pixel offsets to intermediate world coordinates, degrees
	inv          matrix
	pix          pixelDistortion // SIP, lookup tables; nil: none
	plane        planeDistortion // TPV, TNX …; nil: none
	proj         proj.Projection
	rot          rotation
	offX, offY   float64 // of the fiducial point in the plane (PVi_0 ≠ 0)
	crval        [2]float64
}

// planeDistortion corrects intermediate world coordinates (degrees).
type planeDistortion interface {
	apply(x, y float64) (float64, float64)
}

// Axis is one axis of the image.
type Axis struct {
	Type, Unit          string
	CRVal, CRPix, CDelt float64 // CDelt with the PC or CD diagonal in it
	Celestial           bool
	log                 bool // "-LOG" (WCS III, section 3.2)
	spec                *spectral
}

// Value gives the coordinate of pixel p (from 0) along an axis that is not of the
// sky, in Unit: frequency, velocity, wavelength, time, Stokes …; NaN where the
// header does not determine it.
func (a Axis) Value(p float64) float64 {
	d := (p + 1 - a.CRPix) * a.CDelt
	if a.spec != nil {
		return a.spec.value(d)
	}
	if a.log && a.CRVal != 0 {
		return a.CRVal * math.Exp(d/a.CRVal)
	}
	return a.CRVal + d
}

// matrix is 2 × 2, row by row.
type matrix [4]float64

func (m matrix) mul(x, y float64) (float64, float64) {
	return m[0]*x + m[1]*y, m[2]*x + m[3]*y
}

func (m matrix) det() float64 { return m[0]*m[3] - m[1]*m[2] }

func (m matrix) inverse() (matrix, bool) {
	d := m.det()
	big := 0.0
	for _, v := range m {
		big = math.Max(big, math.Abs(v))
	}
	if d == 0 || math.IsNaN(d) || math.IsInf(d, 0) || math.Abs(d) < 1e-14*big*big {
		return matrix{}, false
	}
	return matrix{m[3] / d, -m[1] / d, -m[2] / d, m[0] / d}, true
}

// PixelToSky gives longitude and latitude in degrees, longitude in [0, 360).
func (w *WCS) PixelToSky(x, y float64) (lon, lat float64, ok bool) {
	u, v := x+1-w.crpix[0], y+1-w.crpix[1]
	if w.pix != nil {
		u, v = w.pix.forward(u, v)
	}
	px, py := w.planeOf(w.cd.mul(u, v))
	phi, theta, ok := w.proj.ToSphere(px+w.offX, py+w.offY)
	if !ok || math.IsNaN(phi+theta) || math.IsInf(phi+theta, 0) {
		return math.NaN(), math.NaN(), false
	}
	lon, lat = w.rot.toSky(phi, theta)
	return lon, lat, true
}

// planeOf applies the distortion of the plane and puts longitude first.
func (w *WCS) planeOf(a, b float64) (x, y float64) {
	if w.plane != nil {
		a, b = w.plane.apply(a, b)
	}
	if !w.lonFirst {
		a, b = b, a
	}
	return a, b
}

// SkyToPixel is the inverse of PixelToSky. Distortions are inverted by a bounded
// iteration; where it does not converge, ok is false.
func (w *WCS) SkyToPixel(lon, lat float64) (x, y float64, ok bool) {
	bad := func() (float64, float64, bool) { return math.NaN(), math.NaN(), false }
	if math.IsNaN(lon+lat) || math.IsInf(lon, 0) || math.Abs(lat) > 90+1e-9 {
		return bad()
	}
	phi, theta := w.rot.toNative(lon, lat)
	px, py, ok := w.proj.ToPlane(phi, theta)
	if !ok || math.IsNaN(px+py) || math.IsInf(px+py, 0) {
		return bad()
	}
	px, py = px-w.offX, py-w.offY
	if !w.lonFirst {
		px, py = py, px
	}
	if w.plane != nil {
		if px, py, ok = invert(w.plane.apply, px, py, px, py); !ok {
			return bad()
		}
	}
	u, v := w.inv.mul(px, py)
	if w.pix != nil {
		gu, gv := w.pix.guess(u, v)
		if u, v, ok = invert(w.pix.forward, u, v, gu, gv); !ok {
			return bad()
		}
	}
	return u + w.crpix[0] - 1, v + w.crpix[1] - 1, true
}

// maxIterations bounds the inversion of a distortion.
const maxIterations = 60

// invert finds (x, y) with f(x, y) = (a, b) from a first guess, by Newton steps
// with a numerical Jacobian.
func invert(f func(x, y float64) (float64, float64), a, b, x, y float64) (float64, float64, bool) {
	size := math.Max(1, math.Hypot(a, b))
	best, bx, by := math.Inf(1), x, y
	for range maxIterations {
		fx, fy := f(x, y)
		ex, ey := a-fx, b-fy
		e := math.Hypot(ex, ey)
		if e < best {
			best, bx, by = e, x, y
		} else if best < 1e-11*size {
			break // rounding is reached
		}
		if e == 0 {
			break
		}
		h := 1e-6 * math.Max(1e-3, math.Hypot(x, y))
		ax, ay := f(x+h, y)
		cx, cy := f(x, y+h)
		j, ok := matrix{(ax - fx) / h, (cx - fx) / h, (ay - fy) / h, (cy - fy) / h}.inverse()
		if !ok {
			return 0, 0, false
		}
		dx, dy := j.mul(ex, ey)
		x, y = x+dx, y+dy
		if math.IsNaN(x + y) {
			return 0, 0, false
		}
	}
	return bx, by, best < 1e-9*size
}

// PixelScale is the geometric mean of the pixel's sides at the reference point,
// in arcsec.
func (w *WCS) PixelScale() float64 { return math.Sqrt(math.Abs(w.cd.det())) * 3600 }

// PixelScaleAt gives the sides of the pixel at (x, y) along x and along y on the
// sky, in arcsec, distortions included.
func (w *WCS) PixelScaleAt(x, y float64) (sx, sy float64, ok bool) {
	ax, ay, ok1 := w.PixelToSky(x-0.5, y)
	bx, by, ok2 := w.PixelToSky(x+0.5, y)
	cx, cy, ok3 := w.PixelToSky(x, y-0.5)
	dx, dy, ok4 := w.PixelToSky(x, y+0.5)
	return 3600 * Separation(ax, ay, bx, by), 3600 * Separation(cx, cy, dx, dy), ok1 && ok2 && ok3 && ok4
}

// Orientation gives the position angle of the +y direction at the reference
// point, in degrees from north through east, and whether the image is mirrored.
// In the usual sky view (not mirrored), east is to the left when north is up.
func (w *WCS) Orientation() (pa float64, mirrored bool) {
	m := w.cd
	if !w.lonFirst {
		m = matrix{m[2], m[3], m[0], m[1]}
	}
	// Column 2 is where +y goes in (east, north); the native pole may be turned.
	pa = angle.Atan2d(m[1], m[3])
	if lon, lat, ok := w.PixelToSky(w.crpix[0]-1, w.crpix[1]-1); ok && math.Abs(lat) < 89.9999 {
		step := 1e-3
		if l2, b2, ok := w.PixelToSky(w.crpix[0]-1, w.crpix[1]-1+step); ok {
			pa = PositionAngle(lon, lat, l2, b2)
		}
	}
	return angle.Wrap180(pa), m.det() > 0
}

// Shift is the coordinate system of a cut-out whose first pixel is (x0, y0).
func (w *WCS) Shift(x0, y0 float64) *WCS {
	c := *w
	c.crpix[0] -= x0
	c.crpix[1] -= y0
	c.Axes = append([]Axis(nil), w.Axes...)
	c.Axes[w.xAxis].CRPix -= x0
	c.Axes[w.yAxis].CRPix -= y0
	return &c
}

// Reference gives CRPIX, counted from 0, and CRVAL as longitude and latitude in
// degrees.
func (w *WCS) Reference() (x, y, lon, lat float64) {
	return w.crpix[0] - 1, w.crpix[1] - 1, w.crval[0], w.crval[1]
}

// Jacobian gives the matrix from pixels to the tangent plane at the reference
// point, in degrees: east = m[0] dx + m[1] dy, north = m[2] dx + m[3] dy, before
// distortions and the turn by LONPOLE.
func (w *WCS) Jacobian() [4]float64 {
	if !w.lonFirst {
		return [4]float64{w.cd[2], w.cd[3], w.cd[0], w.cd[1]}
	}
	return w.cd
}

// Separation is the angle between two positions, all in degrees.
func Separation(lon1, lat1, lon2, lat2 float64) float64 {
	s1, c1 := angle.Sincosd(lat1)
	s2, c2 := angle.Sincosd(lat2)
	sd, cd := angle.Sincosd(lon2 - lon1)
	return angle.Atan2d(math.Hypot(c2*sd, c1*s2-s1*c2*cd), s1*s2+c1*c2*cd)
}

// PositionAngle is the direction from 1 to 2, from north through east, degrees.
func PositionAngle(lon1, lat1, lon2, lat2 float64) float64 {
	s1, c1 := angle.Sincosd(lat1)
	s2, c2 := angle.Sincosd(lat2)
	sd, cd := angle.Sincosd(lon2 - lon1)
	return angle.Atan2d(c2*sd, c1*s2-s1*c2*cd)
}
