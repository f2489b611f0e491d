package tile

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// HCompress decodes HCOMPRESS_1 (White 1992; FITS 4.0, section 10.4.5): an H
// transform whose coefficients were divided by a scale and coded as quadtrees,
// bit plane by bit plane. dst has rows × cols pixels, cols along NAXIS1. smooth
// interpolates the coefficients, as the keyword SMOOTH asks.
func HCompress(dst []int32, src []byte, rows, cols int, smooth bool) error {
	const header = 2 + 3*4 + 8 + 3
	if len(src) < header || src[0] != 0xdd || src[1] != 0x99 {
		return fmt.Errorf("hcompress: no header in %d bytes: %w", len(src), ErrCorrupt)
	}
	nx, ny := binary.BigEndian.Uint32(src[2:]), binary.BigEndian.Uint32(src[6:])
	scale := int64(int32(binary.BigEndian.Uint32(src[10:])))
	sum := int64(binary.BigEndian.Uint64(src[14:]))
	if uint64(nx) != uint64(rows) || uint64(ny) != uint64(cols) || rows*cols != len(dst) || len(dst) == 0 {
		return fmt.Errorf("hcompress: %d × %d pixels for a tile of %d × %d: %w", nx, ny, rows, cols, ErrCorrupt)
	}
	h := hdecoder{a: make([]int64, len(dst)), nx: rows, ny: cols, r: bitReader{src: src[header:]}}
	if err := h.coefficients([3]byte(src[22:25])); err != nil {
		return err
	}
	h.a[0] = sum
	if scale > 1 {
		for i := range h.a {
			h.a[i] *= scale
		}
	}
	h.inverse(smooth, scale)
	for i, v := range h.a {
		dst[i] = int32(v)
	}
	return nil
}

type hdecoder struct {
	a      []int64
	nx, ny int // rows, columns; columns vary fastest
	r      bitReader
}

// coefficients decodes the magnitudes of the four quadrants, then the signs.
func (h *hdecoder) coefficients(planes [3]byte) error {
	nx2, ny2 := (h.nx+1)/2, (h.ny+1)/2
	for _, q := range []struct {
		off, nx, ny int
		planes      byte
	}{
		{0, nx2, ny2, planes[0]},
		{ny2, nx2, h.ny / 2, planes[1]},
		{h.ny * nx2, h.nx / 2, ny2, planes[1]},
		{h.ny*nx2 + ny2, h.nx / 2, h.ny / 2, planes[2]},
	} {
		if q.planes > 62 {
			return fmt.Errorf("hcompress: %d bit planes: %w", q.planes, ErrCorrupt)
		}
		if err := h.quadrant(q.off, q.nx, q.ny, int(q.planes)); err != nil {
			return err
		}
	}
	if h.r.take(4) != 0 {
		return fmt.Errorf("hcompress: no end mark after the bit planes: %w", ErrCorrupt)
	}
	h.r.align()
	for i, v := range h.a {
		if v != 0 && h.r.take(1) != 0 {
			h.a[i] = -v
		}
	}
	if h.r.over() {
		return fmt.Errorf("hcompress: %d bytes are too few: %w", len(h.r.src), ErrCorrupt)
	}
	return nil
}

// align drops what is left of the present byte.
func (r *bitReader) align() {
	k := r.n % 8
	r.acc <<= k
	r.n -= k
}

// ceilLog2 is the number of doublings of 1 that reach n.
func ceilLog2(n int) int {
	if n <= 1 {
		return 0
	}
	return bits.Len(uint(n - 1))
}

// quadrant decodes nx × ny magnitudes at off; an empty quadrant has planes too. Each bit plane is a quadtree: a
// node's four bits say which of its quarters hold ones.
func (h *hdecoder) quadrant(off, nx, ny, planes int) error {
	levels := ceilLog2(max(nx, ny))
	half := max((nx+1)/2*((ny+1)/2), 1)
	now, next := make([]byte, half), make([]byte, half)
	for plane := planes - 1; plane >= 0; plane-- {
		switch code := h.r.take(4); code {
		case 0: // not worth a tree: the bits as they are
			for i := range now[:(nx+1)/2*((ny+1)/2)] {
				now[i] = byte(h.r.take(4))
			}
		case 15:
			now[0] = h.huffman()
			for k := levels - 1; k > 0; k-- { // the size at each level is nx / 2^k, rounded up
				kx, ky := (nx+1<<k-1)>>k, (ny+1<<k-1)>>k
				spread(next, now, kx, ky)
				for i := kx*ky - 1; i >= 0; i-- {
					if next[i] != 0 {
						next[i] = h.huffman()
					}
				}
				now, next = next, now
			}
		default:
			return fmt.Errorf("hcompress: code %d in bit plane %d: %w", code, plane, ErrCorrupt)
		}
		if h.r.over() {
			return fmt.Errorf("hcompress: ends in bit plane %d: %w", plane, ErrCorrupt)
		}
		h.insert(now, off, nx, ny, uint(plane))
	}
	return nil
}

// spread writes the bits of the nodes in src to the nx × ny nodes one level
// below; what falls outside is dropped.
func spread(dst, src []byte, nx, ny int) {
	w := (ny + 1) / 2
	for i := 0; i < nx; i++ {
		row := src[i/2*w:][:w]
		shift := uint(2)
		if i&1 == 1 {
			shift = 0
		}
		out := dst[i*ny:][:ny]
		for j := range out {
			out[j] = row[j/2] >> (shift + 1 - uint(j&1)) & 1
		}
	}
}

// insert puts the bits of the last level into a bit plane.
func (h *hdecoder) insert(nodes []byte, off, nx, ny int, plane uint) {
	w := (ny + 1) / 2
	for i := 0; i < nx; i++ {
		row := nodes[i/2*w:][:w]
		shift := uint(2)
		if i&1 == 1 {
			shift = 0
		}
		out := h.a[off+i*h.ny:][:ny]
		for j, v := range row {
			if v >>= shift; v&3 == 0 {
				continue
			}
			out[2*j] |= int64(v>>1&1) << plane
			if 2*j+1 < ny {
				out[2*j+1] |= int64(v&1) << plane
			}
		}
	}
}

// Nodes whose codes have 4 and 5 bits.
var (
	huffman4 = [5]byte{3, 5, 10, 12, 15}
	huffman5 = [5]byte{6, 7, 9, 11, 13}
)

// huffman reads one node by the fixed code of the format.
func (h *hdecoder) huffman() byte {
	c := h.r.take(3)
	if c < 4 {
		return 1 << c
	}
	if c = c<<1 | h.r.take(1); c < 13 {
		return huffman4[c-8]
	}
	if c = c<<1 | h.r.take(1); c < 31 {
		return huffman5[c-26]
	}
	if h.r.take(1) == 0 {
		return 0
	}
	return 14
}
