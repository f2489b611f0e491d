package figure

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"
)

func noisePlane(w, h int, badShare float64) Plane {
	rng := rand.New(rand.NewPCG(1, 2))
	p := Plane{Data: make([]float32, w*h), W: w, H: h}
	for i := range p.Data {
		p.Data[i] = float32(100 + 5*rng.NormFloat64())
	}
	for y := range int(float64(h) * badShare) {
		for x := range w {
			p.Data[y*w+x] = float32(math.NaN())
		}
	}
	return p
}

func BenchmarkRender(b *testing.B) {
	whole, err := NewImage(noisePlane(4096, 4096, 0))
	if err != nil {
		b.Fatal(err)
	}
	holes, err := NewImage(noisePlane(4096, 4096, 0.5))
	if err != nil {
		b.Fatal(err)
	}
	dst := image.NewRGBA(image.Rect(0, 0, 1600, 1000))
	cases := []struct {
		name string
		im   *Image
		zoom float64
		turn Transform
	}{
		{"fit", whole, 1000. / 4096, Upright},
		{"fill", whole, 1600. / 4096, Upright},
		{"fill-turned", whole, 1600. / 4096, Turn90},
		{"fill-half-NaN", holes, 1600. / 4096, Upright},
		{"worst-0.51", whole, 0.51, Upright},
		{"worst-0.99", whole, 0.99, Upright},
		{"one", whole, 1, Upright},
		{"one-turned", whole, 1, Turn270},
		{"four", whole, 4, Upright},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			var r Renderer
			var t Table
			t.Set(Style{Limits: Limits{90, 110}, Stretch: Log, Map: Viridis}, c.im)
			v := View{X: 2047.5, Y: 2047.5, Zoom: c.zoom, Turn: c.turn}
			r.Render(dst, c.im, v, &t, color.RGBA{A: 255})
			b.ReportAllocs()
			for b.Loop() {
				r.Render(dst, c.im, v, &t, color.RGBA{A: 255})
			}
		})
	}
}

func BenchmarkNewImage4096(b *testing.B) {
	p := noisePlane(4096, 4096, 0)
	for b.Loop() {
		if _, err := NewImage(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkZScale4096(b *testing.B) {
	im, _ := NewImage(noisePlane(4096, 4096, 0))
	for b.Loop() {
		im.stats = nil
		Range{Kind: ZScale}.Of(im)
	}
}

func BenchmarkPercentile4096(b *testing.B) {
	im, _ := NewImage(noisePlane(4096, 4096, 0))
	for b.Loop() {
		Range{Kind: Percentile, Percent: 99.5}.Of(im)
	}
}

func BenchmarkTableSet(b *testing.B) {
	var t Table
	s := Style{Limits: Limits{0, 1}, Stretch: Asinh, Map: Viridis, Contrast: 1, Bias: .5}
	for b.Loop() {
		s.Bias = 1 - s.Bias + .01
		t.Set(s, nil)
	}
}

func BenchmarkPan(b *testing.B) {
	im, err := NewImage(noisePlane(4096, 4096, 0))
	if err != nil {
		b.Fatal(err)
	}
	dst := image.NewRGBA(image.Rect(0, 0, 998, 785))
	for _, zoom := range []float64{0.25, 0.5, 1, 4} {
		b.Run(fmt.Sprint(zoom), func(b *testing.B) {
			var r Renderer
			var t Table
			t.Set(Style{Limits: Limits{90, 110}, Stretch: Log, Map: Viridis}, im)
			v := View{X: 2047.5, Y: 2047.5, Zoom: zoom}
			for n := 0; b.Loop(); n++ {
				step := float64(4 - 8*(n/50%2)) // to and fro
				v.X, v.Y = v.X+step/zoom, v.Y+step/zoom
				r.Pan(dst, im, v, &t, color.RGBA{A: 255})
			}
		})
	}
}
