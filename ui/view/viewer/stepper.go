package viewer

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// stepper goes through the samples: one by one, to any of them, or as a film.
type stepper struct {
	m          *viewmodel.Model
	prev, next *control.Button
	play       *control.Button
	slide      *control.Slider
	count      *control.Text
	box        *fyne.Container
}

func newStepper(m *viewmodel.Model) *stepper {
	s := &stepper{m: m}
	step := func(n int) func() {
		return func() {
			k, _ := m.SampleNumber()
			m.SetSample(k + n)
		}
	}
	s.prev = control.Quiet("", "the sample before ( , )", theme.MediaSkipPreviousIcon(), step(-1))
	s.next = control.Quiet("", "the next sample ( . )", theme.MediaSkipNextIcon(), step(1))
	s.play = control.Quiet("", "play ( p )", theme.MediaPlayIcon(), m.Play)
	s.slide = control.NewSlider(func(v int) { m.SetSample(v) })
	s.count = control.NewText("", "", theme.ColorNamePlaceHolder)
	s.box = control.Inset(4, 0, 8, 2, control.NewRow(4, []float32{0, 0, 0, -1, 110}, s.prev, s.play, s.next, s.slide, s.count))
	return s
}

func (s *stepper) update() {
	k, n := s.m.SampleNumber()
	shown := false
	for _, t := range s.m.Tiles() {
		shown = shown || t.Source == viewmodel.Draw
	}
	if !shown || n == 0 {
		s.box.Hide()
		return
	}
	s.box.Show()
	icon := theme.MediaPlayIcon()
	if s.m.Playing() {
		icon = theme.MediaPauseIcon()
	}
	if s.play.Icon != icon {
		s.play.SetIcon(icon)
	}
	s.slide.Set(k, n)
	s.count.SetText(fmt.Sprintf("sample %d of %d", k+1, n))
}
