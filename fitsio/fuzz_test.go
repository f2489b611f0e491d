package fitsio

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
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
