package control

import (
	"image/color"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"limpid/ui/widget/tr"
)

// Text is a paragraph that wraps at its width, without the margins of a label.
// Its MinSize is the height for the width it was last given: lay it out with
// Column.
type Text struct {
	widget.BaseWidget
	TextSize fyne.ThemeSizeName  // "": body text
	Colour   fyne.ThemeColorName // "": foreground
	Bold     bool
	Align    fyne.TextAlign
	Lines    int  // at most so many, the last ending in "…"; 0: all
	Whole    bool // one line that is as wide as it is, for rows

	text  string
	width float32
}

// NewText makes a paragraph of a size and colour ("": the usual ones).
func NewText(text string, size fyne.ThemeSizeName, colour fyne.ThemeColorName) *Text {
	t := &Text{text: tr.T(text), TextSize: size, Colour: colour}
	t.ExtendBaseWidget(t)
	return t
}

// NewWhole makes a line that asks for its whole width.
func NewWhole(text string, size fyne.ThemeSizeName, colour fyne.ThemeColorName) *Text {
	t := NewText(text, size, colour)
	t.Whole = true
	return t
}

// Set changes text and colour.
func (t *Text) Set(text string, colour fyne.ThemeColorName) {
	text = tr.T(text)
	if t.text != text || t.Colour != colour {
		t.text, t.Colour = text, colour
		t.Refresh()
	}
}

// SetText changes the text.
func (t *Text) SetText(text string) { t.Set(text, t.Colour) }

// Text is what it says.
func (t *Text) Text() string { return t.text }

// CreateRenderer is called by Fyne.
func (t *Text) CreateRenderer() fyne.WidgetRenderer {
	t.ExtendBaseWidget(t)
	r := &textRenderer{t: t}
	r.wrap()
	return r
}

type textRenderer struct {
	t       *Text
	lines   []*canvas.Text
	objects []fyne.CanvasObject
	made    wrapKey
}

type wrapKey struct {
	text  string
	width float32
	size  float32
	bold  bool
	lines int
}

func (r *textRenderer) Destroy()                     {}
func (r *textRenderer) Objects() []fyne.CanvasObject { return r.objects }

func (r *textRenderer) size() float32 {
	name := r.t.TextSize
	if name == "" {
		name = theme.SizeNameText
	}
	return theme.SizeForWidget(name, r.t)
}

func (r *textRenderer) style() fyne.TextStyle { return fyne.TextStyle{Bold: r.t.Bold} }

func (r *textRenderer) lineHeight() float32 {
	return fyne.MeasureText("Ag", r.size(), r.style()).Height
}

// wrap breaks the text anew if anything about it changed.
func (r *textRenderer) wrap() {
	key := wrapKey{r.t.text, r.t.width, r.size(), r.t.Bold, r.t.Lines}
	if key != r.made {
		r.made = key
		width := r.t.width
		if r.t.Whole {
			width = 0
		}
		lines := Wrap(r.t.text, width, r.t.Lines, func(s string) float32 {
			return fyne.MeasureText(s, r.size(), r.style()).Width
		})
		r.lines, r.objects = r.lines[:0], nil
		for _, s := range lines {
			c := canvas.NewText(s, color.White)
			r.lines = append(r.lines, c)
			r.objects = append(r.objects, c)
		}
	}
	name := r.t.Colour
	if name == "" {
		name = theme.ColorNameForeground
	}
	for _, l := range r.lines {
		l.Color, l.TextSize, l.TextStyle, l.Alignment = theme.ColorForWidget(name, r.t), r.size(), r.style(), r.t.Align
	}
}

func (r *textRenderer) MinSize() fyne.Size {
	r.wrap()
	width := float32(0)
	if r.t.width == 0 || r.t.Whole {
		width = fyne.MeasureText(r.t.text, r.size(), r.style()).Width
	}
	return fyne.NewSize(width, float32(len(r.lines))*r.lineHeight())
}

func (r *textRenderer) Layout(size fyne.Size) {
	r.t.width = size.Width
	r.wrap()
	h := r.lineHeight()
	for i, l := range r.lines {
		l.Move(fyne.NewPos(0, float32(i)*h))
		l.Resize(fyne.NewSize(size.Width, h))
	}
}

func (r *textRenderer) Refresh() {
	r.Layout(r.t.Size())
	canvas.Refresh(r.t)
}

// Wrap breaks text at blanks into lines no wider than width, at most so many (0:
// any number). A width of 0 or less breaks at line ends only.
func Wrap(text string, width float32, most int, measure func(string) float32) []string {
	var out []string
	for para := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsSeq(para) {
			longer := word
			if line != "" {
				longer = line + " " + word
			}
			if width > 0 && line != "" && measure(longer) > width {
				out = append(out, line)
				line = word
			} else {
				line = longer
			}
			for width > 0 && measure(line) > width { // a path without blanks
				n := fit(line, width, measure)
				if n >= len(line) {
					break
				}
				out = append(out, line[:n])
				line = line[n:]
			}
		}
		out = append(out, line)
	}
	if most > 0 && len(out) > most {
		out = out[:most]
		last := out[most-1]
		for last != "" && width > 0 && measure(last+"…") > width {
			r := []rune(last)
			last = string(r[:len(r)-1])
		}
		out[most-1] = last + "…"
	}
	return out
}

// fit is how many bytes of a line, at least one letter, are no wider than width.
func fit(line string, width float32, measure func(string) float32) int {
	n := 0
	for i := range line {
		if i > 0 && measure(line[:i]) > width {
			break
		}
		n = i
	}
	if n == 0 {
		for i := range line {
			if i > 0 {
				return i
			}
		}
		return len(line)
	}
	return n
}
