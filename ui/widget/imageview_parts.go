package widget

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// paneParts are the objects a pane is made of; it is also its renderer.
type paneParts struct {
	raster  *canvas.Raster
	cross   [4]*canvas.Line
	title   label
	busy    label
	message *widget.Label
	focus   [4]*canvas.Rectangle // its sides: a frame of one piece would be painted all over, pixel by pixel
	all     []fyne.CanvasObject
}

// label is a line of text on a plate, for use over pictures.
type label struct {
	plate *canvas.Rectangle
	text  *canvas.Text
}

func newLabel() label {
	l := label{canvas.NewRectangle(color.Transparent), canvas.NewText("", color.White)}
	l.plate.CornerRadius = 3
	return l
}

// set changes the label's text; position is the corner it stands in.
func (l label) set(text string, v *ImageView) {
	l.text.Text = text
	l.text.TextSize = theme.SizeForWidget(theme.SizeNameCaptionText, v)
	l.text.Color = theme.ColorForWidget(theme.ColorNameForeground, v)
	plate := rgba(theme.ColorForWidget(theme.ColorNameOverlayBackground, v))
	l.plate.FillColor = color.NRGBA{plate.R, plate.G, plate.B, 0xd8}
	l.plate.Hidden, l.text.Hidden = text == "", text == ""
}

func (l label) move(x, y float32) {
	const padX, padY = 6, 2
	s := l.text.MinSize()
	l.plate.Resize(fyne.NewSize(s.Width+2*padX, s.Height+2*padY))
	l.plate.Move(fyne.NewPos(x, y))
	l.text.Resize(s)
	l.text.Move(fyne.NewPos(x+padX, y+padY))
}

// CreateRenderer is called by Fyne.
func (v *ImageView) CreateRenderer() fyne.WidgetRenderer {
	v.ExtendBaseWidget(v)
	p := &paneParts{
		raster:  canvas.NewRaster(v.generate),
		title:   newLabel(),
		busy:    newLabel(),
		message: widget.NewLabel(""),
	}
	p.raster.ScaleMode = canvas.ImageScalePixels
	p.message.Alignment, p.message.Wrapping = fyne.TextAlignCenter, fyne.TextWrapWord
	p.message.Importance = widget.LowImportance
	p.all = append(p.all, p.raster)
	for i := range p.cross {
		p.cross[i] = canvas.NewLine(crosshairColour)
		p.cross[i].StrokeWidth = 1
		p.cross[i].Hidden = true
		p.all = append(p.all, p.cross[i])
	}
	p.all = append(p.all, p.title.plate, p.title.text, p.busy.plate, p.busy.text, p.message)
	for i := range p.focus {
		p.focus[i] = canvas.NewRectangle(color.Transparent)
		p.all = append(p.all, p.focus[i])
	}
	v.parts = p
	p.sync(v)
	return &paneRenderer{paneParts: p, v: v}
}

type paneRenderer struct {
	*paneParts
	v *ImageView
}

func (r *paneRenderer) Destroy() {}

func (r *paneRenderer) Objects() []fyne.CanvasObject { return r.all }

func (r *paneRenderer) MinSize() fyne.Size { return fyne.NewSize(64, 48) }

func (r *paneRenderer) Layout(size fyne.Size) {
	r.raster.Resize(size)
	for i, side := range [4][4]float32{{0, 0, size.Width, 1}, {0, size.Height - 1, size.Width, 1}, {0, 0, 1, size.Height}, {size.Width - 1, 0, 1, size.Height}} {
		r.focus[i].Move(fyne.NewPos(side[0], side[1]))
		r.focus[i].Resize(fyne.NewSize(side[2], side[3]))
	}
	r.title.move(6, 6)
	r.busy.move(6, size.Height-r.busy.text.MinSize().Height-10)
	r.message.Resize(fyne.NewSize(size.Width, r.message.MinSize().Height)) // the height follows from the width
	m := r.message.MinSize()
	r.message.Resize(fyne.NewSize(size.Width, m.Height))
	r.message.Move(fyne.NewPos(0, max(0, (size.Height-m.Height)/2)))
	r.v.placeCrosshair()
}

// Refresh is Fyne's: the theme may have changed.
func (r *paneRenderer) Refresh() {
	r.sync(r.v)
	r.Layout(r.v.Size())
	if r.v.w > 0 && r.v.wanted(r.v.w, r.v.h) != r.v.drawn {
		r.raster.Refresh()
	}
	for _, o := range r.all[1:] {
		o.Refresh()
	}
}

// sync brings texts and colours up to date.
func (p *paneParts) sync(v *ImageView) {
	p.title.set(v.title, v)
	p.busy.set(v.busy, v)
	message := ""
	if v.im == nil {
		message = v.message
	} else if _, ok := v.view(); !ok {
		message = "This image does not show this part of the sky"
	}
	if message != p.message.Text {
		p.message.SetText(message)
	}
	p.message.Hidden = message == ""
	for _, side := range p.focus {
		side.FillColor = theme.ColorForWidget(theme.ColorNamePrimary, v)
		side.Hidden = !v.focused
	}
}

// refreshParts repaints everything but the picture.
func (v *ImageView) refreshParts() {
	if v.parts != nil {
		v.Refresh()
	}
}

// crosshairColour stands out of grey and of every colour map.
var crosshairColour = color.NRGBA{0xff, 0xb0, 0x00, 0xff}

// placeCrosshair moves the lines of the crosshair: cheap, as the picture below
// stays as it is. The pane the mouse is in has the mouse's own.
func (v *ImageView) placeCrosshair() {
	p := v.parts
	if p == nil {
		return
	}
	c := v.port.cursor
	show := c.on && v.im != nil && v.w > 0
	var sx, sy float64
	if show {
		x, y, ok := c.x, c.y, true
		if v.link != nil {
			x, y, ok = v.link.ToPane(x, y)
		}
		view, ok2 := v.view()
		sx, sy = view.Screen(v.w, v.h, x, y)
		show = ok && ok2 && sx >= 0 && sy >= 0 && sx <= float64(v.w) && sy <= float64(v.h)
	}
	if !show {
		for _, l := range p.cross {
			if !l.Hidden {
				l.Hide()
			}
		}
		return
	}
	const arm, gap = 11, 4
	k := v.scale()
	x, y := float32(sx/k), float32(sy/k)
	for i, d := range [4][2]float32{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
		l := p.cross[i]
		l.Position1 = fyne.NewPos(x+d[0]*gap, y+d[1]*gap)
		l.Position2 = fyne.NewPos(x+d[0]*arm, y+d[1]*arm)
		l.Hidden = false
	}
	p.cross[0].Refresh() // has all of the window painted
}
