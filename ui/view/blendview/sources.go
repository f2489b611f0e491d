package blendview

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/app/figure"
	"limpid/ui/viewmodel/blend"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// sourceList is the table below the pictures: a thumbnail of every source, whether it
// is shown, what it is taken for, and what the run found.
type sourceList struct {
	m       *blend.Model
	look    func(x, y float64)
	resized func()
	list    *sourceRows
	head    *fyne.Container
	about   *control.Text
	bands   int
	thumbs  map[int]thumb
	render  figure.Renderer
	table   figure.Table
	quiet   bool
	inner   *fyne.Container
	tabs    *control.Tabs
	corner  *widget.Corner
	page    int
	room    *canvas.Rectangle
	table1  fyne.CanvasObject
	box     *fyne.Container
}

// thumb is a picture that has been drawn, and of what.
type thumb struct {
	key any
	im  *image.RGBA
}

// sourceRows is a list whose keys go to the window.
type sourceRows struct {
	fynewidget.List
	move func(int)
}

func (l *sourceRows) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyUp:
		l.move(-1)
	case fyne.KeyDown:
		l.move(1)
	default:
		control.Pass(l, ev)
	}
}

func (l *sourceRows) TypedRune(r rune) { control.PassRune(l, r) }

const (
	listHeight = 212
	// the corner plot is higher
	cornerHeight = 400
	thumbSide    = 30
	mostBands    = 8 // columns; more are in the exported table
)

func (l *sourceList) widths() []float32 {
	w := []float32{40, thumbSide + 4, 30, 78, 88}
	for range l.bands {
		w = append(w, 106)
	}
	return append(w, 52, 60)
}

func newSourceList(m *blend.Model, look func(x, y float64)) *sourceList {
	l := &sourceList{m: m, look: look, thumbs: map[int]thumb{}}
	l.list = &sourceRows{move: l.move}
	l.list.Length = func() int { return len(m.Sources()) }
	l.list.CreateItem = func() fyne.CanvasObject { return newSourceRow(l) }
	l.list.UpdateItem = func(i fynewidget.ListItemID, o fyne.CanvasObject) {
		if s := m.Sources(); i < len(s) {
			o.(*sourceRow).set(s[i])
		}
	}
	l.list.OnSelected = func(i fynewidget.ListItemID) {
		if s := m.Sources(); !l.quiet && i < len(s) {
			m.Choose(s[i].ID)
			look(s[i].X, s[i].Y)
		}
	}
	l.list.HideSeparators = true
	l.list.ExtendBaseWidget(l.list)
	l.about = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	l.about.Lines = 1
	l.head = container.NewStack()
	l.room = canvas.NewRectangle(color.Transparent)
	l.inner = container.NewBorder(l.head, nil, nil, nil, l.list)
	l.corner = widget.NewCorner("Choose a source of a run with samples to see its fluxes")
	l.table1 = container.NewHScroll(l.inner)
	l.tabs = control.NewTabs(l.show)
	l.box = container.NewBorder(control.Inset(4, 2, 8, 2, control.NewRow(10, []float32{0, -1}, l.tabs, l.about)), nil, nil, nil,
		container.NewStack(l.room, l.table1, control.Inset(8, 2, 8, 6, l.corner)))
	l.show(0)
	return l
}

// pageNames are the tabs.
var pageNames = []string{"Sources", "Corner plot"}

func (l *sourceList) show(page int) {
	l.page = page
	l.tabs.Set(pageNames, page)
	l.room.SetMinSize(fyne.NewSize(100, []float32{listHeight, cornerHeight}[page]))
	defer func() {
		if l.resized != nil {
			l.resized()
		}
	}()
	if page == 0 {
		l.table1.Show()
		l.corner.Hide()
		return
	}
	l.table1.Hide()
	l.corner.Show()
	l.showCorner()
}

// showCorner draws the samples of the chosen source's fluxes, band against band.
func (l *sourceList) showCorner() {
	e := l.m.Entry()
	if e == nil || e.D.Posterior == nil {
		l.corner.SetData(nil, nil)
		return
	}
	at := -1
	for i, f := range e.D.Result.Sources {
		if f.ID == l.m.Chosen() {
			at = i
		}
	}
	if at < 0 {
		l.corner.SetData(nil, nil)
		return
	}
	var names []string
	var values [][]float64
	for b, name := range e.D.Result.Bands[:min(5, len(e.D.Result.Bands))] {
		var v []float64
		for _, draw := range e.D.Posterior.Flux {
			if q := draw[at][b]; !math.IsNaN(q) {
				v = append(v, q)
			}
		}
		if len(v) == len(e.D.Posterior.Flux) {
			names, values = append(names, name), append(values, v)
		}
	}
	l.corner.SetData(names, values)
}

func (l *sourceList) move(by int) {
	s := l.m.Sources()
	for i := range s {
		if k := i + by; s[i].ID == l.m.Chosen() && k >= 0 && k < len(s) {
			l.m.Choose(s[k].ID)
			l.look(s[k].X, s[k].Y)
			return
		}
	}
}

