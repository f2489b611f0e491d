package fitsio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// columnDigest makes the digests of testdata/tables.py.
func columnDigest(t *Table, i int, kind string) (string, error) {
	ctx := context.Background()
	name := t.Columns[i].Name
	t.Columns[i].Name = "\x01this" // columns may share a name
	defer func() { t.Columns[i].Name = name }()
	var b []byte
	switch kind {
	case "str":
		s, err := t.Strings(ctx, "\x01this")
		if err != nil {
			return "", err
		}
		for _, v := range s {
			b = append(append(b, v...), '\n')
		}
	case "num":
		v, err := t.Float64(ctx, "\x01this")
		if err != nil {
			return "", err
		}
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
	case "vla":
		rows, err := t.Arrays(ctx, "\x01this")
		if err != nil {
			return "", err
		}
		per := 1
		if c := t.Columns[i].Type; c == 'C' || c == 'M' {
			per = 2
		}
		for _, r := range rows {
			b = binary.LittleEndian.AppendUint64(b, uint64(len(r)/per))
			for _, x := range r {
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
			}
		}
	}
	d := sha256.Sum256(b)
	return hex.EncodeToString(d[:])[:16], nil
}

func TestTable_DataFiles_EqualAstropy(t *testing.T) {
	root := filepath.Dir(dataDir(t))
	text, err := os.ReadFile(filepath.Join("testdata", "tables.json"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		File      string
		HDU, Col  int
		Form      string
		Kind, SHA string
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	files := map[string]*File{}
	tables := map[string]*Table{}
	bad := 0
	for _, r := range rows {
		f := files[r.File]
		if f == nil {
			if f, err = Open(filepath.Join(root, filepath.FromSlash(r.File))); err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			files[r.File] = f
		}
		key := fmt.Sprint(r.File, r.HDU)
		if tables[key] == nil {
			if tables[key], err = f.HDUs[r.HDU].Table(); err != nil {
				t.Fatal(err)
			}
		}
		got, err := columnDigest(tables[key], r.Col, r.Kind)
		if err != nil || got != r.SHA {
			bad++
			t.Errorf("%s HDU %d column %d (%s, %s): differs (%v)", r.File, r.HDU, r.Col, r.Form, r.Kind, err)
		}
	}
	t.Logf("%d columns in %d tables of %d files: %d differ", len(rows), len(tables), len(files), bad)
}

// fpack's tables must hold what the tables beside them hold.
func TestTable_CompressedByFpack_EqualsThePlainOne(t *testing.T) {
	dir := dataDir(t)
	columns := 0
	for _, n := range []string{"blackbox/tst0010.fits", "blackbox/tst0012.fits", "blackbox/tst0014.fits", "nom_tam/bt12.fits"} {
		a, b := openTemp(t, filepath.Join(dir, n)), openTemp(t, filepath.Join(dir, n+".fz"))
		ta, err := a.HDUs[1].Table()
		if err != nil {
			t.Fatal(err)
		}
		tb, err := b.HDUs[1].Table()
		if err != nil {
			t.Fatal(err)
		}
		if ta.Rows != tb.Rows || len(ta.Columns) != len(tb.Columns) || b.HDUs[1].Rows() != ta.Rows {
			t.Fatalf("%s: %d rows and %d columns, want %d and %d", n, tb.Rows, len(tb.Columns), ta.Rows, len(ta.Columns))
		}
		for i := range ta.Columns {
			kind := "num"
			switch {
			case ta.Columns[i].Type == 'A':
				kind = "str"
			case ta.Columns[i].Var != 0:
				kind = "vla"
			}
			want, err := columnDigest(ta, i, kind)
			if err != nil {
				t.Fatal(err)
			}
			columns++
			if got, err := columnDigest(tb, i, kind); err != nil || got != want {
				t.Errorf("%s column %s (%s): differs (%v)", n, ta.Columns[i].Name, ta.Columns[i].Form, err)
			}
		}
	}
	t.Logf("%d columns", columns)
}

func openBytes(t *testing.T, data []byte) *File {
	t.Helper()
	f, err := NewFile(bytes.NewReader(data), int64(len(data)), "x.fits", Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func tableOf(t *testing.T, h *HDU) *Table {
	t.Helper()
	tab, err := h.Table()
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestInt64_ScaledColumns_AreExactOrErrors(t *testing.T) {
	body := func(zero, scale string, v ...int64) *Table {
		data := append(cards("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"), cards("XTENSION= 'BINTABLE'", "BITPIX  = 8", "NAXIS   = 2",
			"NAXIS1  = 8", "NAXIS2  = "+fmt.Sprint(len(v)), "PCOUNT  = 0", "GCOUNT  = 1", "TFIELDS = 1", "TFORM1  = 'K'", "TTYPE1  = 'V'",
			"TZERO1  = "+zero, "TSCAL1  = "+scale)...)
		for _, x := range v {
			data = binary.BigEndian.AppendUint64(data, uint64(x))
		}
		return tableOf(t, openBytes(t, data).HDUs[1])
	}
	const most = math.MaxInt64
	for _, c := range []struct {
		zero, scale string
		in, want    int64
		fails       bool
	}{
		{"0", "1", -most - 1, -most - 1, false},
		{"9223372036854775808", "1", -5, most - 4, false},
		{"9223372036854775808", "1", -most - 1, 0, false},
		{"9223372036854775808", "1", 3, 0, true},
		{"100", "-3", 7, 79, false},
		{"-7", "1", -most, 0, true},
		{"1E300", "1", 1, 0, true},
		{"0", "4", most / 2, 0, true},
		{"10", "1", most - 5, 0, true},
		{"0.5", "1", 1, 0, true},
	} {
		got, _, err := body(c.zero, c.scale, c.in).Int64(context.Background(), "V")
		if (err != nil) != c.fails || err == nil && got[0] != c.want {
			t.Errorf("%d · %s + %s: %v %v, want %d", c.in, c.scale, c.zero, got, err, c.want)
		}
	}
}

func TestTable_ASCIIIntegersAndStars_AreReadExactly(t *testing.T) {
	data := append(cards("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"), cards("XTENSION= 'TABLE'", "BITPIX  = 8", "NAXIS   = 2",
		"NAXIS1  = 28", "NAXIS2  = 3", "PCOUNT  = 0", "GCOUNT  = 1", "TFIELDS = 2", "TFORM1  = 'I20'", "TBCOL1  = 1", "TTYPE1  = 'ID'",
		"TFORM2  = 'F7.2'", "TBCOL2  = 22", "TTYPE2  = 'MAG'", "TNULL1  = '-'")...)
	data = append(data, " 9007199254740993      21.25"+"                   - *******"+"-9223372036854775808    1E1 "...)
	tab := tableOf(t, openBytes(t, data).HDUs[1])
	id, null, err := tab.Int64(context.Background(), "ID")
	if err != nil || id[0] != 9007199254740993 || id[2] != math.MinInt64 || null == nil || !null[1] || null[0] {
		t.Errorf("ID %v %v %v", id, null, err)
	}
	mag, err := tab.Float64(context.Background(), "MAG")
	if err != nil || mag[0] != 21.25 || !math.IsNaN(mag[1]) || mag[2] != 0.1 { // F7.2: 1E1 is 0.01E1
		t.Errorf("MAG %v %v", mag, err)
	}
	if _, _, err := tab.Int64(context.Background(), "MAG"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("MAG as integers: %v", err)
	}
}

func TestStrings_SeveralPerRow_AreKeptApart(t *testing.T) {
	data := append(cards("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"), cards("XTENSION= 'BINTABLE'", "BITPIX  = 8", "NAXIS   = 2",
		"NAXIS1  = 24", "NAXIS2  = 1", "PCOUNT  = 0", "GCOUNT  = 1", "TFIELDS = 2", "TFORM1  = '12A'", "TDIM1   = '(4,3)'", "TTYPE1  = 'A'",
		"TFORM2  = '12A6'", "TTYPE2  = 'B'")...)
	data = append(data, "ab\x00zcd  efghfirst\x00second"...)
	tab := tableOf(t, openBytes(t, data).HDUs[1])
	ctx := context.Background()
	for name, want := range map[string][]string{"A": {"ab", "cd", "efgh"}, "B": {"first", "second"}} {
		got, err := tab.StringArrays(ctx, name)
		if err != nil || !slices.Equal(got[0], want) {
			t.Errorf("%s: %q %v", name, got, err)
		}
		joined, err := tab.Strings(ctx, name)
		if err != nil || joined[0] != strings.Join(want, " ") {
			t.Errorf("%s: %q %v", name, joined, err)
		}
	}
}
