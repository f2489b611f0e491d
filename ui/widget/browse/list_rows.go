package browse

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/widget/tr"
)

// listRenderer draws the rows in sight with objects it keeps.
type listRenderer struct {
	l        *list
	bed, bar *canvas.Rectangle
	heads    [3]*canvas.Text
	rows     []*rowParts
	shown    int
}

type rowParts struct {
	plate            *canvas.Rectangle
	icon             *canvas.Image
	name, size, time *canvas.Text
}

func (r *listRenderer) Destroy() {}

func (r *listRenderer) MinSize() fyne.Size { return fyne.NewSize(320, 6*r.l.rowHeight()) }

func (r *listRenderer) Objects() []fyne.CanvasObject {
	out := []fyne.CanvasObject{r.bed}
	for _, p := range r.rows[:r.shown] {
		out = append(out, p.plate, p.icon, p.name, p.size, p.time)
	}
	return append(out, r.heads[0], r.heads[1], r.heads[2], r.bar)
}

func (r *listRenderer) Layout(fyne.Size) { r.arrange() }

func (r *listRenderer) Refresh() {
	r.arrange()
	canvas.Refresh(r.l)
}

func (r *listRenderer) color(n fyne.ThemeColorName) color.Color {
	return theme.ColorForWidget(n, r.l)
}

func (r *listRenderer) arrange() {
	l := r.l
	size := l.Size()
	h := l.rowHeight()
	r.bed.FillColor = r.color(theme.ColorNameInputBackground)
	r.bed.StrokeColor, r.bed.StrokeWidth = r.color(theme.ColorNameInputBorder), 1
	if l.focused {
		r.bed.StrokeColor = r.color(theme.ColorNamePrimary)
	}
	r.bed.CornerRadius = 4
	r.bed.Resize(size)
	r.headings(size.Width, h)
	r.shown = 0
	top := l.top()
	for row := top; row < len(l.entries) && float32(row-top+1)*h <= l.page()+0.5; row++ {
		if len(r.rows) <= r.shown {
			r.rows = append(r.rows, newRow())
		}
		r.row(r.rows[r.shown], row, h+float32(row-top)*h, h, size.Width)
		r.shown++
	}
	all := float32(len(l.entries)) * h
	r.bar.Hidden = all <= l.page()
	if !r.bar.Hidden {
		long := max(24, l.page()*l.page()/all)
		r.bar.FillColor = r.color(theme.ColorNameScrollBar)
		r.bar.Resize(fyne.NewSize(6, long))
		r.bar.Move(fyne.NewPos(size.Width-8, h+(l.page()-long)*l.offset/max(1, all-l.page())))
	}
}

func (r *listRenderer) headings(width, h float32) {
	mark := " ▴"
	if r.l.down {
		mark = " ▾"
	}
	w := width - barWidth
	for i, s := range [3]string{"Name", "Size", "Modified"} {
		s = tr.T(s)
		t := r.heads[i]
		if r.l.by == column(i) {
			s += mark
		}
		t.Text, t.Color = s, r.color(theme.ColorNamePlaceHolder)
		t.TextSize = theme.SizeForWidget(theme.SizeNameCaptionText, r.l)
		m := t.MinSize()
		t.Resize(m)
		x := float32(inset)
		switch i {
		case 1:
			x = w - timeWidth - m.Width
		case 2:
			x = w - timeWidth + 14
		}
		t.Move(fyne.NewPos(x, (h-m.Height)/2))
	}
}

func newRow() *rowParts {
	p := &rowParts{
		plate: canvas.NewRectangle(color.Transparent),
		icon:  canvas.NewImageFromResource(theme.FileIcon()),
		name:  canvas.NewText("", color.White),
		size:  canvas.NewText("", color.White),
		time:  canvas.NewText("", color.White),
	}
	p.plate.CornerRadius = 3
	p.icon.FillMode = canvas.ImageFillContain
	return p
}

func (r *listRenderer) row(p *rowParts, row int, y, h, width float32) {
	l := r.l
	e := l.entries[row]
	text := theme.SizeForWidget(theme.SizeNameText, l)
	p.plate.FillColor = color.Transparent
	if l.selected[e.Path] {
		p.plate.FillColor = r.color(theme.ColorNameSelection)
	}
	p.plate.StrokeWidth = 0
	if l.focused && row == l.cursor {
		p.plate.StrokeWidth, p.plate.StrokeColor = 1, r.color(theme.ColorNamePrimary)
	}
	p.plate.Move(fyne.NewPos(3, y))
	p.plate.Resize(fyne.NewSize(width-barWidth-5, h-1))

	icon := theme.FileImageIcon()
	if e.Folder {
		icon = theme.FolderIcon()
	}
	if p.icon.Resource != icon {
		p.icon.Resource = icon
		p.icon.Refresh()
	}
	p.icon.Resize(fyne.NewSize(text+2, text+2))
	p.icon.Move(fyne.NewPos(inset, y+(h-text-3)/2))

	left := inset + text + 8
	w := width - barWidth
	p.name.Color, p.size.Color, p.time.Color = r.color(theme.ColorNameForeground), r.color(theme.ColorNamePlaceHolder), r.color(theme.ColorNamePlaceHolder)
	p.name.TextSize, p.size.TextSize, p.time.TextSize = text, text-1, text-1
	p.name.Text = shorten(e.Name, w-timeWidth-sizeWidth-left, text)
	p.size.Text = ""
	if !e.Folder {
		p.size.Text = sizeText(e.Size)
	}
	p.time.Text = e.Time.Format("2006-01-02 15:04")
	for _, t := range []*canvas.Text{p.name, p.size, p.time} {
		m := t.MinSize()
		t.Resize(m)
		x := left
		switch t {
		case p.size:
			x = w - timeWidth - m.Width
		case p.time:
			x = w - timeWidth + 14
		}
		t.Move(fyne.NewPos(x, y+(h-1-m.Height)/2))
	}
}

// shorten cuts the middle out of a name that is too wide: its end says what kind
// of file it is.
func shorten(s string, width, size float32) string {
	fits := func(s string) bool { return fyne.MeasureText(s, size, fyne.TextStyle{}).Width <= width }
	if fits(s) {
		return s
	}
	runes := []rune(s)
	for n := len(runes) - 1; n > 1; n-- {
		tail := min(n/2, 12)
		if t := string(runes[:n-tail]) + "…" + string(runes[len(runes)-tail:]); fits(t) {
			return t
		}
	}
	return "…"
}