// header names the columns; they depend on the bands.
func (l *sourceList) header() {
	d := l.m.Field()
	if d == nil {
		return
	}
	names := []string{"Show", "", "#", "Kind", "x, y (px)"}
	n := min(len(d.Obs.Bands), mostBands)
	for _, b := range d.Obs.Bands[:n] {
		names = append(names, "Flux "+b)
	}
	names = append(names, "S/N", "Blended")
	l.bands = n
	var cells []fyne.CanvasObject
	for _, x := range names {
		t := control.NewText(x, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
		t.Bold, t.Lines = true, 1
		cells = append(cells, t)
	}
	l.head.Objects = []fyne.CanvasObject{control.Inset(8, 0, 8, 0, control.NewRow(6, l.widths(), cells...))}
	l.head.Refresh()
}

func (l *sourceList) update() {
	d := l.m.Field()
	n := 0
	if d != nil {
		n = min(len(d.Obs.Bands), mostBands)
	}
	if n != l.bands || len(l.head.Objects) == 0 {
		l.header()
	}
	text := "No fluxes yet: Run fits the sources"
	if e := l.m.Entry(); e != nil && e.D.Result != nil {
		unit := d.Obs.Unit
		if unit == "" {
			unit = "units of the image"
		}
		text = "Fluxes ± 1 σ in " + unit
		if e.D.Posterior == nil {
			text += ", errors from the curvature"
		}
		if len(d.Obs.Bands) > mostBands {
			text += fmt.Sprintf("; the first %d of %d bands, all are exported", mostBands, len(d.Obs.Bands))
		}
		if l.m.Edited() {
			text += ". The list was changed since: run again"
		}
	}
	l.about.SetText(fmt.Sprintf("%d sources. %s", len(l.m.Sources()), text))
	l.box.Hidden = d == nil
	if l.page == 1 {
		l.showCorner()
	}
	l.list.Refresh()
	l.quiet = true
	at := -1
	for i, s := range l.m.Sources() {
		if s.ID == l.m.Chosen() {
			at = i
		}
	}
	if at >= 0 {
		l.list.Select(at)
	} else {
		l.list.UnselectAll()
	}
	l.quiet = false
}

// thumbOf draws a source's picture, once.
func (l *sourceList) thumbOf(s blend.Source) *image.RGBA {
	t := l.m.ThumbOf(s)
	if t.Image == nil {
		return nil
	}
	if old, ok := l.thumbs[s.ID]; ok && old.key == t.Key {
		return old.im
	}
	const px = 2 * thumbSide
	im := image.NewRGBA(image.Rect(0, 0, px, px))
	l.table.Set(figure.Style{Limits: t.Limits, Stretch: figure.Asinh, Map: figure.Viridis}, t.Image)
	w, h := t.Image.Size()
	zoom := float64(px) / float64(max(w, h))
	l.render.Render(im, t.Image, figure.View{X: float64(w-1) / 2, Y: float64(h-1) / 2, Zoom: zoom}, &l.table, color.RGBA{0, 0, 0, 0xff})
	l.thumbs[s.ID] = thumb{t.Key, im}
	return im
}

// sourceRow is a line of the table.
type sourceRow struct {
	fynewidget.BaseWidget
	l     *sourceList
	id    int
	show  *control.Check
	pic   *canvas.Image
	num   *control.Text
	kind  *control.Button
	place *control.Text
	flux  []*control.Text
	snr   *control.Text
	blend *control.Text
	bands int
	box   *fyne.Container
}

func cell() *control.Text {
	t := control.NewText("", theme.SizeNameCaptionText, "")
	t.Lines = 1
	return t
}

func newSourceRow(l *sourceList) *sourceRow {
	r := &sourceRow{l: l, bands: -1}
	r.show = control.NewCheck("", "show it, or peel it off the picture", func(bool) { l.m.Peel(r.id) })
	r.pic = canvas.NewImageFromImage(image.NewRGBA(image.Rect(0, 0, 1, 1)))
	r.pic.ScaleMode = canvas.ImageScalePixels
	r.pic.SetMinSize(fyne.NewSize(thumbSide, thumbSide))
	r.num, r.place, r.snr, r.blend = cell(), cell(), cell(), cell()
	r.kind = control.Quiet("galaxy", "take it for a star, or for a galaxy", nil, func() { l.m.ToggleKind(r.id) })
	r.box = container.NewStack()
	r.columns()
	r.ExtendBaseWidget(r)
	return r
}

func (r *sourceRow) columns() {
	if r.bands == r.l.bands {
		return
	}
	r.bands = r.l.bands
	cells := []fyne.CanvasObject{r.show, r.pic, r.num, r.kind, r.place}
	r.flux = nil
	for range r.bands {
		c := cell()
		r.flux = append(r.flux, c)
		cells = append(cells, c)
	}
	cells = append(cells, r.snr, r.blend)
	r.box.Objects = []fyne.CanvasObject{control.Inset(8, 0, 8, 0, control.NewRow(6, r.l.widths(), cells...))}
	r.box.Refresh()
}

func (r *sourceRow) CreateRenderer() fyne.WidgetRenderer {
	return fynewidget.NewSimpleRenderer(r.box)
}

func (r *sourceRow) set(s blend.Source) {
	r.id = s.ID
	r.columns()
	r.show.ShowChecked(!s.Hidden)
	if im := r.l.thumbOf(s); im != nil && r.pic.Image != image.Image(im) {
		r.pic.Image = im
		r.pic.Refresh()
	}
	r.num.SetText(fmt.Sprint(s.ID))
	if r.kind.Text != string(s.Kind) {
		r.kind.SetText(string(s.Kind))
	}
	r.place.SetText(fmt.Sprintf("%.1f, %.1f", s.X, s.Y))
	f := r.l.m.Fitted(s.ID)
	for b, c := range r.flux {
		if f == nil || b >= len(f.Flux) || math.IsNaN(f.Flux[b]) {
			c.SetText("–")
			continue
		}
		c.SetText(widget.FormatWithError(f.Flux[b], f.FluxErr[b], ""))
	}
	r.snr.SetText("–")
	r.blend.SetText("–")
	if f != nil {
		r.snr.SetText(fmt.Sprintf("%.1f", f.SNR))
		r.blend.SetText(fmt.Sprintf("%.2f", f.Blendedness))
	}
}
