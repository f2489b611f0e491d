package viewer

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// planes goes through the planes of a cube.
type planes struct {
	m     *viewmodel.Model
	slide *control.Slider
	name  *control.Text
	box   *fyne.Container
}

// fewPlanes can be chosen from a list; more get a slider.
const fewPlanes = 6

func newPlanes(m *viewmodel.Model) *planes {
	p := &planes{m: m}
	step := func(n int) func() {
		return func() {
			k, _ := m.Band()
			m.SetBand(k + n)
		}
	}
	prev := control.Quiet("", "the plane before ( < )", theme.NavigateBackIcon(), step(-1))
	next := control.Quiet("", "the next plane ( > )", theme.NavigateNextIcon(), step(1))
	p.slide = control.NewSlider(m.SetBand)
	p.name = control.NewText("", "", theme.ColorNamePlaceHolder)
	p.name.Lines = 1
	p.box = control.Inset(4, 0, 8, 2, control.NewRow(4, []float32{0, 0, -1, 150}, prev, next, p.slide, p.name))
	return p
}

func (p *planes) update() {
	k, n := p.m.Band()
	on := n > fewPlanes && p.m.Pane() != viewmodel.PaneColour && len(p.m.Tiles()) > 0
	show(p.box, on)
	if on {
		p.slide.Set(k, n)
		p.name.SetText(fmt.Sprintf("%s (%d of %d)", p.m.BandName(k), k+1, n))
	}
}

// colours chooses the bands of a colour picture.
type colours struct {
	m      *viewmodel.Model
	bands  [3]*control.Select
	bright *control.Slider
	soften *control.Slider
	box    *fyne.Container
}

// softens are the steps of the softening parameter Q.
var softens = []float64{0.5, 1, 2, 3, 5, 8, 12, 20, 30, 50}

func newColours(m *viewmodel.Model) *colours {
	c := &colours{m: m}
	for i, name := range []string{"red", "green", "blue"} {
		c.bands[i] = control.NewSelect("band shown as "+name, func(s string) {
			var k int
			if _, err := fmt.Sscan(s, &k); err == nil {
				look := m.Colours()
				look.Bands[i] = k
				m.SetColours(look)
			}
		})
	}
	c.bright = control.NewSlider(func(k int) { look := m.Colours(); look.Bright = k; m.SetColours(look) })
	c.soften = control.NewSlider(func(k int) { look := m.Colours(); look.Soften = softens[k]; m.SetColours(look) })
	label := func(s string) fyne.CanvasObject {
		return control.NewWhole(s, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	}
	c.box = control.Inset(4, 0, 8, 2, control.NewRow(6, []float32{0, 110, 0, 110, 0, 110, 0, -1, 0, -1},
		label("R"), c.bands[0], label("G"), c.bands[1], label("B"), c.bands[2],
		label("brightness"), c.bright, label("softening Q"), c.soften))
	return c
}

func (c *colours) update() {
	on := c.m.Pane() == viewmodel.PaneColour && len(c.m.Tiles()) > 0 && c.m.Available(viewmodel.PaneColour)
	show(c.box, on)
	if !on {
		return
	}
	_, n := c.m.Band()
	list := make([]control.Option, min(n, 64))
	for i := range list {
		list[i] = control.Option{Value: fmt.Sprint(i), Label: c.m.BandName(i)}
	}
	look := c.m.Colours()
	for i, s := range c.bands {
		s.Set(list, fmt.Sprint(look.Bands[i]))
	}
	c.bright.Set(look.Bright, 101)
	at := 0
	for i, q := range softens {
		if q <= look.Soften {
			at = i
		}
	}
	c.soften.Set(at, len(softens))
}
