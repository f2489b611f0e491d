package fitsio

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// streamed opens a table of n rows of mixed types.
func streamed(t testing.TB, n int) *Table {
	t.Helper()
	a, b, c := make([]float32, n), make([]float64, n), make([]int16, n)
	d, words := make([]uint32, n), make([]string, n)
	for i := range n {
		a[i], b[i], c[i], d[i], words[i] = float32(i)/3, math.Sin(float64(i)), int16(i), uint32(i)*1000, "x"
	}
	h, err := NewTable("T", []NewColumn{{Name: "A", Data: a}, {Name: "B", Data: b}, {Name: "W", Data: words}, {Name: "C", Data: c}, {Name: "D", Data: d}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "t.fits")
	if err := WriteFile(path, WriteOptions{}, h); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	tab, err := f.HDUs[1].Table()
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func TestStream_ManyBlocks_EqualsFloat64InOrder(t *testing.T) {
	const n = 250_000 // of 19 bytes: three blocks
	tab, ctx := streamed(t, n), context.Background()
	names := []string{"D", "a", "B", "C"}
	next, calls := 0, 0
	var all [4][]float64
	err := tab.Stream(ctx, names, func(first int, cols [][]float64) error {
		if first != next {
			t.Fatalf("block starts at %d, want %d", first, next)
		}
		next += len(cols[0])
		calls++
		for i := range all {
			all[i] = append(all[i], cols[i]...)
		}
		return nil
	})
	if err != nil || next != n || calls < 3 {
		t.Fatalf("%d rows in %d blocks, %v", next, calls, err)
	}
	for i, name := range names {
		want, err := tab.Float64(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range want {
			if all[i][k] != v {
				t.Fatalf("%s row %d: %g, want %g", name, k, all[i][k], v)
			}
		}
	}
}

func TestStream_StoppedEarly_ReturnsTheErrorAndLeavesNoGoroutine(t *testing.T) {
	tab := streamed(t, 250_000)
	before := runtime.NumGoroutine()
	stop := errors.New("enough")
	if err := tab.Stream(context.Background(), []string{"A"}, func(int, [][]float64) error { return stop }); err != stop {
		t.Errorf("error %v, want the callback's", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	err := tab.Stream(ctx, []string{"A"}, func(int, [][]float64) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for i := 0; runtime.NumGoroutine() > before && i < 100; i++ {
		time.Sleep(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

func TestStream_WrongColumns_AreErrors(t *testing.T) {
	tab := streamed(t, 10)
	none := func(int, [][]float64) error { return nil }
	if err := tab.Stream(context.Background(), []string{"A", "nope"}, none); !errors.Is(err, ErrNoColumn) {
		t.Errorf("missing column: %v", err)
	}
	if err := tab.Stream(context.Background(), []string{"W"}, none); !errors.Is(err, ErrUnsupported) {
		t.Errorf("text: %v", err)
	}
}
