package part

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/ui/widget/control"
)

// Item is a line of a List.
type Item struct {
	First, Second string
	Bold          bool
	Accent        bool
	Deep          bool
	Chosen        bool
	Tapped        func()
	Close         func() // nil: it cannot be taken off
	CloseTip      string
}

// List is a column of items at the left of the window, with a heading.
type List struct {
	items []Item
	list  *itemList
	empty *control.Text
	quiet bool
	box   fyne.CanvasObject
}

// itemList is a list whose arrows choose and whose other keys go to the window.
type itemList struct {
	fynewidget.List
	move func(int)
}

func (l *itemList) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyUp:
		l.move(-1)
	case fyne.KeyDown:
		l.move(1)
	default:
		control.Pass(l, ev)
	}
}

func (l *itemList) TypedRune(r rune) { control.PassRune(l, r) }

// NewList makes a list; empty is what it says without items, open a button.
func NewList(title, empty string, open fyne.CanvasObject) *List {
	l := &List{}
	l.list = &itemList{move: l.move}
	l.list.Length = func() int { return len(l.items) }
	l.list.CreateItem = func() fyne.CanvasObject { return newItemRow() }
	l.list.UpdateItem = func(i fynewidget.ListItemID, o fyne.CanvasObject) {
		if i < len(l.items) {
			o.(*itemRow).set(l.items[i])
		}
	}
	l.list.OnSelected = func(i fynewidget.ListItemID) {
		if !l.quiet && i < len(l.items) && l.items[i].Tapped != nil {
			l.items[i].Tapped()
		}
	}
	l.list.HideSeparators = true
	l.list.ExtendBaseWidget(l.list)
	head := control.NewText(title, theme.SizeNameSubHeadingText, "")
	head.Bold = true
	top := control.Inset(10, 6, 4, 4, container.NewBorder(nil, nil, nil, open, control.Inset(0, 4, 0, 0, head)))
	l.empty = control.NewText(empty, theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	l.box = container.NewBorder(top, nil, nil, nil, container.NewStack(l.list, control.Inset(10, 6, 10, 0, l.empty)))
	return l
}

// Object is what to put into the window.
func (l *List) Object() fyne.CanvasObject { return l.box }

// Set shows other items.
func (l *List) Set(items []Item) {
	l.items = items
	l.empty.Hidden = len(items) > 0
	l.empty.Refresh()
	chosen := -1
	for i, x := range items {
		if x.Chosen {
			chosen = i
		}
	}
	l.quiet = true
	l.list.Refresh()
	if chosen >= 0 {
		l.list.Select(chosen)
	} else {
		l.list.UnselectAll()
	}
	l.quiet = false
}

func (l *List) move(by int) {
	for i, x := range l.items {
		if x.Chosen {
			for k := i + by; k >= 0 && k < len(l.items); k += by {
				if l.items[k].Tapped != nil {
					l.items[k].Tapped()
					return
				}
			}
			return
		}
	}
}

type itemRow struct {
	fynewidget.BaseWidget
	first, second *control.Text
	close         *control.Button
	left          *indent
	item          Item
	content       *fyne.Container
}

type indent struct{ left float32 }

func (i *indent) MinSize(o []fyne.CanvasObject) fyne.Size {
	return o[0].MinSize().Add(fyne.NewSize(i.left+6, 7))
}

func (i *indent) Layout(o []fyne.CanvasObject, size fyne.Size) {
	o[0].Resize(fyne.NewSize(max(0, size.Width-i.left-6), size.Height-7))
	o[0].Move(fyne.NewPos(i.left, 3))
}

func newItemRow() *itemRow {
	r := &itemRow{left: &indent{10}}
	r.first, r.second = control.NewText("X", "", ""), control.NewText("X", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	r.first.Lines, r.second.Lines = 1, 1
	r.close = control.Quiet("", "take it off", theme.CancelIcon(), func() {
		if r.item.Close != nil {
			r.item.Close()
		}
	})
	r.content = container.New(r.left, control.NewRow(2, []float32{-1, 0}, control.NewColumn(1, 0, r.first, r.second), r.close))
	r.ExtendBaseWidget(r)
	return r
}

func (r *itemRow) CreateRenderer() fyne.WidgetRenderer {
	return fynewidget.NewSimpleRenderer(r.content)
}

func (r *itemRow) set(x Item) {
	r.item = x
	r.left.left = 10
	if x.Deep {
		r.left.left = 24
	}
	r.first.Bold = x.Bold
	colour := fyne.ThemeColorName("")
	if x.Accent {
		colour = theme.ColorNamePrimary
	}
	r.first.Set(x.First, colour)
	r.second.SetText(x.Second)
	r.close.Hidden = x.Close == nil
	r.content.Refresh()
}
