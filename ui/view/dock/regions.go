package dock

import (
	"fmt"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/fitsio/regions"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/marks"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// regionsPage lists the regions, and measures the one chosen.
type regionsPage struct {
	m     *viewmodel.Model
	act   Actions
	items []marks.Item
	list  *list
	line  *control.Entry
	said  *control.Text
	head  *control.Text
	cells []*table
	cols  *fyne.Container
	save  *control.Button
	del   *control.Button
	quiet bool
	box   fyne.CanvasObject
}

// list is a list whose keys other than the arrows go to the window.
type list struct{ fynewidget.List }

func (l *list) TypedKey(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyUp, fyne.KeyDown, fyne.KeySpace:
		l.List.TypedKey(ev)
	default:
		control.Pass(l, ev)
	}
}

func (l *list) TypedRune(r rune) { control.PassRune(l, r) }

func newRegions(m *viewmodel.Model, act Actions) *regionsPage {
	p := &regionsPage{m: m, act: act, list: &list{}}
	p.list.Length = func() int { return len(p.items) }
	p.list.CreateItem = func() fyne.CanvasObject { t := newCaption(); t.Colour = ""; return t }
	p.list.UpdateItem = func(i fynewidget.ListItemID, o fyne.CanvasObject) {
		if i < len(p.items) {
			o.(*control.Text).SetText(regionName(i, p.items[i].Region))
		}
	}
	p.list.OnSelected = func(i fynewidget.ListItemID) {
		if !p.quiet && i < len(p.items) {
			m.SelectRegion(p.items[i].ID)
		}
	}
	p.list.HideSeparators = true
	p.list.ExtendBaseWidget(p.list)
	p.line = control.NewEntry(nil)
	p.line.SetPlaceHolder("circle(101, 98, 12)   or   icrs; circle(194.17, 21.68, 5\")")
	p.line.OnSubmitted = func(s string) { p.typed(s) }
	p.said = newCaption()
	p.head = newCaption()
	add := control.NewButton("Add", "a new region from the line at the left", theme.ContentAddIcon(), func() { p.add(p.line.Text) })
	p.del = control.NewButton("Delete", "take the chosen region away (Delete)", theme.DeleteIcon(), func() { m.RemoveRegion(m.SelectedRegion()) })
	p.save = control.NewButton("Save …", "write a DS9 region file", theme.DocumentSaveIcon(), act.SaveRegions)
	open := control.NewButton("Open …", "read a DS9 region file", theme.FolderOpenIcon(), act.OpenFile)
	p.cells = []*table{newTable(), newTable()}
	p.cols = control.NewTopRow(18, []float32{-1, -1}, p.cells[0].box, p.cells[1].box)
	bottom := control.NewRow(6, []float32{-1, 0, 0, 0, 0}, p.line, add, p.del, open, p.save)
	right := container.NewBorder(p.head, nil, nil, nil, container.NewVScroll(p.cols))
	body := control.NewTopRow(14, []float32{-1, -2}, container.New(lessHeight{}, p.list), container.New(lessHeight{}, right))
	p.box = container.NewBorder(nil, control.NewColumn(2, 0, bottom, p.said), nil, nil, body)
	return p
}

// lessHeight leaves room for the line below.
type lessHeight struct{}

func (lessHeight) MinSize(o []fyne.CanvasObject) fyne.Size {
	return fyne.NewSize(o[0].MinSize().Width, height-62)
}

func (lessHeight) Layout(o []fyne.CanvasObject, size fyne.Size) { o[0].Resize(size) }

func regionName(i int, r regions.Region) string {
	text := strings.TrimSuffix(r.String(), " #")
	if r.System != "image" {
		text = r.System + "; " + text
	}
	if before, _, cut := strings.Cut(text, " #"); cut {
		text = before
	}
	if r.Text != "" {
		text = r.Text + ": " + text
	}
	return fmt.Sprintf("%d  %s", i+1, text)
}

func (p *regionsPage) object() fyne.CanvasObject { return p.box }

// typed changes the chosen region, or adds one where none is.
func (p *regionsPage) typed(s string) {
	id := p.m.SelectedRegion()
	if _, ok := p.region(id); !ok {
		id = 0
	}
	p.take(id, s)
}

func (p *regionsPage) add(s string) { p.take(0, s) }

func (p *regionsPage) take(id int, s string) {
	if err := p.m.TypeRegion(id, s); err != nil {
		p.said.Set(err.Error(), theme.ColorNameError)
		return
	}
	p.said.Set("", theme.ColorNamePlaceHolder)
}

func (p *regionsPage) region(id int) (regions.Region, bool) {
	for _, x := range p.items {
		if x.ID == id {
			return x.Region, true
		}
	}
	return regions.Region{}, false
}

func (p *regionsPage) update() {
	p.items = p.m.Marked()
	p.quiet = true
	p.list.Refresh()
	at := -1
	for i, x := range p.items {
		if x.ID == p.m.SelectedRegion() {
			at = i
		}
	}
	if at >= 0 {
		p.list.Select(at)
	} else {
		p.list.UnselectAll()
	}
	p.quiet = false
	p.save.SetEnabled(len(p.items) > 0)
	p.del.SetEnabled(at >= 0)
	p.line.OnSubmitted = p.typed
	r, ok := p.region(p.m.SelectedRegion())
	if !ok {
		p.head.SetText(fmt.Sprintf("%d regions. Press r for a tool and draw, or type one below; click one to measure it.", len(p.items)))
		for _, c := range p.cells {
			c.set(nil)
		}
		return
	}
	p.line.Set(strings.TrimPrefix(marks.Text(r), "image; "), false)
	p.measure(r)
}

// measure fills in the statistics of the chosen region on each image shown.
func (p *regionsPage) measure(r regions.Region) {
	p.head.SetText(r.Shape)
	if d := p.m.Distance(r); d != "" {
		p.head.SetText("Line: " + d)
	}
	for i, c := range p.cells {
		x, ok := p.m.MeasureRegion(i, r)
		if !ok {
			c.set(nil)
			continue
		}
		value := func(v float64) string { return widget.FormatValue(v, x.Unit) }
		sum := value(x.Sum)
		if x.SumStd > 0 {
			sum = widget.FormatWithError(x.Sum, x.SumStd, x.Unit)
		}
		area := fmt.Sprintf("%d px", x.Pixels)
		if x.Area > 0 {
			area += fmt.Sprintf(", %.4g arcsec²", x.Area)
		}
		rows := [][2]string{{x.Title, area}, {"Sum", sum}}
		if x.SumStd > 0 {
			rows = append(rows, [2]string{"Its error from", x.SumStdIs})
		}
		rows = append(rows, [2]string{"Mean", value(x.Mean)}, [2]string{"Median", value(x.Median)},
			[2]string{"Scatter", value(x.Std)}, [2]string{"Least, greatest", value(x.Min) + ", " + value(x.Max)})
		if x.CentroidX == x.CentroidX {
			rows = append(rows, [2]string{"Centroid", widget.FormatPixel(x.CentroidX, x.CentroidY)})
		}
		c.set(rows)
	}
	p.cols.Refresh()
}
