// Command levels judges every level of the walk with a learned prior by itself: the truth with the level's noise takes the place of what
// the walk has there, and has to be one of the draws (docs/adr/0029).
//
//	go run ./tests/bench/levels -psf PSF_HSC.fits -pairs 40 -levels 3,9,15,17
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"limpid/app/calibration"
	"limpid/app/session"
	"limpid/engine/cpu"
)

func main() {
	psf := flag.String("psf", "", "FITS image of the PSF")
	side := flag.Int("psf-side", 25, "pixels of the PSF that are taken, about its middle")
	prior := flag.String("prior", "galaxies", "learned prior")
	pairs := flag.Int("pairs", 40, "truths")
	seed := flag.Uint64("seed", 1, "seed")
	list := flag.String("levels", "0,3,6,9,12,15,17", "levels of the walk")
	flag.Parse()
	if err := run(*psf, *prior, *list, *side, *pairs, *seed); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(psf, prior, list string, side, pairs int, seed uint64) error {
	var levels []int
	for _, f := range strings.Split(list, ",") {
		l, err := strconv.Atoi(f)
		if err != nil {
			return fmt.Errorf("levels: %w", err)
		}
		levels = append(levels, l)
	}
	ctx := context.Background()
	image, err := session.LoadPSF(ctx, psf, side)
	if err != nil {
		return err
	}
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	o := calibration.Options{Prior: prior, PSF: image, Pairs: pairs, Seed: seed, Margin: -1}
	out, err := calibration.Levels(ctx, dev, o, levels, func(n int) { fmt.Fprintf(os.Stderr, "truth %d of %d\n", n, pairs) })
	if err != nil {
		return err
	}
	fmt.Printf("ranks: of |truth - mean|² among the draws, even if right; ratio: median of that over the draws' own; variance: of draws over squared error, where the denoised scene is at least %v σ; near: correlation two pixels apart, sky and light, errors : draws\n", calibration.LevelBrightness())
	for _, l := range out {
		fmt.Printf("level %d, σ %.1f times the noise (median)\n", l.Index, l.Sigma)
		for _, j := range []struct {
			name string
			calibration.Judged
		}{{"before the data", l.Free}, {"given the data ", l.Given}} {
			fmt.Printf("  %s ranks %v ratio %.2f variance %.2f near %.2f : %.2f\n", j.name, j.Ranks, j.Ratio, j.Variance, j.Near, j.NearDraws)
		}
	}
	return nil
}
