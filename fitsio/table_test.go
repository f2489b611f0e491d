package fitsio

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
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
