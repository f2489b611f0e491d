package view

import (
	"context"
	"fmt"
	"image/color"
	"path/filepath"
	"runtime"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid"
	"limpid/app/figure"
	"limpid/app/session"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/preview"
	"limpid/ui/widget"
	"limpid/ui/widget/browse"
	"limpid/ui/widget/control"
)

// modal is a dialog over the window; there is one at a time.
type modal struct {
	w       *Window
	pop     *fynewidget.PopUp
	changed func()               // the export changed
	key     func(*fyne.KeyEvent) // keys nobody else used
	closed  func()
	leaving bool // the window closes when exports have ended
}

// open shows a dialog of a width with a title, a content as high as it needs, and
// buttons; the last button is the one Return is for.
func (w *Window) open(title string, width float32, content fyne.CanvasObject, buttons ...fyne.CanvasObject) *modal {
	if w.modal != nil {
		w.modal.close()
	}
	d := &modal{w: w}
	head := control.NewText(title, theme.SizeNameSubHeadingText, "")
	head.Bold = true
	row := container.NewHBox(append([]fyne.CanvasObject{layout.NewSpacer()}, buttons...)...)
	col := control.NewColumn(14, width, head, content, row)
	d.pop = fynewidget.NewModalPopUp(control.Inset(18, 16, 18, 14, container.New(&fixedHeight{width}, col)), w.win.Canvas())
	w.modal = d
	d.pop.Show()
	return d
}

// openLow is open for a dialog that leaves the images in sight: it lies at the lower
// edge and what is behind it goes on.
func (w *Window) openLow(title string, width float32, content fyne.CanvasObject, buttons ...fyne.CanvasObject) *modal {
	d := w.open(title, width, content, buttons...)
	size := w.win.Canvas().Size()
	d.pop.Hide()
	d.pop = fynewidget.NewPopUp(d.pop.Content, w.win.Canvas())
	d.pop.ShowAtPosition(fyne.NewPos((size.Width-width)/2, size.Height-260))
	return d
}

// fixedHeight keeps a column at its width in a popup that asks for the smallest
// size.
type fixedHeight struct{ w float32 }

func (f *fixedHeight) MinSize(o []fyne.CanvasObject) fyne.Size {
	o[0].Resize(fyne.NewSize(f.w, o[0].Size().Height))
	return fyne.NewSize(f.w, o[0].MinSize().Height)
}

func (f *fixedHeight) Layout(o []fyne.CanvasObject, size fyne.Size) { o[0].Resize(size) }

// refit gives the dialog the height that its content needs now.
func (d *modal) refit() {
	d.pop.Content.Refresh()
	d.pop.Resize(d.pop.MinSize())
}

func (d *modal) close() {
	if d.w.modal == d {
		d.w.modal = nil
	}
	d.pop.Hide()
	if d.closed != nil {
		d.closed()
	}
	d.w.focusPane()
}

// openDialog lets the user choose files.
func (w *Window) openDialog() {
	if w.modal != nil {
		return
	}
	w.browse("", func(paths []string) { w.openPaths(paths...) })
}

// browse shows the file browser.
func (w *Window) browse(dir string, f func([]string)) {
	d := &modal{w: w}
	done := func() { w.modal = nil }
	b := browse.Show(browse.Options{
		Dir: dir, Recent: w.m.Store().Dirs, Post: w.o.Post,
		OnOpen:   func(paths []string) { done(); f(paths) },
		OnCancel: done,
		Preview:  w.preview,
	}, w.win)
	d.pop = fynewidget.NewModalPopUp(canvas.NewRectangle(color.Transparent), w.win.Canvas()) // never shown: the browser has its own
	d.closed = b.Cancel
	w.modal = d
}

