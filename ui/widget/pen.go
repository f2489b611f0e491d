package widget

import (
	"encoding/binary"
	"image"
	"image/color"
	"math"
	"strings"
	"sync"

	"fyne.io/fyne/v2/theme"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"limpid/app/figure"
)

// Overlay is something drawn over an image whenever its picture is drawn.
type Overlay interface{ Draw(p *Pen) }

// Pen draws over a pane's picture. Positions are pixels of the image (first pixel
// centre at (0, 0)); widths and radii are Fyne units, so that lines keep their
// weight on any screen.
type Pen struct {
	dst   *image.RGBA
	view  figure.View
	scale float64
	faces map[float64]font.Face
	stamp map[stampKey]*stamp
	marks []spot // being drawn; the memory is used again
	plain bool   // letters without a seam: on a plain ground
}

// begin aims the pen at a picture. Letters and stamps of the same screen scale are
// kept from one picture to the next.
func (p *Pen) begin(dst *image.RGBA, view figure.View, scale float64) {
	if p.scale != scale {
		p.faces, p.stamp = map[float64]font.Face{}, map[stampKey]*stamp{}
	}
	p.dst, p.view, p.scale = dst, view, scale
}

// View is the view being drawn, in screen pixels per image pixel.
func (p *Pen) View() figure.View { return p.view }

// Size is the picture's size in Fyne units.
func (p *Pen) Size() (w, h float64) {
	return float64(p.dst.Rect.Dx()) / p.scale, float64(p.dst.Rect.Dy()) / p.scale
}

// PerPixel is the side of an image pixel in Fyne units.
func (p *Pen) PerPixel() float64 { return p.view.Zoom / p.scale }

// At maps image pixels to Fyne units from the picture's upper left corner.
func (p *Pen) At(x, y float64) (px, py float64) {
	sx, sy := p.view.Screen(p.dst.Rect.Dx(), p.dst.Rect.Dy(), x, y)
	return sx / p.scale, sy / p.scale
}

// Line draws a line between two places of the image.
func (p *Pen) Line(x0, y0, x1, y1, width float64, c color.RGBA) {
	ax, ay := p.At(x0, y0)
	bx, by := p.At(x1, y1)
	p.Stroke(ax, ay, bx, by, width, c)
}

// Stroke draws a line between two places of the picture, in Fyne units.
func (p *Pen) Stroke(x0, y0, x1, y1, width float64, c color.RGBA) {
	k := p.scale
	ax, ay, bx, by, ok := clip(x0*k, y0*k, x1*k, y1*k,
		float64(p.dst.Rect.Dx()), float64(p.dst.Rect.Dy()), width*k+2)
	if !ok {
		return
	}
	half := max(0.5, width*k/2)
	dx, dy := bx-ax, by-ay
	r := math.Hypot(dx, dy)
	if r < 1e-9 {
		dx, dy, r = 1, 0, 1
		bx, by = ax, ay
	}
	ux, uy := dx/r, dy/r
	length := math.Hypot(bx-ax, by-ay)
	y0i, y1i := int(math.Floor(min(ay, by)-half-1)), int(math.Ceil(max(ay, by)+half+1))
	for y := max(0, y0i); y <= min(p.dst.Rect.Dy()-1, y1i); y++ {
		lo, hi := rowSpan(ax, ay, bx, by, ux, uy, half+1, float64(y)+0.5)
		for x := max(0, lo); x <= min(p.dst.Rect.Dx()-1, hi); x++ {
			px, py := float64(x)+0.5-ax, float64(y)+0.5-ay
			along := px*ux + py*uy
			off := math.Abs(py*ux - px*uy)
			cover := min(1, max(0, half+0.5-off)) * min(1, max(0, min(along, length-along)+half+0.5))
			p.blend(x, y, c, cover)
		}
	}
}

