package fitsio

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"

	"limpid/fitsio/header"
	"limpid/fitsio/internal/pixels"
)

// NewColumn is a column to be written. Data holds the values row after row:
//
//	[]bool                                      L
//	[]uint8, []int16, []int32, []int64          B, I, J, K
//	[]int8, []uint16, []uint32, []uint64        the same with TZERO
//	[]float32, []float64                        E, D
//	[]complex64, []complex128                   C, M
//	[]string                                    A, as wide as the longest
//	[][]T of the number types and [][]bool      P or Q: an array per row
//
// Dim gives the shape of one row's value, slowest axis first; nil for a scalar.
// It is not used for strings and arrays of variable length.
type NewColumn struct {
	Name, Unit string
	Data       any
	Dim        []int
}

// columnWriter is a column ready to be written.
type columnWriter struct {
	form  string
	zero  any
	width int // bytes per row
	rows  int
	put   func(dst []byte, row int) // one row, fixed part
	heap  func(row int) []byte      // one row's array, nil for fixed columns
	code  byte                      // element type of the arrays
}

// NewTable makes a binary table. The data are not copied. header may be nil.
func NewTable(name string, cols []NewColumn, header *Header) (*NewHDU, error) {
	if len(cols) == 0 || len(cols) > maxColumns {
		return nil, fmt.Errorf("fitsio: a table of %d columns: %w", len(cols), ErrRange)
	}
	ws := make([]*columnWriter, len(cols))
	rows, rowLen := 0, 0
	for i, c := range cols {
		w, err := newColumnWriter(c)
		if err != nil {
			return nil, fmt.Errorf("fitsio: column %q: %w", c.Name, err)
		}
		if i == 0 {
			rows = w.rows
		}
		if w.rows != rows {
			return nil, fmt.Errorf("fitsio: column %q has %d rows, the first %d: %w", c.Name, w.rows, rows, ErrRange)
		}
		ws[i] = w
		rowLen += w.width
	}
	t := &tableWriter{cols: ws, rows: rows, rowLen: rowLen}
	t.layHeap()
	h := &NewHDU{name: name, header: header, table: true, size: int64(rows)*int64(t.rowLen) + t.heapLen, body: t.write}
	h.head = func() *Header { return t.head(cols) }
	return h, nil
}

type tableWriter struct {
	cols         []*columnWriter
	rows, rowLen int
	heapLen      int64
	extra        func(*Header) // more cards after the columns
}

// layHeap measures the heap and chooses 32 or 64 bit descriptors.
func (t *tableWriter) layHeap() {
	longest := make([]int, len(t.cols))
	for i, c := range t.cols {
		if c.heap == nil {
			continue
		}
		for r := range t.rows {
			n := len(c.heap(r))
			t.heapLen += int64(n)
			longest[i] = max(longest[i], n/int(elemSize(c.code)))
		}
	}
	for i, c := range t.cols {
		if c.heap == nil {
			continue
		}
		desc, width := "P", 8
		if t.heapLen > math.MaxInt32 {
			desc, width = "Q", 16
		}
		c.form, c.width = fmt.Sprintf("1%s%c(%d)", desc, c.code, longest[i]), width
		t.rowLen += width
	}
}

func (t *tableWriter) head(cols []NewColumn) *Header {
	var h Header
	h.Append("BITPIX", 8, "array data type")
	h.Append("NAXIS", 2, "number of array dimensions")
	h.Append("NAXIS1", t.rowLen, "bytes per row")
	h.Append("NAXIS2", t.rows, "rows")
	h.Append("PCOUNT", t.heapLen, "bytes of variable-length arrays")
	h.Append("GCOUNT", 1, "")
	h.Append("TFIELDS", len(t.cols), "columns")
	for i, w := range t.cols {
		k := func(s string) string { return fmt.Sprintf("%s%d", s, i+1) }
		h.Append(k("TTYPE"), cols[i].Name, "")
		h.Append(k("TFORM"), w.form, "")
		if cols[i].Unit != "" {
			h.Append(k("TUNIT"), cols[i].Unit, "")
		}
		if len(cols[i].Dim) > 1 && w.heap == nil {
			d := make([]string, len(cols[i].Dim))
			for j, n := range cols[i].Dim {
				d[len(d)-1-j] = fmt.Sprint(n)
			}
			h.Append(k("TDIM"), "("+strings.Join(d, ",")+")", "")
		}
		if w.zero != nil {
			h.Append(k("TSCAL"), 1, "")
			h.AppendCard(Card{Key: k("TZERO"), Value: w.zero, Comment: "offset of the integer type"})
		}
	}
	if t.extra != nil {
		t.extra(&h)
	}
	return &h
}

// write writes the rows and the heap.
func (t *tableWriter) write(w io.Writer) error {
	per := max(1, (1<<18)/max(t.rowLen, 1))
	buf := make([]byte, per*t.rowLen)
	heapAt := int64(0)
	for r := 0; r < t.rows; r += per {
		n := min(per, t.rows-r)
		clear(buf)
		for k := range n {
			row := buf[k*t.rowLen:][:t.rowLen]
			for _, c := range t.cols {
				if c.heap == nil {
					c.put(row, r+k)
				} else {
					size := int64(len(c.heap(r + k)))
					putDescriptor(row, c.width, size/elemSize(c.code), heapAt)
					heapAt += size
				}
				row = row[c.width:]
			}
		}
		if _, err := w.Write(buf[:n*t.rowLen]); err != nil {
			return err
		}
	}
	for r := range t.rows {
		for _, c := range t.cols {
			if c.heap == nil {
				continue
			}
			if _, err := w.Write(c.heap(r)); err != nil {
				return err
			}
		}
	}
	return nil
}

