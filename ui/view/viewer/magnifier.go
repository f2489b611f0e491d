package viewer

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/viewmodel"
	"limpid/ui/widget"
)

// magnifier shows what is around the cursor, enlarged, in the upper right corner.
type magnifier struct {
	pane *widget.ImageView
	edge *canvas.Rectangle
	box  *fyne.Container
}

const magnified = 168 // Fyne units

func newMagnifier() *magnifier {
	m := &magnifier{pane: widget.NewImageView(nil), edge: canvas.NewRectangle(color.Transparent)}
	m.edge.StrokeWidth, m.edge.StrokeColor = 2, theme.Color(theme.ColorNamePrimary)
	m.pane.SetOverlays(middle{})
	m.box = &fyne.Container{Layout: cornerLayout{}, Objects: []fyne.CanvasObject{m.pane, m.edge}}
	m.box.Hide()
	return m
}

// look shows a place of a tile.
func (m *magnifier) look(t *viewmodel.Tile, style func() (s widget.ColourImage, ok bool), x, y, zoom float64, p *widget.ImageView) {
	if !m.box.Visible() || t == nil || t.Picture == nil {
		return
	}
	m.edge.StrokeColor = theme.Color(theme.ColorNamePrimary)
	w, h := t.Picture.Image.Size()
	m.pane.SetImage(t.Picture.Image)
	m.pane.Viewport().SetReference(w, h, p.View().Turn)
	m.pane.SetStyle(p.Style())
	if c, ok := style(); ok {
		m.pane.SetColour(&c)
	} else {
		m.pane.SetColour(nil)
	}
	m.pane.Viewport().SetView(x, y, max(8, 4*zoom))
}

// cornerLayout puts things into the upper right corner.
type cornerLayout struct{}

func (cornerLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.Size{} }

func (cornerLayout) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	for _, o := range objects {
		o.Resize(fyne.NewSize(magnified, magnified))
		o.Move(fyne.NewPos(size.Width-magnified-10, 40))
	}
}

// middle marks the middle of a picture.
type middle struct{}

// Draw draws a cross with a gap.
func (middle) Draw(p *widget.Pen) {
	w, h := p.Size()
	x, y := w/2, h/2
	for _, l := range [4][4]float64{{-16, 0, -5, 0}, {5, 0, 16, 0}, {0, -16, 0, -5}, {0, 5, 0, 16}} {
		p.Stroke(x+l[0], y+l[1], x+l[2], y+l[3], 3, color.RGBA{0, 0, 0, 140})
		p.Stroke(x+l[0], y+l[1], x+l[2], y+l[3], 1.2, selectedColour)
	}
}
