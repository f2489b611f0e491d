// Command stamps writes simulated single galaxies, each in the middle of its image, as limpid-cli calibrate --single
// has them before a PSF and noise:
//
//	go run ./tests/bench/quality/stamps -n 40000 stamps.fits
//
// tests/bench/quality/least.py learns from them what data say of shears at best.
package main

import (
	"flag"
	"fmt"
	"os"
	"sync"

	"limpid/engine"
	"limpid/fitsio"
	"limpid/priors/sims"
)

func main() {
	n := flag.Int("n", 40000, "galaxies")
	side := flag.Int("side", 64, "pixels of a side")
	pixel := flag.Float64("pixel", 0.2, "arcsec")
	seed := flag.Uint64("seed", 1, "")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*n, *side, *pixel, *seed, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(n, side int, pixel float64, seed uint64, out string) error {
	s, err := sims.NewScenes(sims.SceneConfig{Single: true, MinPixel: pixel, MaxPixel: pixel})
	if err != nil {
		return err
	}
	all := make([]float32, n*side*side)
	var wait sync.WaitGroup
	const workers = 4
	for w := range workers {
		wait.Go(func() {
			for i := w; i < n; i += workers {
				s.Patch(all[i*side*side:(i+1)*side*side], side, engine.NewKey(seed).Fold(uint64(i)))
			}
		})
	}
	wait.Wait()
	h, err := fitsio.NewImage("STAMPS", []int{n, side, side}, all, nil)
	if err != nil {
		return err
	}
	return fitsio.WriteFile(out, fitsio.WriteOptions{}, h)
}
