package fitsio

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"limpid/fitsio/header"
)

// fuzzLimit keeps what a fuzzed file may ask for small.
var fuzzLimit = Options{MaxBytes: 1 << 20, Workers: 1}

// readEverything walks through all a file offers.
func readEverything(data []byte) {
	f, err := NewFile(bytes.NewReader(data), int64(len(data)), "fuzz.fits", fuzzLimit)
	if err != nil {
		AsFinding(err)
		return
	}
	defer f.Close()
	ctx := context.Background()
	for i, h := range f.HDUs {
		if i > 8 {
			return
		}
		_ = h.String()
		_, _ = h.VerifyChecksum()
		if _, err := h.ReadFloat32(ctx); err == nil && len(h.Shape) == 2 {
			_, _ = h.Section64(ctx, []int{h.Shape[0] / 2, h.Shape[1] / 3}, h.Shape)
		}
		t, err := h.Table()
		if err != nil {
			continue
		}
		for k := range t.Columns {
			if k > 8 {
				break
			}
			name := t.Columns[k].Name
			_, _ = t.Float64(ctx, name)
			_, _, _ = t.Int64(ctx, name)
			_, _ = t.Strings(ctx, name)
			_, _, _ = t.Bools(ctx, name)
			_, _ = t.Arrays(ctx, name)
		}
	}
}

// fuzzSeeds are small files of every kind.
func fuzzSeeds(f *testing.F) {
	dir := f.TempDir()
	head := &Header{}
	head.Set("CTYPE1", "RA---TAN", "")
	add := func(h *NewHDU, err error) {
		if err != nil {
			f.Fatal(err)
		}
		p := filepath.Join(dir, "seed.fits")
		if err := WriteFile(p, WriteOptions{Checksum: true}, h); err != nil {
			f.Fatal(err)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	sh := []int{4, 5}
	add(NewImage("A", sh, series[float32](20), head))
	add(NewImage("A", []int{2, 2, 5}, series[uint16](20), head))
	for _, c := range []Compression{{Method: "RICE_1"}, {Method: "GZIP_1", Tile: []int{3, 2}}, {Method: "GZIP_2"}} {
		add(NewCompressedImage("A", sh, series[int16](20), head, c))
	}
	q := noisy()[:160]
	add(NewCompressedImage("Q", []int{4, 40}, q, nil, Compression{Method: "RICE_1", Quantize: 4, Dither: 2}))
	add(NewTable("T", []NewColumn{
		{Name: "X", Data: []int16{1, 2}},
		{Name: "S", Data: []string{"a", "bc"}},
		{Name: "B", Data: []bool{true, false}},
		{Name: "V", Data: [][]float32{{1}, {2, 3}}},
		{Name: "D", Data: []float64{1, 2, 3, 4}, Dim: []int{2}},
	}, nil))
	f.Add(append(cards("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"), append(cards("XTENSION= 'TABLE'", "BITPIX  = 8", "NAXIS   = 2",
		"NAXIS1  = 10", "NAXIS2  = 2", "PCOUNT  = 0", "GCOUNT  = 1", "TFIELDS = 2", "TFORM1  = 'F5.2'", "TBCOL1  = 1",
		"TFORM2  = 'A4'", "TBCOL2  = 7"), []byte(" 1.25 abcd  345 efgh")...)...))
	f.Add(gz(imageCards()))
	f.Add(packedTableFile())
}

// packedTableFile is a table of two rows as fpack writes it: numbers 7 and 8, arrays
// {1, 2} and {3}.
func packedTableFile() []byte {
	be := binary.BigEndian
	var desc []byte
	numbers := gz([]byte{0, 0, 7, 8}) // GZIP_2: high bytes first
	for _, v := range []uint32{2, 0, 1, 4} {
		desc = be.AppendUint32(desc, v)
	}
	for _, v := range []uint64{4, 0, 2, 4} {
		desc = be.AppendUint64(desc, v)
	}
	arrays := gz(desc)
	heap := slices.Concat([]byte{0, 1, 0, 2, 0, 3}, numbers, arrays)
	var row []byte
	for _, v := range []int{len(numbers), 6, len(arrays), 6 + len(numbers)} {
		row = be.AppendUint64(row, uint64(v))
	}
	head := cards("XTENSION= 'BINTABLE'", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 32", "NAXIS2  = 1", fmt.Sprint("PCOUNT  = ", len(heap)), "GCOUNT  = 1",
		"TFIELDS = 2", "TFORM1  = '1QB(99)'", "TFORM2  = '1QB(99)'", "TTYPE1  = 'N'", "TTYPE2  = 'V'", "ZTABLE  = T", "ZTILELEN= 2", "ZNAXIS1 = 10", "ZNAXIS2 = 2",
		"ZFORM1  = '1I'", "ZFORM2  = '1PI(2)'", "ZCTYP1  = 'GZIP_2'", "ZCTYP2  = 'GZIP_2'")
	return slices.Concat(cards("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"), head, row, heap)
}

func TestTable_PackedArrays_AreRead(t *testing.T) {
	tab := tableOf(t, openBytes(t, packedTableFile()).HDUs[1])
	ctx := context.Background()
	if v, _, err := tab.Int64(ctx, "N"); err != nil || !slices.Equal(v, []int64{7, 8}) {
		t.Errorf("N %v %v", v, err)
	}
	v, err := tab.Arrays(ctx, "V")
	if err != nil || !slices.Equal(v[0], []float64{1, 2}) || !slices.Equal(v[1], []float64{3}) {
		t.Errorf("V %v %v", v, err)
	}
}

func FuzzOpen(f *testing.F) {
	fuzzSeeds(f)
	f.Fuzz(func(_ *testing.T, data []byte) { readEverything(data) })
}

// FuzzTable mutates the columns of a table whose file is otherwise sound.
func FuzzTable(f *testing.F) {
	f.Add("1J", "2E", "1PI(3)", "10A", "(2,1)", int64(0), int64(2), []byte("0123456789012345678901234567890123456789"))
	f.Add("13X", "L", "QM", "3C", "", int64(7), int64(1), []byte{1, 2, 3})
	f.Fuzz(func(_ *testing.T, a, b, c, d, dim string, null, rows int64, body []byte) {
		quote := func(k, v string) string { return Card{Key: strings.TrimSpace(k), Value: header.ASCII(v)}.Text()[:80] }
		head := cards("XTENSION= 'BINTABLE'", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 40", "NAXIS2  = "+fmt.Sprint(rows),
			"PCOUNT  = 100", "GCOUNT  = 1", "TFIELDS = 4", quote("TFORM1  ", a), quote("TFORM2  ", b), quote("TFORM3  ", c),
			quote("TFORM4  ", d), quote("TDIM2   ", dim), "TNULL1  = "+fmt.Sprint(null), "TZERO1  = 32768", "TSCAL2  = 0.5")
		readEverything(append(append(cards("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"), head...), body...))
	})
}
