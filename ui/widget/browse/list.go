package browse

import (
	"image/color"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// list shows entries in rows of equal height, of which only those in sight exist
// as objects. Any number can be selected: click, Ctrl-click, Shift-click; arrows,
// Home, End, PageUp, PageDown (with Shift: extend), Space, Ctrl+A; letters find a
// name; Return opens, Backspace goes to the folder above.
type list struct {
	widget.BaseWidget
	onSelect func()          // the selection changed
	onOpen   func()          // Return or a double click
	onUp     func()          // Backspace
	onCancel func()          // Escape
	onSort   func(by column) // a heading was clicked

	entries  []Entry
	selected map[string]bool // by path
	cursor   int             // row the keyboard is at
	anchor   int             // row where a range began
	offset   float32         // scrolled by
	by       column
	down     bool
	focused  bool

	find      string // letters typed lately
	findTime  time.Time
	lastPress time.Time
	lastRow   int
	now       func() time.Time
	dragging  bool
	shown     *listRenderer
}

var (
	_ fyne.Focusable    = (*list)(nil)
	_ fyne.Scrollable   = (*list)(nil)
	_ fyne.Draggable    = (*list)(nil)
	_ fyne.Shortcutable = (*list)(nil)
	_ desktop.Mouseable = (*list)(nil)
)

func newList() *list {
	l := &list{selected: map[string]bool{}, now: time.Now, lastRow: -1}
	l.ExtendBaseWidget(l)
	return l
}

// setEntries shows others; what is still there stays selected.
func (l *list) setEntries(es []Entry, by column, down bool) {
	l.entries, l.by, l.down = es, by, down
	still := map[string]bool{}
	for _, e := range es {
		if l.selected[e.Path] {
			still[e.Path] = true
		}
	}
	l.selected = still
	l.cursor, l.anchor = min(l.cursor, max(0, len(es)-1)), 0
	l.scrollTo(l.offset)
	l.changed()
}

// reset forgets selection and position, for another folder.
func (l *list) reset() {
	l.selected = map[string]bool{}
	l.cursor, l.anchor, l.offset, l.lastRow, l.find = 0, 0, 0, -1, ""
}

func (l *list) changed() {
	l.Refresh()
	if l.onSelect != nil {
		l.onSelect()
	}
}

// chosen are the selected entries in the order shown.
func (l *list) chosen() []Entry {
	var out []Entry
	for _, e := range l.entries {
		if l.selected[e.Path] {
			out = append(out, e)
		}
	}
	return out
}

// pick is a click or key at a row: alone, added (toggled), or a range.
func (l *list) pick(row int, toggle, extend bool) {
	if row < 0 || row >= len(l.entries) {
		return
	}
	path := l.entries[row].Path
	switch {
	case extend:
		if !toggle {
			l.selected = map[string]bool{}
		}
		for i := min(l.anchor, row); i <= max(l.anchor, row); i++ {
			l.selected[l.entries[i].Path] = true
		}
	case toggle:
		l.anchor = row
		if l.selected[path] {
			delete(l.selected, path)
		} else {
			l.selected[path] = true
		}
	default:
		l.anchor = row
		l.selected = map[string]bool{path: true}
	}
	l.cursor = row
	l.reveal(row)
	l.changed()
}

func (l *list) selectAll() {
	for _, e := range l.entries {
		if !e.Folder {
			l.selected[e.Path] = true
		}
	}
	l.changed()
}

func (l *list) rowHeight() float32 {
	return fyne.MeasureText("M", theme.SizeForWidget(theme.SizeNameText, l), fyne.TextStyle{}).Height + 5
}

// page is the height of the rows in sight, below the headings: whole rows.
func (l *list) page() float32 {
	h := l.rowHeight()
	return max(1, float32(int((l.Size().Height-h-2)/h))) * h
}

func (l *list) scrollTo(offset float32) {
	l.offset = max(0, min(offset, float32(len(l.entries))*l.rowHeight()-l.page()))
}

func (l *list) reveal(row int) {
	h := l.rowHeight()
	y := float32(row) * h
	switch {
	case y < l.offset:
		l.scrollTo(y)
	case y+h > l.offset+l.page():
		l.scrollTo(y + h - l.page())
	}
}

// rowAt is the row under y, or −1.
func (l *list) rowAt(y float32) int {
	h := l.rowHeight()
	if y < h {
		return -1
	}
	if row := l.top() + int((y-h)/h); row < len(l.entries) {
		return row
	}
	return -1
}

// top is the first row in sight: the offset follows fine scrolling, rows are
// shown whole (Fyne does not clip what sticks out of a widget).
func (l *list) top() int { return int(l.offset/l.rowHeight() + 0.5) }

const doubleClick = 400 * time.Millisecond

// MouseDown selects; on a heading it sorts.
func (l *list) MouseDown(ev *desktop.MouseEvent) {
	if c := fyne.CurrentApp().Driver().CanvasForObject(l); c != nil {
		c.Focus(l)
	}
	if ev.Button != desktop.MouseButtonPrimary {
		return
	}
	l.dragging = ev.Position.X > l.Size().Width-barWidth && ev.Position.Y > l.rowHeight()
	if l.dragging {
		return
	}
	if ev.Position.Y < l.rowHeight() {
		if l.onSort != nil {
			l.onSort(l.columnAt(ev.Position.X))
		}
		return
	}
	row := l.rowAt(ev.Position.Y)
	if row < 0 {
		return
	}
	toggle := ev.Modifier&(fyne.KeyModifierControl|fyne.KeyModifierSuper) != 0
	extend := ev.Modifier&fyne.KeyModifierShift != 0
	again := row == l.lastRow && l.now().Sub(l.lastPress) < doubleClick && !toggle && !extend
	l.lastRow, l.lastPress = row, l.now()
	l.pick(row, toggle, extend)
	if again && l.onOpen != nil {
		l.lastRow = -1
		l.onOpen()
	}
}

// MouseUp ends a drag of the scroll bar.
func (l *list) MouseUp(*desktop.MouseEvent) {}

// Dragged moves the scroll bar.
func (l *list) Dragged(ev *fyne.DragEvent) {
	if l.dragging {
		all := float32(len(l.entries)) * l.rowHeight()
		l.scrollTo(l.offset + ev.Dragged.DY*all/l.page())
		l.Refresh()
	}
}

// DragEnd ends a drag of the scroll bar.
func (l *list) DragEnd() { l.dragging = false }

// Scrolled moves the rows.
func (l *list) Scrolled(ev *fyne.ScrollEvent) {
	l.scrollTo(l.offset - ev.Scrolled.DY*2)
	l.Refresh()
}

// FocusGained shows where keys go.
func (l *list) FocusGained() { l.focused = true; l.Refresh() }

// FocusLost hides it.
func (l *list) FocusLost() { l.focused = false; l.Refresh() }

func shiftHeld() bool {
	d, ok := fyne.CurrentApp().Driver().(desktop.Driver)
	return ok && d.CurrentKeyModifiers()&fyne.KeyModifierShift != 0
}

// TypedKey moves, selects and opens.
func (l *list) TypedKey(ev *fyne.KeyEvent) {
	rows := max(1, int(l.page()/l.rowHeight())-1)
	last := len(l.entries) - 1
	switch ev.Name {
	case fyne.KeyUp:
		l.pick(max(0, l.cursor-1), false, shiftHeld())
	case fyne.KeyDown:
		next := l.cursor + 1
		if len(l.selected) == 0 && l.cursor == 0 {
			next = 0 // the first key press selects the first row
		}
		l.pick(min(last, next), false, shiftHeld())
	case fyne.KeyPageUp:
		l.pick(max(0, l.cursor-rows), false, shiftHeld())
	case fyne.KeyPageDown:
		l.pick(min(last, l.cursor+rows), false, shiftHeld())
	case fyne.KeyHome:
		l.pick(0, false, shiftHeld())
	case fyne.KeyEnd:
		l.pick(last, false, shiftHeld())
	case fyne.KeySpace:
		l.pick(l.cursor, true, false)
	case fyne.KeyReturn, fyne.KeyEnter:
		call(l.onOpen)
	case fyne.KeyBackspace:
		call(l.onUp)
	case fyne.KeyEscape:
		call(l.onCancel)
	}
}

func call(f func()) {
	if f != nil {
		f()
	}
}

// TypedRune finds the next name that begins with the letters typed in a second.
func (l *list) TypedRune(r rune) {
	if r == ' ' {
		return
	}
	if l.now().Sub(l.findTime) > time.Second {
		l.find = ""
	}
	l.findTime = l.now()
	l.find += strings.ToLower(string(r))
	from := l.cursor
	if len([]rune(l.find)) == 1 {
		from++
	}
	for i := range l.entries {
		row := (from + i) % len(l.entries)
		if strings.HasPrefix(strings.ToLower(l.entries[row].Name), l.find) {
			l.pick(row, false, false)
			return
		}
	}
}

// TypedShortcut selects every file on Ctrl+A.
func (l *list) TypedShortcut(s fyne.Shortcut) {
	if _, ok := s.(*fyne.ShortcutSelectAll); ok {
		l.selectAll()
	}
}

// Widths of the columns behind the name, and of the scroll bar.
const (
	sizeWidth = 76
	timeWidth = 124
	barWidth  = 10
	inset     = 8
)

func (l *list) columnAt(x float32) column {
	w := l.Size().Width - barWidth
	switch {
	case x > w-timeWidth:
		return byTime
	case x > w-timeWidth-sizeWidth:
		return bySize
	}
	return byName
}

// CreateRenderer is called by Fyne.
func (l *list) CreateRenderer() fyne.WidgetRenderer {
	l.ExtendBaseWidget(l)
	r := &listRenderer{l: l, bed: canvas.NewRectangle(color.Transparent), bar: canvas.NewRectangle(color.Transparent)}
	r.heads = [3]*canvas.Text{canvas.NewText("", color.White), canvas.NewText("", color.White), canvas.NewText("", color.White)}
	r.bar.CornerRadius = 3
	l.shown = r
	r.Refresh()
	return r
}
