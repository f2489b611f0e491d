package widget

import (
	"image"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"limpid/app/figure"
	"limpid/ui/widget/tr"
)

// Hover is where the cursor is in a pane.
type Hover struct {
	X, Y   float64 // pixels of the pane's image, first pixel centre at (0, 0)
	Inside bool    // whether that is on the image
	Value  float32 // of the nearest pixel; NaN if it has none
}

// ImageView is a pane that shows a figure.Image: the wheel zooms at the cursor,
// left-drag pans, right-drag changes contrast and bias, the keys are listed at
// TypedKey and TypedRune. Panes with the same Viewport move together.
//
// Only what is visible is drawn, at the screen's resolution, and only when it
// changed; the cost of a frame does not depend on the image's size.
type ImageView struct {
	widget.BaseWidget

	// OnHover follows the cursor; Inside is false when it has left.
	OnHover func(Hover)
	// OnStyle is called after the user changed contrast or bias, or the limits
	// by key; other panes may take the style over.
	OnStyle func(figure.Style)
	// OnTapped is called for a click (press and release without a drag).
	OnTapped func(h Hover, secondary bool, at fyne.Position)
	// OnKey and OnRune get what the pane does not use: while it has the focus
	// the window's own handlers are not called.
	OnKey  func(*fyne.KeyEvent)
	OnRune func(rune)
	// OnShortcut gets shortcuts, for the same reason.
	OnShortcut func(fyne.Shortcut)
	// OnFrame is called after each picture that was drawn, for measurements.
	OnFrame func()
	// Grab takes left drags for itself where it wants to; nil: they pan.
	Grab Grab

	port     *Viewport
	link     Link
	im       *figure.Image
	style    figure.Style
	overlays []Overlay
	message  string
	busy     string
	title    string
	layers   layers

	table  figure.Table
	render figure.Renderer
	pen    Pen
	pic    *image.RGBA
	bare   *image.RGBA // pic without what is drawn over the image; nil where nothing is
	w, h   int         // of the raster, in screen pixels, as last asked for
	drawn  frame       // what pic shows
	want   frame       // what it should show, but for the size
	frames int         // drawn so far

	focused bool
	press   press
	parts   *paneParts
}

// frame identifies a picture: equal frames look alike.
type frame struct {
	im      *figure.Image
	view    figure.View
	w, h    int
	ground  color.RGBA
	content int // counts changes of the style and overlays
}

// press is a mouse button held down on the pane.
type press struct {
	button  int // 0: none
	at      fyne.Position
	moved   bool
	grabbed bool
	style   figure.Style
	tracked fyne.Position
}

// NewImageView makes an empty pane. A nil viewport gives it one of its own.
func NewImageView(port *Viewport) *ImageView {
	if port == nil {
		port = NewViewport()
	}
	v := &ImageView{port: port}
	v.ExtendBaseWidget(v)
	port.join(v)
	return v
}

// Viewport is the one the pane follows.
func (v *ImageView) Viewport() *Viewport { return v.port }

// SetViewport makes the pane follow another viewport through a link (nil: the
// pane shows the reference's own pixels).
func (v *ImageView) SetViewport(port *Viewport, link Link) {
	v.port.leave(v)
	v.port, v.link = port, link
	port.join(v)
	v.update()
}

// Close takes the pane off its viewport, which otherwise keeps it alive.
func (v *ImageView) Close() { v.port.leave(v) }

// SetImage shows another image; nil empties the pane. The image must not change
// while it is shown: give a new one, or the same after its Reset followed by
// Invalidate. If the viewport has no reference yet, or the pane is unlinked and
// the only one, the image becomes the reference.
func (v *ImageView) SetImage(im *figure.Image) {
	if im == v.im {
		return
	}
	v.im = im
	if im != nil && v.link == nil {
		if w, h := v.port.Reference(); w == 0 || h == 0 || len(v.port.panes) == 1 {
			iw, ih := im.Size()
			v.port.SetReference(iw, ih, v.port.turn)
		}
	}
	v.restyle()
	v.update()
}

