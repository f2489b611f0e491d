package lensview

import (
	"fmt"
	"image/color"
	"math"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	fynewidget "fyne.io/fyne/v2/widget"

	"limpid/app/session/lens"
	"limpid/solvers/massmap/measure"
	"limpid/ui/view/boardview"
	"limpid/ui/viewmodel/lensing"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// below is what stands under the maps once there is a result: the table of peaks, the
// power spectrum and the distribution of κ.
type below struct {
	m        *lensing.Model
	tabs     *control.Tabs
	shown    int
	peaks    *fynewidget.Table
	about    *control.Text
	spectrum *widget.Chart
	onepoint *widget.Chart
	profile  *widget.Chart
	ring     *lensing.Profile
	pages    []fyne.CanvasObject
	board    *boardview.View
	of       *lens.Result
	row      int
	quiet    bool
	box      *fyne.Container
}

const belowHeight = 190

var columns = []struct {
	name  string
	width float32
	text  func(i int, p measure.Peak) string
}{
	{"#", 44, func(i int, _ measure.Peak) string { return fmt.Sprint(i + 1) }},
	{"RA", 108, func(_ int, p measure.Peak) string { return degrees(p.RA, 5) }},
	{"Dec", 108, func(_ int, p measure.Peak) string { return degrees(p.Dec, 5) }},
	{"κ ± σ", 136, func(_ int, p measure.Peak) string {
		if math.IsNaN(p.Std) {
			return fmt.Sprintf("%.3f", p.Kappa)
		}
		return fmt.Sprintf("%.3f ± %.3f", p.Kappa, p.Std)
	}},
	{"S/N", 70, func(_ int, p measure.Peak) string { return fmt.Sprintf("%.1f", p.SN) }},
	{"Probability", 110, func(_ int, p measure.Peak) string {
		if math.IsNaN(p.Probability) {
			return "–"
		}
		return fmt.Sprintf("%.2f", p.Probability)
	}},
}

func degrees(v float64, digits int) string {
	if math.IsNaN(v) {
		return "–"
	}
	return fmt.Sprintf("%.*f°", digits, v)
}

func newBelow(m *lensing.Model, b *boardview.View) *below {
	w := &below{m: m, board: b, row: -1}
	w.tabs = control.NewTabs(func(i int) { w.shown = i; w.choose() })
	w.peaks = fynewidget.NewTable(func() (int, int) { return len(m.Peaks()), len(columns) },
		func() fyne.CanvasObject { return fynewidget.NewLabel("") },
		func(id fynewidget.TableCellID, o fyne.CanvasObject) {
			if p := m.Peaks(); id.Row < len(p) && id.Col < len(columns) {
				o.(*fynewidget.Label).SetText(columns[id.Col].text(id.Row, p[id.Row]))
			}
		})
	w.peaks.ShowHeaderRow = true
	w.peaks.CreateHeader = func() fyne.CanvasObject {
		l := fynewidget.NewLabel("")
		l.TextStyle.Bold = true
		return l
	}
	w.peaks.UpdateHeader = func(id fynewidget.TableCellID, o fyne.CanvasObject) {
		if id.Col >= 0 && id.Col < len(columns) {
			o.(*fynewidget.Label).SetText(columns[id.Col].name)
		}
	}
	for i, c := range columns {
		w.peaks.SetColumnWidth(i, c.width)
	}
	w.peaks.OnSelected = func(id fynewidget.TableCellID) {
		if p := m.Peaks(); !w.quiet && id.Row >= 0 && id.Row < len(p) {
			w.row = id.Row
			m.SelectPeak(id.Row)
			b.Look(p[id.Row].X, p[id.Row].Y)
		}
	}
	w.about = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	w.spectrum, w.onepoint = widget.NewChart("No spectrum"), widget.NewChart("No distribution")
	w.profile = widget.NewChart("Click a place of the map or a peak")
	w.pages = []fyne.CanvasObject{w.peaks, w.profile, w.spectrum, w.onepoint}
	room := canvas.NewRectangle(color.Transparent)
	room.SetMinSize(fyne.NewSize(100, belowHeight))
	w.box = container.NewBorder(control.Inset(4, 2, 8, 0, control.NewRow(10, []float32{0, -1}, w.tabs, w.about)), nil, nil, nil,
		control.Inset(8, 2, 8, 6, container.NewStack(append([]fyne.CanvasObject{room}, w.pages...)...)))
	w.tabs.Set(pageNames, 0)
	w.choose()
	return w
}

var pageNames = []string{"Peaks", "Profile", "Power spectrum", "Distribution"}

func (w *below) choose() {
	w.tabs.Set(pageNames, w.shown)
	for i, p := range w.pages {
		if i == w.shown {
			p.Show()
		} else {
			p.Hide()
		}
	}
	w.about.SetText([]string{
		"Click a row to see the peak, a ring to find its row. Probability: share of samples with a peak of κ ≥ 0.05 within 1′",
		"Mean of κ in rings about the place last clicked, less its mean over the field, and the median of the samples with its 68 % band",
		"Mean map, and the median of the samples with its 68 % band",
		"Density of κ over the field; the median of the samples with its 68 % band",
	}[w.shown])
}

func (w *below) update() {
	e := w.m.Entry()
	w.box.Hidden = e == nil || e.Result == nil
	if w.box.Hidden {
		return
	}
	if w.of != e.Result {
		w.of, w.row = e.Result, -1
		w.quiet = true
		w.peaks.UnselectAll()
		w.peaks.Refresh()
		w.quiet = false
		w.spectrum.SetData(curve(e.Result.Spectrum, "ℓ", "C(ℓ) (sr)", true))
		w.onepoint.SetData(curve(e.Result.OnePoint, "κ", "density", false))
	}
	if p := w.m.Profile(); p != w.ring {
		w.ring = p
		var d widget.ChartData
		if p != nil {
			d = curve(p.Band, "arcmin", "κ", false)
		}
		w.profile.SetData(d)
	}
	if k := w.m.Peak(); k >= 0 && k != w.row {
		w.row = k
		w.quiet = true
		w.peaks.Select(fynewidget.TableCellID{Row: k})
		w.quiet = false
	}
}

func curve(b measure.Band, x, y string, log bool) widget.ChartData {
	d := widget.ChartData{XLabel: x, YLabel: y, LogX: log, LogY: log}
	d.Series = append(d.Series, widget.Series{Name: "mean map", X: b.X, Y: b.Mean, Colour: theme.ColorNameWarning})
	if len(b.Quantiles) == len(b.X) && len(b.X) > 0 {
		mid, half := make([]float64, len(b.X)), make([]float64, len(b.X))
		for i, q := range b.Quantiles {
			mid[i], half[i] = q[2], (q[3]-q[1])/2
		}
		d.Series = append(d.Series, widget.Series{Name: "samples", X: b.X, Y: mid, Std: half, Colour: theme.ColorNamePrimary})
	}
	return d
}
