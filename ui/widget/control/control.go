// Package control holds the small parts of the window: buttons, lists, entries and
// tabs that hand on the keys they do not use, so that Escape and the shortcuts work
// wherever the keyboard is; wrapped text; and layouts of fixed widths.
//
// Like everything in the window it belongs to the main goroutine.
package control

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/widget"
	tooltip "github.com/dweymouth/fyne-tooltip/widget"

	"limpid/ui/widget/tr"
)

// Pass gives a key that a control does not use to the window's own handler.
func Pass(o fyne.CanvasObject, ev *fyne.KeyEvent) {
	if c := canvasOf(o); c != nil && c.OnTypedKey() != nil {
		c.OnTypedKey()(ev)
	}
}

// PassRune does the same for a letter.
func PassRune(o fyne.CanvasObject, r rune) {
	if c := canvasOf(o); c != nil && c.OnTypedRune() != nil {
		c.OnTypedRune()(r)
	}
}

func canvasOf(o fyne.CanvasObject) fyne.Canvas {
	return fyne.CurrentApp().Driver().CanvasForObject(o)
}

// Button is a button with a tool tip.
type Button struct{ tooltip.Button }

// NewButton makes a button; tip may be empty.
func NewButton(text, tip string, icon fyne.Resource, tapped func()) *Button {
	b := &Button{}
	b.Text, b.Icon, b.OnTapped = tr.T(text), icon, tapped
	b.ExtendBaseWidget(b)
	b.SetToolTip(tr.T(tip))
	return b
}

// Quiet makes a button without a plate.
func Quiet(text, tip string, icon fyne.Resource, tapped func()) *Button {
	b := NewButton(text, tip, icon, tapped)
	b.Importance = widget.LowImportance
	return b
}

// SetText changes what it says.
func (b *Button) SetText(text string) { b.Button.SetText(tr.T(text)) }

// ExtendBaseWidget is Fyne's.
func (b *Button) ExtendBaseWidget(w fyne.Widget) {
	b.ExtendToolTipWidget(w)
	b.Button.Button.ExtendBaseWidget(w)
}

// TypedKey presses the button on Space and Return and passes the rest on.
func (b *Button) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeySpace, fyne.KeyReturn, fyne.KeyEnter:
		if !b.Disabled() && b.OnTapped != nil {
			b.OnTapped()
		}
	default:
		Pass(b, ev)
	}
}

// TypedRune passes letters on.
func (b *Button) TypedRune(r rune) {
	if r != ' ' {
		PassRune(b, r)
	}
}

// SetEnabled enables or disables.
func (b *Button) SetEnabled(on bool) {
	switch {
	case on && b.Disabled():
		b.Enable()
	case !on && !b.Disabled():
		b.Disable()
	}
}

// Check is a check box with a tool tip.
type Check struct{ tooltip.Check }

// NewCheck makes one.
func NewCheck(text, tip string, changed func(bool)) *Check {
	c := &Check{}
	c.Text, c.OnChanged = tr.T(text), changed
	c.ExtendBaseWidget(c)
	c.SetToolTip(tr.T(tip))
	return c
}

// ExtendBaseWidget is Fyne's.
func (c *Check) ExtendBaseWidget(w fyne.Widget) {
	c.ExtendToolTipWidget(w)
	c.Check.Check.ExtendBaseWidget(w)
}

// ShowChecked sets the mark without calling OnChanged.
func (c *Check) ShowChecked(on bool) {
	if c.Checked != on {
		f := c.OnChanged
		c.OnChanged = nil
		c.SetChecked(on)
		c.OnChanged = f
	}
}

// TypedKey toggles on Return and passes the rest on.
func (c *Check) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		c.SetChecked(!c.Checked)
	default:
		Pass(c, ev)
	}
}

// TypedRune toggles on Space and passes letters on.
func (c *Check) TypedRune(r rune) {
	if r == ' ' {
		c.SetChecked(!c.Checked)
		return
	}
	PassRune(c, r)
}

// Option is one entry of a Select: what it stands for and how it is called.
type Option struct{ Value, Label string }

// Select is a drop-down list over values. Labels that are alike are told apart.
type Select struct {
	tooltip.Select
	options []Option
	value   string
	changed func(value string)
}

// NewSelect makes an empty list.
func NewSelect(tip string, changed func(value string)) *Select {
	s := &Select{changed: changed}
	s.OnChanged = func(string) {
		if i := s.SelectedIndex(); i >= 0 && i < len(s.options) && s.options[i].Value != s.value {
			s.value = s.options[i].Value
			if s.changed != nil {
				s.changed(s.value)
			}
		}
	}
	s.ExtendBaseWidget(s)
	s.SetToolTip(tr.T(tip))
	return s
}

