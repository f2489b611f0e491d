package view

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// helpPages are the pages of F1 after the keys: a title, then paragraphs.
var helpPages = [][]string{
	{"Files", "At the left are the files that are open, what is in them, and the results made of them, the newest first.", "Open with Ctrl+O, or drop files anywhere in the window: FITS images (also .gz, .bz2 and .fz), recipes (.json), DS9 regions (.reg), catalogues (.csv and FITS tables), projects (.limpid).", "Click an HDU or a result to see it. The cross closes a file or takes a result off the list; what was exported stays on disk."},
	{"Images", "The wheel zooms at the cursor, the left button pans, the right button changes contrast and bias. All panes move together.", "Below the image are its scale of colours and a histogram: drag the two limits. The values under the cursor are in the line at the bottom, with their error bar where one is known.", "Mean and Std are those of the posterior. A sample is one scene that data and prior allow: what differs between samples is not known. The residual is data less model over the noise and should look like noise."},
	{"Recipe", "At the right is what will be done, in five steps. Each has a mark and a line that says how it stands; click a step to open it.", "A tick: fine. A triangle: read the note, it has advice and often a button that follows it. A cross: this keeps the recipe from running.", "Run carries it out. While it runs the pictures are those of the samples so far; Esc stops it and keeps them. A recipe saved as a file gives the same bytes again, here and with limpid-cli run."},
	{"Panel below", "F8 or Ctrl+1 to Ctrl+5 open the panel below the images.", "Pixel says why a pixel is uncertain: the spread that the prior allowed, the spread that is left, and the samples behind it. Profile follows a line or rings about a place. Regions measures what you have drawn, with errors from the samples. Catalogue is a table linked with marks on the image. Power spectrum compares data, mean and prior."},
	{"Deblend", "Open one image of several planes, or one per band. Sources are detected; click one to choose it, drag it to move it, a to add by click, Delete to take it off.", "Run fits a profile to each and draws samples; the table has fluxes with errors in every band. Untick Show, or press h, to peel a source off the picture and see what is beneath it.", "The notes at the right say when a fit is not to be trusted: light that is not modelled, two sources at one place, an edge."},
	{"Mass map", "Open a catalogue of shapes. Step 1 says what its columns are taken for; correct it there.", "Step 2 puts the galaxies on pixels and tests the signs: lensing makes an E mode and no B mode. If a sign is wrong a button flips it.", "Run draws maps that data and prior allow. The table lists peaks: the probability is the share of samples that have the peak. The error bar of the highest peaks is a lower bound. A constant κ cannot be seen by shear: compare differences."},
}

// helpDialog explains the workspace in sight first; other pages and the keys are a tab
// away.
func (w *Window) helpDialog() {
	const width = 800
	names := []string{"Keys and mouse"}
	for _, p := range helpPages {
		names = append(names, p[0])
	}
	pages := []fyne.CanvasObject{keysPage(width)}
	for _, p := range helpPages {
		col := control.NewColumn(10, width)
		for _, text := range p[1:] {
			col.Add(control.NewText(text, "", ""))
		}
		pages = append(pages, col)
	}
	holder := container.NewStack()
	ok := control.NewButton("Close", "", nil, nil)
	var d *modal
	var tabs *control.Tabs
	show := func(i int) {
		tabs.Set(names, i)
		holder.Objects = []fyne.CanvasObject{pages[i]}
		holder.Refresh()
		if d != nil {
			d.refit()
		}
	}
	tabs = control.NewTabs(show)
	show(w.helpTopic())
	d = w.open("Help", width, control.NewColumn(10, 0, tabs, holder), ok)
	ok.OnTapped = d.close
	d.key = func(ev *fyne.KeyEvent) {
		if ev.Name == fyne.KeyLeft || ev.Name == fyne.KeyRight {
			tabs.TypedKey(ev)
		}
	}
	w.win.Canvas().Focus(ok)
}

