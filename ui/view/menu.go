package view

import (
	"fmt"
	"path/filepath"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"limpid/app/session"
	"limpid/ui/view/dock"
	"limpid/ui/view/viewer"
	"limpid/ui/viewmodel"
	"limpid/ui/widget"
	"limpid/ui/widget/tr"
)

// menu is the main menu. Its shortcuts work wherever the keyboard is.
type menu struct {
	w      *Window
	main   *fyne.MainMenu
	recent *fyne.MenuItem
	export *fyne.MenuItem
	save   *fyne.MenuItem
	saveP  *fyne.MenuItem
	close  *fyne.MenuItem
	run    *fyne.MenuItem
	cancel *fyne.MenuItem
	goOn   *fyne.MenuItem
	meas   *fyne.MenuItem
	region *fyne.MenuItem
	panes  []*fyne.MenuItem
	match  *fyne.MenuItem
	stars  *fyne.MenuItem
	how    *fyne.MenuItem
	draw   *fyne.MenuItem
	north  *fyne.MenuItem
	grid   *fyne.MenuItem
	cont   *fyne.MenuItem
	mag    *fyne.MenuItem
	undo   *fyne.MenuItem
	redo   *fyne.MenuItem
	delete *fyne.MenuItem
	saveR  *fyne.MenuItem
	table  *fyne.MenuItem
	header *fyne.MenuItem
	goTo   *fyne.MenuItem
	ways   []*fyne.MenuItem
	tools  []*fyne.MenuItem
	pages  []*fyne.MenuItem
	spaces []*fyne.MenuItem
	dark   *fyne.MenuItem
	light  *fyne.MenuItem
	files  string // recent files shown
}

func item(label string, key fyne.KeyName, mod fyne.KeyModifier, f func()) *fyne.MenuItem {
	i := fyne.NewMenuItem(tr.T(label), f)
	if key != "" {
		i.Shortcut = &desktop.CustomShortcut{KeyName: key, Modifier: mod}
	}
	return i
}

// entry is an item without a shortcut, in the user's language.
func entry(label string, f func()) *fyne.MenuItem { return fyne.NewMenuItem(tr.T(label), f) }

// menuOf is a menu with a title in the user's language.
func menuOf(title string, items ...*fyne.MenuItem) *fyne.Menu {
	return fyne.NewMenu(tr.T(title), items...)
}

const (
	ctrl = fyne.KeyModifierShortcutDefault
	alt  = fyne.KeyModifierAlt
)

func newMenu(w *Window) *menu {
	x := &menu{w: w}
	m := w.m
	free := func(f func()) func() { // nothing happens behind a dialog
		return func() {
			if w.modal == nil {
				f()
			}
		}
	}
	x.recent = entry("Open recent", nil)
	x.recent.ChildMenu = menuOf("")
	samples := entry("Samples to try", nil)
	samples.ChildMenu = menuOf("")
	for _, s := range m.Samples() {
		samples.ChildMenu.Items = append(samples.ChildMenu.Items,
			entry(s.Name+": open", func() { w.openSample(s, false) }),
			entry(s.Name+": open and run", func() { w.openSample(s, true) }))
	}
	x.save = item("Save recipe …", fyne.KeyS, ctrl, free(w.saveRecipeDialog))
	x.saveP = item("Save project …", fyne.KeyS, ctrl|fyne.KeyModifierShift, free(w.saveProjectDialog))
	x.export = item("Export result …", fyne.KeyE, ctrl, free(w.exportDialog))
	x.close = item("Close file", fyne.KeyW, ctrl, free(func() {
		if f := m.File(); f != nil {
			m.CloseFile(f)
		}
	}))
	quit := item("Quit", fyne.KeyQ, ctrl, w.quit)
	quit.IsQuit = true
	file := menuOf("File", item("Open …", fyne.KeyO, ctrl, free(w.openDialog)), x.recent, samples,
		fyne.NewMenuItemSeparator(), x.saveP, x.save, x.export, fyne.NewMenuItemSeparator(), x.close, fyne.NewMenuItemSeparator(), item("Settings …", fyne.KeyComma, ctrl, free(w.settingsDialog)), quit)

	x.run = item("Run", fyne.KeyR, ctrl, free(w.run))
	x.cancel = item("Cancel run", fyne.KeyPeriod, ctrl, func() { w.cancel() })
	x.goOn = item("Go on with the run", fyne.KeyR, ctrl|fyne.KeyModifierShift, free(func() { m.GoOn(m.Entry()) }))
	x.meas = item("Measure PSF, noise and sky again", fyne.KeyM, ctrl, free(m.Measure))
	x.region = item("Cut-out: what is in view", fyne.KeyU, ctrl, free(w.useInView))
	analyse := x.analyseMenu(free)

	help := menuOf("Help", item("Help", fyne.KeyF1, 0, free(w.helpDialog)), entry("Tour", free(w.tourDialog)), entry("About Limpid", free(w.aboutDialog)))
	x.main = fyne.NewMainMenu(file, x.editMenu(free), x.viewMenu(free), analyse, help)
	x.update()
	w.win.SetMainMenu(x.main)
	return x
}

