// Package dock is the part below the images that opens when it is asked for: the
// pixel that was chosen, profiles, regions, the catalogue and power spectra.
package dock

import (
	"image/color"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/viewmodel"
	"limpid/ui/widget/control"
)

// Actions are what the dock cannot do itself.
type Actions struct {
	Look        func(x, y float64) // show a pixel of the file's image
	LookAt      func(x, y float64) // show a pixel of the active tile
	SaveRegions func()
	OpenFile    func() // regions or a catalogue
	Focus       func(fyne.Focusable)
	Closed      func()
}

// page is one tab of the dock.
type page interface {
	object() fyne.CanvasObject
	update()
}

// The pages in their order.
const (
	Pixel = iota
	Profile
	Regions
	Catalogue
	Spectrum
	pages
)

// Names of the pages.
var Names = [pages]string{"Pixel", "Profile", "Regions", "Catalogue", "Power spectrum"}

// Dock shows one page at a time.
type Dock struct {
	m     *viewmodel.Model
	tabs  *control.Tabs
	pages [pages]page
	shown int
	stack *fyne.Container
	act   Actions
	box   *fyne.Container
}

// height of the pages in Fyne units.
const height = 226

// New makes a dock; it is hidden.
func New(m *viewmodel.Model, act Actions) *Dock {
	d := &Dock{m: m, act: act}
	d.tabs = control.NewTabs(d.Show)
	d.tabs.Shrinks = true
	d.pages = [pages]page{newPixel(m), newProfile(m), newRegions(m, act), newCatalogue(m, act), newSpectrum(m)}
	room := canvas.NewRectangle(color.Transparent)
	room.SetMinSize(fyne.NewSize(100, height))
	d.stack = container.NewStack(room)
	for _, p := range d.pages {
		d.stack.Add(p.object())
	}
	shut := control.Quiet("", "close (F8)", theme.CancelIcon(), d.Close)
	head := container.NewBorder(nil, nil, nil, shut, d.tabs)
	d.box = control.Ground(theme.ColorNameBackground, 0, container.NewBorder(control.Inset(4, 2, 4, 0, head), nil, nil, nil, control.Inset(8, 2, 8, 6, d.stack)))
	d.box.Hide()
	d.choose()
	return d
}

// Object is what to put into the window.
func (d *Dock) Object() fyne.CanvasObject { return d.box }

// Open says whether the dock is shown, and Page which page.
func (d *Dock) Open() bool { return d.box.Visible() }

// Page is the page shown or shown last.
func (d *Dock) Page() int { return d.shown }

// Show opens a page.
func (d *Dock) Show(page int) {
	d.shown = page
	d.choose()
	if !d.box.Visible() {
		d.box.Show()
	}
	d.Update()
	if d.act.Closed != nil {
		d.act.Closed()
	}
}

// Close hides the dock.
func (d *Dock) Close() {
	d.box.Hide()
	if d.act.Closed != nil {
		d.act.Closed()
	}
}

func (d *Dock) choose() {
	d.tabs.Set(Names[:], d.shown)
	for i, p := range d.pages {
		if i == d.shown {
			p.object().Show()
		} else {
			p.object().Hide()
		}
	}
}

// Update shows the Model as it is now.
func (d *Dock) Update() {
	if d.box.Visible() {
		d.pages[d.shown].update()
	}
}

// caption is a line of small print.
func caption() *control.Text {
	return control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
}

// table is rows of a label and a value.
type table struct {
	labels, values []*control.Text
	box            *fyne.Container
}

func newTable() *table { return &table{box: control.NewColumn(2, 0)} }

func (t *table) set(rows [][2]string) {
	for len(t.labels) < len(rows) {
		l, v := caption(), control.NewText("", theme.SizeNameCaptionText, "")
		l.Lines, v.Lines = 1, 1
		v.Align = fyne.TextAlignTrailing
		t.labels, t.values = append(t.labels, l), append(t.values, v)
		t.box.Add(control.NewRow(6, []float32{-4, -6}, l, v))
	}
	for i := range t.labels {
		if i >= len(rows) {
			t.box.Objects[i].Hide()
			continue
		}
		t.box.Objects[i].Show()
		t.labels[i].SetText(rows[i][0])
		t.values[i].SetText(rows[i][1])
	}
	t.box.Refresh()
}