// ExtendBaseWidget is Fyne's.
func (s *Select) ExtendBaseWidget(w fyne.Widget) {
	s.ExtendToolTipWidget(w)
	s.Select.Select.ExtendBaseWidget(w)
}

// Set shows other options and a value, without calling anybody.
func (s *Select) Set(options []Option, value string) {
	same := len(options) == len(s.options) && value == s.value
	for i := 0; same && i < len(options); i++ {
		same = options[i] == s.options[i]
	}
	if same {
		return
	}
	s.options, s.value = append([]Option(nil), options...), value
	labels := make([]string, len(options))
	used := map[string]int{}
	for i, o := range options {
		label := tr.T(o.Label)
		used[label]++
		for n := used[label]; n > 1; n = 0 {
			label += " ·"
		}
		labels[i] = label
	}
	s.Options, s.Selected = labels, ""
	for i, o := range options {
		if o.Value == value {
			s.Selected = labels[i]
		}
	}
	s.Refresh()
}

// Value is the one chosen.
func (s *Select) Value() string { return s.value }

// MinSize does not grow with the longest option: the layout gives the width.
func (s *Select) MinSize() fyne.Size {
	m := s.Select.MinSize()
	return fyne.NewSize(min(m.Width, 72), m.Height)
}

// TypedKey opens the list on Space, Return and the arrows, and passes the rest on.
func (s *Select) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyReturn, fyne.KeyEnter:
		s.Select.TypedKey(&fyne.KeyEvent{Name: fyne.KeySpace})
	case fyne.KeySpace, fyne.KeyUp, fyne.KeyDown, fyne.KeyLeft, fyne.KeyRight:
		s.Select.TypedKey(ev)
	default:
		Pass(s, ev)
	}
}

// TypedRune passes letters on.
func (s *Select) TypedRune(r rune) {
	if r != ' ' {
		PassRune(s, r)
	}
}

// Entry is a line of text that is taken over on Return, on Tab and when the
// keyboard goes elsewhere, not with every letter. Escape gives back what was
// there.
type Entry struct {
	widget.Entry
	// Commit gets the text when it is another one.
	Commit func(string)
	shown  string
	wrong  bool
}

// NewEntry makes an empty line.
func NewEntry(commit func(string)) *Entry {
	e := &Entry{Commit: commit}
	e.Wrapping, e.Scroll = fyne.TextWrapOff, fyne.ScrollHorizontalOnly
	e.ExtendBaseWidget(e)
	e.OnSubmitted = func(string) { e.commit() }
	return e
}

func (e *Entry) commit() {
	if e.Text != e.shown {
		e.shown = e.Text
		if e.Commit != nil {
			e.Commit(e.Text)
		}
	}
}

// SetPlaceHolder is what an empty line says.
func (e *Entry) SetPlaceHolder(text string) { e.Entry.SetPlaceHolder(tr.T(text)) }

// Set shows a text and whether it can be used, unless it is being edited.
func (e *Entry) Set(text string, wrong bool) {
	if e.editing() && e.Text != e.shown {
		return
	}
	e.shown = text
	if e.Text != text {
		e.SetText(text)
	}
	if wrong != e.wrong {
		e.wrong = wrong
		var err error
		if wrong {
			err = errWrong
		}
		e.SetValidationError(err)
	}
}

type wrongError struct{}

func (wrongError) Error() string { return "" }

var errWrong = wrongError{}

func (e *Entry) editing() bool {
	c := canvasOf(e)
	return c != nil && c.Focused() == fyne.Focusable(e)
}

// FocusLost takes the text over.
func (e *Entry) FocusLost() {
	e.Entry.FocusLost()
	e.commit()
}

// TypedKey gives Escape and the keys of the window to the window.
func (e *Entry) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyEscape:
		if e.Text != e.shown {
			e.SetText(e.shown)
			return
		}
		if c := canvasOf(e); c != nil && c.Overlays().Top() == nil {
			c.Unfocus()
			return
		}
		Pass(e, ev)
	case fyne.KeyF1, fyne.KeyUp, fyne.KeyDown, fyne.KeyPageUp, fyne.KeyPageDown:
		Pass(e, ev)
	default:
		e.Entry.TypedKey(ev)
	}
}

var _ desktop.Hoverable = (*Button)(nil)
