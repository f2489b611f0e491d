package browse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"limpid/ui/widget/tr"
)

// Options are what a browser needs to know.
type Options struct {
	Dir    string   // to begin with; empty: the first of Recent, else the working folder
	Recent []string // folders used before, the latest first
	// List reads a folder; nil is ReadFolder. It is called on other goroutines.
	List func(dir string) ([]Entry, error)
	// Preview is called on the main goroutine for the file selected last. It may
	// call show at once, or later on the main goroutine; a late answer about a file that
	// is not selected any more is ignored. May be nil.
	Preview func(path string, show func(fyne.CanvasObject))
	// OnOpen gets the chosen files, OnCancel is called when there are to be none.
	OnOpen   func(paths []string)
	OnCancel func()
	// Post brings what other goroutines found to the main one; nil is fyne.Do.
	Post func(func())
}

// Browser is the content of an open dialog.
type Browser struct {
	widget.BaseWidget
	o       Options
	dir     string
	all     []Entry
	filter  Filter
	hidden  bool
	by      column
	down    bool
	reading int // counts folders asked for: late answers are dropped
	looking int // counts previews, likewise
	preview string
	spawn   func(func())

	path    *pathEntry
	list    *list
	status  *widget.Label
	open    *widget.Button
	look    *fyne.Container
	content fyne.CanvasObject
}

// New makes a browser and begins to read its first folder.
func New(o Options) *Browser { return newBrowser(o, func(f func()) { go f() }) }

func newBrowser(o Options, spawn func(func())) *Browser {
	if o.Post == nil {
		o.Post = func(f func()) { fyne.Do(f) }
	}
	if o.List == nil {
		o.List = ReadFolder
	}
	b := &Browser{o: o, filter: Filters()[0], spawn: spawn}
	b.ExtendBaseWidget(b)
	b.build()
	dir := o.Dir
	if dir == "" && len(o.Recent) > 0 {
		dir = o.Recent[0]
	}
	if dir == "" {
		if wd, err := os.Getwd(); err == nil {
			dir = wd
		}
	}
	b.Go(expand(dir, "."))
	return b
}

// pathEntry is the line for a path; Down goes to the list, Escape cancels.
type pathEntry struct {
	widget.Entry
	onDown, onEscape func()
}

func (e *pathEntry) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyDown:
		call(e.onDown)
	case fyne.KeyEscape:
		call(e.onEscape)
	default:
		e.Entry.TypedKey(ev)
	}
}

func (b *Browser) build() {
	b.path = &pathEntry{onDown: b.focusList, onEscape: b.cancel}
	b.path.ExtendBaseWidget(b.path)
	b.path.OnSubmitted = b.submit
	up := widget.NewButtonWithIcon("", theme.MoveUpIcon(), b.Up)
	b.list = newList()
	b.list.onSelect, b.list.onOpen, b.list.onUp = b.selected, b.openChosen, b.Up
	b.list.onCancel = b.cancel
	b.list.onSort = func(by column) {
		b.down = b.by == by && !b.down
		b.by = by
		b.rearrange()
	}
	b.status = widget.NewLabel("")
	b.status.Truncation = fyne.TextTruncateEllipsis
	b.open = widget.NewButton(tr.T("Open"), b.openChosen)
	b.open.Importance = widget.HighImportance
	cancel := widget.NewButton(tr.T("Cancel"), b.cancel)
	var names []string
	for _, f := range Filters() {
		names = append(names, tr.T(f.Name))
	}
	filter := widget.NewSelect(names, nil)
	filter.SetSelectedIndex(0)
	filter.OnChanged = func(string) {
		b.filter = Filters()[filter.SelectedIndex()]
		b.rearrange()
	}
	hidden := widget.NewCheck(tr.T("Hidden"), func(on bool) {
		b.hidden = on
		b.rearrange()
	})
	b.look = container.NewStack()
	top := container.NewBorder(nil, nil, up, nil, b.path)
	bottom := container.NewBorder(nil, nil, container.NewHBox(container.NewStack(fixedWidth{widget.NewLabel(""), 210}.object(), filter), hidden), container.NewHBox(cancel, b.open), b.status)
	middle := container.NewBorder(nil, nil, b.places(), b.side(), b.list)
	b.content = container.NewBorder(top, bottom, nil, nil, container.NewPadded(middle))
}

