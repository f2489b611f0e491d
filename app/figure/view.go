package figure

import "math"

// Transform is one of the eight ways to turn and mirror a picture by right
// angles. It maps steps in the image (x along a row, y from row to row) to steps
// on the screen (right, up). The zero value shows row 0 at the bottom and column
// 0 at the left, as every FITS viewer does.
type Transform uint8

// The transforms: turns are counter-clockwise; the mirrored ones swap left and
// right first and turn then.
const (
	Upright Transform = iota
	Turn90
	Turn180
	Turn270
	Mirror
	Mirror90
	Mirror180
	Mirror270
)

// Transforms lists all eight.
func Transforms() []Transform {
	return []Transform{Upright, Turn90, Turn180, Turn270, Mirror, Mirror90, Mirror180, Mirror270}
}

var transformNames = [8]string{
	"upright", "turned 90°", "turned 180°", "turned 270°",
	"mirrored", "mirrored, turned 90°", "mirrored, turned 180°", "mirrored, turned 270°",
}

// matrix is {{right per x, right per y}, {up per x, up per y}}.
func (t Transform) matrix() (xx, xy, yx, yy int) {
	cos := [4]int{1, 0, -1, 0}[t&3]
	sin := [4]int{0, 1, 0, -1}[t&3]
	if t&4 != 0 {
		return -cos, -sin, -sin, cos
	}
	return cos, -sin, sin, cos
}

func (t Transform) String() string { return transformNames[t&7] }

// Apply maps a step in the image to a step on the screen, y up.
func (t Transform) Apply(dx, dy float64) (right, up float64) {
	a, b, c, d := t.matrix()
	return float64(a)*dx + float64(b)*dy, float64(c)*dx + float64(d)*dy
}

// Undo maps a step on the screen, y up, to a step in the image.
func (t Transform) Undo(right, up float64) (dx, dy float64) {
	a, b, c, d := t.matrix() // orthogonal: the inverse is the transpose
	return float64(a)*right + float64(c)*up, float64(b)*right + float64(d)*up
}

// Swaps reports whether image rows run vertically on the screen.
func (t Transform) Swaps() bool { return t&1 != 0 }

// Then is the transform that does t and after it u.
func (t Transform) Then(u Transform) Transform {
	for _, w := range Transforms() {
		x, y := u.Apply(t.Apply(1, 0))
		wx, wy := w.Apply(1, 0)
		p, q := u.Apply(t.Apply(0, 1))
		wp, wq := w.Apply(0, 1)
		if x == wx && y == wy && p == wp && q == wq {
			return w
		}
	}
	return Upright // not reached: the eight form a group
}

// View says which part of an image a picture shows.
type View struct {
	X, Y float64 // image coordinates at the picture's middle
	Zoom float64 // screen pixels per image pixel
	Turn Transform
}

// Screen maps image coordinates to picture coordinates: (0, 0) is the top left
// corner of a picture of w × h pixels (not the centre of its first pixel), y down.
func (v View) Screen(w, h int, x, y float64) (sx, sy float64) {
	right, up := v.Turn.Apply((x-v.X)*v.Zoom, (y-v.Y)*v.Zoom)
	return float64(w)/2 + right, float64(h)/2 - up
}

// Image maps picture coordinates to image coordinates.
func (v View) Image(w, h int, sx, sy float64) (x, y float64) {
	dx, dy := v.Turn.Undo((sx-float64(w)/2)/v.Zoom, (float64(h)/2-sy)/v.Zoom)
	return v.X + dx, v.Y + dy
}

// Fit is the view that shows all of an iw × ih image in a w × h picture, as
// large as it goes. Turn decides which side is which.
func Fit(iw, ih, w, h int, turn Transform) View {
	if turn.Swaps() {
		w, h = h, w
	}
	return View{
		X:    float64(iw-1) / 2,
		Y:    float64(ih-1) / 2,
		Zoom: max(1e-6, min(float64(w)/float64(iw), float64(h)/float64(ih))),
		Turn: turn,
	}
}

// Sky maps pixel coordinates (first pixel centre at 0, 0) to longitude and
// latitude in degrees; ok is false where the projection has no sky.
type Sky interface {
	PixelToSky(x, y float64) (lon, lat float64, ok bool)
}

// Compass tells how the sky lies in an image around pixel (x, y): the pixel steps
// (unit vectors) towards north and east, and the pixel's side in arcsec (the
// square root of its area). ok is false without a usable sky there.
func Compass(sky Sky, x, y float64) (north, east [2]float64, scale float64, ok bool) {
	if sky == nil {
		return north, east, 0, false
	}
	// Symmetric steps of half a pixel to each side; tangent vectors instead of
	// differences of longitude keep the pole and longitude 0 harmless.
	var at [5][3]float64
	for i, s := range [5][2]float64{{0, 0}, {0.5, 0}, {-0.5, 0}, {0, 0.5}, {0, -0.5}} {
		lon, lat, valid := sky.PixelToSky(x+s[0], y+s[1])
		if !valid || math.IsNaN(lon+lat) {
			return north, east, 0, false
		}
		at[i] = direction(lon, lat)
	}
	lon, _, _ := sky.PixelToSky(x, y)
	sin, cos := math.Sincos(lon * math.Pi / 180)
	e := [3]float64{-sin, cos, 0}
	n := cross(at[0], e)
	// J maps pixel steps to (east, north) in radians.
	dx, dy := sub(at[1], at[2]), sub(at[3], at[4])
	ex, ey, nx, ny := dot(dx, e), dot(dy, e), dot(dx, n), dot(dy, n)
	det := ex*ny - ey*nx
	if det == 0 || math.IsNaN(det) {
		return north, east, 0, false
	}
	north = unit(-ey/det, ex/det)
	east = unit(ny/det, -nx/det)
	return north, east, math.Sqrt(math.Abs(det)) * 180 / math.Pi * 3600, true
}

// Orient chooses the transform of a w × h image that brings north closest to up
// and east closest to left, judged at its middle. Without a usable sky, and where
// two would do equally well, it leaves the image as it is (or prefers the earlier
// transform).
func Orient(sky Sky, w, h int) Transform {
	north, east, _, ok := Compass(sky, float64(w-1)/2, float64(h-1)/2)
	if !ok {
		return Upright
	}
	const tie = 1e-6 // rounding in a WCS must not flip a picture turned by 45°
	best, score := Upright, math.Inf(-1)
	for _, t := range Transforms() {
		_, up := t.Apply(north[0], north[1])
		right, _ := t.Apply(east[0], east[1])
		if s := up - right; s > score+tie {
			best, score = t, s
		}
	}
	return best
}

func direction(lon, lat float64) [3]float64 {
	sl, cl := math.Sincos(lon * math.Pi / 180)
	sb, cb := math.Sincos(lat * math.Pi / 180)
	return [3]float64{cb * cl, cb * sl, sb}
}

func cross(a, b [3]float64) [3]float64 {
	return [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
}

func sub(a, b [3]float64) [3]float64 { return [3]float64{a[0] - b[0], a[1] - b[1], a[2] - b[2]} }

func dot(a, b [3]float64) float64 { return a[0]*b[0] + a[1]*b[1] + a[2]*b[2] }

func unit(x, y float64) [2]float64 {
	r := math.Hypot(x, y)
	return [2]float64{x / r, y / r}
}
