// Package pixels converts between the numbers of FITS files and those of Go.
package pixels

import (
	"encoding/binary"
	"math"
)

// QuietNaN has the bits that C and numpy give NaN; math.NaN has others.
var QuietNaN = math.Float64frombits(0x7ff8000000000000)

// Float is what pixels are read as.
type Float interface{ float32 | float64 }

// Scaling says how stored numbers become physical values (FITS 4.0, section
// 4.4.2.5): value = zero + scale · stored; blank is not a number.
type Scaling struct {
	Scale, Zero float64
	Blank       int64
	HasBlank    bool
	// Flip marks BZERO = 2^(n-1) with BSCALE 1: unsigned integers (signed for 8
	// bits), which are then exact.
	Flip bool
}

// Identity reports that stored numbers are physical values, but for Flip.
func (s Scaling) Identity() bool { return s.Flip || (s.Scale == 1 && s.Zero == 0) }

// Decode turns big-endian stored pixels into physical values; src holds
// len(dst) pixels.
//
// float32 values of 8, 16 and -32 bit pixels are scaled in float32, multiply
// first, then add, each rounded, so that they equal what astropy gives bit by
// bit. Everything else is scaled in float64.
func Decode[T Float](dst []T, src []byte, bitpix int, s Scaling) {
	var wide [512]float64
	switch {
	case s.Identity() || !narrows[T](bitpix):
		Unpack(dst, src, bitpix, s.Flip)
		if !s.Identity() {
			Rescale(dst, s)
		}
	default: // float64 arithmetic, float32 result
		size := Abs(bitpix) / 8
		for i := 0; i < len(dst); i += len(wide) {
			out := dst[i:min(i+len(wide), len(dst))]
			w := wide[:len(out)]
			Unpack(w, src[i*size:], bitpix, false)
			Rescale(w, s)
			for j, v := range w {
				out[j] = T(v)
			}
		}
	}
	if s.HasBlank {
		markBlank(dst, src, bitpix, s.Blank)
	}
}

// narrows reports whether float32 would lose digits before the Scaling.
func narrows[T Float](bitpix int) bool {
	var z T
	_, is32 := any(z).(float32)
	return is32 && (bitpix == 32 || Abs(bitpix) == 64)
}

// Rescale multiplies by Scale and adds Zero, each rounded to T.
func Rescale[T Float](x []T, s Scaling) {
	a, b := T(s.Scale), T(s.Zero)
	for i, v := range x {
		p := v * a
		x[i] = T(p) + b // the conversion forbids a fused multiply-add
	}
}

// Unpack converts stored pixels; flip adds 2^(n-1) exactly.
func Unpack[T Float](dst []T, src []byte, bitpix int, flip bool) {
	switch bitpix {
	case 8:
		unpack8(dst, src, flip)
	case 16:
		off := int32(0)
		if flip {
			off = 1 << 15
		}
		src = src[:2*len(dst)]
		for i := range dst {
			dst[i] = T(int32(int16(binary.BigEndian.Uint16(src[2*i:]))) + off)
		}
	case 32:
		off := int64(0)
		if flip {
			off = 1 << 31
		}
		src = src[:4*len(dst)]
		for i := range dst {
			dst[i] = T(int64(int32(binary.BigEndian.Uint32(src[4*i:]))) + off)
		}
	case 64:
		for i := range dst {
			v := binary.BigEndian.Uint64(src[8*i:])
			if flip {
				dst[i] = T(v ^ 1<<63)
			} else {
				dst[i] = T(int64(v))
			}
		}
	case -32:
		src = src[:4*len(dst)]
		for i := range dst {
			dst[i] = T(math.Float32frombits(binary.BigEndian.Uint32(src[4*i:])))
		}
	case -64:
		src = src[:8*len(dst)]
		for i := range dst {
			dst[i] = T(math.Float64frombits(binary.BigEndian.Uint64(src[8*i:])))
		}
	}
}

func unpack8[T Float](dst []T, src []byte, flip bool) {
	off := int32(0)
	if flip {
		off = -128
	}
	for i, v := range src[:len(dst)] {
		dst[i] = T(int32(v) + off)
	}
}

// markBlank writes NaN where the stored pixel is blank.
func markBlank[T Float](dst []T, src []byte, bitpix int, blank int64) {
	nan := T(QuietNaN)
	switch bitpix {
	case 8:
		for i := range dst {
			if int64(src[i]) == blank {
				dst[i] = nan
			}
		}
	case 16:
		for i := range dst {
			if int64(int16(binary.BigEndian.Uint16(src[2*i:]))) == blank {
				dst[i] = nan
			}
		}
	case 32:
		for i := range dst {
			if int64(int32(binary.BigEndian.Uint32(src[4*i:]))) == blank {
				dst[i] = nan
			}
		}
	case 64:
		for i := range dst {
			if int64(binary.BigEndian.Uint64(src[8*i:])) == blank {
				dst[i] = nan
			}
		}
	}
}

// ConvertInts does for decoded integers what Decode does for stored bytes.
func ConvertInts[T Float](dst []T, src []int32, bitpix int, s Scaling) {
	var wide [512]float64
	off := int64(0)
	if s.Flip {
		off = int64(s.Zero)
	}
	direct := s.Identity() || !narrows[T](bitpix)
	for i := 0; i < len(dst); i += len(wide) {
		in := src[i:min(i+len(wide), len(dst))]
		out := dst[i : i+len(in)]
		switch {
		case direct && off == 0:
			for j, v := range in {
				out[j] = T(v)
			}
		case direct:
			for j, v := range in {
				out[j] = T(int64(v) + off)
			}
		default:
			w := wide[:len(in)]
			for j, v := range in {
				w[j] = float64(v)
			}
			Rescale(w, s)
			for j, v := range w {
				out[j] = T(v)
			}
		}
		if direct && !s.Identity() {
			Rescale(out, s)
		}
		if s.HasBlank {
			for j, v := range in {
				if int64(v) == s.Blank {
					out[j] = T(QuietNaN)
				}
			}
		}
	}
}