func (x *menu) editMenu(free func(func()) func()) *fyne.Menu {
	w, m := x.w, x.w.m
	x.undo = item("Undo", fyne.KeyZ, ctrl, free(w.undo))
	x.redo = item("Redo", fyne.KeyZ, ctrl|fyne.KeyModifierShift, free(w.redo))
	x.delete = entry("Delete region", free(func() { m.RemoveRegion(m.SelectedRegion()) }))
	draw := entry("Draw region", nil)
	x.draw = draw
	draw.ChildMenu = menuOf("")
	for _, kind := range viewer.Tools() {
		label := capital(kind)
		if kind == "" {
			label = "None: left drags pan"
		}
		it := entry(label, free(func() { w.view.SetTool(kind) }))
		x.tools = append(x.tools, it)
		draw.ChildMenu.Items = append(draw.ChildMenu.Items, it)
	}
	x.saveR = entry("Save regions …", free(w.saveRegionsDialog))
	return menuOf("Edit", x.undo, x.redo, fyne.NewMenuItemSeparator(), draw, x.delete, x.saveR)
}

func (x *menu) analyseMenu(free func(func()) func()) *fyne.Menu {
	w, m := x.w, x.w.m
	a := menuOf("Analyse", x.run, x.cancel, x.goOn, fyne.NewMenuItemSeparator(), x.meas, x.region, fyne.NewMenuItemSeparator())
	for k, name := range dock.Names {
		it := item(name, fyne.KeyName(rune('1'+k)), ctrl, free(func() { w.page(k) }))
		x.pages = append(x.pages, it)
		a.Items = append(a.Items, it)
	}
	x.goTo = item("Go to …", fyne.KeyG, ctrl, free(w.goToDialog))
	x.header = item("Header …", fyne.KeyH, ctrl, free(w.headerDialog))
	x.table = entry("Table as catalogue", free(func() {
		if f := m.File(); f != nil {
			m.OpenCatalogue(f.Path, m.HDU())
			w.dock.Show(dock.Catalogue)
		}
	}))
	a.Items = append(a.Items, fyne.NewMenuItemSeparator(), item("Learned priors …", fyne.KeyL, ctrl, free(w.priorsDialog)))
	a.Items = append(a.Items, fyne.NewMenuItemSeparator(), x.goTo, x.header, x.table)
	return a
}

func (x *menu) viewMenu(free func(func()) func()) *fyne.Menu {
	w, m := x.w, x.w.m
	view := menuOf("View")
	for i, name := range spaceNames {
		it := item(name, fyne.KeyName(fmt.Sprintf("F%d", i+2)), 0, free(func() { w.SetSpace(Space(i)) }))
		x.spaces = append(x.spaces, it)
		view.Items = append(view.Items, it)
	}
	view.Items = append(view.Items, fyne.NewMenuItemSeparator())
	for i, p := range viewmodel.Panes() {
		it := item(m.Label(p), fyne.KeyName(rune('1'+i)), alt, free(func() { m.SetPane(p) }))
		x.panes = append(x.panes, it)
		view.Items = append(view.Items, it)
	}
	x.match = entry("Same scale for data, mean, samples", func() { m.SetMatched(!m.Matched()) })
	x.stars = entry("Mark stars of the PSF", func() { m.MarkStars(!m.StarsMarked()) })
	x.north = entry("North up", func() { w.view.SetNorthUp(!w.view.NorthUp()); x.update() })
	x.grid = entry("Grid of the sky", func() { m.ShowGrid(!m.GridShown()) })
	x.cont = entry("Contours", func() { m.ShowContours(!m.ContoursShown()) })
	x.mag = entry("Magnifier", func() { w.view.SetMagnifier(!w.view.Magnifier()); x.update() })
	how := entry("Compare halves", nil)
	x.how = how
	how.ChildMenu = menuOf("")
	for _, o := range viewmodel.Compares() {
		it := entry(capital(o.Label), free(func() { m.SetCompare(viewmodel.Compare(o.Value)) }))
		x.ways = append(x.ways, it)
		how.ChildMenu.Items = append(how.ChildMenu.Items, it)
	}
	x.dark = entry("Dark", func() { w.switchTheme(widget.Dark) })
	x.light = entry("Light", func() { w.switchTheme(widget.Light) })
	view.Items = append(view.Items, fyne.NewMenuItemSeparator(), how, x.match, x.stars, x.north, x.grid, x.cont, x.mag, fyne.NewMenuItemSeparator(),
		item("Files panel", fyne.KeyF9, 0, func() { w.toggleSide(true) }),
		item("Panel below", fyne.KeyF8, 0, w.toggleDock),
		item("Recipe panel", fyne.KeyF10, 0, func() { w.toggleSide(false) }),
		fyne.NewMenuItemSeparator(), x.dark, x.light)
	return view
}