// rowSpan bounds the columns a thick line touches in a row.
func rowSpan(ax, ay, bx, by, ux, uy, reach, y float64) (lo, hi int) {
	l, r := min(ax, bx), max(ax, bx)
	if math.Abs(uy) > 1e-6 { // where the line's strip crosses this row
		mid := ax + (y-ay)/uy*ux
		half := reach / math.Abs(uy)
		l, r = max(l, mid-half), min(r, mid+half)
	}
	return int(math.Floor(l - reach)), int(math.Ceil(r + reach))
}

// clip cuts a line to the picture with a margin (Liang and Barsky).
func clip(x0, y0, x1, y1, w, h, margin float64) (ax, ay, bx, by float64, ok bool) {
	if math.IsNaN(x0+y0+x1+y1) || math.IsInf(x0+y0+x1+y1, 0) {
		return 0, 0, 0, 0, false
	}
	t0, t1 := 0.0, 1.0
	dx, dy := x1-x0, y1-y0
	for _, e := range [4][2]float64{
		{-dx, x0 + margin}, {dx, w + margin - x0}, {-dy, y0 + margin}, {dy, h + margin - y0},
	} {
		switch {
		case e[0] == 0:
			if e[1] < 0 {
				return 0, 0, 0, 0, false
			}
		case e[0] < 0:
			t0 = max(t0, e[1]/e[0])
		default:
			t1 = min(t1, e[1]/e[0])
		}
	}
	return x0 + t0*dx, y0 + t0*dy, x0 + t1*dx, y0 + t1*dy, t0 <= t1
}

// blend mixes a colour over one pixel.
func (p *Pen) blend(x, y int, c color.RGBA, cover float64) {
	if cover <= 0 {
		return
	}
	mix(p.dst.Pix[y*p.dst.Stride+4*x:], c, uint32(cover*float64(c.A)+0.5))
}

// mix blends a colour of alpha a (0 to 255) into an opaque pixel.
func mix(pix []byte, c color.RGBA, a uint32) {
	pix = pix[:3]
	pix[0] = uint8((uint32(c.R)*a + uint32(pix[0])*(255-a) + 127) / 255)
	pix[1] = uint8((uint32(c.G)*a + uint32(pix[1])*(255-a) + 127) / 255)
	pix[2] = uint8((uint32(c.B)*a + uint32(pix[2])*(255-a) + 127) / 255)
}

// Ring is a circle of constant size around a place of the image.
func (p *Pen) Ring(x, y, radius, width float64, c color.RGBA) {
	p.marks = p.marks[:0]
	p.mark(x, y, (radius+width+1)*p.scale)
	p.rings(radius, width, c)
}

// spot is a pixel of the picture, by column and row.
type spot struct{ x, y int32 }

// mark notes the pixel of a place of the image, unless it lies further than reach
// beside the picture.
func (p *Pen) mark(x, y, reach float64) {
	sx, sy := p.view.Screen(p.dst.Rect.Dx(), p.dst.Rect.Dy(), x, y)
	if sx > -reach && sy > -reach && sx < float64(p.dst.Rect.Dx())+reach && sy < float64(p.dst.Rect.Dy())+reach {
		p.marks = append(p.marks, spot{int32(math.Floor(sx)), int32(math.Floor(sy))})
	}
}

// rings draws what was marked as rings of one look, from one stamp.
func (p *Pen) rings(radius, width float64, c color.RGBA) {
	key := stampKey{radius, width}
	s := p.stamp[key]
	if s == nil {
		s = newStamp(radius*p.scale, max(1, width*p.scale))
		p.stamp[key] = s
	}
	w, h := p.dst.Rect.Dx(), p.dst.Rect.Dy()
	for _, m := range p.marks {
		ox, oy := int(m.x)-s.half, int(m.y)-s.half
		if ox >= 0 && oy >= 0 && ox+2*s.half < w && oy+2*s.half < h {
			s.put(p.dst.Pix[oy*p.dst.Stride+4*ox:], p.dst.Stride, c)
			continue
		}
		for _, d := range s.dots {
			if px, py := ox+int(d.x), oy+int(d.y); px >= 0 && py >= 0 && px < w && py < h {
				mix(p.dst.Pix[py*p.dst.Stride+4*px:], c, uint32(d.cover)*uint32(c.A)/255)
			}
		}
	}
}

