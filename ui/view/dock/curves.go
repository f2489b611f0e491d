package dock

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/viewmodel"
	"limpid/ui/widget"
)

// inks of curves, in their order.
var inks = []fyne.ThemeColorName{theme.ColorNamePrimary, theme.ColorNameWarning, theme.ColorNameSuccess, theme.ColorNameError}

// profile draws curves along a line or around a place, for every image shown.
type profile struct {
	m     *viewmodel.Model
	chart *widget.Chart
	about *text
	box   fyne.CanvasObject
}

type text = captionText

func newProfile(m *viewmodel.Model) *profile {
	p := &profile{m: m, chart: widget.NewChart("Draw a line (r), or click a place, to see a profile"), about: newCaption()}
	p.box = container.NewBorder(p.about, nil, nil, nil, p.chart)
	return p
}

func (p *profile) object() fyne.CanvasObject { return p.box }

func (p *profile) update() {
	curves, about := p.m.Profiles()
	d := widget.ChartData{}
	std := ""
	for i, c := range curves {
		s := widget.Series{Name: c.Name, X: c.X, Y: c.Y, Std: c.Std, Colour: inks[i%len(inks)]}
		d.XLabel, d.YLabel = "pixels from the start", orPlain(c.Unit)
		if c.Radial {
			d.XLabel = "radius (px)"
			s.Points = len(c.X) < 40
		}
		if len(c.Std) > 0 {
			std = "; bars: " + c.StdIs
			if c.StdIs == "posterior" {
				std = "; bars: posterior standard deviation"
			}
		}
		d.Series = append(d.Series, s)
	}
	p.chart.SetData(d)
	if about != "" {
		about = "Profile " + about + std
	}
	p.about.SetText(about)
}

// spectrum draws power spectra.
type spectrum struct {
	m     *viewmodel.Model
	chart *widget.Chart
	about *text
	of    [3]*viewmodel.Picture // that the curves were made of
	entry *viewmodel.Entry
	box   fyne.CanvasObject
}

func newSpectrum(m *viewmodel.Model) *spectrum {
	s := &spectrum{m: m, chart: widget.NewChart("No image is shown"), about: newCaption()}
	s.box = container.NewBorder(s.about, nil, nil, nil, s.chart)
	return s
}

func (s *spectrum) object() fyne.CanvasObject { return s.box }

func (s *spectrum) update() {
	var of [3]*viewmodel.Picture
	for i, t := range s.m.Tiles() {
		if i < len(of) {
			of[i] = t.Picture
		}
	}
	if of == s.of && s.m.Entry() == s.entry {
		return
	}
	s.of, s.entry = of, s.m.Entry()
	d := widget.ChartData{XLabel: "wavenumber (cycles per pixel)", LogX: true, LogY: true}
	for i, c := range s.m.Spectra() {
		d.YLabel = "P (" + orPlain(c.Unit) + "²)"
		d.Series = append(d.Series, widget.Series{Name: c.Name, X: c.X, Y: c.Y, Colour: inks[i%len(inks)]})
	}
	s.chart.SetData(d)
	s.about.SetText("Azimuthal average, Hann window, of the middle 1024² pixels at most; a white field of variance v has P = v")
}
