package lens

import (
	"context"
	"path/filepath"
	"testing"

	"limpid/fitsio"
	"limpid/solvers/massmap/binning"
)

// BenchmarkBin streams 2 million rows through both passes.
func BenchmarkBin(b *testing.B) {
	const n = 2_000_000
	var list []fitsio.NewColumn
	x := uint32(1)
	for _, c := range []struct {
		name         string
		scale, shift float32
	}{{"RA", 10, 150}, {"DEC", 10, 0}, {"E1", 0.6, 0}, {"E2", 0.6, 0}, {"WEIGHT", 1, 0.6}} {
		v := make([]float32, n)
		for i := range v {
			x = x*1664525 + 1013904223
			v[i] = c.scale*(float32(x>>8)/(1<<24)-0.5) + c.shift
		}
		list = append(list, fitsio.NewColumn{Name: c.name, Data: v})
	}
	h, err := fitsio.NewTable("BIG", list, nil)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "big.fits")
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, h); err != nil {
		b.Fatal(err)
	}
	c, err := Open(context.Background(), path, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for b.Loop() {
		f, _, err := c.Bin(context.Background(), Columns{}, binning.Options{Arcmin: 1})
		if err != nil || f.Galaxies != n {
			b.Fatal(err)
		}
	}
}