// dots draws what was marked as opaque squares, for so many that rings would cover each other.
func (p *Pen) dots(c color.RGBA) {
	ink := uint32(c.R) | uint32(c.G)<<8 | uint32(c.B)<<16 | 0xff000000
	side := int32(max(2, math.Round(2*p.scale)))
	w, h := int32(p.dst.Rect.Dx()), int32(p.dst.Rect.Dy())
	for _, m := range p.marks {
		x0, x1 := max(0, m.x-side/2), min(w, m.x-side/2+side)
		for y := max(0, m.y-side/2); y < min(h, m.y-side/2+side); y++ {
			for x := x0; x < x1; x++ {
				binary.LittleEndian.PutUint32(p.dst.Pix[int(y)*p.dst.Stride+4*int(x):], ink)
			}
		}
	}
}

// put draws a stamp that lies wholly in the picture: red and blue are blended in
// one multiplication.
func (s *stamp) put(pix []byte, stride int, c color.RGBA) {
	rb, g := uint32(c.R)|uint32(c.B)<<16, uint32(c.G)
	for _, d := range s.dots {
		q := pix[int(d.y)*stride+4*int(d.x):][:4]
		a := uint32(d.cover) * uint32(c.A) >> 8
		a += a >> 7 // 0 to 256
		was := binary.LittleEndian.Uint32(q)
		b := (rb*a + (was&0xff00ff)*(256-a)) >> 8 & 0xff00ff
		b |= (g*a + (was>>8&0xff)*(256-a)) & 0xff00
		binary.LittleEndian.PutUint32(q, b|0xff000000)
	}
}

type stampKey struct{ radius, width float64 }

// stamp is the pixels of a ring around (half, half).
type stamp struct {
	half int
	dots []dot
}

type dot struct {
	x, y  int16
	cover uint8
}

func newStamp(radius, width float64) *stamp {
	s := &stamp{half: int(math.Ceil(radius+width/2)) + 1}
	for y := 0; y <= 2*s.half; y++ {
		for x := 0; x <= 2*s.half; x++ {
			off := math.Abs(math.Hypot(float64(x-s.half), float64(y-s.half)) - radius)
			if cover := min(1, width/2+0.5-off); cover > 0 {
				s.dots = append(s.dots, dot{int16(x), int16(y), uint8(cover * 255)})
			}
		}
	}
	return s
}

// Circle is a circle whose radius is given in image pixels. Only the pixels of its line
// are looked at, row by row.
func (p *Pen) Circle(x, y, radius, width float64, c color.RGBA) {
	k := p.scale
	w, h := p.dst.Rect.Dx(), p.dst.Rect.Dy()
	cx, cy := p.view.Screen(w, h, x, y)
	r, half := math.Abs(radius)*p.view.Zoom, max(0.5, width*k/2)
	out := r + half + 0.5
	if !(cx+out > 0 && cy+out > 0 && cx-out < float64(w) && cy-out < float64(h) && r < 1e6) {
		return
	}
	in := r - half - 0.5
	for py := max(0, int(cy-out-0.5)); py <= min(h-1, int(cy+out-0.5)+1); py++ {
		dy := float64(py) + 0.5 - cy
		if math.Abs(dy) >= out {
			continue
		}
		reach, hole := math.Sqrt(out*out-dy*dy), 0.0
		if in > math.Abs(dy) {
			hole = math.Sqrt(in*in - dy*dy)
		}
		p.arc(py, cx-reach, cx-hole, cx, dy, r, half, c)
		p.arc(py, cx+hole, cx+reach, cx, dy, r, half, c)
	}
}

// arc draws what a row has of a circle's line, where centres of pixels lie from x0 to below x1.
func (p *Pen) arc(py int, x0, x1, cx, dy, r, half float64, c color.RGBA) {
	lo, hi := max(0, int(math.Ceil(x0-0.5))), min(p.dst.Rect.Dx()-1, int(math.Ceil(x1-0.5))-1)
	for px := lo; px <= hi; px++ {
		dx := float64(px) + 0.5 - cx
		p.blend(px, py, c, min(1, half+0.5-math.Abs(math.Sqrt(dx*dx+dy*dy)-r)))
	}
}

