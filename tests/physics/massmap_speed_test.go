//go:build unix

package physics

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"limpid/app/session/lens"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/solvers"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/binning"
)

// cpuSeconds is what the process has used of all processors.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// The times of docs/benchmarks/massmap.md.
func TestMassMap_Speed(t *testing.T) {
	slow(t)
	dir := massFolder(t, dataFolder(t))
	sp := kappaTheory(t, dir)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	truth, _ := readImage(t, filepath.Join(dir, "ktng_kappa360v2.fits"), "")
	f := mock(t, dev, dir, truth, 0)
	p, err := massmap.New(context.Background(), dev, f, massmap.Settings{Method: massmap.Wiener, Spectrum: sp})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var last time.Duration
	for step, err := range solvers.Run(context.Background(), p.Kernel, nil, solvers.Options{Steps: 21, Seed: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		if step.Index == 0 {
			fmt.Printf("speed: Wiener mean, %d iterations: %.3f s\n", step.Info.Iterations, time.Since(began).Seconds())
			began = time.Now()
		}
		last = time.Since(began)
	}
	p.Close()
	fmt.Printf("speed: Gaussian sample: %.3f s (goal 0.5)\n", last.Seconds()/20)
	used := cpuSeconds()
	r := runMass(t, dev, f, truth, massmap.Settings{Method: massmap.Lognormal, Spectrum: sp, Shift: massShift}, 400)
	fmt.Printf("speed: lognormal, 400 draws with warm-up: %.1f s (goal 40), %.1f s of processor\n", r.seconds, cpuSeconds()-used)
	used = cpuSeconds()
	prior, err := lens.OpenPrior(dev, lens.DefaultPrior, massPixel)
	if err != nil {
		t.Fatal(err)
	}
	defer prior.Close()
	l := runMass(t, dev, f, truth, massmap.Settings{Method: massmap.Score, Spectrum: sp, Learned: prior.Learned}, 8)
	each := l.seconds / float64(l.draws)
	fmt.Printf("speed: learned sample: %.1f s (goal 20), %.1f s of processor, of %d draws with the lognormal ones they begin at and the walks for the mean\n", each, (cpuSeconds()-used)/float64(l.draws), l.draws)
	if last.Seconds()/20 > 0.5 || r.seconds > 40 || each > 20 {
		t.Error("slower than the goals")
	}
	speedOfBinning(t)
}

func speedOfBinning(t *testing.T) {
	const n = 10_000_000
	path := filepath.Join(t.TempDir(), "big.fits")
	cols := make([][]float32, 5)
	for k := range cols {
		cols[k] = make([]float32, n)
	}
	x := uint32(1)
	for i := range n {
		for k, scale := range []float32{10, 10, 0.6, 0.6, 1} {
			x = x*1664525 + 1013904223
			cols[k][i] = scale * (float32(x>>8)/(1<<24) - 0.5)
		}
		cols[0][i] += 150
		cols[4][i] += 0.6
	}
	var list []fitsio.NewColumn
	for k, name := range []string{"RA", "DEC", "E1", "E2", "WEIGHT"} {
		list = append(list, fitsio.NewColumn{Name: name, Data: cols[k]})
	}
	h, err := fitsio.NewTable("BIG", list, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, h); err != nil {
		t.Fatal(err)
	}
	cols, list, h = nil, nil, nil
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := lens.Open(context.Background(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	began, used := time.Now(), cpuSeconds()
	f, _, err := c.Bin(context.Background(), lens.Columns{}, binning.Options{Arcmin: 1})
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(began).Seconds()
	runtime.ReadMemStats(&after)
	fmt.Printf("speed: %d rows binned on %d × %d pixels: %.2f s (goal 3), %.2f s of processor, %.0f MB allocated\n", f.Galaxies, f.W, f.H, took, cpuSeconds()-used, float64(after.TotalAlloc-before.TotalAlloc)/1e6)
	if f.Galaxies != n || took > 3 {
		t.Errorf("%d galaxies in %.2f s", f.Galaxies, took)
	}
}
