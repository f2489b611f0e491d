package widget

import (
	"image"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
)

// The outer bars are as wide as the others, points lie off the axes, and names of curves
// stand above the bars.
func TestChart_BarsPointsAndNames_HaveTheirPlace(t *testing.T) {
	c := NewChart("nothing")
	place(t, c, fyne.NewSize(400, 240))
	ink := c.colour(theme.ColorNamePrimary)
	painted := func(im image.Image, x0, x1, y0, y1 int) (n int) {
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				if rgba(im.At(x, y)) == ink {
					n++
				}
			}
		}
		return n
	}
	c.SetData(ChartData{YLabel: "pairs", Series: []Series{
		{X: []float64{0, 1, 2, 3}, Y: []float64{5, 5, 5, 5}, Bars: true},
		{Name: "expected", X: []float64{0, 3}, Y: []float64{4, 4}, Std: []float64{9, 9}, Colour: theme.ColorNameWarning},
	}})
	im := c.generate(400, 240)
	const l, r, top, base = chartLeft, 400 - chartRight, chartTop, 240 - chartBottom
	quarter := (r - l) / 4.0
	var first int
	for i := range 4 {
		n := painted(im, int(l+float64(i)*quarter), int(l+float64(i+1)*quarter), int(base)-20, int(base)-2)
		if i == 0 {
			first = n
		}
		if n == 0 || n > first+40 || n < first-40 { // a column of 18 pixels more or less
			t.Errorf("bar %d has %d pixels, the first %d", i, n, first)
		}
	}
	if n := painted(im, 0, int(l)-1, 0, 240) + painted(im, int(r)+1, 400, 0, 240); n > 0 {
		t.Errorf("%d pixels of bars beside the plot", n)
	}
	if n, m := painted(im, 0, 400, int(base)-12, int(base)), painted(im, 0, 400, int(base), 240); n == 0 || m > 0 {
		t.Errorf("%d pixels of bars above the axis of 0, %d below", n, m)
	}
	dash := c.colour(theme.ColorNameWarning)
	above := 0
	for y := range int(top) - 2 {
		for x := range 400 {
			if rgba(im.At(x, y)) == dash {
				above++
			}
		}
	}
	if above == 0 {
		t.Error("the name of the curve does not stand above the plot")
	}

	c.SetData(ChartData{Series: []Series{{X: []float64{1, 2, 4}, Y: []float64{3, 1, 2}, Points: true}}})
	im = c.generate(400, 240)
	if n := painted(im, int(l)+3, int(r)-3, int(top), int(base)-3); n < 3*9 {
		t.Errorf("%d pixels of three points inside the plot", n)
	}
	if n := painted(im, 0, int(l)+2, 0, 240) + painted(im, 0, 400, int(base)-2, 240); n > 0 {
		t.Errorf("%d pixels of points on the axes", n)
	}
}
