package view

import (
	"fmt"
	"path/filepath"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/app/session"
	"limpid/ui/view/dock"
	"limpid/ui/widget/browse"
	"limpid/ui/widget/control"
)

// newDock makes the part below the images.
func (w *Window) newDock() *dock.Dock {
	return dock.New(w.m, dock.Actions{
		Look: w.look, LookAt: w.view.LookAt, SaveRegions: w.saveRegionsDialog, OpenFile: w.openDialog,
		Focus: func(f fyne.Focusable) { w.win.Canvas().Focus(f) },
		Closed: func() {
			w.view.Inspecting = w.dock.Open()
			w.view.Update()
			w.box.Refresh()
			if w.menu != nil {
				w.menu.update()
			}
		},
	})
}

// page opens a page of the dock, or closes it if it is shown.
func (w *Window) page(k int) {
	if w.dock.Open() && w.dock.Page() == k {
		w.dock.Close()
		return
	}
	w.dock.Show(k)
}

// toggleDock hides or shows the dock.
func (w *Window) toggleDock() {
	if w.dock.Open() {
		w.dock.Close()
	} else {
		w.dock.Show(w.dock.Page())
	}
}

// inspectHere chooses the pixel under the cursor and explains it.
func (w *Window) inspectHere() {
	if r, ok := w.m.Read(w.hover.tile, w.hover.x, w.hover.y); ok && w.hover.ok {
		w.m.Inspect(r.X, r.Y)
	} else if t := w.m.Tiles(); len(t) > 0 && t[0].Picture != nil {
		g, v := t[0].Grid(), w.view.Active().View()
		w.m.Inspect(v.X+float64(g.Origin[0]), v.Y+float64(g.Origin[1]))
	}
	w.dock.Show(dock.Pixel)
}

// goToDialog asks for a place.
func (w *Window) goToDialog() {
	place := control.NewEntry(nil)
	place.SetPlaceHolder("120 88   or   12:56:42.4 +21:41:00   or   194.1767 +21.6833")
	said := control.NewText("A pixel (from 0), or a position on the sky in the image's frame.", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	cancel := control.NewButton("Cancel", "", nil, nil)
	ok := control.NewButton("Go", "", nil, nil)
	ok.Importance = fynewidget.HighImportance
	d := w.open("Go to", 460, control.NewColumn(6, 0, place, said), cancel, ok)
	cancel.OnTapped = d.close
	ok.OnTapped = func() {
		x, y, err := w.m.GoTo(place.Text)
		if err != nil {
			said.Set(capital(err.Error()), theme.ColorNameError)
			d.refit()
			return
		}
		d.close()
		w.m.Inspect(x, y)
		w.view.Look(x, y)
	}
	place.OnSubmitted = func(string) { ok.OnTapped() }
	w.win.Canvas().Focus(place)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// headerDialog shows the header of what is chosen, with a search.
func (w *Window) headerDialog() {
	h, name, err := w.m.Header()
	if err != nil || h == nil {
		return
	}
	var cards []string
	for _, c := range h.Cards() {
		cards = append(cards, cardText(c.Text()))
	}
	shown := cards
	list := fynewidget.NewList(func() int { return len(shown) }, func() fyne.CanvasObject {
		l := fynewidget.NewLabel("")
		l.TextStyle.Monospace, l.Truncation = true, fyne.TextTruncateEllipsis
		return l
	}, func(i fynewidget.ListItemID, o fyne.CanvasObject) {
		if i < len(shown) {
			o.(*fynewidget.Label).SetText(shown[i])
		}
	})
	list.HideSeparators = true
	count := control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	search := control.NewEntry(nil)
	search.SetPlaceHolder("search keywords, values and comments")
	find := func(text string) {
		shown = shown[:0:0]
		for _, c := range cards {
			if strings.Contains(strings.ToLower(c), strings.ToLower(strings.TrimSpace(text))) {
				shown = append(shown, c)
			}
		}
		count.SetText(fmt.Sprintf("%d of %d cards", len(shown), len(cards)))
		list.Refresh()
	}
	search.OnChanged = find
	find("")
	copyAll := control.NewButton("Copy", "the cards shown, to the clipboard", theme.ContentCopyIcon(), func() {
		w.app.Clipboard().SetContent(strings.Join(shown, "\n"))
	})
	ok := control.NewButton("Close", "", nil, nil)
	tall := container.NewGridWrap(fyne.NewSize(760, 420), list)
	d := w.open("Header of "+name, 760, control.NewColumn(6, 0, search, tall, count), copyAll, ok)
	ok.OnTapped = d.close
	search.OnSubmitted = func(string) { d.close() }
	w.win.Canvas().Focus(search)
}

func cardText(s string) string { return strings.TrimRight(s, " ") }

// saveRegionsDialog writes the regions of the file.
func (w *Window) saveRegionsDialog() {
	f := w.m.File()
	if f == nil || len(w.m.Marked()) == 0 || w.modal != nil {
		return
	}
	path := control.NewEntry(nil)
	base, _, _ := strings.Cut(filepath.Base(f.Path), ".")
	path.Set(filepath.Join(filepath.Dir(f.Path), base+".reg"), false)
	said := control.NewText("A DS9 region file; regions drawn here are in image coordinates.", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	cancel := control.NewButton("Cancel", "", nil, nil)
	save := control.NewButton("Save", "", nil, nil)
	save.Importance = fynewidget.HighImportance
	d := w.open("Save regions", 560, control.NewColumn(6, 0, path, said), cancel, save)
	cancel.OnTapped = d.close
	save.OnTapped = func() {
		if err := w.m.SaveRegions(browse.Expand(path.Text)); err != nil {
			p := session.Problem(err)
			said.Set(p.What+". "+p.Advice, theme.ColorNameError)
			d.refit()
			return
		}
		d.close()
	}
	path.OnSubmitted = func(string) { save.OnTapped() }
	w.win.Canvas().Focus(path)
}
