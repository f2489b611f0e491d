package viewmodel

import (
	"math"
	"testing"

	"limpid/app/figure"
	"limpid/ui/viewmodel/board"
)

func TestHistogramRange_BrightPixel_DoesNotSqueezeTheRest(t *testing.T) {
	p := figure.Plane{Data: make([]float32, 10000), W: 100, H: 100}
	for i := range p.Data {
		p.Data[i] = float32(i % 100)
	}
	p.Data[77] = 1e9
	im, err := figure.NewImage(p)
	if err != nil {
		t.Fatal(err)
	}
	if r := board.HistogramRange(im, figure.Limits{Lo: 10, Hi: 120}); r.Hi > 200 || r.Hi < 120 || r.Lo > 0 {
		t.Errorf("%v", r)
	}
	p.Data = make([]float32, 10000)
	for i := range p.Data {
		p.Data[i] = float32(math.NaN())
	}
	im, _ = figure.NewImage(p)
	if r := board.HistogramRange(im, figure.Limits{Lo: 0, Hi: 1}); !(r.Hi > r.Lo) {
		t.Errorf("without values: %v", r)
	}
}

func TestUsable_LimitsNobodyCanDrawWith_AreReplaced(t *testing.T) {
	for _, l := range []figure.Limits{{Lo: math.NaN(), Hi: 1}, {Lo: 3, Hi: 3}, {Lo: 0, Hi: 0}, {Lo: 0, Hi: math.Inf(1)}, {Lo: 2, Hi: 1}} {
		if u := usable(l); !(u.Hi > u.Lo) || math.IsInf(u.Hi-u.Lo, 0) {
			t.Errorf("%v became %v", l, u)
		}
	}
}
