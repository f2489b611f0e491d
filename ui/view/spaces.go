package view

import (
	"path/filepath"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"limpid"
	"limpid/ui/view/blendview"
	"limpid/ui/view/lensview"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/blend"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/learned"
	"limpid/ui/viewmodel/lensing"
	"limpid/ui/viewmodel/work"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// Space is a workspace of the window.
type Space int

// The workspaces, in the order of their tabs.
const (
	Deconvolve Space = iota
	Deblend
	MassMap
)

// spaceNames are those of the tabs.
var spaceNames = []string{"Deconvolve", "Deblend", "Mass map"}

// spaces are the workspaces beside deconvolution, made when they are first shown.
type spaces struct {
	shown  Space
	tabs   *control.Tabs
	left   *fyne.Container
	middle *fyne.Container
	right  *fyne.Container

	lens   *lensing.Model
	lensV  *lensview.View
	blend  *blend.Model
	blendV *blendview.View
	dirty  [3]bool
}

func (w *Window) newSpaces(left, middle, right fyne.CanvasObject) {
	s := &w.spaces
	s.tabs = control.NewTabs(func(i int) { w.SetSpace(Space(i)) })
	s.tabs.Set(spaceNames, 0)
	s.left, s.middle, s.right = container.NewStack(left), container.NewStack(middle), container.NewStack(right)
}

// SpaceByName finds a workspace by the name that the command line has for it.
func SpaceByName(name string) (Space, bool) {
	for i, n := range []string{"deconvolve", "deblend", "massmap"} {
		if n == name {
			return Space(i), true
		}
	}
	return Deconvolve, false
}

// OpenPaths opens files in the workspaces that they are for.
func (w *Window) OpenPaths(paths ...string) { w.openPaths(paths...) }

// Space is the workspace shown.
func (w *Window) Space() Space { return w.spaces.shown }

// Lensing and Blending are the other workspaces; nil before they were shown.
func (w *Window) Lensing() *lensing.Model { return w.spaces.lens }

// Blending is the workspace of overlapping sources; nil before it was shown.
func (w *Window) Blending() *blend.Model { return w.spaces.blend }

// SetSpace shows a workspace.
func (w *Window) SetSpace(k Space) {
	s := &w.spaces
	if k == s.shown || k < 0 || int(k) >= len(spaceNames) {
		return
	}
	if w.modal != nil {
		w.modal.close()
	}
	switch k {
	case MassMap:
		w.needLens()
	case Deblend:
		w.needBlend()
	}
	s.shown = k
	s.tabs.Set(spaceNames, int(k))
	for _, c := range []*fyne.Container{s.left, s.middle, s.right} {
		for i, o := range c.Objects {
			if Space(i) == k {
				o.Show()
			} else {
				o.Hide()
			}
		}
		c.Refresh()
	}
	w.hover = hover{}
	w.showSpace(k)
	w.menu.update()
	w.stat.update()
	w.title()
	w.focusPane()
	w.autosave()
}

// needLens makes the workspace of mass maps; the places of both are filled, so that
// objects stand in the order of the tabs.
func (w *Window) needLens() {
	s := &w.spaces
	if s.lens != nil {
		return
	}
	w.needBlend()
	s.lens = lensing.New(lensing.Options{
		Session: w.o.Session, Post: w.o.Post, Changed: func() { w.spaceChanged(MassMap) }, Fail: w.m.Tell, Opened: w.used,
	})
	s.lensV = lensview.New(s.lens, lensview.Actions{
		Open: w.openDialog, Sample: w.openShear, Browse: w.browseLens, Export: w.exportDialog, Key: w.key, Rune: w.rune, Short: w.shortcut, Hover: w.hovered, View: func() { w.stat.update() },
	})
	s.add(s.lensV.Left.Object(), s.lensV.Middle(), s.lensV.Panel.Object())
}

// browseLens looks for a file for a field of the mass map's form.
func (w *Window) browseLens(id form.ID) {
	m := w.spaces.lens
	if w.modal != nil || m.Path() == "" {
		return
	}
	w.browse(filepath.Dir(m.Path()), func(paths []string) { m.Set(id, paths[0]) })
}

func (w *Window) needBlend() {
	s := &w.spaces
	if s.blend != nil {
		return
	}
	s.blend = blend.New(blend.Options{
		Session: w.o.Session, Post: w.o.Post, Changed: func() { w.spaceChanged(Deblend) }, Fail: w.m.Tell, Opened: w.used,
	})
	s.blendV = blendview.New(s.blend, blendview.Actions{
		Open: w.openDialog, Sample: w.openBlend, Export: w.exportDialog, Key: w.key, Rune: w.rune, Short: w.shortcut, Hover: w.hovered, View: func() { w.stat.update() },
	})
	s.add(s.blendV.Left.Object(), s.blendV.Middle(), s.blendV.Panel.Object())
}

func (s *spaces) add(left, middle, right fyne.CanvasObject) {
	for _, x := range []struct {
		c *fyne.Container
		o fyne.CanvasObject
	}{{s.left, left}, {s.middle, middle}, {s.right, right}} {
		x.o.Hide()
		x.c.Add(x.o)
	}
}

// used notes a file for the list of recent ones.
func (w *Window) used(path string) {
	w.m.Store().Used(path)
	w.changed(viewmodel.Files)
}

// spaceChanged notes that a workspace is different; it is shown with everything else
// that is.
func (w *Window) spaceChanged(k Space) {
	w.spaces.dirty[k] = true
	w.changed(0)
	w.autosave()
}

func (w *Window) showSpace(k Space) {
	w.spaces.dirty[k] = false
	switch k {
	case MassMap:
		w.spaces.lensV.Update()
	case Deblend:
		w.spaces.blendV.Update()
	}
}

// updateSpaces shows what has changed in the workspace that is in sight.
func (w *Window) updateSpaces() {
	s := &w.spaces
	if s.shown == Deconvolve || !s.dirty[s.shown] {
		return
	}
	w.showSpace(s.shown)
	w.menu.update()
	w.stat.update()
	w.title()
	if w.modal != nil && w.modal.changed != nil {
		w.modal.changed()
	}
}

// active is the run under way in the workspace shown; nil: none.
func (s *spaces) active() *work.Entry {
	switch {
	case s.shown == MassMap && s.lens.Active() != nil:
		return &s.lens.Active().Entry
	case s.shown == Deblend && s.blend.Active() != nil:
		return &s.blend.Active().Entry
	}
	return nil
}

// openPaths opens files in the workspace they are for: the one shown, unless a file
// says otherwise.
func (w *Window) openPaths(paths ...string) {
	var rest []string
	for _, p := range paths {
		if strings.HasSuffix(strings.ToLower(p), ProjectSuffix) {
			w.openProject(p)
			continue
		}
		if r, ok := learned.IsReport(p); ok {
			w.calibrationDialog(p, r)
			continue
		}
		rest = append(rest, p)
	}
	if len(rest) == 0 {
		return
	}
	switch w.spaces.shown {
	case MassMap:
		w.spaces.lens.Open(rest[0])
		if len(rest) > 1 {
			w.m.Tell(limpid.Finding{Severity: limpid.Info, Code: "one", What: "a mass map is made of one catalogue: the first was opened", Advice: "join catalogues into one table first"})
		}
	case Deblend:
		w.spaces.blend.Add(rest...)
	default:
		w.m.Open(rest...)
	}
}

// openSample opens a sample in its workspace and, with run, starts its run there.
func (w *Window) openSample(s viewmodel.Sample, run bool) {
	space, _ := SpaceByName(s.Task)
	w.SetSpace(space)
	if space == Deconvolve {
		w.m.OpenSample(s, run)
		return
	}
	w.m.WriteSample(s, func(path string) {
		switch {
		case space == MassMap && run:
			w.spaces.lens.OpenAndRun(path)
		case space == MassMap:
			w.spaces.lens.Open(path)
		case run:
			w.spaces.blend.AddAndRun(path)
		default:
			w.spaces.blend.Add(path)
		}
	})
}

// RunSample opens and runs the sample of a task.
func (w *Window) RunSample(task string) {
	for _, s := range w.m.Samples() {
		if s.Task == task {
			w.openSample(s, true)
		}
	}
}

func (w *Window) openShear() { w.openTask("massmap") }
func (w *Window) openBlend() { w.openTask("deblend") }

func (w *Window) openTask(task string) {
	for _, s := range w.m.Samples() {
		if s.Task == task {
			w.openSample(s, false)
		}
	}
}

// run carries out what the workspace shown says.
func (w *Window) run() {
	switch w.spaces.shown {
	case MassMap:
		w.spaces.lens.Run()
	case Deblend:
		w.spaces.blend.Run()
	default:
		w.m.Run()
	}
}

// cancel stops the run of the workspace shown; it says whether there was one.
func (w *Window) cancel() bool {
	switch w.spaces.shown {
	case MassMap:
		return w.spaces.lens.Cancel()
	case Deblend:
		return w.spaces.blend.Cancel()
	}
	return w.m.Cancel()
}

// can says what is possible in the workspace shown.
func (w *Window) can() (run, cancel, export bool) {
	switch w.spaces.shown {
	case MassMap:
		run, _ = w.spaces.lens.CanRun()
		e := w.spaces.lens.Entry()
		return run, w.spaces.lens.Active() != nil, e != nil && e.Result != nil
	case Deblend:
		run, _ = w.spaces.blend.CanRun()
		e := w.spaces.blend.Entry()
		return run, w.spaces.blend.Active() != nil, e != nil && e.D.Result != nil && !e.Running
	}
	run, _ = w.m.CanRun()
	e := w.m.Entry()
	return run, w.m.Active() != nil, e != nil && e.Result != nil && !e.Running()
}

// read reads the image under the cursor.
func (w *Window) read(tile int, x, y float64) (viewmodel.Readout, bool) {
	switch w.spaces.shown {
	case MassMap:
		return w.spaces.lens.Board().Read(tile, x, y)
	case Deblend:
		return w.spaces.blend.Board().Read(tile, x, y)
	}
	return w.m.Read(tile, x, y)
}

// pane is the one that has the keys.
func (w *Window) pane() *widget.ImageView {
	switch w.spaces.shown {
	case MassMap:
		return w.spaces.lensV.Board.Active()
	case Deblend:
		return w.spaces.blendV.Board.Active()
	}
	return w.view.Active()
}

func (w *Window) focusPane() { w.win.Canvas().Focus(w.pane()) }

// zoom is screen pixels per image pixel; 0: nothing is shown.
func (w *Window) zoom() float64 {
	switch w.spaces.shown {
	case MassMap:
		if len(w.spaces.lens.Board().Tiles()) > 0 {
			return w.spaces.lensV.Board.Zoom()
		}
		return 0
	case Deblend:
		if len(w.spaces.blend.Board().Tiles()) > 0 {
			return w.spaces.blendV.Board.Zoom()
		}
		return 0
	}
	if t := w.m.Tiles(); len(t) > 0 && t[0].Picture != nil {
		return w.view.Zoom()
	}
	return 0
}

// spaceRune handles letters in the workspaces of mass maps and blends.
func (w *Window) spaceRune(r rune) {
	switch w.spaces.shown {
	case MassMap:
		k, _ := w.spaces.lens.SampleNumber()
		switch r {
		case ',':
			w.spaces.lens.SetSample(k - 1)
			return
		case '.':
			w.spaces.lens.SetSample(k + 1)
			return
		case 'p', 'P':
			w.spaces.lens.Play()
			return
		}
	case Deblend:
		k, _ := w.spaces.blend.Band()
		switch r {
		case '<':
			w.spaces.blend.SetBand(k - 1)
			return
		case '>':
			w.spaces.blend.SetBand(k + 1)
			return
		case 'a', 'A':
			w.spaces.blend.SetAdding(!w.spaces.blend.Adding())
			return
		case 'h', 'H':
			w.spaces.blend.Peel(w.spaces.blend.Chosen())
			return
		}
	}
	if p := w.pane(); w.win.Canvas().Focused() != fyne.Focusable(p) {
		p.TypedRune(r)
	}
}

// undoer is what can take changes back.
type undoer interface {
	Undo() bool
	Redo() bool
	CanUndo() bool
	CanRedo() bool
}

// undoer is that of the workspace shown; nil: that of deconvolution.
func (w *Window) undoer() undoer {
	switch w.spaces.shown {
	case Deblend:
		return w.spaces.blend
	case MassMap:
		return w.spaces.lens
	}
	return nil
}

func (w *Window) undo() {
	if u := w.undoer(); u != nil {
		u.Undo()
	} else {
		w.m.Undo()
	}
}

func (w *Window) redo() {
	if u := w.undoer(); u != nil {
		u.Redo()
	} else {
		w.m.Redo()
	}
}

func (w *Window) canUndo() (undo, redo bool) {
	if u := w.undoer(); u != nil {
		return u.CanUndo(), u.CanRedo()
	}
	return w.m.CanUndo(), w.m.CanRedo()
}

// busy says whether anything runs anywhere, and how many results were not exported.
func (w *Window) busy() (running bool, unsaved int) {
	running, unsaved = w.m.Active() != nil, w.m.Unsaved()
	if l := w.spaces.lens; l != nil {
		running, unsaved = running || l.Active() != nil, unsaved+l.Unsaved()
	}
	if b := w.spaces.blend; b != nil {
		running, unsaved = running || b.Active() != nil, unsaved+b.Unsaved()
	}
	return running, unsaved
}

// exporting says whether files are being written anywhere.
func (w *Window) exporting() bool {
	return w.m.Exporting().Busy || w.spaces.lens != nil && w.spaces.lens.Exporting().Busy || w.spaces.blend != nil && w.spaces.blend.Exporting().Busy
}

func (w *Window) closeSpaces() {
	if w.spaces.lens != nil {
		w.spaces.lens.Close()
	}
	if w.spaces.blend != nil {
		w.spaces.blend.Close()
	}
}
