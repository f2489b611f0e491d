package tile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math/bits"
)

// bitWriter writes big-endian bits.
type bitWriter struct {
	out []byte
	acc uint64 // pending bits, right aligned
	n   uint   // how many, below 32 between calls
}

// put writes the lowest k ≤ 32 bits of v.
func (w *bitWriter) put(v uint32, k uint) {
	w.acc = w.acc<<k | uint64(v)&(1<<k-1)
	w.n += k
	if w.n >= 32 {
		w.n -= 32
		w.out = binary.BigEndian.AppendUint32(w.out, uint32(w.acc>>w.n))
	}
}

// flush writes what is pending, filled up with zeros to whole bytes.
func (w *bitWriter) flush() []byte {
	for w.n > 0 {
		k := min(w.n, 8)
		w.n -= k
		w.out = append(w.out, byte(w.acc>>w.n)<<(8-k))
	}
	return w.out
}

// zeros writes k zeros.
func (w *bitWriter) zeros(k uint32) {
	for ; k > 32; k -= 32 {
		w.put(0, 32)
	}
	w.put(0, uint(k))
}

// EncodeRice appends the RICE_1 code of src to dst; see Rice for the parameters.
// Pixels must fit bytepix bytes (unsigned for 1, signed for 2 and 4).
func EncodeRice(dst []byte, src []int32, block, bytepix int) ([]byte, error) {
	fsbits, fsmax, bbits, err := riceParams(bytepix)
	if err != nil || block < 1 {
		return nil, fmt.Errorf("rice: BYTEPIX %d, BLOCKSIZE %d: %w", bytepix, block, ErrCorrupt)
	}
	w := bitWriter{out: dst}
	if len(src) == 0 {
		return w.out, nil
	}
	last := uint32(src[0])
	w.put(last, bbits)
	diffs := make([]uint32, min(block, len(src)))
	drop := 32 - bbits
	for len(src) > 0 {
		n := min(block, len(src))
		sum := uint64(0)
		for i, v := range src[:n] {
			d := int32((uint32(v)-last)<<drop) >> drop // wraps at the pixel's size
			last = uint32(v)
			diffs[i] = uint32(d<<1) ^ uint32(d>>31)
			sum += uint64(diffs[i])
		}
		w.block(diffs[:n], sum, fsbits, fsmax, bbits)
		src = src[n:]
	}
	return w.flush(), nil
}

// block writes one block with the number of plain bits that suits its mean.
func (w *bitWriter) block(diffs []uint32, sum uint64, fsbits, fsmax, bbits uint) {
	n := uint64(len(diffs))
	mean := uint64(0)
	if sum > n/2+1 {
		mean = (sum - n/2 - 1) / n
	}
	fs := uint(bits.Len64(mean >> 1))
	switch {
	case sum == 0:
		w.put(0, fsbits)
	case fs >= fsmax:
		w.put(uint32(fsmax+1), fsbits)
		for _, d := range diffs {
			w.put(d, bbits)
		}
	default:
		w.put(uint32(fs+1), fsbits)
		for _, d := range diffs {
			if z := d >> fs; z+uint32(fs) < 32 { // zeros, a one and the plain bits at once
				w.put(1<<fs|d&(1<<fs-1), uint(z)+1+fs)
			} else {
				w.zeros(z)
				w.put(1, 1)
				w.put(d, fs)
			}
		}
	}
}

// Gzip packs src at a level of package compress/gzip, without name or time, so
// that the same bytes give the same bytes.
func Gzip(src []byte, level int) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(src); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Shuffle is the byte order of GZIP_2; Unshuffle undoes it.
func Shuffle(dst, src []byte, size int) {
	n := len(src) / size
	for j := range size {
		out := dst[j*n : (j+1)*n]
		for i := range out {
			out[i] = src[i*size+j]
		}
	}
}

// Quantize turns numbers into integers, (x − zero)/scale + r − ½ rounded, r being
// the next random number; Unquantize with the same start undoes it but for
// rounding. Numbers that are not finite become NullValue and, with two, exact
// zeros ZeroValue. base is added to all others.
func (d *Dither) Quantize(dst []int32, x []float64, scale, zero float64, base int32, two bool) {
	for i, v := range x {
		r := float64(d.tab[d.next])
		switch {
		case v-v != 0: // NaN or infinite
			dst[i] = NullValue
		case two && v == 0:
			dst[i] = ZeroValue
		default:
			dst[i] = base + round((v-zero)/scale+r-0.5)
		}
		if d.next++; d.next == randoms {
			if d.seed++; d.seed == randoms {
				d.seed = 0
			}
			d.next = int(d.tab[d.seed] * 500)
		}
	}
}

func round(x float64) int32 {
	if x < 0 {
		return int32(x - 0.5)
	}
	return int32(x + 0.5)
}
