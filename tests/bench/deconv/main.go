// Command deconv measures a deconvolution of a simulated n×n field: time to the
// first mean, time per draw, peak memory. go run ./tests/bench/deconv -n 512
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/priors/sims"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

func main() {
	n, samples := flag.Int("n", 512, "side in pixels"), flag.Int("samples", 64, "draws")
	keep := flag.String("keep", "", "write the simulated image to this file, for other programs")
	method := flag.String("method", "gaussian", "gaussian, rl or learned")
	iterations := flag.Int("iterations", 50, "of rl")
	workers := flag.Int("workers", 0, "threads; 0: all")
	flag.Parse()
	if err := run(*n, *samples, *iterations, *workers, deconv.Method(*method), *keep); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(n, samples, iterations, workers int, method deconv.Method, keep string) error {
	dir, err := os.MkdirTemp("", "limpid-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "field.fits")
	if err := simulate(path, n); err != nil {
		return err
	}
	if keep != "" {
		if err := simulate(keep, n); err != nil {
			return err
		}
	}
	dev := cpu.New(cpu.Options{Workers: workers})
	defer dev.Close()
	s := session.New(dev)
	defer s.Close()
	r := recipe.Default(path)
	r.PSF = recipe.PSF{Kind: observe.PSFMoffat, FWHM: 3.5, Beta: 3}
	r.Method = recipe.Method{Kind: method, Iterations: iterations}
	if method == deconv.Learned {
		r.Prior = recipe.Prior{Kind: "galaxies"}
	}
	r.Draw.Samples = samples
	began := time.Now()
	var firstMean, iterating, iterated time.Duration
	cancel := s.Subscribe(func(e session.Event) {
		if st := e.Run.Status(); st.Phase == session.PhaseIterate {
			if iterating == 0 {
				iterating = time.Since(began)
			}
			if iterated == 0 && st.Done == st.Total {
				iterated = time.Since(began)
			}
		}
		if e.Kind == session.Snapshot && firstMean == 0 {
			firstMean = time.Since(began)
		}
	})
	defer cancel()
	job, err := s.Start(context.Background(), r)
	if err != nil {
		return err
	}
	if err := job.Wait(); err != nil {
		return err
	}
	total := time.Since(began)
	res := job.Result()
	fmt.Printf("%s %d² on %s (%s): first picture %.2f s, whole run %.1f s", method, n, dev.Info().Name, dev.Info().Detail, firstMean.Seconds(), total.Seconds())
	if iterated > 0 {
		fmt.Printf(", %.2f s of it iterations", (iterated - iterating).Seconds())
	}
	if res.Draws > 0 {
		fmt.Printf(", %.0f ms per draw, χ²/pixel of draws %.3f", 1000*(total-firstMean).Seconds()/float64(res.Draws), res.Fits[0].Chi2Draws)
	}
	fmt.Printf(", peak memory %s\n", peak())
	return nil
}

// simulate writes a field of galaxies and stars with sky noise.
func simulate(path string, n int) error {
	const fwhm, beta, sigma = 3.5, 3, 2.0
	key := engine.NewKey(uint64(n))
	rng := sims.Rand(key)
	scene := sims.NewScene(n, n)
	for range n * n / 2500 {
		r := 0.6 + 2*rng.Float64()
		cut := sims.NewScene(64, 64)
		cut.Add(sims.Galaxy{
			X: 32 + rng.Float64(), Y: 32 + rng.Float64(), Flux: 1500 * math.Pow(1-rng.Float64(), -0.9),
			BulgeShare: 0.4 * rng.Float64(), BulgeRadius: r, BulgeN: 2, BulgeQ: 0.8,
			DiskScale: r, DiskQ: 0.3 + 0.7*rng.Float64(), Angle: math.Pi * rng.Float64(),
		}, rng)
		x0, y0 := rng.IntN(n)-32, rng.IntN(n)-32
		for i, v := range cut.Pix {
			if x, y := x0+i%64, y0+i/64; x >= 0 && y >= 0 && x < n && y < n {
				scene.Pix[y*n+x] += v
			}
		}
	}
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, fwhm, beta, 61)
	if err != nil {
		return err
	}
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	op, err := operator.NewConvolution(dev, s, psf, n, n, 1)
	if err != nil {
		return err
	}
	defer op.Close()
	x, err := dev.Alloc(op.Domain())
	if err != nil {
		return err
	}
	y, err := dev.Alloc(op.Range())
	if err != nil {
		return err
	}
	s.Upload(x, op.Embed(solvers.Image{C: 1, H: n, W: n, Pix: scene.Float32()}).Pix)
	op.Forward(s, y, x)
	pix := make([]float32, n*n)
	s.Download(pix, y)
	if err := s.Err(); err != nil {
		return err
	}
	for i := range pix {
		pix[i] += float32(sigma * rng.NormFloat64())
	}
	hdu, err := fitsio.NewImage("SCI", []int{n, n}, pix, nil)
	if err != nil {
		return err
	}
	return fitsio.WriteFile(path, fitsio.WriteOptions{}, hdu)
}

// peak is the largest resident size of this process, from the kernel.
func peak() string {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		if rest, ok := strings.CutPrefix(sc.Text(), "VmHWM:"); ok {
			return strings.Join(strings.Fields(rest), " ")
		}
	}
	return "unknown"
}