// Image is what the pane shows.
func (v *ImageView) Image() *figure.Image { return v.im }

// SetStyle sets limits, stretch, colours, contrast and bias.
func (v *ImageView) SetStyle(s figure.Style) {
	v.style = s
	v.restyle()
	v.update()
}

// Style is the style in use, with its defaults filled in.
func (v *ImageView) Style() figure.Style { return v.table.Style() }

// Table gives colours and ticks for a colour bar of what is shown. It changes
// with the pane: ask again after SetStyle.
func (v *ImageView) Table() *figure.Table { return &v.table }

// AutoLimits finds the limits in the image by a rule and uses them.
func (v *ImageView) AutoLimits(r figure.Range) {
	if v.im == nil {
		return
	}
	v.style.Limits = r.Of(v.im)
	v.restyle()
	v.update()
}

// SetOverlays replaces what is drawn over the image.
func (v *ImageView) SetOverlays(o ...Overlay) {
	v.overlays = o
	v.Invalidate()
}

// SetTitle names the pane in its upper left corner; empty shows nothing.
func (v *ImageView) SetTitle(s string) {
	s = tr.T(s)
	if s != v.title {
		v.title = s
		v.refreshParts()
	}
}

// SetMessage is what an empty pane says ("Drop a FITS file here").
func (v *ImageView) SetMessage(s string) {
	s = tr.T(s)
	if s != v.message {
		v.message = s
		v.refreshParts()
	}
}

// Message is what an empty pane says.
func (v *ImageView) Message() string { return v.message }

// SetBusy shows a quiet line in the lower left corner ("sample 12 of 64");
// empty takes it away. What is shown stays visible.
func (v *ImageView) SetBusy(s string) {
	if s != v.busy {
		v.busy = s
		v.refreshParts()
	}
}

// Invalidate draws the picture again although nothing was set: after an overlay
// or the image's values changed.
func (v *ImageView) Invalidate() {
	v.want.content++
	v.restyle()
	v.update()
}

// restyle brings the table up to date.
func (v *ImageView) restyle() {
	if v.table.Set(v.style, v.im) {
		v.want.content++
	}
}

// View is the pane's own view, in the pixels of its image.
func (v *ImageView) View() figure.View {
	view, _ := v.view()
	return view
}

// InSight is the part of the image in sight, in its pixels with (0, 0) the centre of
// the first: left, right, bottom, top edge. ok is false before the first picture.
func (v *ImageView) InSight() (x0, x1, y0, y1 float64, ok bool) {
	view, linked := v.view()
	if v.im == nil || !linked || v.w == 0 || v.h == 0 {
		return 0, 0, 0, 0, false
	}
	ax, ay := view.Image(v.w, v.h, 0, 0)
	bx, by := view.Image(v.w, v.h, float64(v.w), float64(v.h))
	w, h := v.im.Size()
	edge := func(a, b float64, n int) (float64, float64) {
		return max(min(a, b), -0.5), min(max(a, b), float64(n)-0.5)
	}
	x0, x1 = edge(ax, bx, w)
	y0, y1 = edge(ay, by, h)
	return x0, x1, y0, y1, x1 > x0 && y1 > y0
}

func (v *ImageView) view() (figure.View, bool) {
	return linked(v.link, v.port.view(v.w, v.h))
}

// update redraws if what should be seen is not what is seen.
func (v *ImageView) update() {
	if v.parts == nil {
		return
	}
	v.placeCrosshair()
	if v.w > 0 && v.wanted(v.w, v.h) != v.drawn {
		v.parts.raster.Refresh()
	}
	v.parts.sync(v)
}

