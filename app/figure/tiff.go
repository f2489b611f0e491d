package figure

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// WriteTIFF writes a plane as an uncompressed grey TIFF of 16 bits (TIFF 6.0, 1992),
// for programs that edit pictures: brightness from 0 to 65535 as the table's stretch
// and limits say, black where there is no value. The picture is turned so that the top
// of the file is the top of the screen. About becomes its ImageDescription; only ASCII
// letters are kept in it.
func WriteTIFF(w io.Writer, p Plane, t *Table, turn Transform, about string) error {
	if err := p.check(); err != nil {
		return err
	}
	wide, high := p.W, p.H
	if turn.Swaps() {
		wide, high = high, wide
	}
	if size := int64(wide) * int64(high) * 2; size > math.MaxUint32-1<<16 {
		return fmt.Errorf("figure: a TIFF holds 4 GB: %d × %d pixels of 16 bits do not fit", wide, high)
	}
	pix := make([]byte, 2*wide*high)
	for y := range p.H {
		for x := range p.W {
			// The middle of the plane is that of the picture; y of the screen runs down.
			right, up := turn.Apply(float64(x)-float64(p.W-1)/2, float64(y)-float64(p.H-1)/2)
			i, j := int(math.Round(right+float64(wide-1)/2)), int(math.Round(float64(high-1)/2-up))
			v := t.Brightness(float64(p.Data[y*p.W+x]))
			if v != v {
				v = 0
			}
			binary.LittleEndian.PutUint16(pix[2*(j*wide+i):], uint16(v*65535+0.5))
		}
	}
	_, err := w.Write(append(tiffHead(wide, high, ascii(about)), pix...))
	return err
}

// ascii keeps what TIFF allows in a description, and ends it.
func ascii(s string) []byte {
	var out []byte
	for _, r := range s {
		if r == '\n' || r >= ' ' && r <= '~' {
			out = append(out, byte(r))
		}
	}
	return append(out, 0)
}

// tiffHead is everything before the pixels: header, one directory, what it points at.
func tiffHead(w, h int, about []byte) []byte {
	type field struct {
		tag, kind uint16
		value     uint32
	}
	const short, long, text = 3, 4, 2
	fields := []field{
		{256, long, uint32(w)},
		{257, long, uint32(h)},
		{258, short, 16}, // bits
		{259, short, 1},  // not compressed
		{262, short, 1},  // black is 0
		{270, text, 0},   // description
		{273, long, 0},   // where the pixels are
		{277, short, 1},  // one sample
		{278, long, uint32(h)},
		{279, long, uint32(2 * w * h)},
	}
	const start = 8
	directory := 2 + 12*len(fields) + 4
	at := uint32(start + directory)
	for len(about) < 5 { // shorter ones would have to stand in the directory
		about = append(about, 0)
	}
	pixels := at + uint32(len(about)+len(about)%2)
	b := bytes.NewBufferString("II*\x00")
	put := func(v any) { _ = binary.Write(b, binary.LittleEndian, v) }
	put(uint32(start))
	put(uint16(len(fields)))
	for _, f := range fields {
		count := uint32(1)
		switch f.tag {
		case 270:
			count, f.value = uint32(len(about)), at
		case 273:
			f.value = pixels
		}
		put([]uint16{f.tag, f.kind})
		put([]uint32{count, f.value})
	}
	put(uint32(0))
	b.Write(about)
	if len(about)%2 == 1 {
		b.WriteByte(0)
	}
	return b.Bytes()
}
