package figure

import (
	"bytes"
	"image"
	"math"
	"strings"
	"testing"

	"golang.org/x/image/tiff"
)

func TestWriteTIFF_AnyTurn_DecodesToSixteenBits(t *testing.T) {
	const w, h = 5, 3
	p := Plane{W: w, H: h, Data: make([]float32, w*h)}
	for i := range p.Data {
		p.Data[i] = float32(i)
	}
	p.Data[7] = float32(math.NaN())
	var table Table
	table.Set(Style{Limits: Limits{Lo: 0, Hi: w*h - 1}}, nil)
	for _, turn := range Transforms() {
		var b bytes.Buffer
		if err := WriteTIFF(&b, p, &table, turn, "mean, µJy, asinh"); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "mean, Jy, asinh\x00") {
			t.Error("the description is not in the file")
		}
		got, err := tiff.Decode(&b)
		if err != nil {
			t.Fatal(turn, err)
		}
		im, ok := got.(*image.Gray16)
		if !ok {
			t.Fatalf("%v: decoded as %T", turn, got)
		}
		for y := range h {
			for x := range w {
				want := uint16(float64(p.Data[y*w+x])/(w*h-1)*65535 + 0.5)
				if y*w+x == 7 {
					want = 0
				}
				right, up := turn.Apply(float64(x)-(w-1)/2., float64(y)-(h-1)/2.)
				i := int(math.Round(right + float64(im.Rect.Dx()-1)/2))
				j := int(math.Round(float64(im.Rect.Dy()-1)/2 - up))
				if v := im.Gray16At(i, j).Y; v != want {
					t.Fatalf("%v: pixel (%d, %d) is %d at (%d, %d), want %d", turn, x, y, v, i, j, want)
				}
			}
		}
	}
}

func TestWriteTIFF_EmptyPlane_IsRefused(t *testing.T) {
	var table Table
	table.Set(Style{}, nil)
	if err := WriteTIFF(&bytes.Buffer{}, Plane{}, &table, Upright, ""); err == nil {
		t.Error("nothing was written without an error")
	}
}
