package pixels

import (
	"encoding/binary"
	"math"
	"unsafe"

	"limpid/fitsio/header"
)

// Pixel is what an image can be written from. Unsigned types and int8 are stored
// with BZERO, as the standard says.
type Pixel interface {
	~uint8 | ~int8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~float32 | ~float64
}

// Type gives BITPIX and BZERO (nil: none) of a Go type.
func Type[T Pixel]() (bitpix int, zero any) {
	var z T
	size := int(unsafe.Sizeof(z))
	half := T(1) / 2
	if half != 0 {
		return -8 * size, nil
	}
	signed := z-1 < z
	switch {
	case size == 1 && signed:
		return 8, int64(-128)
	case size == 1 || signed:
		return 8 * size, nil
	case size == 8:
		return 64, header.Big("9223372036854775808")
	}
	return 8 * size, int64(1) << (8*size - 1)
}

// Put writes big-endian pixels; flip is the bit that turns unsigned into signed
// integers.
func Put[T Pixel](buf []byte, data []T, bitpix int, flip uint64) {
	switch bitpix {
	case 8:
		for i, v := range data {
			buf[i] = byte(v) ^ byte(flip)
		}
	case 16:
		for i, v := range data {
			binary.BigEndian.PutUint16(buf[2*i:], uint16(v)^uint16(flip))
		}
	case 32:
		for i, v := range data {
			binary.BigEndian.PutUint32(buf[4*i:], uint32(v)^uint32(flip))
		}
	case 64:
		for i, v := range data {
			binary.BigEndian.PutUint64(buf[8*i:], uint64(v)^flip)
		}
	case -32:
		for i, v := range data {
			binary.BigEndian.PutUint32(buf[4*i:], math.Float32bits(float32(v)))
		}
	case -64:
		for i, v := range data {
			binary.BigEndian.PutUint64(buf[8*i:], math.Float64bits(float64(v)))
		}
	}
}

// Abs is the absolute value; |BITPIX| is the size of a pixel in bits.
func Abs(i int) int {
	if i < 0 {
		return -i
	}
	return i
}

// Offsets are the zero points that turn signed integers into unsigned ones (and
// bytes into signed ones), by BITPIX.
var Offsets = map[int]float64{8: -1 << 7, 16: 1 << 15, 32: 1 << 31, 64: 1 << 63}