// places are the folders at the left.
func (b *Browser) places() fyne.CanvasObject {
	box := container.New(layout.NewCustomPaddedVBoxLayout(0))
	add := func(name, dir string, icon fyne.Resource) {
		button := widget.NewButtonWithIcon(shorten(name, 126, theme.TextSize()), icon, func() { b.Go(dir) })
		button.Alignment, button.Importance = widget.ButtonAlignLeading, widget.LowImportance
		box.Add(button)
	}
	if home, err := os.UserHomeDir(); err == nil {
		add(tr.T("Home"), home, theme.HomeIcon())
	}
	if wd, err := os.Getwd(); err == nil {
		add(tr.T("Working folder"), wd, theme.ComputerIcon())
	}
	if len(b.o.Recent) > 0 {
		head := widget.NewLabel(tr.T("Recent"))
		head.Importance = widget.LowImportance
		box.Add(head)
	}
	for i, dir := range b.o.Recent {
		if i == 12 {
			break
		}
		add(filepath.Base(dir), dir, theme.FolderIcon())
	}
	wide := widget.NewLabel("")
	return container.NewStack(fixedWidth{wide, 176}.object(), container.NewVScroll(box))
}

// say puts a text into the line below the list.
func (b *Browser) say(text string) { b.status.SetText(tr.T(text)) }

// side is the preview's place; without a preview there is none.
func (b *Browser) side() fyne.CanvasObject {
	if b.o.Preview == nil {
		return nil
	}
	return container.NewStack(fixedWidth{widget.NewLabel(""), 260}.object(), b.look)
}

// fixedWidth is a spacer.
type fixedWidth struct {
	o fyne.CanvasObject
	w float32
}

func (f fixedWidth) object() fyne.CanvasObject {
	return container.New(layout.NewGridWrapLayout(fyne.NewSize(f.w, 1)), f.o)
}

// CreateRenderer is called by Fyne.
func (b *Browser) CreateRenderer() fyne.WidgetRenderer { return widget.NewSimpleRenderer(b.content) }

// Dir is the folder shown.
func (b *Browser) Dir() string { return b.dir }

// Go shows another folder. Until it has been read the old one stays; if it cannot
// be read the status line says why.
func (b *Browser) Go(dir string) { b.goTo(dir, nil) }

func (b *Browser) goTo(dir string, then func()) {
	b.reading++
	ticket := b.reading
	b.say("Reading " + dir + " …")
	b.spawn(func() {
		entries, err := b.o.List(dir)
		b.o.Post(func() {
			if ticket != b.reading {
				return
			}
			if err != nil {
				b.say(reason(dir, err))
				return
			}
			if dir != b.dir {
				b.list.reset()
			}
			b.dir, b.all = dir, entries
			b.path.SetText(dir)
			b.rearrange()
			call(then)
		})
	})
}

// reason says in words why a folder cannot be shown.
func reason(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "There is no " + path
	case errors.Is(err, fs.ErrPermission):
		return "You may not read " + path
	}
	return fmt.Sprintf("%s: %v", path, err)
}

// Up shows the folder above, with the one left selected.
func (b *Browser) Up() {
	from := b.dir
	if above := filepath.Dir(from); above != from {
		b.goTo(above, func() {
			for i, e := range b.list.entries {
				if e.Path == from {
					b.list.pick(i, false, false)
				}
			}
		})
	}
}

func (b *Browser) rearrange() {
	b.list.setEntries(arrange(b.all, b.filter, b.hidden, b.by, b.down), b.by, b.down)
}

// submit is Return in the path line: a folder to go to, or a file to open.
func (b *Browser) submit(typed string) {
	path := expand(typed, b.dir)
	b.reading++
	ticket := b.reading
	b.spawn(func() {
		info, err := os.Stat(path)
		b.o.Post(func() {
			switch {
			case ticket != b.reading:
			case err != nil:
				b.say(reason(path, err))
			case info.IsDir():
				b.goTo(path, b.focusList)
			default:
				b.finish([]string{path})
			}
		})
	})
}

