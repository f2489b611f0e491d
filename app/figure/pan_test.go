package figure

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"
)

// holed is a noisy image with a hole.
func holed(t *testing.T) *Image {
	p := noisePlane(150, 130, 0)
	for y := 40; y < 70; y++ {
		for x := 50; x < 90; x++ {
			p.Data[y*p.W+x] = float32(math.NaN())
		}
	}
	return mustImage(t, p)
}

func TestPan_EveryTransformAndZoom_IsWhatRenderDraws(t *testing.T) {
	im := holed(t)
	var tab Table
	tab.Set(Style{Limits: Limits{90, 110}, Map: Viridis}, im)
	rng := rand.New(rand.NewPCG(3, 4))
	const w, h = 97, 71
	for _, turn := range Transforms() {
		for _, zoom := range []float64{0.25, 0.5, 1, 2, 4} { // exact in binary: the same bytes
			var r, fresh Renderer
			dst, want := image.NewRGBA(image.Rect(0, 0, w, h)), image.NewRGBA(image.Rect(0, 0, w, h))
			v := View{X: 70.25, Y: 60.5, Zoom: zoom, Turn: turn}
			for n := range 40 {
				r.Pan(dst, im, v, &tab, ground)
				fresh.Render(want, im, v, &tab, ground)
				if !bytes.Equal(dst.Pix, want.Pix) {
					t.Fatalf("turn %v, zoom %g, step %d: another picture than Render's", turn, zoom, n)
				}
				dx, dy := float64(rng.IntN(41)-20), float64(rng.IntN(41)-20)
				switch n {
				case 10: // out of sight
					dx, dy = 5000, 0
				case 11:
					dx, dy = -5000, 0
				case 20: // not by whole pixels
					dx = 0.25
				}
				v.X, v.Y = v.X-dx/zoom, v.Y+dy/zoom
			}
			if n := r.last.at; n == [2]int{} {
				t.Errorf("turn %v, zoom %g: nothing was moved", turn, zoom)
			}
		}
	}
}

// A long pan at a zoom whose steps are rounded stays within the pixel it began in.
func TestPan_Rounding_DoesNotAddUp(t *testing.T) {
	p := planeOf(300, 280, func(i int) float64 { return 128 + 60*math.Sin(float64(i%300)/9) + 50*math.Cos(float64(i/300)/7) })
	im := mustImage(t, p)
	tab := identityTable()
	var r, fresh Renderer
	dst, want := image.NewRGBA(image.Rect(0, 0, 90, 80)), image.NewRGBA(image.Rect(0, 0, 90, 80))
	v := View{X: 150, Y: 140, Zoom: 0.83}
	r.Pan(dst, im, v, tab, ground)
	moves := 0
	for n := range 2000 {
		step := 1 + 3e-5 // as positions in single precision are off
		if n%20 >= 10 {
			step = -1 + 3e-5
		}
		v.X += step / v.Zoom
		r.Pan(dst, im, v, tab, ground)
		if r.last.at != [2]int{} {
			moves++
		}
	}
	fresh.Render(want, im, v, tab, ground)
	for i := range dst.Pix {
		if d := int(dst.Pix[i]) - int(want.Pix[i]); d < -1 || d > 1 {
			t.Fatalf("byte %d: %d where Render draws %d", i, dst.Pix[i], want.Pix[i])
		}
	}
	if moves < 1500 {
		t.Errorf("only %d of 2000 pictures were moved", moves)
	}
}

func TestPan_SomethingElseChanged_DrawsAllOfIt(t *testing.T) {
	im, other := holed(t), mustImage(t, noisePlane(150, 130, 0.3))
	var tab Table
	tab.Set(Style{Limits: Limits{90, 110}}, im)
	back := color.RGBA{9, 9, 9, 255}
	var r, fresh Renderer
	v := View{X: 70, Y: 60, Zoom: 1}
	dst, want := image.NewRGBA(image.Rect(0, 0, 97, 71)), image.NewRGBA(image.Rect(0, 0, 97, 71))
	step := func(what string) {
		t.Helper()
		v.X++
		r.Pan(dst, im, v, &tab, back)
		fresh.Render(want, im, v, &tab, back)
		if !bytes.Equal(dst.Pix, want.Pix) {
			t.Errorf("after %s: another picture than Render's", what)
		}
	}
	step("nothing")
	im = other
	step("another image")
	tab.Set(Style{Limits: Limits{80, 120}, Stretch: Sqrt}, im)
	step("another style")
	back.R = 70
	step("another ground")
	p := noisePlane(150, 130, 0)
	if err := im.Reset(p); err != nil {
		t.Fatal(err)
	}
	step("other values")
	dst = image.NewRGBA(dst.Rect)
	step("another picture")
	r.Render(dst, holed(t), v, &tab, back)
	step("Render")
	r.RenderColour(dst, [3]*Image{im, im, im}, v, Colour{Scale: [3]float64{1, 1, 1}, Range: 100}, back)
	step("RenderColour")
	v.Zoom = 2
	step("another zoom")
}
