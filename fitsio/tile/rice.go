package tile

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// riceParams are the constants of the three pixel sizes (FITS 4.0, section
// 10.4.1): bits of the code that opens a block, the code that means "not
// compressed", and the bits of a pixel.
func riceParams(bytepix int) (fsbits, fsmax, bbits uint, err error) {
	switch bytepix {
	case 1:
		return 3, 6, 8, nil
	case 2:
		return 4, 14, 16, nil
	case 4:
		return 5, 25, 32, nil
	}
	return 0, 0, 0, fmt.Errorf("rice: BYTEPIX %d is not 1, 2 or 4: %w", bytepix, ErrCorrupt)
}

// bitReader reads big-endian bits through a 64-bit window. Past the end it gives
// zeros and counts them.
type bitReader struct {
	src []byte
	pos int
	acc uint64 // next bits, left aligned
	n   uint   // how many of them are valid
}

// fill makes at least 56 bits valid.
func (r *bitReader) fill() {
	if r.pos+8 <= len(r.src) {
		r.acc |= binary.BigEndian.Uint64(r.src[r.pos:]) >> r.n
		k := (63 - r.n) >> 3
		r.pos += int(k)
		r.n += k * 8
		return
	}
	for r.n <= 56 {
		if r.pos < len(r.src) {
			r.acc |= uint64(r.src[r.pos]) << (56 - r.n)
		}
		r.pos++
		r.n += 8
	}
}

// take reads k ≤ 32 bits.
func (r *bitReader) take(k uint) uint32 {
	if r.n < k {
		r.fill()
	}
	v := r.acc >> 1 >> (63 - k)
	r.acc <<= k
	r.n -= k
	return uint32(v)
}

// over reports whether bits after the end were used.
func (r *bitReader) over() bool { return r.pos-int(r.n/8) > len(r.src) }

// Rice decodes RICE_1 with pixels of bytepix (1, 2, 4) bytes in blocks of block
// pixels into dst. Pixels of one byte are unsigned, the others signed.
func Rice(dst []int32, src []byte, block, bytepix int) error {
	fsbits, fsmax, bbits, err := riceParams(bytepix)
	if err != nil {
		return err
	}
	if block < 1 {
		return fmt.Errorf("rice: BLOCKSIZE %d: %w", block, ErrCorrupt)
	}
	if len(dst) == 0 {
		return nil
	}
	r := bitReader{src: src}
	last := r.take(bbits)
	for i := 0; i < len(dst); i += block {
		out := dst[i:min(i+block, len(dst))]
		fs := r.take(fsbits)
		switch {
		case fs == 0: // the block is constant
			v := signed(last, bytepix)
			for j := range out {
				out[j] = v
			}
		case fs-1 == uint32(fsmax):
			for j := range out {
				last += unzigzag(r.take(bbits))
				out[j] = signed(last, bytepix)
			}
		case fs-1 < uint32(fsmax):
			if last, err = r.block(out, last, uint(fs-1), bytepix); err != nil {
				return err
			}
		default:
			return fmt.Errorf("rice: code %d in block %d: %w", fs, i/block, ErrCorrupt)
		}
		if r.over() {
			return fmt.Errorf("rice: %d bytes end in block %d of %d: %w",
				len(src), i/block, (len(dst)+block-1)/block, ErrCorrupt)
		}
	}
	return nil
}

// block decodes one block of Rice codes: a difference is a unary number of
// zeros, a one, and fs plain bits.
func (r *bitReader) block(out []int32, last uint32, fs uint, bytepix int) (uint32, error) {
	shift := uint(32 - 8*bytepix)
	acc, n := r.acc, r.n
	for j := range out {
		if n < 40 {
			r.acc, r.n = acc, n
			r.fill()
			acc, n = r.acc, r.n
		}
		z := uint(bits.LeadingZeros64(acc))
		if z+1+fs > n {
			r.acc, r.n = acc, n
			v, err := r.longCode(fs)
			if err != nil {
				return 0, err
			}
			last += unzigzag(v)
			acc, n = r.acc, r.n
		} else {
			acc <<= z
			acc <<= 1
			v := uint32(z)<<fs | uint32(acc>>1>>(63-fs))
			acc <<= fs
			n -= z + 1 + fs
			last += unzigzag(v)
		}
		if bytepix == 1 {
			out[j] = int32(last & 0xff)
		} else {
			out[j] = int32(last<<shift) >> shift
		}
	}
	r.acc, r.n = acc, n
	return last, nil
}

// longCode reads a code that does not fit the window.
func (r *bitReader) longCode(fs uint) (uint32, error) {
	zeros := uint(0)
	for {
		r.fill()
		z := min(uint(bits.LeadingZeros64(r.acc)), r.n)
		zeros += z
		r.acc <<= z
		r.n -= z
		if r.n > 0 {
			r.acc <<= 1
			r.n--
			return uint32(zeros)<<fs | r.take(fs), nil
		}
		if r.over() {
			return 0, fmt.Errorf("rice: code runs past the end of %d bytes: %w", len(r.src), ErrCorrupt)
		}
	}
}

// unzigzag maps 0, 1, 2, 3 … to 0, -1, 1, -2 ….
func unzigzag(v uint32) uint32 { return v>>1 ^ -(v & 1) }

func signed(v uint32, bytepix int) int32 {
	switch bytepix {
	case 1:
		return int32(v & 0xff)
	case 2:
		return int32(int16(v))
	}
	return int32(v)
}