// brightness is the mean of a part of the picture, 0 to 255, in Fyne units; every
// third pixel is looked at.
func (p *Pen) brightness(x, y, w, h float64) float64 {
	k := p.scale
	x0, x1 := max(0, int(x*k)), min(p.dst.Rect.Dx(), int((x+w)*k))
	y0, y1 := max(0, int(y*k)), min(p.dst.Rect.Dy(), int((y+h)*k))
	sum, n := 0, 0
	for j := y0; j < y1; j += 3 {
		for i := x0; i < x1; i += 3 {
			q := p.dst.Pix[j*p.dst.Stride+4*i:][:3]
			sum += (2*int(q[0]) + 5*int(q[1]) + int(q[2])) / 8
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n)
}

// Text writes in Fyne units, its baseline's middle at (x, y), with a dark seam (a
// light one around dark letters) so that it can be read on any picture.
func (p *Pen) Text(s string, x, y, size float64, c color.RGBA) {
	f := p.face(size * p.scale)
	if f == nil {
		return
	}
	s = strings.ReplaceAll(s, "−", "–") // the theme's font has no minus sign
	adv := float64(font.MeasureString(f, s)) / 64
	d := font.Drawer{Dst: p.dst, Face: f}
	at := func(dx, dy float64) {
		d.Dot = fixed.Point26_6{
			X: fixed.Int26_6((x*p.scale - adv/2 + dx) * 64),
			Y: fixed.Int26_6((y*p.scale + dy) * 64),
		}
		d.DrawString(s)
	}
	seam := color.RGBA{0, 0, 0, 170}
	if int(c.R)+int(c.G)+int(c.B) < 3*0x60 {
		seam = color.RGBA{0xb4, 0xb4, 0xb4, 0xb4} // white of that opacity, premultiplied
	}
	d.Src = image.NewUniform(seam)
	for k := range 8 {
		if p.plain {
			break
		}
		sin, cos := math.Sincos(float64(k) * math.Pi / 4)
		at(cos*p.scale, sin*p.scale)
	}
	d.Src = image.NewUniform(c)
	at(0, 0)
}

// TextLeft writes from x on.
func (p *Pen) TextLeft(s string, x, y, size float64, c color.RGBA) {
	p.Text(s, x+p.Width(s, size)/2, y, size, c)
}

// Width of a text in Fyne units.
func (p *Pen) Width(s string, size float64) float64 {
	f := p.face(size * p.scale)
	if f == nil {
		return 0
	}
	return float64(font.MeasureString(f, s)) / 64 / p.scale
}

// fill fills a rectangle, in Fyne units.
func (p *Pen) fill(x0, y0, x1, y1 float64, c color.RGBA) {
	k := p.scale
	for y := max(0, int(y0*k)); y < min(p.dst.Rect.Dy(), int(y1*k)); y++ {
		for x := max(0, int(x0*k)); x < min(p.dst.Rect.Dx(), max(int(x0*k)+1, int(x1*k))); x++ {
			p.blend(x, y, c, 1)
		}
	}
}

// dot is a filled circle, in Fyne units.
func (p *Pen) dot(x, y, radius float64, c color.RGBA) { p.Stroke(x, y, x, y, 2*radius, c) }

// uiFont is the theme's bold font, read once: thin letters drown in noise.
var uiFont = sync.OnceValue(func() *opentype.Font {
	f, err := opentype.Parse(theme.DefaultTextBoldFont().Content())
	if err != nil {
		return nil
	}
	return f
})

func (p *Pen) face(px float64) font.Face {
	if f, ok := p.faces[px]; ok {
		return f
	}
	parsed := uiFont()
	if parsed == nil {
		return nil
	}
	f, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: px, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil
	}
	p.faces[px] = f
	return f
}
