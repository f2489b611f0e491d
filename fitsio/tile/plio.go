package tile

import (
	"encoding/binary"
	"fmt"
)

// PLIO decodes an IRAF line list (PLIO_1; FITS 4.0, section 10.4.4): big-endian
// 16-bit words, each an operation in the upper 4 bits and a number in the lower
// 12. Pixels after the last instruction are 0.
func PLIO(dst []int32, src []byte) error {
	l := lineList{src: src, words: len(src) / 2, dst: dst}
	if l.words < 4 {
		return fmt.Errorf("plio: %d bytes: %w", len(src), ErrCorrupt)
	}
	first, length := 3, l.word(2) // the old header
	if l.word(2) <= 0 {
		if l.words < 7 {
			return fmt.Errorf("plio: %d bytes: %w", len(src), ErrCorrupt)
		}
		first, length = l.word(1), l.word(4)<<15|l.word(3)
	}
	if first < 3 || length < 0 || length > l.words {
		return fmt.Errorf("plio: %d words from %d, of %d: %w", length, first, l.words, ErrCorrupt)
	}
	if err := l.run(first, length); err != nil {
		return err
	}
	clear(dst[l.x:])
	return nil
}

type lineList struct {
	src   []byte
	words int
	dst   []int32
	x     int // next pixel
}

func (l *lineList) word(i int) int { return int(int16(binary.BigEndian.Uint16(l.src[2*i:]))) }

// put writes n pixels.
func (l *lineList) put(n int, v int32) error {
	if n > len(l.dst)-l.x {
		return fmt.Errorf("plio: more than %d pixels: %w", len(l.dst), ErrCorrupt)
	}
	out := l.dst[l.x : l.x+n]
	for i := range out {
		out[i] = v
	}
	l.x += n
	return nil
}

// run does the instructions in words first to length.
func (l *lineList) run(first, length int) (err error) {
	high := int32(1)
	for i := first; i < length && err == nil; i++ {
		w := l.word(i)
		n := w & 0xfff
		switch op := w >> 12 & 0xf; op {
		case 0: // zeros
			err = l.put(n, 0)
		case 1: // set the high value from 28 bits
			if i++; i >= length {
				return fmt.Errorf("plio: ends inside an instruction: %w", ErrCorrupt)
			}
			high = int32(l.word(i))<<12 + int32(n)
		case 2:
			high += int32(n)
		case 3:
			high -= int32(n)
		case 4: // high values
			err = l.put(n, high)
		case 5: // zeros, then one high value
			if err = l.put(max(n-1, 0), 0); err == nil {
				err = l.put(1, high)
			}
		case 6:
			high += int32(n)
			err = l.put(1, high)
		case 7:
			high -= int32(n)
			err = l.put(1, high)
		default:
			return fmt.Errorf("plio: operation %d: %w", op, ErrCorrupt)
		}
	}
	return err
}
