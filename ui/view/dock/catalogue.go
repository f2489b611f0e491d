package dock

import (
	"fmt"
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/fitsio/catalogue"
	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// cataloguePage is the table of sources: choosing a row shows the source, and
// clicking a source chooses its row.
type cataloguePage struct {
	m     *viewmodel.Model
	act   Actions
	cat   *catalogue.Catalogue
	table *fynewidget.Table
	about *control.Text
	shut  *control.Button
	quiet bool
	box   fyne.CanvasObject
}

func newCatalogue(m *viewmodel.Model, act Actions) *cataloguePage {
	p := &cataloguePage{m: m, act: act}
	p.table = fynewidget.NewTable(p.size, func() fyne.CanvasObject { return fynewidget.NewLabel("0000000000") }, p.fill)
	p.table.ShowHeaderRow = true
	p.table.CreateHeader = func() fyne.CanvasObject {
		l := fynewidget.NewLabel("")
		l.TextStyle.Bold, l.Truncation = true, fyne.TextTruncateEllipsis
		return l
	}
	p.table.UpdateHeader = func(id fynewidget.TableCellID, o fyne.CanvasObject) {
		if p.cat != nil && id.Col >= 0 && id.Col < len(p.cat.Columns) {
			c := p.cat.Columns[id.Col]
			name := c.Name
			if c.Unit != "" {
				name += " (" + c.Unit + ")"
			}
			o.(*fynewidget.Label).SetText(name)
		}
	}
	p.table.OnSelected = func(id fynewidget.TableCellID) {
		if !p.quiet && id.Row >= 0 {
			m.SelectRow(id.Row)
			p.look(id.Row)
		}
	}
	p.about = newCaption()
	p.shut = control.NewButton("Close", "take the catalogue off", theme.CancelIcon(), m.CloseCatalogue)
	open := control.NewButton("Open …", "a CSV file or FITS table", theme.FolderOpenIcon(), act.OpenFile)
	p.box = container.NewBorder(control.NewRow(8, []float32{-1, 0, 0}, p.about, open, p.shut), nil, nil, nil, p.table)
	return p
}

func (p *cataloguePage) object() fyne.CanvasObject { return p.box }

func (p *cataloguePage) size() (rows, cols int) {
	if p.cat == nil {
		return 0, 0
	}
	return p.cat.Rows, len(p.cat.Columns)
}

func (p *cataloguePage) fill(id fynewidget.TableCellID, o fyne.CanvasObject) {
	l := o.(*fynewidget.Label)
	l.Truncation = fyne.TextTruncateEllipsis
	if p.cat == nil || id.Col >= len(p.cat.Columns) || id.Row >= p.cat.Rows {
		return
	}
	c := p.cat.Columns[id.Col]
	text := ""
	switch {
	case c.Numbers != nil && id.Row < len(c.Numbers):
		text = strconv.FormatFloat(c.Numbers[id.Row], 'g', 10, 64)
	case id.Row < len(c.Text):
		text = c.Text[id.Row]
	}
	if l.Text != text {
		l.SetText(text)
	}
}

// look brings a source into sight.
func (p *cataloguePage) look(row int) {
	tiles := p.m.Tiles()
	if len(tiles) == 0 {
		return
	}
	places := p.m.CataloguePlaces(tiles[0])
	if row < len(places) && places[row][0] == places[row][0] {
		p.act.LookAt(places[row][0], places[row][1])
	}
}

func (p *cataloguePage) update() {
	c, name := p.m.Catalogue()
	p.shut.SetEnabled(c != nil)
	if c == nil {
		p.cat = nil
		p.about.SetText("No catalogue: open or drop a CSV file, or choose a FITS table and Analyse ▸ Table as catalogue")
		p.table.Refresh()
		return
	}
	if c != p.cat {
		p.cat = c
		for i, col := range c.Columns {
			w := fyne.MeasureText(col.Name, theme.TextSize(), fyne.TextStyle{Bold: true}).Width + 24
			p.table.SetColumnWidth(i, max(96, w))
		}
		p.table.Refresh()
	}
	where := "no position recognised"
	switch {
	case c.RA != nil:
		where = fmt.Sprintf("positions from %s and %s, %s", c.RAName, c.DecName, c.Frame)
	case c.X != nil:
		where = fmt.Sprintf("positions from %s and %s", c.XName, c.YName)
	}
	p.about.SetText(fmt.Sprintf("%s: %d rows, %s", name, c.Rows, where))
	if row := p.m.CatalogueRow(); row >= 0 {
		p.quiet = true
		p.table.Select(fynewidget.TableCellID{Row: row})
		p.quiet = false
	}
}