func (b *Browser) focusList() {
	if c := fyne.CurrentApp().Driver().CanvasForObject(b.list); c != nil {
		c.Focus(b.list)
	}
}

// selected follows the selection: status line, button and preview.
func (b *Browser) selected() {
	var files int
	var size int64
	chosen := b.list.chosen()
	for _, e := range chosen {
		if !e.Folder {
			files++
			size += e.Size
		}
	}
	switch {
	case files == 1:
		b.say("1 file, " + sizeText(size))
	case files > 1:
		b.say(fmt.Sprintf("%d files, %s", files, sizeText(size)))
	case len(b.list.entries) == 0 && len(b.all) > 0:
		b.say(fmt.Sprintf("None of the %d files here matches %q", len(b.all), b.filter.Name))
	case len(b.list.entries) == 0:
		b.say("This folder is empty")
	default:
		b.say(fmt.Sprintf("%d entries", len(b.list.entries)))
	}
	if files > 0 || len(chosen) == 1 {
		b.open.Enable()
	} else {
		b.open.Disable()
	}
	b.showPreview(chosen)
}

func (b *Browser) showPreview(chosen []Entry) {
	if b.o.Preview == nil {
		return
	}
	path := ""
	for _, e := range chosen {
		if !e.Folder && (path == "" || b.list.cursor < len(b.list.entries) && e.Path == b.list.entries[b.list.cursor].Path) {
			path = e.Path
		}
	}
	if path == b.preview {
		return
	}
	b.preview = path
	b.looking++
	ticket := b.looking
	b.setPreview(nil)
	if path == "" {
		return
	}
	b.o.Preview(path, func(o fyne.CanvasObject) {
		if ticket == b.looking {
			b.setPreview(o)
		}
	})
}

func (b *Browser) setPreview(o fyne.CanvasObject) {
	b.look.Objects = nil
	if o != nil {
		b.look.Objects = []fyne.CanvasObject{o}
	}
	b.look.Refresh()
}

// openChosen opens the files selected, or goes into the one folder selected.
func (b *Browser) openChosen() {
	chosen := b.list.chosen()
	if len(chosen) == 1 && chosen[0].Folder {
		b.Go(chosen[0].Path)
		return
	}
	var paths []string
	for _, e := range chosen {
		if !e.Folder {
			paths = append(paths, e.Path)
		}
	}
	if len(paths) > 0 {
		b.finish(paths)
	}
}

func (b *Browser) finish(paths []string) {
	if b.o.OnOpen != nil {
		b.o.OnOpen(paths)
	}
}

func (b *Browser) cancel() { call(b.o.OnCancel) }

// Cancel closes the browser without a choice.
func (b *Browser) Cancel() { b.cancel() }

// Show opens a browser over a window. It closes itself before OnOpen or OnCancel
// is called; the list has the keyboard.
func Show(o Options, w fyne.Window) *Browser { return show(o, w, func(f func()) { go f() }) }

func show(o Options, w fyne.Window, spawn func(func())) *Browser {
	var pop *widget.PopUp
	open, cancel := o.OnOpen, o.OnCancel
	o.OnOpen = func(paths []string) {
		pop.Hide()
		if open != nil {
			open(paths)
		}
	}
	o.OnCancel = func() {
		pop.Hide()
		call(cancel)
	}
	b := newBrowser(o, spawn)
	title := widget.NewLabel(tr.T("Open"))
	title.TextStyle.Bold = true
	pop = widget.NewModalPopUp(container.NewPadded(container.NewBorder(title, nil, nil, nil, b)), w.Canvas())
	size := w.Canvas().Size()
	pop.Resize(fyne.NewSize(max(640, min(1080, size.Width*0.85)), max(420, min(760, size.Height*0.85))))
	pop.Show()
	w.Canvas().Focus(b.list) // focusList would not find a canvas before the first paint
	return b
}

// Remember puts a folder to the front of a list of recent ones, which keeps n.
func Remember(recent []string, dir string, n int) []string {
	out := []string{dir}
	for _, d := range recent {
		if d != dir && strings.TrimSpace(d) != "" {
			out = append(out, d)
		}
	}
	return out[:min(n, len(out))]
}
