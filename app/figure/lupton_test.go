package figure

import (
	"image"
	"image/color"
	"math"
	"testing"
)

func TestColour_HueDoesNotDependOnBrightness(t *testing.T) {
	c := Colour{Scale: [3]float64{1, 1, 1}, Range: 10, Soften: 8}
	for _, k := range []float32{0.5, 1, 5, 100} {
		got := c.At([3]float32{3 * k, 2 * k, k})
		if r := float64(got.R) / float64(got.B); math.Abs(r-3) > 3*1.5/float64(got.B)+0.02 {
			t.Errorf("at %g: %v, red to blue %.3f, want 3", k, got, r)
		}
	}
	if got := c.At([3]float32{10, 10, 10}); got != (color.RGBA{255, 255, 255, 255}) {
		t.Errorf("the range is %v, want white", got)
	}
	if got := c.At([3]float32{float32(math.NaN()), 1, 1}); got.R != 0x30 {
		t.Errorf("no value is %v", got)
	}
	if got := c.At([3]float32{-1, -1, -1}); got != (color.RGBA{0, 0, 0, 255}) {
		t.Errorf("below black is %v", got)
	}
}

func TestRenderColour_EveryTurn_LikeRender(t *testing.T) {
	const w, h = 7, 5
	p := Plane{Data: make([]float32, w*h), W: w, H: h}
	for i := range p.Data {
		p.Data[i] = float32(i)
	}
	im, err := NewImage(p)
	if err != nil {
		t.Fatal(err)
	}
	c := Colour{Scale: [3]float64{1, 1, 1}, Range: w * h, Soften: 1e-6} // linear
	var table Table
	table.Set(Style{Limits: Limits{0, w * h}, Stretch: Linear, Map: Gray}, im)
	for _, turn := range Transforms() {
		for _, zoom := range []float64{0.6, 1, 3} {
			a, b := image.NewRGBA(image.Rect(0, 0, 30, 26)), image.NewRGBA(image.Rect(0, 0, 30, 26))
			v := View{X: 3, Y: 2, Zoom: zoom, Turn: turn}
			var r Renderer
			r.Render(a, im, v, &table, color.RGBA{1, 2, 3, 255})
			r.RenderColour(b, [3]*Image{im, im, im}, v, c, color.RGBA{1, 2, 3, 255})
			for i := range a.Pix {
				if d := int(a.Pix[i]) - int(b.Pix[i]); d < -2 || d > 2 {
					t.Fatalf("%v zoom %g: byte %d is %d, want %d", turn, zoom, i, b.Pix[i], a.Pix[i])
				}
			}
		}
	}
}
