package view

import (
	"image/color"
	"path/filepath"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid"
	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// startPage is what the middle shows before a file is open: where to drop files,
// files used before, and samples that run in one click.
type startPage struct {
	w      *Window
	recent *fyne.Container
	box    *fyne.Container
}

const startWidth = 600

func newStartPage(w *Window) *startPage {
	s := &startPage{w: w}
	title := control.NewText("Limpid "+limpid.Version, theme.SizeNameHeadingText, "")
	title.Bold = true
	about := control.NewText("From a blurred, noisy image to the scenes that could have made it: their mean, their spread, and samples of them.", "", theme.ColorNamePlaceHolder)

	drop := control.NewText("Drop files here", theme.SizeNameSubHeadingText, "")
	drop.Align = fyne.TextAlignCenter
	kinds := control.NewText("FITS images (also .gz, .bz2, .fz), catalogues, recipes, projects", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	kinds.Align = fyne.TextAlignCenter
	open := control.NewButton("Open …", "Ctrl+O", theme.FolderOpenIcon(), w.openDialog)
	open.Importance = fynewidget.HighImportance
	tour := control.NewButton("Take the tour", "five steps with a sample, half a minute", nil, w.tourDialog)
	target := container.NewStack(dashes(), control.Inset(20, 26, 20, 22, control.NewColumn(8, 0, drop, kinds, container.NewCenter(container.NewHBox(open, tour)))))

	samples := control.NewColumn(14, 0, heading("Try it"))
	for _, x := range w.m.Samples() {
		run := control.NewButton("Open and run", sampleTip(x), theme.MediaPlayIcon(), func() { w.openSample(x, true) })
		look := control.NewButton("Open", "look at it first", nil, func() { w.openSample(x, false) })
		name := control.NewText(x.Name, "", "")
		name.Bold = true
		samples.Add(control.NewTopRow(18, []float32{-1, 0}, control.NewColumn(2, 0, name, control.NewText(x.About, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)), container.NewHBox(run, look)))
	}
	s.recent = control.NewColumn(0, 0)
	col := control.NewColumn(20, startWidth, control.NewColumn(4, 0, title, about), target, s.recent, samples)
	s.box = container.NewStack(control.Ground(theme.ColorNameBackground, 0, container.NewVScroll(
		container.New(layout.NewCenterLayout(), container.New(&fixedWidth{startWidth}, col)))))
	return s
}

func sampleTip(s viewmodel.Sample) string {
	switch s.Task {
	case "deblend":
		return "take it apart: fluxes with errors; the samples take a minute or more"
	case "massmap":
		return "map its mass: 64 samples, some tens of seconds"
	}
	return "deconvolve it: 64 samples, a few seconds"
}

func heading(text string) fyne.CanvasObject {
	t := control.NewText(text, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	t.Bold = true
	return t
}

func (s *startPage) update() {
	s.recent.RemoveAll()
	list := s.w.m.Store().Files
	if len(list) > 0 {
		s.recent.Add(heading("Recent"))
	}
	for i, path := range list {
		if i == 6 {
			break
		}
		b := control.Quiet(filepath.Base(path), path, theme.DocumentIcon(), func() { s.w.m.Open(path) })
		b.Alignment = fynewidget.ButtonAlignLeading
		s.recent.Add(b)
	}
	s.recent.Hidden = len(list) == 0
	s.box.Refresh()
}

// fixedWidth lays one object out at a width, as high as it needs.
type fixedWidth struct{ w float32 }

func (f *fixedWidth) MinSize(o []fyne.CanvasObject) fyne.Size {
	o[0].Resize(fyne.NewSize(f.w, o[0].Size().Height))
	return fyne.NewSize(f.w, o[0].MinSize().Height+48)
}

func (f *fixedWidth) Layout(o []fyne.CanvasObject, size fyne.Size) {
	o[0].Resize(fyne.NewSize(f.w, o[0].Size().Height))
	o[0].Resize(fyne.NewSize(f.w, o[0].MinSize().Height))
	o[0].Move(fyne.NewPos((size.Width-f.w)/2, 24))
}

// dashes is the frame of the drop target.
func dashes() fyne.CanvasObject {
	r := canvas.NewRectangle(color.Transparent)
	r.StrokeColor = theme.Color(theme.ColorNameInputBorder)
	r.StrokeWidth, r.CornerRadius = 1.5, 8
	return r
}