// update brings names, marks and what is possible up to date.
func (x *menu) update() {
	m := x.w.m
	here := x.w.spaces.shown == Deconvolve
	hasFile := here && m.File() != nil
	can, cancel, export := x.w.can()
	undo, redo := x.w.canUndo()
	for i, s := range x.spaces {
		s.Checked = Space(i) == x.w.spaces.shown
	}
	for _, s := range []struct {
		item *fyne.MenuItem
		on   bool
	}{
		{x.save, hasFile},
		{x.saveP, !x.w.project().Empty()},
		{x.close, hasFile},
		{x.run, can},
		{x.cancel, cancel},
		{x.goOn, here && m.Entry() != nil && m.Entry().CanGoOn()},
		{x.meas, hasFile},
		{x.region, hasFile},
		{x.undo, undo},
		{x.redo, redo},
		{x.delete, here && m.SelectedRegion() != 0},
		{x.saveR, here && len(m.Marked()) > 0},
		{x.header, hasFile},
		{x.goTo, hasFile},
		{x.table, here && x.isTable()},
		{x.export, export},
	} {
		s.item.Disabled = !s.on
	}
	for i, p := range viewmodel.Panes() {
		x.panes[i].Label, x.panes[i].Checked = tr.T(m.Label(p)), p == m.Pane() && hasFile
		x.panes[i].Disabled = !here || !m.Available(p)
	}
	for _, it := range append([]*fyne.MenuItem{x.match, x.stars, x.north, x.grid, x.cont, x.mag, x.how, x.draw}, x.pages...) {
		it.Disabled = !here
	}
	for i, o := range viewmodel.Compares() {
		x.ways[i].Checked = m.Halves() && string(m.Comparing()) == o.Value
	}
	for i, k := range viewer.Tools() {
		x.tools[i].Checked, x.tools[i].Disabled = x.w.view.Tool() == k, !hasFile
	}
	for k, it := range x.pages {
		it.Checked = x.w.dock.Open() && x.w.dock.Page() == k
	}
	x.grid.Checked, x.cont.Checked, x.mag.Checked = m.GridShown(), m.ContoursShown(), x.w.view.Magnifier()
	x.match.Checked, x.stars.Checked, x.north.Checked = m.Matched(), m.StarsMarked(), x.w.view.NorthUp()
	x.dark.Checked, x.light.Checked = x.w.mode == widget.Dark, x.w.mode == widget.Light
	key := ""
	var items []*fyne.MenuItem
	for _, path := range m.Store().Files {
		key += path + "\n"
		items = append(items, entry(filepath.Base(path), func() { x.w.openPaths(path) }))
	}
	x.recent.Disabled = len(items) == 0
	if key != x.files {
		x.files = key
		x.recent.ChildMenu.Items = items
	}
}

// isTable says whether the HDU chosen is a table.
func (x *menu) isTable() bool {
	f, k := x.w.m.File(), x.w.m.HDU()
	return f != nil && k >= 0 && k < len(f.HDUs) && f.HDUs[k].Role == session.RoleTable
}

// handlers of shortcuts that reach a pane instead of the menu: the driver asks the
// menu first, so there are none left.
func (w *Window) shortcut(s fyne.Shortcut) {
	if _, ok := s.(*fyne.ShortcutCopy); ok {
		w.copyPlace()
	}
}

// copyPlace puts what the status line says on the clipboard.
func (w *Window) copyPlace() {
	text := ""
	for _, t := range []string{w.stat.place.Text(), w.stat.value.Text(), w.stat.sky.Text()} {
		if t != "" {
			text += t + "  "
		}
	}
	if text != "" {
		w.app.Clipboard().SetContent(text)
	}
}
