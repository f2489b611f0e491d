package view

import (
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"limpid/app/session"
	"limpid/assets"
	"limpid/engine/cpu"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/store"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// bench is a window in Fyne's test driver; what other goroutines post waits until
// the test pumps it.
type bench struct {
	*Window
	ses    *session.Session
	t      *testing.T
	posted chan func()
}

// patience is how long anything may take on a busy machine.
const patience = 240 * time.Second

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dev := cpu.New(cpu.Options{Workers: 1})
	ses := session.New(dev)
	b := &bench{t: t, ses: ses, posted: make(chan func(), 10000)}
	app := test.NewTempApp(t)
	// Fyne's cache reads the clock when something is painted. After a minute without, what is
	// made next would count as out of use at its first picture, and lose its renderers.
	test.NewTempWindow(t, canvas.NewRectangle(color.Black)).Canvas().Capture()
	b.Window = New(app, Options{
		Session: ses, Store: store.OpenFile(filepath.Join(t.TempDir(), "window.json")),
		Post: func(f func()) { b.posted <- f },
	})
	b.win.Resize(fyne.NewSize(1600, 1000))
	t.Cleanup(func() {
		b.closeSpaces()
		b.m.Close()
		ses.Close()
		dev.Close()
	})
	return b
}

func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	end := time.After(patience)
	for !cond() {
		select {
		case f := <-b.posted:
			f()
		case <-time.After(50 * time.Millisecond):
		case <-end:
			b.t.Fatalf("waited for %s; notices %v", what, b.m.Notices())
		}
	}
}