func putDescriptor(row []byte, width int, n, off int64) {
	if width == 16 {
		binary.BigEndian.PutUint64(row, uint64(n))
		binary.BigEndian.PutUint64(row[8:], uint64(off))
		return
	}
	binary.BigEndian.PutUint32(row, uint32(n))
	binary.BigEndian.PutUint32(row[4:], uint32(off))
}

// newColumnWriter chooses the format of a column.
func newColumnWriter(c NewColumn) (*columnWriter, error) {
	per := 1
	for _, d := range c.Dim {
		if d < 1 {
			return nil, fmt.Errorf("shape %v: %w", c.Dim, ErrRange)
		}
		per *= d
	}
	switch d := c.Data.(type) {
	case []uint8:
		return numbers('B', d, per)
	case []int8:
		return numbers('B', d, per)
	case []int16:
		return numbers('I', d, per)
	case []uint16:
		return numbers('I', d, per)
	case []int32:
		return numbers('J', d, per)
	case []uint32:
		return numbers('J', d, per)
	case []int64:
		return numbers('K', d, per)
	case []uint64:
		return numbers('K', d, per)
	case []float32:
		return numbers('E', d, per)
	case []float64:
		return numbers('D', d, per)
	case []bool:
		return anyColumn('L', len(d), per, func(dst []byte, i int) { dst[0] = logicalByte(d[i]) })
	case []complex64:
		return anyColumn('C', len(d), per, func(dst []byte, i int) {
			pixels.Put(dst, []float32{real(d[i]), imag(d[i])}, -32, 0)
		})
	case []complex128:
		return anyColumn('M', len(d), per, func(dst []byte, i int) {
			pixels.Put(dst, []float64{real(d[i]), imag(d[i])}, -64, 0)
		})
	case []string:
		return textColumn(d), nil
	}
	return arrays(c.Data)
}

func logicalByte(b bool) byte {
	if b {
		return 'T'
	}
	return 'F'
}

func numbers[T Pixel](code byte, d []T, per int) (*columnWriter, error) {
	bitpix, zero := pixels.Type[T]()
	flip := uint64(0)
	if zero != nil {
		flip = 1 << (pixels.Abs(bitpix) - 1)
	}
	w, err := anyColumn(code, len(d), per, func(dst []byte, i int) { pixels.Put(dst, d[i:i+1], bitpix, flip) })
	if err == nil {
		w.zero = zero
	}
	return w, err
}

// anyColumn writes element i with put.
func anyColumn(code byte, n, per int, put func(dst []byte, i int)) (*columnWriter, error) {
	if n%per != 0 {
		return nil, fmt.Errorf("%d values do not fill rows of %d: %w", n, per, ErrRange)
	}
	size := int(elemSize(code))
	return &columnWriter{
		form: fmt.Sprintf("%d%c", per, code), width: size * per, rows: n / per,
		put: func(dst []byte, row int) {
			for k := range per {
				put(dst[k*size:], row*per+k)
			}
		},
	}, nil
}

func textColumn(d []string) *columnWriter {
	width := 1
	for _, s := range d {
		width = max(width, len(header.ASCII(s)))
	}
	return &columnWriter{
		form: fmt.Sprintf("%dA", width), width: width, rows: len(d),
		put: func(dst []byte, row int) {
			n := copy(dst[:width], header.ASCII(d[row]))
			for i := n; i < width; i++ {
				dst[i] = ' '
			}
		},
	}
}

// arrays makes a column of variable-length arrays.
func arrays(data any) (*columnWriter, error) {
	switch d := data.(type) {
	case [][]uint8:
		return varNumbers('B', d), nil
	case [][]int16:
		return varNumbers('I', d), nil
	case [][]int32:
		return varNumbers('J', d), nil
	case [][]int64:
		return varNumbers('K', d), nil
	case [][]float32:
		return varNumbers('E', d), nil
	case [][]float64:
		return varNumbers('D', d), nil
	case [][]bool:
		return &columnWriter{code: 'L', rows: len(d), heap: func(row int) []byte {
			b := make([]byte, len(d[row]))
			for i, v := range d[row] {
				b[i] = logicalByte(v)
			}
			return b
		}}, nil
	}
	return nil, fmt.Errorf("cannot write %v: %w", reflect.TypeOf(data), ErrUnsupported)
}

func varNumbers[T Pixel](code byte, d [][]T) *columnWriter {
	bitpix, _ := pixels.Type[T]()
	return &columnWriter{code: code, rows: len(d), heap: func(row int) []byte {
		if b, ok := any(d[row]).([]uint8); ok {
			return b
		}
		b := make([]byte, len(d[row])*pixels.Abs(bitpix)/8)
		pixels.Put(b, d[row], bitpix, 0)
		return b
	}}
}
