package view

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// status is the line at the bottom: where the cursor is, what is there, and how
// far the run is.
type status struct {
	w                       *Window
	place, value, sky, zoom *control.Text
	bar                     *widget.StepProgress
	idle                    *control.Text
	barBox                  *fyne.Container
	row                     *fyne.Container
	box                     fyne.CanvasObject
}

func newStatus(w *Window) *status {
	s := &status{w: w}
	text := func() *control.Text {
		t := control.NewText("", theme.SizeNameCaptionText, "")
		t.Lines = 1
		return t
	}
	s.place, s.value, s.sky, s.zoom = text(), text(), text(), text()
	s.idle = text()
	s.idle.Colour, s.idle.Align = theme.ColorNamePlaceHolder, fyne.TextAlignTrailing
	s.bar = widget.NewStepProgress()
	s.barBox = control.Inset(0, 5, 0, 0, container.New(layout.NewGridWrapLayout(fyne.NewSize(130, 6)), s.bar))
	s.row = control.NewRow(14, []float32{140, 250, 250, 64, -1, 0}, s.place, s.value, s.sky, s.zoom, s.idle, s.barBox)
	s.box = control.Ground(theme.ColorNameHeaderBackground, 0, control.Inset(10, 4, 10, 3, s.row))
	return s
}

func (s *status) update() {
	s.showPlace()
	s.zoom.SetText("")
	if z := s.w.zoom(); z > 0 {
		s.zoom.SetText("zoom " + widget.FormatZoom(z))
	}
	if s.w.spaces.shown != Deconvolve {
		s.showSpace()
		return
	}
	e := s.w.m.Active()
	s.showBar(e != nil)
	if e == nil {
		s.idle.Set(s.w.idleText(), theme.ColorNamePlaceHolder)
		return
	}
	done, total, text := e.Progress()
	if st := e.Status; st.Chi2 == st.Chi2 {
		text += fmt.Sprintf(" · χ²/px %.2f", st.Chi2)
		if st.RHat == st.RHat {
			text += fmt.Sprintf(" · R-hat %.3f", st.RHat)
		}
	}
	s.idle.Set(text, "")
	s.bar.SetStep(done, total, "")
}

// showBar has the progress bar in the row, or its place given to the text.
func (s *status) showBar(on bool) {
	if s.barBox.Visible() != on {
		show(s.barBox, on)
		s.row.Refresh()
	}
}

// showSpace shows how a run of another workspace goes.
func (s *status) showSpace() {
	e := s.w.spaces.active()
	s.showBar(e != nil)
	if e == nil {
		s.idle.Set(s.w.m.Device(), theme.ColorNamePlaceHolder)
		return
	}
	done, total, text := e.Progress()
	s.idle.Set(text, "")
	s.bar.SetStep(done, total, "")
}

// idleText stands at the right while nothing runs.
func (w *Window) idleText() string {
	if e := w.m.Entry(); e != nil {
		_, _, text := e.Progress()
		return text
	}
	return w.m.Device()
}

// showPlace reads the image under the cursor.
func (s *status) showPlace() {
	h := s.w.hover
	r, ok := s.w.read(h.tile, h.x, h.y)
	if !h.ok || !ok {
		s.place.SetText("")
		s.value.SetText("")
		s.sky.SetText("")
		return
	}
	if s.w.m.Store().FromOne {
		s.place.SetText(widget.FormatPixel(r.X+1, r.Y+1))
	} else {
		s.place.SetText(widget.FormatPixel(r.X, r.Y))
	}
	value := widget.FormatValue(r.Value, r.Unit)
	if r.Std > 0 {
		value = widget.FormatWithError(r.Value, r.Std, r.Unit)
	}
	s.value.SetText(value)
	switch r.Frame {
	case "":
		s.sky.SetText("")
	case "ICRS", "FK5", "FK4":
		if s.w.m.Store().Degrees {
			s.sky.SetText(fmt.Sprintf("%.6f° %+.6f°", r.Lon, r.Lat))
			return
		}
		s.sky.SetText(widget.FormatSky(r.Lon, r.Lat, r.Scale))
	default:
		s.sky.SetText(fmt.Sprintf("%.5f° %+.5f° %s", r.Lon, r.Lat, r.Frame))
	}
}