func (b *bench) galaxy() string {
	b.t.Helper()
	data, err := assets.ReadSample(assets.Samples()[0].File)
	if err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(b.t.TempDir(), "galaxy.fits.gz")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// opened is a window with the galaxy shown and measured.
func opened(t *testing.T) *bench {
	b := newBench(t)
	b.Drop(b.galaxy())
	b.until("picture and measurement", func() bool {
		s := b.m.Steps()
		return len(s) == 5 && s[0].Level >= viewmodel.Fine && len(b.m.Tiles()) == 1 && b.m.Tiles()[0].Picture != nil
	})
	return b
}

// finished is one with a small result.
func finished(t *testing.T) *bench {
	b := opened(t)
	b.m.Set(form.Cutout, "60:124,60:124")
	b.m.Set(form.Samples, "4")
	b.m.Run()
	b.until("the run", func() bool { return b.m.Active() == nil && b.m.Entry().Result != nil })
	b.until("pictures", func() bool { return b.m.Tiles()[len(b.m.Tiles())-1].Picture != nil })
	return b
}

// texts collects what an object and those in it say.
func texts(o fyne.CanvasObject, visible bool) []string {
	if visible && !o.Visible() {
		return nil
	}
	var out []string
	switch x := o.(type) {
	case *control.Text:
		return []string{x.Text()}
	case *control.Button:
		return []string{x.Text}
	case *container.Scroll:
		return texts(x.Content, visible)
	case *fyne.Container:
		for _, c := range x.Objects {
			out = append(out, texts(c, visible)...)
		}
	case fyne.Widget:
		for _, c := range test.WidgetRenderer(x).Objects() {
			out = append(out, texts(c, visible)...)
		}
	}
	return out
}

func (b *bench) says(o fyne.CanvasObject, want string) bool {
	return strings.Contains(strings.Join(texts(o, true), "\n"), want)
}

func TestWindow_Empty_ShowsWhereToBegin(t *testing.T) {
	b := newBench(t)
	if !b.start.box.Visible() || b.view.Object().Visible() {
		t.Error("the start page is not shown")
	}
	for _, want := range []string{"Drop files here", "Open …", "Blurred spiral galaxy", "Open and run"} {
		if !b.says(b.start.box, want) {
			t.Errorf("the start page does not say %q", want)
		}
	}
	if !b.says(b.panel.Object(), "How a point of light was blurred") {
		t.Error("the recipe panel does not say what its steps are")
	}
}

func TestWindow_Dropped_ShowsImageListAndVerdicts(t *testing.T) {
	b := opened(t)
	if b.start.box.Visible() || !b.view.Object().Visible() {
		t.Error("the start page still covers the image")
	}
	if len(b.files.lines) != 5 || b.win.Title() != "galaxy.fits.gz – Limpid" {
		t.Errorf("%d lines in the list, title %q", len(b.files.lines), b.win.Title())
	}
	for _, want := range []string{"SCI 192×192 px, 0.2″/px, adu", "FWHM 3.6 px", "σ 4.6 adu from HDU 1"} {
		if !b.says(b.panel.Object(), want) {
			t.Errorf("the recipe does not say %q: %q", want, texts(b.panel.Object(), true))
		}
	}
	b.view.OnHover(0, 95, 96, true)
	if place := b.stat.place.Text(); place != "x 96.0  y 97.0" {
		t.Errorf("place %q", place)
	}
	if v := b.stat.value.Text(); !strings.Contains(v, "±") || !strings.Contains(v, "adu") || b.stat.sky.Text() == "" {
		t.Errorf("value %q, sky %q", v, b.stat.sky.Text())
	}
	b.view.OnHover(0, 0, 0, false)
	if b.stat.place.Text() != "" {
		t.Error("a place is shown with the cursor nowhere")
	}
}

func TestWindow_BadFile_IsSaidAndDismissed(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "page.fits")
	if err := os.WriteFile(path, []byte("<!DOCTYPE html><html></html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.Drop(path)
	b.until("the notice", func() bool { return len(b.m.Notices()) == 1 })
	if !b.says(b.notes.box, "page.fits") || !b.says(b.notes.box, "web page") {
		t.Errorf("the notice says %q", texts(b.notes.box, true))
	}
	b.key(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if len(b.notes.box.Objects) != 0 {
		t.Error("Escape did not dismiss it")
	}
}

func TestWindow_Result_IsSummarised(t *testing.T) {
	b := finished(t)
	for _, want := range []string{"finished: 4 samples", "χ²/pixel of samples", "posterior samples", "Export …"} {
		if !b.says(b.panel.Object(), want) && !b.says(b.panel.Object(), strings.ToUpper(want[:1])+want[1:]) {
			t.Errorf("the result does not say %q: %q", want, texts(b.panel.Object(), true))
		}
	}
	b.m.SetPane(viewmodel.PaneDataMean) // two pictures, and how they are compared
	if need := b.win.Content().MinSize(); need.Width > 1280 || need.Height > 800 {
		t.Errorf("the window needs %v, more than a screen of 1280×800", need)
	}
}

// items lists the items of a menu and those below them.
func items(list []*fyne.MenuItem) []*fyne.MenuItem {
	var out []*fyne.MenuItem
	for _, i := range list {
		if i.IsSeparator {
			continue
		}
		if i.ChildMenu != nil {
			out = append(out, items(i.ChildMenu.Items)...)
			continue
		}
		out = append(out, i)
	}
	return out
}

func TestMenu_EveryItemAndShortcut_DoesSomething(t *testing.T) {
	b := finished(t)
	seen := map[string]string{}
	for _, menu := range b.menu.main.Items {
		for _, i := range items(menu.Items) {
			if i.Label == "" || i.Action == nil {
				t.Errorf("menu %s has a dead item %q", menu.Label, i.Label)
				continue
			}
			if s, ok := i.Shortcut.(*desktop.CustomShortcut); ok {
				key := s.ShortcutName()
				if other := seen[key]; other != "" {
					t.Errorf("%q and %q have the same shortcut %s", other, i.Label, key)
				}
				seen[key] = i.Label
			}
			if i.Disabled || i.IsQuit || strings.Contains(i.Label, "open") || strings.HasPrefix(i.Label, "galaxy") || strings.HasPrefix(i.Label, "Close") {
				continue // opening and closing are tested by themselves
			}
			i.Action()
			if b.modal != nil {
				b.key(&fyne.KeyEvent{Name: fyne.KeyEscape})
				if b.modal != nil {
					t.Errorf("Escape does not close what %q opened", i.Label)
				}
			}
			if b.m.Active() != nil {
				b.m.Cancel()
				b.until("the run to end", func() bool { return b.m.Active() == nil })
			}
		}
	}
	if len(seen) < 16 {
		t.Errorf("only %d shortcuts", len(seen))
	}
}

func TestKeys_InPane_ReachTheWindow(t *testing.T) {
	b := finished(t)
	p := b.view.Active()
	b.m.SetPane(viewmodel.PaneData)
	p.TypedRune('b')
	if b.m.Pane() != viewmodel.PaneMean {
		t.Errorf("b shows pane %v", b.m.Pane())
	}
	b.rune('.')
	if k, _ := b.m.SampleNumber(); k != 1 {
		t.Errorf(". shows sample %d", k)
	}
	b.rune('s')
	if b.m.StarsMarked() {
		t.Error("s did not hide the stars")
	}
	b.rune('n')
	if !b.view.NorthUp() {
		t.Error("n did not turn north up")
	}
	p.TypedKey(&fyne.KeyEvent{Name: fyne.KeyF1})
	if b.modal == nil {
		t.Fatal("F1 shows nothing")
	}
	b.rune('b')
	if b.m.Pane() != viewmodel.PaneMean {
		t.Error("a letter went behind the dialog")
	}
	b.key(&fyne.KeyEvent{Name: fyne.KeyEscape})
	b.key(&fyne.KeyEvent{Name: fyne.KeyDelete})
	if b.m.Entry() != nil || len(b.m.File().Results) != 0 {
		t.Error("Delete did not take the result off")
	}
}

func TestExportDialog_BadFolder_CannotExport(t *testing.T) {
	b := finished(t)
	b.exportDialog()
	if b.modal == nil {
		t.Fatal("no dialog")
	}
	if !b.says(b.modal.pop.Content, "galaxy-posterior.fits") {
		t.Errorf("says %q", texts(b.modal.pop.Content, true))
	}
	e := b.win.Canvas().Focused().(*control.Entry)
	e.SetText("no-ending")
	e.OnSubmitted(e.Text)
	if !b.says(b.modal.pop.Content, "must end in .fits") {
		t.Errorf("says %q", texts(b.modal.pop.Content, true))
	}
	e.SetText("good.fits")
	e.OnSubmitted(e.Text)
	b.until("the export", func() bool { return !b.m.Exporting().Busy })
	if !b.says(b.modal.pop.Content, "good.fits") || !b.says(b.modal.pop.Content, "Wrote") {
		t.Errorf("says %q", texts(b.modal.pop.Content, true))
	}
}

func TestQuit_UnsavedResult_Asks(t *testing.T) {
	b := finished(t)
	b.quit()
	if b.modal == nil || !b.says(b.modal.pop.Content, "not exported") {
		t.Fatal("quits without a question")
	}
	b.key(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if b.modal != nil {
		t.Error("Escape does not stay")
	}
}

func TestQuit_DuringAnExport_WaitsForItsFiles(t *testing.T) {
	b := finished(t)
	e := b.m.Entry()
	p := b.m.Plan(e)
	p.Dir = t.TempDir()
	b.m.Export(e, p)
	b.quit()
	if b.modal == nil || b.says(b.modal.pop.Content, "not exported") || !b.says(b.modal.pop.Content, "under way") {
		t.Fatal("does not say that an export is under way")
	}
	b.key(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if b.modal != nil {
		t.Fatal("Escape does not stay")
	}
	b.until("the export", func() bool { return !b.exporting() })
	b.m.Export(e, p)
	b.quit()
	closed := false
	b.win.SetOnClosed(func() { closed = true })
	b.until("the window to close", func() bool { return closed })
	if len(e.Written) == 0 || b.modal != nil {
		t.Errorf("closed with %d files written, dialog %v", len(e.Written), b.modal != nil)
	}
}

func TestGoOn_CancelledRun_IsOfferedBesideItsResult(t *testing.T) {
	b := opened(t)
	b.ses.KeepStates(session.StatesOfStopped)
	b.m.Set(form.Cutout, "60:124,60:124")
	b.m.Set(form.Samples, "150")
	b.m.Run()
	e := b.m.Active()
	offered := func() bool { return slices.Contains(texts(b.panel.Object(), true), "Go on") }
	b.until("a few samples", func() bool { return e.Result != nil && e.Result.Draws > 3 })
	if offered() || !b.menu.goOn.Disabled {
		t.Error("offered while it runs")
	}
	b.m.Cancel()
	b.until("the run to end", func() bool { return b.m.Active() == nil })
	if !offered() || b.menu.goOn.Disabled {
		t.Fatalf("not offered after it was cancelled: %q", texts(b.panel.Object(), true))
	}
	b.menu.goOn.Action()
	if b.m.Active() != e || offered() {
		t.Fatal("does not go on")
	}
	b.until("the run to end", func() bool { return b.m.Active() == nil })
	if offered() || !b.menu.goOn.Disabled || e.Result.Draws != 150 {
		t.Errorf("offered after it ended: %v; %d samples", offered(), e.Result.Draws)
	}
}

func TestTheme_Switched_IsRemembered(t *testing.T) {
	b := newBench(t)
	b.switchTheme(widget.Light)
	if b.o.Store.Theme != "light" || chooseMode(b.o) != widget.Light {
		t.Errorf("stored %q", b.o.Store.Theme)
	}
}

func TestSides_Toggled_ComeBackAsWide(t *testing.T) {
	b := newBench(t)
	l, r := b.sides.Left, b.sides.Right
	b.key(&fyne.KeyEvent{Name: fyne.KeyF9})
	b.key(&fyne.KeyEvent{Name: fyne.KeyF10})
	if b.sides.Left != 0 || b.sides.Right != 0 {
		t.Error("not hidden")
	}
	b.key(&fyne.KeyEvent{Name: fyne.KeyF9})
	b.key(&fyne.KeyEvent{Name: fyne.KeyF10})
	if b.sides.Left != l || b.sides.Right != r {
		t.Errorf("came back as %g and %g", b.sides.Left, b.sides.Right)
	}
}

func TestSpace_Another_SaysNothingOfTheOneBefore(t *testing.T) {
	b := finished(t)
	b.win.Canvas().Capture()
	b.hovered(0, 20, 20, true)
	if b.stat.value.Text() == "" || !strings.Contains(b.stat.idle.Text(), "finished") {
		t.Fatalf("the line below says %q, %q", b.stat.value.Text(), b.stat.idle.Text())
	}
	b.SetSpace(Deblend)
	if b.stat.place.Text()+b.stat.value.Text()+b.stat.sky.Text()+b.stat.zoom.Text() != "" || b.stat.idle.Text() != b.m.Device() {
		t.Errorf("without an image it says %q, %q, %q, %q", b.stat.place.Text(), b.stat.value.Text(), b.stat.zoom.Text(), b.stat.idle.Text())
	}
	b.SetSpace(Deconvolve)
	if !strings.Contains(b.stat.idle.Text(), "finished") || b.stat.zoom.Text() == "" {
		t.Errorf("back again it says %q, %q", b.stat.idle.Text(), b.stat.zoom.Text())
	}
}

func TestCutout_WhatIsInView_BecomesTheRecipes(t *testing.T) {
	b := opened(t)
	drawn := func(what string) { // panes have a size once they are drawn
		for end := time.Now().Add(patience); ; {
			b.win.Canvas().Capture()
			x0, x1, _, _, ok := b.view.Region()
			if ok && (what == "all" || x1-x0 < 192) {
				return
			}
			if time.Now().After(end) {
				p := b.view.Active()
				t.Fatalf("%s is not drawn: region %d to %d (%v), pane %v of %v, shown %v, message %q, tiles %d", what, x0, x1, ok, p.Size(), b.win.Canvas().Size(), p.Visible(), p.Message(), len(b.m.Tiles()))
			}
			b.until("more", func() bool { return len(b.posted) == 0 })
		}
	}
	drawn("all")
	b.view.Active().ZoomBy(1)
	b.view.Active().ZoomBy(1)
	drawn("a part")
	b.useInView()
	r, _ := b.m.Draft()
	if c := r.Input.Cutout; c == nil || c[1]-c[0] >= 192 || c[0] < 0 || c[1] > 192 {
		t.Errorf("cut-out %v", r.Input.Cutout)
	}
}