func (v *ImageView) wanted(w, h int) frame {
	f := v.want
	view, ok := linked(v.link, v.port.view(w, h))
	if ok {
		f.im = v.im
	}
	if f.im != nil {
		f.view = view
	}
	f.w, f.h = w, h
	f.ground = rgba(theme.ColorForWidget(canvasColour(v), v))
	return f
}

// generate is called by Fyne when it needs the pixels.
func (v *ImageView) generate(w, h int) image.Image {
	if w < 1 || h < 1 {
		return image.NewRGBA(image.Rect(0, 0, 1, 1))
	}
	resized := v.w != w || v.h != h
	v.w, v.h = w, h
	want := v.wanted(w, h)
	if v.pic != nil && want == v.drawn {
		return v.pic
	}
	if v.pic == nil || v.pic.Rect.Dx() != w || v.pic.Rect.Dy() != h {
		// Fyne needs a tight picture at (0, 0); memory is used again.
		pix := []byte(nil)
		if v.pic != nil {
			pix = v.pic.Pix
		}
		if cap(pix) < 4*w*h {
			pix = make([]byte, 4*w*h)
		}
		v.pic = &image.RGBA{Pix: pix[:4*w*h], Stride: 4 * w, Rect: image.Rect(0, 0, w, h)}
	}
	over := want.im != nil && len(v.overlays) > 0
	v.drawImage(want, over || v.layers.split != nil)
	v.drawSplit(want)
	if over {
		v.pen.begin(v.pic, want.view, v.scale())
		for _, o := range v.overlays {
			o.Draw(&v.pen)
		}
	}
	v.drawn = want
	v.frames++
	if v.OnFrame != nil {
		v.OnFrame()
	}
	if resized {
		v.placeCrosshair()
		if v.port.fitted && v.port.OnChange != nil {
			fyne.Do(v.port.OnChange) // another size is another zoom; not while painting
		}
	}
	return v.pic
}

// drawImage draws what lies under overlays and splits. Where there are any, it is kept
// without them, for the next picture to be made from while someone pans.
func (v *ImageView) drawImage(want frame, covered bool) {
	if c := v.layers.colour; c != nil && want.im != nil {
		v.render.RenderColour(v.pic, c.Bands, want.view, c.Colour, want.ground)
		return
	}
	if !covered {
		v.bare = nil
		v.render.Pan(v.pic, want.im, want.view, &v.table, want.ground)
		return
	}
	if v.bare == nil || v.bare.Rect != v.pic.Rect {
		v.bare = image.NewRGBA(v.pic.Rect)
	}
	v.render.Pan(v.bare, want.im, want.view, &v.table, want.ground)
	copy(v.pic.Pix, v.bare.Pix)
}

// scale is screen pixels per Fyne unit.
func (v *ImageView) scale() float64 {
	if s := v.Size(); s.Width > 0 && v.w > 0 {
		return float64(v.w) / float64(s.Width)
	}
	return 1
}

// hoverAt reads the image under a position in the pane.
func (v *ImageView) hoverAt(pos fyne.Position) Hover {
	k := v.scale()
	view, ok := v.view()
	x, y := view.Image(v.w, v.h, float64(pos.X)*k, float64(pos.Y)*k)
	h := v.hoverPixel(x, y)
	h.Inside = h.Inside && ok
	return h
}

func (v *ImageView) hoverPixel(x, y float64) Hover {
	h := Hover{X: x, Y: y, Value: float32(math.NaN())}
	if v.im == nil || !(math.Abs(x)+math.Abs(y) < 1e9) {
		return h
	}
	h.Value, h.Inside = v.im.At(int(math.Floor(x+0.5)), int(math.Floor(y+0.5)))
	return h
}

// toReference maps the pane's pixels to the viewport's.
func (v *ImageView) toReference(x, y float64) (float64, float64, bool) {
	if v.link == nil {
		return x, y, true
	}
	return v.link.FromPane(x, y)
}

// rgba converts a theme's colour.
func rgba(c color.Color) color.RGBA { return color.RGBAModel.Convert(c).(color.RGBA) }
