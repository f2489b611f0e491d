package recipepanel

import (
	"fmt"
	"image/color"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/app/figure"
	"limpid/solvers/observe"
	"limpid/ui/viewmodel"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// psfView shows the PSF in use and, where it was measured, the stars.
type psfView struct {
	m      *viewmodel.Model
	pane   *widget.ImageView
	about  *control.Text
	count  *control.Text
	chosen *control.Text
	mark   *control.Check
	stars  *fynewidget.List
	rows   *fyne.Container // all about stars
	list   []observe.Star
	plane  *float32 // the first pixel of the PSF shown
	box    *fyne.Container
}

const (
	previewSide = 112
	starsHeight = 132
)

func newPSFView(m *viewmodel.Model, act Actions) *psfView {
	v := &psfView{m: m}
	v.pane = widget.NewImageView(nil)
	v.about = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	frame := container.NewGridWrap(fyne.NewSize(previewSide, previewSide), v.pane)
	top := container.NewBorder(nil, nil, frame, nil, control.Inset(8, 0, 0, 0, v.about))

	v.count = control.NewText("", theme.SizeNameCaptionText, "")
	v.mark = control.NewCheck("mark on the image", "ring the stars: green if used, orange if not", m.MarkStars)
	v.stars = fynewidget.NewList(func() int { return len(v.list) }, newStarRow, v.fillRow)
	v.stars.OnSelected = func(i fynewidget.ListItemID) {
		if i < len(v.list) {
			act.Look(v.list[i].X, v.list[i].Y)
			v.chosen.SetText(starText(v.list[i], true))
			v.chosen.Show()
			v.rows.Refresh()
		}
		v.stars.Unselect(i)
	}
	v.stars.HideSeparators = true
	height := canvas.NewRectangle(color.Transparent)
	height.SetMinSize(fyne.NewSize(10, starsHeight))
	v.chosen = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	v.chosen.Hide()
	v.rows = control.NewColumn(3, 0, v.count, v.mark, container.NewStack(height, v.stars), v.chosen)
	v.box = control.NewColumn(8, 0, top, v.rows)
	return v
}

func (v *psfView) update() {
	plane, w, h := v.m.PSF()
	if len(plane) == 0 || w == 1 {
		v.box.Objects[0].Hide()
		v.plane = nil
	} else {
		v.box.Objects[0].Show()
		if v.plane != &plane[0] {
			v.plane = &plane[0]
			v.show(plane, w, h)
		}
	}
	stars := v.m.Stars()
	v.mark.ShowChecked(v.m.StarsMarked())
	if stars == nil {
		v.rows.Hide()
		v.list = nil
		return
	}
	v.rows.Show()
	if len(stars) != len(v.list) || len(stars) > 0 && &stars[0] != &v.list[0] {
		v.list = stars
		used := 0
		for _, s := range stars {
			if s.Used {
				used++
			}
		}
		v.chosen.Hide()
		v.count.SetText(fmt.Sprintf("%d of %d bright peaks used; choose one to look at it", used, len(stars)))
		v.stars.Refresh()
	}
}

func (v *psfView) show(plane []float32, w, h int) {
	im, err := figure.NewImage(figure.Plane{Data: plane, W: w, H: h})
	if err != nil {
		return
	}
	top := im.Stats().Max
	v.pane.SetImage(im)
	v.pane.SetStyle(figure.Style{Limits: figure.Limits{Lo: 0, Hi: top}, Stretch: figure.Asinh, Map: figure.Viridis})
	v.pane.Viewport().Fit()
	v.about.SetText(fmt.Sprintf("The PSF in use\n%d×%d px\npeak pixel %.3g of the light\nasinh stretch", w, h, top))
}

// newStarRow is a line of the list of stars: a dot, a place, and why or why not.
func newStarRow() fyne.CanvasObject {
	dot := canvas.NewCircle(nil)
	text := control.NewText("", theme.SizeNameCaptionText, "")
	text.Lines = 1
	return control.NewRow(6, []float32{8, -1}, container.NewGridWrap(fyne.NewSize(8, 8), dot), text)
}

func (v *psfView) fillRow(i fynewidget.ListItemID, o fyne.CanvasObject) {
	if i >= len(v.list) {
		return
	}
	s := v.list[i]
	row := o.(*fyne.Container)
	dot := row.Objects[0].(*fyne.Container).Objects[0].(*canvas.Circle)
	text := row.Objects[1].(*control.Text)
	name := theme.ColorNameWarning
	if s.Used {
		name = theme.ColorNameSuccess
	}
	dot.FillColor = theme.Color(name)
	dot.Refresh()
	text.SetText(starText(s, false))
}

// starText is a star in words: where it is in FITS pixels, and why it was used or
// not; in short without what stands in parentheses.
func starText(s observe.Star, long bool) string {
	what := s.Reason
	if s.Used {
		what = fmt.Sprintf("S/N %.0f, half-light radius %.2f px", s.SNR, s.HalfLight)
	}
	if before, _, cut := strings.Cut(what, " ("); cut && !long {
		what = before
	}
	return fmt.Sprintf("(%.0f, %.0f)  %s", s.X+1, s.Y+1, what)
}
