package browse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"
)

// folder makes files in a temporary folder: names ending in / are folders.
func folder(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, n := range names {
		path := filepath.Join(dir, n)
		var err error
		if strings.HasSuffix(n, "/") {
			err = os.Mkdir(path, 0o755)
		} else {
			err = os.WriteFile(path, make([]byte, 10*(i+1)), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// open makes a browser that reads folders at once, in a window.
func open(t *testing.T, o Options) *Browser {
	t.Helper()
	test.NewTempApp(t)
	b := newBrowser(o, func(f func()) { f() })
	w := test.NewTempWindow(t, b)
	w.Resize(fyne.NewSize(900, 500))
	return b
}

func names(es []Entry) []string {
	var out []string
	for _, e := range es {
		out = append(out, e.Name)
	}
	return out
}

func TestBrowser_FirstFolder_ShowsWhatCanBeOpened(t *testing.T) {
	dir := folder(t, "img10.fits", "img2.FITS", "a.fits.gz", "b.fz", "c.reg", "d.json", "e.txt", "f.png", ".hidden.fits", "sub/", "Z.fit")
	b := open(t, Options{Dir: dir})
	want := []string{"sub", "a.fits.gz", "b.fz", "c.reg", "d.json", "e.txt", "img2.FITS", "img10.fits", "Z.fit"}
	if got := names(b.list.entries); !slices.Equal(got, want) {
		t.Errorf("%q\nexpected %q", got, want)
	}
	b.hidden, b.filter = true, Filters()[3]
	b.rearrange()
	if len(b.list.entries) != 11 {
		t.Errorf("all files, hidden too: %q", names(b.list.entries))
	}
	b.list.onSort(bySize)
	b.list.onSort(bySize)
	if got := names(b.list.entries); got[0] != "sub" || got[1] != "Z.fit" {
		t.Errorf("largest first: %q", got)
	}
}

func TestBrowser_Mouse_SelectsSeveral(t *testing.T) {
	dir := folder(t, "a.fits", "b.fits", "c.fits", "d.fits")
	var opened []string
	b := open(t, Options{Dir: dir, OnOpen: func(p []string) { opened = p }})
	now := time.Unix(0, 0)
	b.list.now = func() time.Time { return now }
	click := func(row int, mod fyne.KeyModifier) {
		now = now.Add(time.Minute)
		y := b.list.rowHeight() * (float32(row) + 1.5)
		b.list.MouseDown(&desktop.MouseEvent{
			PointEvent: fyne.PointEvent{Position: fyne.NewPos(40, y)}, Button: desktop.MouseButtonPrimary, Modifier: mod,
		})
	}
	for _, c := range []struct {
		row  int
		mod  fyne.KeyModifier
		want string
	}{
		{1, 0, "b"},
		{3, fyne.KeyModifierControl, "bd"},
		{1, fyne.KeyModifierControl, "d"},
		{0, 0, "a"},
		{2, fyne.KeyModifierShift, "abc"},
		{1, fyne.KeyModifierShift, "ab"},
		{9, 0, "ab"},
	} {
		click(c.row, c.mod)
		got := strings.ReplaceAll(strings.Join(names(b.list.chosen()), ""), ".fits", "")
		if got != c.want {
			t.Errorf("row %d with %d: %q selected, expected %q", c.row, c.mod, got, c.want)
		}
	}
	if b.status.Text != "2 files, 30 B" {
		t.Errorf("status %q", b.status.Text)
	}
	test.Tap(b.open)
	if len(opened) != 2 || opened[1] != filepath.Join(dir, "b.fits") {
		t.Errorf("opened %q", opened)
	}
	click(2, 0)
	now = now.Add(-time.Minute + 100*time.Millisecond)
	click(2, 0)
	if len(opened) != 1 || !strings.HasSuffix(opened[0], "c.fits") {
		t.Errorf("a double click opened %q", opened)
	}
}

func TestBrowser_Keyboard_DoesEverything(t *testing.T) {
	dir := folder(t, "sub/", "alpha.fits", "beta.fits", "bravo.fits", "zeta.fits")
	if err := os.WriteFile(filepath.Join(dir, "sub", "inner.fits"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var opened []string
	cancelled := 0
	b := open(t, Options{Dir: dir, OnOpen: func(p []string) { opened = p }, OnCancel: func() { cancelled++ }})
	now := time.Unix(0, 0)
	b.list.now = func() time.Time { return now }
	key := func(n fyne.KeyName) { b.list.TypedKey(&fyne.KeyEvent{Name: n}) }
	key(fyne.KeyDown)
	key(fyne.KeyReturn)
	if b.Dir() != filepath.Join(dir, "sub") || !slices.Equal(names(b.list.entries), []string{"inner.fits"}) {
		t.Fatalf("Return on a folder: in %s with %q", b.Dir(), names(b.list.entries))
	}
	key(fyne.KeyBackspace)
	if got := names(b.list.chosen()); b.Dir() != dir || !slices.Equal(got, []string{"sub"}) {
		t.Fatalf("Backspace: in %s with %q selected", b.Dir(), got)
	}
	b.list.TypedRune('b')
	b.list.TypedRune('r')
	if got := names(b.list.chosen()); !slices.Equal(got, []string{"bravo.fits"}) {
		t.Errorf("typing br selects %q", got)
	}
	now = now.Add(5 * time.Second)
	b.list.TypedRune('b') // the next one with b, from the start again
	if got := names(b.list.chosen()); !slices.Equal(got, []string{"beta.fits"}) {
		t.Errorf("typing b selects %q", got)
	}
	key(fyne.KeyEnd)
	key(fyne.KeyUp)
	key(fyne.KeySpace)
	key(fyne.KeySpace)
	key(fyne.KeyReturn)
	if len(opened) != 1 || !strings.HasSuffix(opened[0], "bravo.fits") {
		t.Errorf("opened %q", opened)
	}
	b.list.TypedShortcut(&fyne.ShortcutSelectAll{})
	key(fyne.KeyEnter)
	if len(opened) != 4 {
		t.Errorf("Ctrl+A, Return opened %q", opened)
	}
	key(fyne.KeyEscape)
	b.path.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if cancelled != 2 {
		t.Errorf("Escape cancelled %d times", cancelled)
	}
}

func TestBrowser_TypedPath_GoesOrOpensOrExplains(t *testing.T) {
	dir := folder(t, "sub/", "a.fits")
	var opened []string
	b := open(t, Options{Dir: dir, OnOpen: func(p []string) { opened = p }})
	b.submit("sub")
	if b.Dir() != filepath.Join(dir, "sub") || b.path.Text != b.Dir() {
		t.Errorf("in %s, line %q", b.Dir(), b.path.Text)
	}
	b.submit("../a.fits")
	if len(opened) != 1 || opened[0] != filepath.Join(dir, "a.fits") {
		t.Errorf("opened %q", opened)
	}
	b.submit("nothing/here")
	if !strings.HasPrefix(b.status.Text, "There is no ") || b.Dir() != filepath.Join(dir, "sub") {
		t.Errorf("status %q in %s", b.status.Text, b.Dir())
	}
	if home, err := os.UserHomeDir(); err == nil && expand("~/x", dir) != filepath.Join(home, "x") {
		t.Errorf("~/x is %s", expand("~/x", dir))
	}
}

func TestBrowser_UnreadableFolder_KeepsTheOldOne(t *testing.T) {
	dir := folder(t, "a.fits")
	b := open(t, Options{Dir: dir, List: func(d string) ([]Entry, error) {
		if d == dir {
			return ReadFolder(d)
		}
		return nil, fmt.Errorf("open: %w", fs.ErrPermission)
	}})
	b.Go("/secret")
	if b.Dir() != dir || len(b.list.entries) != 1 || b.status.Text != "You may not read /secret" {
		t.Errorf("in %s, %d entries, %q", b.Dir(), len(b.list.entries), b.status.Text)
	}
}

func TestBrowser_SlowFolder_DoesNotReplaceALaterOne(t *testing.T) {
	dir := folder(t, "a.fits")
	b := open(t, Options{Dir: dir})
	var late func()
	b.spawn = func(f func()) { late = f }
	b.o.List = func(string) ([]Entry, error) { return nil, errors.New("late") }
	b.Go("/slow")
	b.spawn = func(f func()) { f() }
	b.o.List = ReadFolder
	b.Go(dir)
	late()
	if b.Dir() != dir || strings.Contains(b.status.Text, "late") {
		t.Errorf("in %s: %q", b.Dir(), b.status.Text)
	}
}

func TestBrowser_Preview_IsOfTheLastFileAndNotStale(t *testing.T) {
	dir := folder(t, "a.fits", "b.fits", "sub/")
	shows := map[string]func(fyne.CanvasObject){}
	b := open(t, Options{Dir: dir, Preview: func(p string, show func(fyne.CanvasObject)) { shows[filepath.Base(p)] = show }})
	b.list.pick(1, false, false)
	b.list.pick(2, true, false)
	shows["a.fits"](widget.NewLabel("a"))
	if len(b.look.Objects) != 0 {
		t.Error("a late preview of another file is shown")
	}
	shows["b.fits"](widget.NewLabel("b"))
	if len(b.look.Objects) != 1 {
		t.Error("no preview")
	}
	b.list.pick(0, false, false) // the folder
	if len(b.look.Objects) != 0 {
		t.Error("a folder has no preview")
	}
}

func TestList_ManyEntries_HasObjectsForThoseInSightOnly(t *testing.T) {
	var es []Entry
	for i := range 50000 {
		es = append(es, Entry{Name: fmt.Sprintf("f%05d.fits", i), Path: fmt.Sprint(i)})
	}
	b := open(t, Options{Dir: "/x", List: func(string) ([]Entry, error) { return es, nil }})
	l := b.list
	l.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEnd})
	if n := len(l.shown.rows); n > 40 || l.chosen()[0].Name != "f49999.fits" {
		t.Errorf("%d rows of objects, %v selected", n, l.chosen())
	}
	if last := l.shown.rows[l.shown.shown-1]; last.name.Text != "f49999.fits" {
		t.Errorf("the last row in sight is %q", last.name.Text)
	}
	l.Scrolled(&fyne.ScrollEvent{Scrolled: fyne.NewDelta(0, 1e7)})
	if first := l.shown.rows[0]; first.name.Text != "f00000.fits" {
		t.Errorf("scrolled to the top: %q", first.name.Text)
	}
	for _, p := range l.shown.rows[:l.shown.shown] {
		if y := p.plate.Position().Y; y+p.plate.Size().Height > l.Size().Height || y < l.rowHeight()-1 {
			t.Errorf("a row at %g sticks out of a list %g high", y, l.Size().Height)
		}
	}
}

func TestShow_OverAWindow_ClosesBeforeItReports(t *testing.T) {
	test.NewTempApp(t)
	w := test.NewTempWindow(t, widget.NewLabel("app"))
	w.Resize(fyne.NewSize(1000, 700))
	closed := false
	b := show(Options{Dir: folder(t, "a.fits"), OnCancel: func() { closed = w.Canvas().Overlays().Top() == nil }}, w, func(f func()) { f() })
	if w.Canvas().Overlays().Top() == nil || w.Canvas().Focused() != fyne.Focusable(b.list) {
		t.Error("the browser is not on top with the keyboard on its list")
	}
	b.list.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if !closed {
		t.Error("Escape did not close the browser")
	}
}

func TestNatural_NumbersAndCase_SortAsPeopleDo(t *testing.T) {
	in := []string{"img10", "Img2", "img2a", "img002", "b", "A", "img2"}
	slices.SortFunc(in, natural)
	want := []string{"A", "b", "Img2", "img002", "img2", "img2a", "img10"}
	if !slices.Equal(in, want) {
		t.Errorf("%q, expected %q", in, want)
	}
}

func TestSizeText_AnySize_IsShort(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 67111936: "67.1 MB", 999_600_000: "1.0 GB", 5e15: "5000 TB"} {
		if got := sizeText(n); got != want {
			t.Errorf("%d is %q, expected %q", n, got, want)
		}
	}
}

func TestRemember_KnownFolder_MovesToTheFront(t *testing.T) {
	if got := Remember([]string{"/a", "/b", "/c"}, "/b", 3); !slices.Equal(got, []string{"/b", "/a", "/c"}) {
		t.Errorf("%q", got)
	}
	if got := Remember([]string{"/a", "/b"}, "/n", 2); !slices.Equal(got, []string{"/n", "/a"}) {
		t.Errorf("%q", got)
	}
}
