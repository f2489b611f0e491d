package recipepanel

import (
	"fmt"
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/widget/control"
)

func stepTitle(n int, s form.Step) string { return fmt.Sprintf("%d  %s", n, s.Title()) }

// card is one step of the recipe.
type card struct {
	p      *Panel
	step   form.Step
	head   *header
	fields *fields
	extra  fyne.CanvasObject // of the PSF step
	found  *fyne.Container
	notes  []*note
	body   *fyne.Container
	box    *fyne.Container
}

func newCard(p *Panel, n int, s form.Step) *card {
	c := &card{p: p, step: s}
	c.head = newHeader(stepTitle(n, s), func() { p.m.SetOpen(s, !c.head.open) })
	c.fields = newFields(p)
	c.body = control.NewColumn(6, 0, c.fields.box)
	if s == form.StepPSF {
		c.extra = p.psf.box
		c.body.Add(c.extra)
	}
	if s == form.StepPrior {
		c.extra = p.prior.box
		c.body.Add(c.extra)
	}
	c.found = control.NewColumn(5, 0)
	inner := control.NewColumn(7, 0, c.body, c.found)
	c.box = container.NewBorder(nil, canvasLine(), nil, nil, control.NewColumn(0, 0, c.head, control.Inset(32, 0, 10, 7, inner)))
	return c
}

func (c *card) update(s viewmodel.StepState) {
	c.head.set(s.Level, s.Verdict, s.Open)
	if s.Open {
		c.body.Show()
		c.fields.update(s.Fields)
	} else {
		c.body.Hide()
	}
	shown := 0
	for _, f := range s.Findings {
		if !s.Open && f.Severity == limpid.Info {
			continue
		}
		if shown == len(c.notes) {
			c.notes = append(c.notes, newNote(c.p.m))
			c.found.Add(c.notes[shown].box)
		}
		c.notes[shown].set(f, c.p.m.File())
		c.notes[shown].box.Show()
		shown++
	}
	for _, n := range c.notes[shown:] {
		n.box.Hide()
	}
	c.found.Hidden = shown == 0
}

// header is the line of a step that opens and closes it.
type header struct {
	fynewidget.BaseWidget
	title   *control.Text
	verdict *control.Text
	mark    *canvas.Image
	arrow   *canvas.Image
	plate   *canvas.Rectangle
	level   viewmodel.Level
	open    bool
	hovered bool
	focused bool
	tapped  func()
	content fyne.CanvasObject
}

var (
	_ fyne.Focusable    = (*header)(nil)
	_ fyne.Tappable     = (*header)(nil)
	_ desktop.Hoverable = (*header)(nil)
)

func newHeader(title string, tapped func()) *header {
	h := &header{tapped: tapped}
	h.title = control.NewText(title, "", "")
	h.title.Bold = true
	h.verdict = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	h.mark, h.arrow = icon(nil, 16), icon(theme.MenuDropDownIcon(), 16)
	h.plate = canvas.NewRectangle(color.Transparent)
	lines := control.NewColumn(1, 0, control.NewRow(4, []float32{-1, 0}, h.title, h.arrow), h.verdict)
	h.content = container.NewStack(h.plate, control.Inset(10, 7, 8, 6, &fyne.Container{
		Layout: markLayout{}, Objects: []fyne.CanvasObject{h.mark, lines},
	}))
	h.ExtendBaseWidget(h)
	return h
}

// markLayout puts a mark to the left of lines, beside the first of them.
type markLayout struct{}

const markSpace = 22

func (markLayout) MinSize(o []fyne.CanvasObject) fyne.Size {
	m := o[1].MinSize()
	return fyne.NewSize(m.Width+markSpace, m.Height)
}

func (markLayout) Layout(o []fyne.CanvasObject, size fyne.Size) {
	o[0].Resize(fyne.NewSize(16, 16))
	o[0].Move(fyne.NewPos(0, 2))
	o[1].Resize(fyne.NewSize(size.Width-markSpace, o[1].Size().Height))
	o[1].Resize(fyne.NewSize(size.Width-markSpace, o[1].MinSize().Height))
	o[1].Move(fyne.NewPos(markSpace, 0))
}

func icon(r fyne.Resource, side float32) *canvas.Image {
	im := canvas.NewImageFromResource(r)
	im.FillMode = canvas.ImageFillContain
	im.SetMinSize(fyne.NewSize(side, side))
	return im
}

func (h *header) set(level viewmodel.Level, verdict string, open bool) {
	h.level, h.open = level, open
	colour := theme.ColorNamePlaceHolder
	switch level {
	case viewmodel.Busy:
		verdict = "measuring …"
	case viewmodel.Wrong:
		colour = theme.ColorNameError
	}
	h.verdict.Set(verdict, colour)
	h.Refresh()
}

func (h *header) CreateRenderer() fyne.WidgetRenderer {
	return &headerRenderer{WidgetRenderer: fynewidget.NewSimpleRenderer(h.content), h: h}
}

type headerRenderer struct {
	fyne.WidgetRenderer
	h *header
}

func (r *headerRenderer) Refresh() {
	h := r.h
	h.mark.Resource = levelIcon(h.level)
	h.arrow.Resource = theme.NewColoredResource(theme.MenuDropDownIcon(), theme.ColorNamePlaceHolder)
	if h.open {
		h.arrow.Resource = theme.NewColoredResource(theme.MenuDropUpIcon(), theme.ColorNamePlaceHolder)
	}
	h.plate.FillColor = theme.ColorForWidget(theme.ColorNameBackground, h)
	switch {
	case h.focused:
		h.plate.FillColor = theme.ColorForWidget(theme.ColorNameFocus, h)
	case h.hovered:
		h.plate.FillColor = theme.ColorForWidget(theme.ColorNameHover, h)
	}
	r.WidgetRenderer.Refresh()
	h.mark.Refresh()
	h.arrow.Refresh()
	h.plate.Refresh()
}

// levelIcon is the mark of a step: what it says can be told by its shape, too.
func levelIcon(l viewmodel.Level) fyne.Resource {
	switch l {
	case viewmodel.Fine:
		return theme.NewColoredResource(theme.ConfirmIcon(), theme.ColorNameSuccess)
	case viewmodel.Doubtful:
		return theme.NewColoredResource(theme.WarningIcon(), theme.ColorNameWarning)
	case viewmodel.Wrong:
		return theme.NewColoredResource(theme.ErrorIcon(), theme.ColorNameError)
	case viewmodel.Busy:
		return theme.NewColoredResource(theme.MoreHorizontalIcon(), theme.ColorNamePlaceHolder)
	}
	return theme.NewColoredResource(theme.RadioButtonIcon(), theme.ColorNamePlaceHolder)
}

func (h *header) Tapped(*fyne.PointEvent)        { h.tapped() }
func (h *header) MouseIn(*desktop.MouseEvent)    { h.hovered = true; h.Refresh() }
func (h *header) MouseMoved(*desktop.MouseEvent) {}
func (h *header) MouseOut()                      { h.hovered = false; h.Refresh() }
func (h *header) FocusGained()                   { h.focused = true; h.Refresh() }
func (h *header) FocusLost()                     { h.focused = false; h.Refresh() }
func (h *header) Cursor() desktop.Cursor         { return desktop.PointerCursor }

func (h *header) TypedRune(r rune) {
	if r != ' ' {
		control.PassRune(h, r)
	}
}

func (h *header) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		h.tapped()
	default:
		control.Pass(h, ev)
	}
}
