package control

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"
)

// Slider chooses one of n steps.
type Slider struct {
	widget.Slider
	quiet bool
}

// NewSlider makes a slider; f gets the step that the user chose, from 0.
func NewSlider(f func(int)) *Slider {
	s := &Slider{}
	s.Step, s.Orientation = 1, widget.Horizontal
	s.OnChanged = func(v float64) {
		if !s.quiet {
			f(int(v + 0.5))
		}
	}
	s.ExtendBaseWidget(s)
	return s
}

// Set shows step k of n without calling anybody.
func (s *Slider) Set(k, n int) {
	if s.Max == float64(max(1, n-1)) && s.Value == float64(k) {
		return
	}
	s.quiet = true
	s.Max = float64(max(1, n-1))
	s.SetValue(float64(k))
	s.quiet = false
	s.Refresh()
}

// TypedKey moves by Left and Right and passes the rest on.
func (s *Slider) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyLeft, fyne.KeyRight:
		s.Slider.TypedKey(ev)
	default:
		Pass(s, ev)
	}
}

// TypedRune passes letters on.
func (s *Slider) TypedRune(r rune) { PassRune(s, r) }
