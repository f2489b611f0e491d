package view

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"limpid/ui/view/part"
	"limpid/ui/viewmodel/learned"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// calibrationDialog shows the report of a calibration: rank histograms, and how many
// truths the error bars hold by brightness.
func (w *Window) calibrationDialog(path string, r *learned.Report) {
	rows := part.NewRows()
	rows.Set(r.Numbers())
	ranks, bright := widget.NewChart("This test has no ranks"), widget.NewChart("No pixels")
	verdict := control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	show := func(i int) {
		x, counts, expect, spread := r.Ranks(i)
		d := widget.ChartData{XLabel: r.RankLabel(i), YLabel: "pairs"}
		if len(x) > 0 {
			d.Series = []widget.Series{
				{X: x, Y: counts, Bars: true},
				{Name: "expected ± 2 σ", X: x, Y: level(expect, len(x)), Std: level(spread, len(x)), Colour: theme.ColorNameWarning},
			}
		}
		ranks.SetData(d)
		verdict.SetText(fmt.Sprintf("%s: p = %.3g; small p: the ranks are not flat, the error bars do not hold", r.Tests[i].Name, r.Tests[i].P))
	}
	var list []control.Option
	for i, t := range r.Tests {
		list = append(list, control.Option{Value: strconv.Itoa(i), Label: t.Name})
	}
	tests := control.NewSelect("which ranks", func(v string) {
		if i, err := strconv.Atoi(v); err == nil {
			show(i)
		}
	})
	if len(list) > 0 {
		tests.Set(list, "0")
		show(0)
	}
	x, y := r.Brightness()
	bright.SetData(widget.ChartData{XLabel: "true brightness (σ of a data pixel)", YLabel: "share held by 90 %", LogX: true, Series: []widget.Series{
		{Name: "measured", X: x, Y: y, Points: true}, {Name: "wanted", X: x, Y: level(r.Expected(), len(x)), Colour: theme.ColorNameWarning},
	}})
	about := control.NewText(fmt.Sprintf("Prior %s, sampler %s, budget %s, %s, images of %d²", r.Prior, r.Sampler, r.Budget.Name(), r.PSF, r.Side), theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	ok := control.NewButton("Close", "", nil, nil)
	charts := control.NewTopRow(12, []float32{-1, -1},
		control.NewColumn(4, 0, tests, container.NewGridWrap(fyne.NewSize(390, 230), ranks), verdict),
		control.NewColumn(4, 0, heading("90 % intervals by brightness"), container.NewGridWrap(fyne.NewSize(390, 230), bright)))
	d := w.open("Calibration: "+filepath.Base(path), 800, control.NewColumn(10, 0, about, charts, rows.Object()), ok)
	ok.OnTapped = d.close
	w.win.Canvas().Focus(ok)
}

// level is a line at v over n places.
func level(v float64, n int) []float64 { return slices.Repeat([]float64{v}, n) }
