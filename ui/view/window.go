// Package view is the window: it shows a viewmodel.Model with Fyne and turns what
// the user does into calls of it. The middle is package viewer, the right side
// package recipepanel; here are the frame around them, the list of files, menus,
// keys and dialogs.
//
// Everything here belongs to Fyne's main goroutine.
package view

import (
	"fmt"
	"path/filepath"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	fynetooltip "github.com/dweymouth/fyne-tooltip"

	"limpid/app/session"
	"limpid/assets"
	"limpid/ui/view/dock"
	"limpid/ui/view/recipepanel"
	"limpid/ui/view/viewer"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/learned"
	"limpid/ui/viewmodel/store"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// Options are what a window is made from.
type Options struct {
	Session *session.Session
	Store   *store.Store
	Theme   widget.Mode // "": as stored, else dark
	// Scale enlarges letters; 0 is 1.
	Scale float32
	// Frame is called after each picture of the first pane, for measurements.
	Frame func()
	// Recovery is the folder where the state is kept against a crash; "": nowhere.
	Recovery string
	// Post is for tests: how other goroutines get into the window. nil: fyne.Do.
	Post func(func())
}

// Window is the window.
type Window struct {
	app   fyne.App
	win   fyne.Window
	m     *viewmodel.Model
	o     Options
	mode  widget.Mode
	menu  *menu
	files *fileList
	view  *viewer.Viewer
	panel *recipepanel.Panel
	dock  *dock.Dock
	stat  *status
	notes *noticeBar
	start *startPage
	sides *control.Sides
	box   *fyne.Container // of the middle
	modal *modal          // the dialog that is open

	spaces spaces
	saving saving

	learned *learned.Model // nil before its page was opened

	dirty     viewmodel.Change
	scheduled bool
	hover     hover
	left      float32 // widths of the sides while they are hidden
	right     float32
}

// hover is the place under the cursor.
type hover struct {
	tile int
	x, y float64
	ok   bool
}

// Widths of the side columns when nothing is stored.
const (
	leftWidth  = 236
	rightWidth = 356
)

// New makes the window; Show shows it.
func New(app fyne.App, o Options) *Window {
	if o.Store == nil {
		o.Store = store.None()
	}
	if o.Post == nil {
		o.Post = func(f func()) { fyne.Do(f) } // the one way from other goroutines into the window
	}
	app.SetIcon(fyne.NewStaticResource("limpid.png", assets.Icon()))
	w := &Window{app: app, o: o}
	w.setTheme(chooseMode(o))
	w.win = app.NewWindow("Limpid")
	w.win.SetMaster()
	w.m = viewmodel.New(viewmodel.Options{
		Session: o.Session, Store: o.Store,
		Post:    o.Post,
		Changed: w.changed,
	})
	w.build()
	w.win.SetOnDropped(func(_ fyne.Position, uris []fyne.URI) { w.dropped(uris) })
	w.win.SetCloseIntercept(w.quit)
	return w
}

func chooseMode(o Options) widget.Mode {
	switch {
	case o.Theme != "":
		return o.Theme
	case o.Store.Theme == string(widget.Light):
		return widget.Light
	}
	return widget.Dark
}

// Model is what the window shows.
func (w *Window) Model() *viewmodel.Model { return w.m }

// Fyne is the window as Fyne knows it.
func (w *Window) Fyne() fyne.Window { return w.win }

func (w *Window) build() {
	keys := viewer.Keys{Key: w.key, Rune: w.rune, Shortcut: w.shortcut}
	w.files = newFileList(w)
	w.view = viewer.New(w.m, keys)
	w.view.OnHover = w.hovered
	w.view.CountFrames(w.o.Frame)
	w.view.OnView = func() { w.stat.update() }
	w.view.OnTool = func() {
		if w.menu != nil {
			w.menu.update()
		}
	}
	w.dock = w.newDock()
	w.panel = recipepanel.New(w.m, recipepanel.Actions{
		Browse: w.browseField, InView: w.useInView, Look: w.look, Export: w.exportDialog,
		Focus: func(f fyne.Focusable) { w.win.Canvas().Focus(f) },
	})
	w.stat = newStatus(w)
	w.notes = newNoticeBar(w.m)
	w.start = newStartPage(w)
	w.box = container.NewBorder(nil, w.dock.Object(), nil, nil, container.NewStack(w.view.Object(), w.start.box))
	w.left, w.right = orDefault(w.o.Store.Left, leftWidth), orDefault(w.o.Store.Right, rightWidth)
	w.newSpaces(w.files.box, w.box, w.panel.Object())
	right := container.NewBorder(control.Inset(2, 2, 2, 0, w.spaces.tabs), nil, nil, nil, w.spaces.right)
	w.sides = control.NewSides(w.left, w.right, w.spaces.left, container.NewBorder(w.notes.box, nil, nil, nil, w.spaces.middle), right)
	w.sides.Resized = func(l, r float32) {
		w.o.Store.Left, w.o.Store.Right = l, r
		w.left, w.right = orDefault(l, w.left), orDefault(r, w.right)
	}
	content := container.NewBorder(nil, w.stat.box, nil, nil, w.sides.Object())
	w.win.SetPadded(false)
	w.win.SetContent(fynetooltip.AddWindowToolTipLayer(content, w.win.Canvas()))
	w.menu = newMenu(w)
	w.win.Canvas().SetOnTypedKey(w.key)
	w.win.Canvas().SetOnTypedRune(w.rune)
	w.update(viewmodel.All)
}

func orDefault(v, d float32) float32 {
	if v < control.LeastSide || v > control.MostSide {
		return d
	}
	return v
}

// Show opens the window in the size it had last, or fitting a small screen.
func (w *Window) Show() {
	size := fyne.NewSize(1480, 920)
	if s := w.o.Store; s.Width >= 800 && s.Height >= 500 {
		size = fyne.NewSize(float32(s.Width), float32(s.Height))
	}
	w.win.Resize(size)
	w.win.Show()
	w.offerRecovery()
}

// changed notes what is different; everything noted is shown at once.
func (w *Window) changed(c viewmodel.Change) {
	w.dirty |= c
	if c&(viewmodel.Files|viewmodel.Recipe|viewmodel.Marks) != 0 {
		w.autosave()
	}
	if w.scheduled {
		return
	}
	w.scheduled = true
	fyne.Do(func() {
		c := w.dirty
		w.dirty, w.scheduled = 0, false
		w.update(c)
	})
}

func (w *Window) update(c viewmodel.Change) {
	has := func(x viewmodel.Change) bool { return c&x != 0 }
	if has(viewmodel.Files | viewmodel.Running) {
		w.files.update()
	}
	if has(viewmodel.Files) {
		w.start.update()
		w.menu.update()
	}
	if has(viewmodel.Files | viewmodel.Running) {
		w.title()
	}
	empty := len(w.m.Files()) == 0
	if empty != w.start.box.Visible() || empty == w.view.Object().Visible() {
		show(w.start.box, empty)
		show(w.view.Object(), !empty)
	}
	if has(viewmodel.View | viewmodel.Files | viewmodel.Recipe | viewmodel.Marks) {
		w.view.Update()
		w.menu.update()
		w.dock.Update()
	}
	w.panel.Update(c)
	if has(viewmodel.View | viewmodel.Running | viewmodel.Files) {
		w.stat.update()
	}
	if has(viewmodel.Notices) {
		w.notes.update()
	}
	w.updateSpaces()
	if has(viewmodel.Exports) && w.modal != nil && w.modal.changed != nil {
		w.modal.changed()
	}
	if w.modal != nil && w.modal.leaving && !w.exporting() {
		w.quit()
	}
}

func show(o fyne.CanvasObject, on bool) {
	if on {
		o.Show()
	} else {
		o.Hide()
	}
}

// title names the file and how far a run is, for a task bar and for those who
// watch the window from outside.
func (w *Window) title() {
	name := "Limpid"
	if n := w.subject(); n != "" {
		name = n + " – Limpid"
	}
	if w.spaces.shown != Deconvolve {
		if e := w.spaces.active(); e != nil {
			done, total, _ := e.Progress()
			name = fmt.Sprintf("%.0f %% · %s", 100*float64(done)/float64(max(1, total)), name)
		}
	} else if e := w.m.Active(); e != nil {
		name = fmt.Sprintf("%.0f %% · %s", 100*e.Status.Fraction(), name)
	}
	if name != w.win.Title() {
		w.win.SetTitle(name)
	}
}

// subject is what is worked on in the workspace shown.
func (w *Window) subject() string {
	switch w.spaces.shown {
	case MassMap:
		return w.spaces.lens.Name()
	case Deblend:
		if f := w.spaces.blend.Files(); len(f) > 0 {
			return filepath.Base(f[0])
		}
		return ""
	}
	if f := w.m.File(); f != nil {
		return f.Name
	}
	return ""
}

func (w *Window) hovered(tile int, x, y float64, ok bool) {
	w.hover = hover{tile, x, y, ok}
	w.stat.showPlace()
}

func (w *Window) useInView() {
	if x0, x1, y0, y1, ok := w.view.Region(); ok {
		w.m.UseRegion(x0, x1, y0, y1)
	}
}

// look shows a pixel of the file's image, in the pane of the data.
func (w *Window) look(x, y float64) {
	w.view.Look(x, y)
}

func (w *Window) setTheme(mode widget.Mode) {
	w.mode = mode
	w.app.Settings().SetTheme(widget.Theme{Mode: mode, TextScale: w.o.Scale})
}

// switchTheme changes between dark and light.
func (w *Window) switchTheme(mode widget.Mode) {
	w.o.Store.Theme = string(mode)
	w.setTheme(mode)
	w.spaces.dirty[w.spaces.shown] = true
	w.update(viewmodel.All)
	w.menu.update()
}

// toggleSide hides or shows a side column.
func (w *Window) toggleSide(left bool) {
	l, r := w.sides.Left, w.sides.Right
	flip := func(v, was float32) float32 {
		if v > 0 {
			return 0
		}
		return was
	}
	if left {
		l = flip(l, w.left)
	} else {
		r = flip(r, w.right)
	}
	w.sides.Set(l, r)
}

// quit asks before it throws work away.
func (w *Window) quit() {
	running, unsaved := w.busy()
	if w.modal != nil {
		w.modal.close()
	}
	if w.exporting() {
		w.confirmQuitLater()
		return
	}
	if !running && unsaved == 0 {
		w.close()
		return
	}
	w.confirmQuit(running, unsaved)
}

func (w *Window) close() {
	size := w.win.Canvas().Size()
	w.o.Store.Width, w.o.Store.Height = int(size.Width), int(size.Height)
	w.finishProject()
	w.closeSpaces()
	if w.learned != nil {
		w.learned.Close()
	}
	w.m.Close()
	fynetooltip.DestroyWindowToolTipLayer(w.win.Canvas())
	w.win.Close()
}

// Run keeps the window open until it is closed.
func (w *Window) Run() { w.app.Run() }