// preview shows what is in a file before it is opened.
func (w *Window) preview(path string, show func(fyne.CanvasObject)) {
	go func() {
		p, err := preview.Of(context.Background(), w.o.Session, path)
		if err != nil && p == nil {
			return // a recipe, regions, a catalogue in text: there is nothing to see
		}
		w.o.Post(func() {
			const width, height = 244, 220
			col := control.NewColumn(4, width)
			if p.Image != nil {
				pane := widget.NewImageView(nil)
				pane.SetImage(p.Image)
				pane.SetStyle(figure.Style{Limits: p.Limits, Stretch: figure.Asinh, Map: figure.Gray})
				iw, ih := p.Image.Size()
				pane.Viewport().SetReference(iw, ih, p.Turn)
				pane.Viewport().Fit()
				col.Add(container.NewGridWrap(fyne.NewSize(width, height), pane))
			}
			for _, line := range p.Lines {
				col.Add(control.NewText(line, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder))
			}
			show(control.Inset(8, 0, 0, 0, container.NewVScroll(col)))
		})
	}()
}

// browseField looks for a file for a field of the recipe.
func (w *Window) browseField(id form.ID) {
	if w.modal != nil || w.m.File() == nil {
		return
	}
	w.browse(filepath.Dir(w.m.File().Path), func(paths []string) {
		w.m.Set(id, paths[0])
	})
}

// aboutDialog says what this is and where it computes.
func (w *Window) aboutDialog() {
	text := fmt.Sprintf("Bayesian image inference for astronomy.\n\nVersion %s, %s %s/%s.\nComputes on %s.\n\nBSD-3-Clause licence. Methods and their references are written beside every result as references (.bib).\nWithout a window: limpid-cli does the same from recipes.",
		limpid.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH, w.m.Device())
	ok := control.NewButton("Close", "", nil, nil)
	d := w.open("Limpid", 460, control.NewText(text, "", ""), ok)
	ok.OnTapped = d.close
	w.win.Canvas().Focus(ok)
}

// confirmQuitLater lets an export end before the window does, which then asks about what
// else would be lost.
func (w *Window) confirmQuitLater() {
	stay := control.NewButton("Stay", "", nil, nil)
	quit := control.NewButton("Quit at once", "", nil, w.close)
	quit.Importance = fynewidget.DangerImportance
	d := w.open("Quit Limpid?", 420, control.NewText("An export is under way. The window closes when its files are written.", "", ""), stay, quit)
	d.leaving = true
	stay.OnTapped = d.close
	w.win.Canvas().Focus(stay)
}

// confirmQuit asks before results that are not on disk are lost.
func (w *Window) confirmQuit(running bool, unsaved int) {
	text := ""
	if running {
		text = "A run is under way and will be cancelled. "
	}
	switch {
	case unsaved == 1:
		text += "One result was not exported and will be lost."
	case unsaved > 1:
		text += fmt.Sprintf("%d results were not exported and will be lost.", unsaved)
	}
	stay := control.NewButton("Stay", "", nil, nil)
	quit := control.NewButton("Quit", "", nil, w.close)
	quit.Importance = fynewidget.DangerImportance
	d := w.open("Quit Limpid?", 420, control.NewText(text, "", ""), stay, quit)
	stay.OnTapped = d.close
	w.win.Canvas().Focus(stay)
}

// saveRecipeDialog writes the recipe as it is now.
func (w *Window) saveRecipeDialog() {
	f := w.m.File()
	if f == nil {
		return
	}
	path := control.NewEntry(nil)
	path.Set(w.m.RecipePath(f), false)
	said := control.NewText("Runs in this window (File ▸ Open) and with limpid-cli run.", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	cancel := control.NewButton("Cancel", "", nil, nil)
	save := control.NewButton("Save", "", nil, nil)
	save.Importance = fynewidget.HighImportance
	d := w.open("Save the recipe", 560, control.NewColumn(6, 0, path, said), cancel, save)
	cancel.OnTapped = d.close
	write := func() {
		if err := w.m.SaveRecipe(path.Text); err != nil {
			p := session.Problem(err)
			said.Set(p.What+". "+p.Advice, theme.ColorNameError)
			d.refit()
			return
		}
		d.close()
	}
	save.OnTapped = write
	path.OnSubmitted = func(string) { write() }
	w.win.Canvas().Focus(path)
}
