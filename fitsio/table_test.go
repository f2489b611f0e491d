package fitsio

import (
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
			if ta.Columns[i].Var != 0 {
				if _, err := tb.Arrays(context.Background(), tb.Columns[i].Name); !errors.Is(err, ErrUnsupported) {
					t.Errorf("%s: arrays of a compressed table: %v", n, err)
				}
				continue
			}
			kind := "num"
			if ta.Columns[i].Type == 'A' {
				kind = "str"
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