// helpTopic is the page for what has the keyboard or is in sight: 0 are the keys.
func (w *Window) helpTopic() int {
	switch w.spaces.shown {
	case Deblend:
		return 5
	case MassMap:
		return 6
	}
	focused, _ := w.win.Canvas().Focused().(fyne.CanvasObject)
	switch {
	case focused == nil || len(w.m.Files()) == 0:
		return 0
	case focused == fyne.CanvasObject(w.files.list):
		return 1
	}
	x := fyne.CurrentApp().Driver().AbsolutePositionForObject(focused)
	size := w.win.Canvas().Size()
	switch {
	case x.X > size.Width-w.sides.Right:
		return 3
	case x.X < w.sides.Left:
		return 1
	case w.dock.Open() && x.Y > size.Height-300:
		return 4
	}
	return 0
}

// keysPage lists keys and mouse.
func keysPage(width float32) fyne.CanvasObject {
	const gap = 28
	var columns [2]*fyne.Container
	for i := range columns {
		columns[i] = control.NewColumn(4, (width-gap)/2)
	}
	half := (len(keysHelp) + 1) / 2
	for half < len(keysHelp) && keysHelp[half][0] != "" {
		half++
	}
	for i, k := range keysHelp {
		col := columns[0]
		if i >= half {
			col = columns[1]
		}
		if k[0] == "" {
			col.Add(control.Inset(0, 6, 0, 0, heading(k[1])))
			continue
		}
		name := control.NewText(k[0], theme.SizeNameCaptionText, "")
		name.Bold = true
		col.Add(control.NewRow(8, []float32{104, -1}, name, control.NewText(k[1], theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)))
	}
	return control.NewTopRow(gap, []float32{-1, -1}, columns[0], columns[1])
}

// tourSteps are the stops of the tour: a title and what is to be seen.
var tourSteps = [][2]string{
	{"An image", "This is a simulated galaxy, blurred and noisy, as a telescope on the ground would see it. The steps at the right already say what was found: the PSF is in the file, the noise in its weights, the sky is subtracted."},
	{"A run", "It is being deconvolved: what you see is the mean of the scenes that data and prior allow, as far as they have been drawn. Esc would stop it and keep what is there."},
	{"Mean and error bars", "Left: the mean. Right: its standard deviation. Put the cursor on a pixel: the line at the bottom has its value and its error bar."},
	{"Samples", "Each sample is a scene that could have made the data. Press p to play them: what moves is not known, what stays is."},
	{"Is it to be believed?", "The residual should look like noise, and the note at the right says by χ² and flux whether it does. Ctrl+E exports FITS, figure, recipe and references. That is the tour."},
}

// tourPanes are the panes of the steps.
var tourPanes = []viewmodel.Pane{viewmodel.PaneData, viewmodel.PaneDataMean, viewmodel.PaneMeanStd, viewmodel.PaneSample, viewmodel.PaneResidual}

// tourDialog goes through the window with the sample, a step at a time.
func (w *Window) tourDialog() { w.tourStep(0) }

func (w *Window) tourStep(k int) {
	if k >= len(tourSteps) {
		return
	}
	switch k {
	case 0:
		w.SetSpace(Deconvolve)
		w.openSample(w.m.Samples()[0], false)
	case 1:
		w.m.Run()
	default:
		w.m.SetPane(tourPanes[k])
	}
	stop := control.NewButton("End", "", nil, nil)
	next := control.NewButton("Next", "", nil, nil)
	if k == len(tourSteps)-1 {
		next.SetText("Done")
		stop.Hide()
	}
	next.Importance = fynewidget.HighImportance
	title, text := tourSteps[k][0], tourSteps[k][1]
	d := w.openLow(title, 460, control.NewText(text, "", ""), stop, next)
	stop.OnTapped = d.close
	next.OnTapped = func() {
		d.close()
		w.tourStep(k + 1)
	}
	w.win.Canvas().Focus(next)
}
