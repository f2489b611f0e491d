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
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/widget/control"
)

// fileList is the left side: files, their HDUs, and the results made of them.
type fileList struct {
	w     *Window
	lines []fileLine
	list  *lineList
	empty *control.Text
	box   fyne.CanvasObject
	quiet bool // a selection is being shown, not made
}

// fileLine is one line: a file, one of its HDUs, or a result.
type fileLine struct {
	file   *viewmodel.File
	hdu    int
	entry  *viewmodel.Entry
	isFile bool
}

// lineList is a list whose arrows choose and whose other keys go to the window.
type lineList struct {
	fynewidget.List
	move func(int)
}

func (l *lineList) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyUp:
		l.move(-1)
	case fyne.KeyDown:
		l.move(1)
	default:
		control.Pass(l, ev)
	}
}

func (l *lineList) TypedRune(r rune) { control.PassRune(l, r) }

func newFileList(w *Window) *fileList {
	l := &fileList{w: w}
	l.list = &lineList{move: w.m.SelectNext}
	l.list.Length = func() int { return len(l.lines) }
	l.list.CreateItem = l.newRow
	l.list.UpdateItem = l.fillRow
	l.list.OnSelected = l.selected
	l.list.HideSeparators = true
	l.list.ExtendBaseWidget(l.list)
	title := control.NewText("Files", theme.SizeNameSubHeadingText, "")
	title.Bold = true
	open := control.Quiet("Open …", "open images or recipes (Ctrl+O)", theme.FolderOpenIcon(), w.openDialog)
	head := control.Inset(10, 6, 4, 4, container.NewBorder(nil, nil, nil, open, control.Inset(0, 4, 0, 0, title)))
	l.empty = control.NewText("No file is open. Drop FITS files anywhere in this window.", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	l.box = container.NewBorder(head, nil, nil, nil, container.NewStack(l.list, control.Inset(10, 6, 10, 0, l.empty)))
	return l
}

func (l *fileList) update() {
	l.lines = l.lines[:0]
	chosen := -1
	m := l.w.m
	for _, f := range m.Files() {
		l.lines = append(l.lines, fileLine{file: f, isFile: true})
		for _, h := range f.HDUs {
			if f == m.File() && m.HDU() == h.Index {
				chosen = len(l.lines)
			}
			l.lines = append(l.lines, fileLine{file: f, hdu: h.Index})
		}
		for i := len(f.Results) - 1; i >= 0; i-- {
			if f.Results[i] == m.Entry() {
				chosen = len(l.lines)
			}
			l.lines = append(l.lines, fileLine{file: f, entry: f.Results[i]})
		}
	}
	show(l.empty, len(l.lines) == 0)
	l.quiet = true
	l.list.Refresh()
	if chosen >= 0 {
		l.list.Select(chosen)
	} else {
		l.list.UnselectAll()
	}
	l.quiet = false
}

func (l *fileList) selected(i fynewidget.ListItemID) {
	if l.quiet || i >= len(l.lines) {
		return
	}
	switch x := l.lines[i]; {
	case x.isFile:
		l.w.m.ShowFile(x.file)
	case x.entry != nil:
		l.w.m.SelectResult(x.entry)
	default:
		l.w.m.Select(x.file, x.hdu)
	}
	l.w.view.Focus(l.w.win.Canvas())
}

// fileRow are the parts of a line.
type fileRow struct {
	fynewidget.BaseWidget
	first, second *control.Text
	right         *control.Text
	close         *control.Button
	indent        indent
	content       *fyne.Container
	line          fileLine
}

// indent puts margins around a line, the left one by its depth.
type indent struct{ left float32 }

func (i *indent) MinSize(o []fyne.CanvasObject) fyne.Size {
	return o[0].MinSize().Add(fyne.NewSize(i.left+6, 7))
}

func (i *indent) Layout(o []fyne.CanvasObject, size fyne.Size) {
	o[0].Resize(fyne.NewSize(max(0, size.Width-i.left-6), size.Height-7))
	o[0].Move(fyne.NewPos(i.left, 3))
}

func (r *fileRow) CreateRenderer() fyne.WidgetRenderer {
	return fynewidget.NewSimpleRenderer(r.content)
}

func (l *fileList) newRow() fyne.CanvasObject {
	r := &fileRow{}
	r.first, r.second = control.NewText("X", "", ""), control.NewText("X", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	r.right = control.NewWhole("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	r.first.Lines, r.second.Lines = 1, 1
	r.close = control.Quiet("", "close this file (Ctrl+W)", theme.CancelIcon(), func() {
		if r.line.isFile {
			l.w.m.CloseFile(r.line.file)
		} else if r.line.entry != nil {
			l.w.m.RemoveResult(r.line.entry)
		}
	})
	first := control.NewRow(4, []float32{-1, 0}, r.first, r.right)
	lines := control.NewColumn(1, 0, first, r.second)
	r.content = container.New(&r.indent, control.NewRow(2, []float32{-1, 0}, lines, r.close))
	r.ExtendBaseWidget(r)
	return r
}

func (l *fileList) fillRow(i fynewidget.ListItemID, o fyne.CanvasObject) {
	if i >= len(l.lines) {
		return
	}
	r, x := o.(*fileRow), l.lines[i]
	r.line = x
	r.close.Hidden = !x.isFile
	r.right.SetText("")
	r.first.Bold = x.isFile
	r.indent.left = 24
	if x.isFile {
		r.indent.left = 10
	}
	switch {
	case x.isFile:
		r.first.Set(x.file.Name, "")
		r.second.Set(shortDir(x.file.Path), theme.ColorNamePlaceHolder)
	case x.entry != nil:
		r.first.Set(x.entry.Name, theme.ColorNamePrimary)
		_, _, text := x.entry.Progress()
		r.second.Set(text, theme.ColorNamePlaceHolder)
		r.close.Hidden = x.entry.Running()
	default:
		h := x.file.HDUs[x.hdu]
		name := h.Name
		if name == "" {
			name = "image"
		}
		r.first.Set(fmt.Sprintf("%d  %s", h.Index, name), "")
		r.right.SetText(form.Size(h))
		r.second.Set(describe(h), theme.ColorNamePlaceHolder)
	}
	r.content.Refresh()
}

// describe is an HDU's role, unit and compression.
func describe(h session.HDUInfo) string {
	parts := []string{string(h.Role)}
	if h.Unit != "" {
		parts = append(parts, form.UnitText(h.Unit))
	}
	if h.Packed != "" {
		parts = append(parts, h.Packed)
	}
	return strings.Join(parts, " · ")
}

func shortDir(path string) string {
	dir := filepath.Dir(path)
	parts := strings.Split(filepath.ToSlash(dir), "/")
	if n := len(parts); n > 2 {
		return "…/" + strings.Join(parts[n-2:], "/")
	}
	return dir
}
