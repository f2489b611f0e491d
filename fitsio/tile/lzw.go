package tile

import (
	"bufio"
	"fmt"
	"io"
)

// lzwReader unpacks the .Z format of compress(1): LZW with codes of 9 to 16
// bits, least significant bit first (Welch 1984).
type lzwReader struct {
	r       *bufio.Reader
	maxBits uint
	block   bool // code 256 clears the table

	bits   uint // of the present code
	group  []byte
	at     uint // next bit in group
	next   int  // next free code
	prefix [1 << 16]uint16
	suffix [1 << 16]byte
	prev   int // code before, -1 at the start
	first  byte
	stack  []byte // decoded bytes, last first
	err    error
}

// NewLZWReader reads the header of a .Z stream.
func NewLZWReader(r io.Reader) (io.Reader, error) {
	br := bufio.NewReader(r)
	var head [3]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return nil, fmt.Errorf("compress: %w: %w", ErrCorrupt, err)
	}
	z := &lzwReader{r: br, maxBits: uint(head[2] & 0x1f), block: head[2]&0x80 != 0, bits: 9, prev: -1}
	if head[0] != 0x1f || head[1] != 0x9d || z.maxBits < 9 || z.maxBits > 16 || head[2]&0x60 != 0 {
		return nil, fmt.Errorf("compress: header % x: %w", head, ErrCorrupt)
	}
	for i := range 256 {
		z.suffix[i] = byte(i)
	}
	z.clear()
	return z, nil
}

func (z *lzwReader) clear() {
	z.next = 256
	if z.block {
		z.next = 257
	}
	z.bits, z.prev = 9, -1
	z.group = z.group[:0]
	z.at = 0
}

// code reads one code. Codes come in groups of eight, that is, of bits bytes;
// what is left of a group is dropped when the width changes.
func (z *lzwReader) code() (int, error) {
	if z.at+z.bits > uint(len(z.group))*8 {
		if cap(z.group) < int(z.bits) {
			z.group = make([]byte, 16)
		}
		z.group = z.group[:z.bits]
		n, err := io.ReadFull(z.r, z.group)
		z.group = z.group[:n]
		z.at = 0
		if uint(n)*8 < z.bits {
			if err == io.ErrUnexpectedEOF || err == nil {
				err = io.EOF
			}
			return 0, err
		}
	}
	v := 0
	for i := range z.bits {
		p := z.at + i
		v |= int(z.group[p>>3]>>(p&7)&1) << i
	}
	z.at += z.bits
	return v, nil
}

func (z *lzwReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(z.stack) == 0 {
			if z.err == nil {
				z.err = z.decode()
			}
			if z.err != nil {
				if n > 0 {
					return n, nil
				}
				return 0, z.err
			}
			continue
		}
		p[n] = z.stack[len(z.stack)-1]
		z.stack = z.stack[:len(z.stack)-1]
		n++
	}
	return n, nil
}

// decode puts the text of the next code on the stack.
func (z *lzwReader) decode() error {
	c, err := z.code()
	if err != nil {
		return err
	}
	if c == 256 && z.block {
		z.clear()
		return nil
	}
	if z.prev < 0 {
		if c > 255 {
			return fmt.Errorf("compress: first code %d: %w", c, ErrCorrupt)
		}
		z.prev, z.first = c, byte(c)
		z.stack = append(z.stack, byte(c))
		return nil
	}
	in := c
	if c >= z.next {
		if c > z.next {
			return fmt.Errorf("compress: code %d before it is defined: %w", c, ErrCorrupt)
		}
		z.stack = append(z.stack, z.first)
		c = z.prev
	}
	for c > 255 {
		z.stack = append(z.stack, z.suffix[c])
		c = int(z.prefix[c])
	}
	z.first = z.suffix[c]
	z.stack = append(z.stack, z.first)
	if z.next < 1<<z.maxBits {
		z.prefix[z.next], z.suffix[z.next] = uint16(z.prev), z.first
		z.next++
		if z.next == 1<<z.bits && z.bits < z.maxBits {
			z.bits++
			z.group, z.at = z.group[:0], 0
		}
	}
	z.prev = in
	return nil
}
