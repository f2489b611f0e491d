// Command fitsio reads an image several times with package fitsio and prints the
// best and the median time, for comparison with cfitsio_bench.c and
// astropy_bench.py; see docs/benchmarks/fitsio.md.
//
//	go run ./tests/bench/fitsio FILE REPEATS [x0 y0 x1 y1]   (section, pixels from 1, inclusive)
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"limpid/fitsio"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 && len(args) != 6 {
		return fmt.Errorf("usage: fitsio FILE REPEATS [x0 y0 x1 y1]")
	}
	var n [5]int
	for i, a := range args[1:] {
		v, err := strconv.Atoi(a)
		if err != nil {
			return err
		}
		n[i] = v
	}
	var times []time.Duration
	var sum float64
	for range max(n[0], 1) {
		start := time.Now()
		pix, err := read(args[0], n[1:], len(args) == 6)
		if err != nil {
			return err
		}
		times = append(times, time.Since(start))
		sum = 0
		for i := 0; i < len(pix); i += 997 {
			sum += float64(pix[i])
		}
		pix = nil
		runtime.GC()
	}
	slices.Sort(times)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
	fmt.Printf("fitsio   %-28s best %.1f ms  median %.1f ms  (sum %g)\n", args[0], ms(times[0]), ms(times[len(times)/2]), sum)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("         memory taken from the system %.1f MiB\n", float64(m.Sys)/(1<<20))
	return nil
}

func read(path string, r []int, section bool) ([]float32, error) {
	f, err := fitsio.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := f.FirstImage()
	if err != nil {
		return nil, err
	}
	if section {
		return h.Section(context.Background(), []int{r[1] - 1, r[0] - 1}, []int{r[3], r[2]})
	}
	return h.ReadFloat32(context.Background())
}
