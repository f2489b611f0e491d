package tile

import (
	"encoding/binary"
	"fmt"
)

// PLIO decodes an IRAF line list (PLIO_1; FITS 4.0, section 10.4.4): big-endian
// 16-bit words, each an operation in the upper 4 bits and a number in the lower
// 12. Pixels after the last instruction are 0.
func PLIO(dst []int32, src []byte) error {
	words := len(src) / 2
	word := func(i int) int { return int(int16(binary.BigEndian.Uint16(src[2*i:]))) }
	if words < 4 {
		return fmt.Errorf("plio: %d bytes: %w", len(src), ErrCorrupt)
	}
	first, length := 3, word(2) // the old header
	if word(2) <= 0 {
		if words < 7 {
			return fmt.Errorf("plio: %d bytes: %w", len(src), ErrCorrupt)
		}
		first, length = word(1), word(4)<<15|word(3)
	}
	if first < 3 || length < 0 || length > words {
		return fmt.Errorf("plio: %d words from %d, of %d: %w", length, first, words, ErrCorrupt)
	}
	x, high := 0, int32(1)
	put := func(n int, v int32) bool {
		if n > len(dst)-x {
			return false
		}
		for i := range dst[x : x+n] {
			dst[x+i] = v
		}
		x += n
		return true
	}
	ok := true
	for i := first; i < length && ok; i++ {
		w := word(i)
		op, n := w>>12&0xf, w&0xfff
		switch op {
		case 0: // zeros
			ok = put(n, 0)
		case 1: // set the high value from 28 bits
			if i++; i >= length {
				return fmt.Errorf("plio: ends inside an instruction: %w", ErrCorrupt)
			}
			high = int32(word(i))<<12 + int32(n)
		case 2:
			high += int32(n)
		case 3:
			high -= int32(n)
		case 4: // high values
			ok = put(n, high)
		case 5: // zeros, then one high value
			ok = put(max(n-1, 0), 0) && put(1, high)
		case 6:
			high += int32(n)
			ok = put(1, high)
		case 7:
			high -= int32(n)
			ok = put(1, high)
		default:
			return fmt.Errorf("plio: operation %d: %w", op, ErrCorrupt)
		}
	}
	if !ok {
		return fmt.Errorf("plio: more than %d pixels: %w", len(dst), ErrCorrupt)
	}
	clear(dst[x:])
	return nil
}
