package xwin

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Shot is a picture of the whole screen.
func (d *Display) Shot() (*image.NRGBA, error) {
	var raw []byte
	var err error
	for range 3 { // it fails while a window comes or goes
		c := exec.Command("xwd", "-root", "-silent")
		c.Env = d.env()
		if raw, err = c.Output(); err == nil {
			return decode(raw)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, fmt.Errorf("xwin: xwd: %w", err)
}

// decode reads an X window dump (XWDFile.h, version 7) of 32 bits per pixel.
func decode(raw []byte) (*image.NRGBA, error) {
	const words = 25
	if len(raw) < 4*words {
		return nil, errors.New("xwin: the dump is too short")
	}
	var h [words]uint32
	for i := range h {
		h[i] = binary.BigEndian.Uint32(raw[4*i:])
	}
	header, version, w, ht := int(h[0]), h[1], int(h[4]), int(h[5])
	order, bits, stride, colours := h[7], h[11], int(h[12]), int(h[19])
	red, green, blue := h[14], h[15], h[16]
	if version != 7 || bits != 32 || red != 0xff0000 || green != 0xff00 || blue != 0xff {
		return nil, fmt.Errorf("xwin: a dump of version %d with %d bits per pixel cannot be read", version, bits)
	}
	const colourSize = 12
	pix := raw[min(len(raw), header+colours*colourSize):]
	if len(pix) < ht*stride || stride < 4*w {
		return nil, errors.New("xwin: the dump is truncated")
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, ht))
	for y := range ht {
		for x := range w {
			p := pix[y*stride+4*x:][:4]
			v := binary.LittleEndian.Uint32(p)
			if order == 1 {
				v = binary.BigEndian.Uint32(p)
			}
			out.SetNRGBA(x, y, color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255})
		}
	}
	return out, nil
}

// Save writes a picture as PNG.
func Save(path string, im image.Image) error {
	var b bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if err := enc.Encode(&b, im); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// Colours counts how many different colours a part of a picture has; a blank one
// has one.
func Colours(im *image.NRGBA, r image.Rectangle) int {
	seen := map[color.NRGBA]bool{}
	r = r.Intersect(im.Rect)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			seen[im.NRGBAAt(x, y)] = true
		}
	}
	return len(seen)
}

// Differ is the share of pixels of a part in which two pictures differ.
func Differ(a, b *image.NRGBA, r image.Rectangle) float64 {
	r = r.Intersect(a.Rect).Intersect(b.Rect)
	n := 0
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if a.NRGBAAt(x, y) != b.NRGBAAt(x, y) {
				n++
			}
		}
	}
	return float64(n) / float64(max(1, r.Dx()*r.Dy()))
}
