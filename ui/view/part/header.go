package part

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// Header is the line of a step that opens and closes it.
type Header struct {
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
	_ fyne.Focusable    = (*Header)(nil)
	_ fyne.Tappable     = (*Header)(nil)
	_ desktop.Hoverable = (*Header)(nil)
)

// NewHeader makes the line; tapped is called when it is clicked.
func NewHeader(title string, tapped func()) *Header {
	h := &Header{tapped: tapped}
	h.title = control.NewText(title, "", "")
	h.title.Bold = true
	h.verdict = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	h.mark, h.arrow = Icon(nil, 16), Icon(theme.MenuDropDownIcon(), 16)
	h.plate = canvas.NewRectangle(color.Transparent)
	lines := control.NewColumn(1, 0, control.NewRow(4, []float32{-1, 0}, h.title, h.arrow), h.verdict)
	h.content = container.NewStack(h.plate, control.Inset(10, 7, 8, 6, &fyne.Container{
		Layout: MarkLayout{}, Objects: []fyne.CanvasObject{h.mark, lines},
	}))
	h.ExtendBaseWidget(h)
	return h
}

// MarkLayout puts a mark to the left of lines, beside the first of them.
type MarkLayout struct{}

const markSpace = 22

func (MarkLayout) MinSize(o []fyne.CanvasObject) fyne.Size {
	m := o[1].MinSize()
	return fyne.NewSize(m.Width+markSpace, m.Height)
}

func (MarkLayout) Layout(o []fyne.CanvasObject, size fyne.Size) {
	o[0].Resize(fyne.NewSize(16, 16))
	o[0].Move(fyne.NewPos(0, 2))
	o[1].Resize(fyne.NewSize(size.Width-markSpace, o[1].Size().Height))
	o[1].Resize(fyne.NewSize(size.Width-markSpace, o[1].MinSize().Height))
	o[1].Move(fyne.NewPos(markSpace, 0))
}

// Icon is a picture of a side.
func Icon(r fyne.Resource, side float32) *canvas.Image {
	im := canvas.NewImageFromResource(r)
	im.FillMode = canvas.ImageFillContain
	im.SetMinSize(fyne.NewSize(side, side))
	return im
}

// SetIcon shows another picture; the same one is not read again.
func SetIcon(im *canvas.Image, r fyne.Resource) {
	if im.Resource == nil || im.Resource.Name() != r.Name() {
		im.Resource = r
		im.Refresh()
	}
}

// Set shows how the step stands.
func (h *Header) Set(level viewmodel.Level, verdict string, open bool) {
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

func (h *Header) CreateRenderer() fyne.WidgetRenderer {
	return &headerRenderer{WidgetRenderer: fynewidget.NewSimpleRenderer(h.content), h: h}
}

type headerRenderer struct {
	fyne.WidgetRenderer
	h *Header
}

func (r *headerRenderer) Refresh() {
	h := r.h
	h.mark.Resource = LevelIcon(h.level)
	h.arrow.Resource = theme.NewColoredResource(theme.MenuDropDownIcon(), theme.ColorNamePlaceHolder)
	if h.open {
		h.arrow.Resource = theme.NewColoredResource(theme.MenuDropUpIcon(), theme.ColorNamePlaceHolder)
	}
	h.plate.FillColor = color.Transparent // is not drawn: a rectangle costs more than a picture of its size
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

// LevelIcon is the mark of a step: what it says can be told by its shape, too.
func LevelIcon(l viewmodel.Level) fyne.Resource {
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

// Open says whether its step is open.
func (h *Header) Open() bool { return h.open }

// Tapped opens or closes the step.
func (h *Header) Tapped(*fyne.PointEvent)        { h.tapped() }
func (h *Header) MouseIn(*desktop.MouseEvent)    { h.hovered = true; h.Refresh() }
func (h *Header) MouseMoved(*desktop.MouseEvent) {}
func (h *Header) MouseOut()                      { h.hovered = false; h.Refresh() }
func (h *Header) FocusGained()                   { h.focused = true; h.Refresh() }
func (h *Header) FocusLost()                     { h.focused = false; h.Refresh() }
func (h *Header) Cursor() desktop.Cursor         { return desktop.PointerCursor }

func (h *Header) TypedRune(r rune) {
	if r != ' ' {
		control.PassRune(h, r)
	}
}

func (h *Header) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		h.tapped()
	default:
		control.Pass(h, ev)
	}
}

// Line is a thin rule.
func Line() fyne.CanvasObject {
	return control.Ground(theme.ColorNameSeparator, 0, container.NewGridWrap(fyne.NewSize(1, 1), canvas.NewRectangle(color.Transparent)))
}
