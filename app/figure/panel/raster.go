package panel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/vector"
)

// raster is ink on pixels.
type raster struct {
	dst   *image.RGBA
	scale float64 // pixels per point
	fresh vector.Rasterizer
}

func (r *raster) fill(p path, c color.RGBA) {
	if len(p) == 0 {
		return
	}
	x0, y0, x1, y1 := p.bounds()
	b := image.Rect(int(math.Floor(x0*r.scale)), int(math.Floor(y0*r.scale)),
		int(math.Ceil(x1*r.scale))+1, int(math.Ceil(y1*r.scale))+1).Intersect(r.dst.Rect)
	if b.Empty() {
		return
	}
	r.fresh.Reset(b.Dx(), b.Dy())
	at := func(q [2]float64) (float32, float32) {
		return float32(q[0]*r.scale - float64(b.Min.X)), float32(q[1]*r.scale - float64(b.Min.Y))
	}
	for i, s := range p {
		ax, ay := at(s.p[0])
		bx, by := at(s.p[1])
		switch s.op {
		case opMove:
			if i > 0 {
				r.fresh.ClosePath()
			}
			r.fresh.MoveTo(ax, ay)
		case opLine:
			r.fresh.LineTo(ax, ay)
		case opQuad:
			r.fresh.QuadTo(ax, ay, bx, by)
		case opCube:
			cx, cy := at(s.p[2])
			r.fresh.CubeTo(ax, ay, bx, by, cx, cy)
		}
	}
	r.fresh.ClosePath()
	r.fresh.Draw(r.dst, b, image.NewUniform(c), image.Point{})
}

// picture is drawn pixel by pixel; a picture of one row is repeated downwards.
func (r *raster) picture(x, y, w, h float64, pic *image.RGBA) {
	px := func(v float64) int { return int(math.Round(v * r.scale)) }
	to := image.Rect(px(x), px(y), px(x+w), px(y+h))
	for row := to.Min.Y; row < to.Max.Y; row++ {
		k := min(row-to.Min.Y, pic.Rect.Dy()-1)
		draw.Draw(r.dst, image.Rect(to.Min.X, row, to.Max.X, row+1), pic, image.Pt(0, k), draw.Src)
	}
}

// Image draws the figure at its DPI.
func (f Figure) Image() (*image.RGBA, error) {
	turn, rows, height, err := f.plan()
	if err != nil {
		return nil, err
	}
	scale := float64(f.DPI) / 72
	r := &raster{
		dst:   image.NewRGBA(image.Rect(0, 0, int(math.Round(f.Width*scale)), int(math.Round(height*scale)))),
		scale: scale,
	}
	if err := f.draw(r, turn, rows, height); err != nil {
		return nil, err
	}
	return r.dst, nil
}

// WritePNG writes the figure as PNG with its resolution noted in it.
func (f Figure) WritePNG(w io.Writer) error {
	img, err := f.Image()
	if err != nil {
		return err
	}
	dpi := f.DPI
	if dpi == 0 {
		dpi = 200
	}
	var buf bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if err := enc.Encode(&buf, img); err != nil {
		return fmt.Errorf("panel: %w", err)
	}
	// image/png writes no pHYs chunk: it goes after the signature and IHDR.
	const head = 8 + 25
	chunk := []byte("\x00\x00\x00\x09pHYs")
	perMetre := uint32(math.Round(float64(dpi) / 0.0254))
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = binary.BigEndian.AppendUint32(chunk, perMetre)
	chunk = append(chunk, 1)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	b := buf.Bytes()
	for _, part := range [][]byte{b[:head], chunk, b[head:]} {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("panel: write PNG: %w", err)
		}
	}
	return nil
}
