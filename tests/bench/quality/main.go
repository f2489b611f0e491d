// Command quality reconstructs the pairs that limpid-cli calibrate --keep wrote by the
// methods without samples, beside the means of the posterior that the file holds:
//
//	go run ./tests/bench/quality pairs.fits estimates.fits
//	python3 tests/bench/quality/table.py pairs.fits estimates.fits
//
// Richardson–Lucy is stopped where it is nearest to the truth.
package main

import (
	"context"
	"fmt"
	"math"
	"os"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/solvers"
	"limpid/solvers/deconv"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "quality PAIRS.fits ESTIMATES.fits")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// methods are those compared; 150 iterations are enough for Richardson–Lucy to be past its
// best.
var methods = []deconv.Settings{
	{Method: deconv.Wiener},
	{Method: deconv.Starlet},
	{Method: deconv.TV},
	{Method: deconv.RichardsonLucy, Iterations: 150},
}

type pairs struct {
	n, side     int
	truth, data []float32
	psf         solvers.Image
}

func run(ctx context.Context, in, out string) error {
	p, err := read(ctx, in)
	if err != nil {
		return err
	}
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	var hdus []*fitsio.NewHDU
	pixels := p.side * p.side
	for _, m := range methods {
		all := make([]float32, 0, p.n*pixels)
		for i := range p.n {
			o := &solvers.Observation{
				Data: solvers.NewImage(1, p.side, p.side), Weights: solvers.NewImage(1, p.side, p.side),
				PSF: p.psf, Bands: []string{"sim"},
			}
			copy(o.Data.Pix, p.data[i*pixels:])
			for j := range o.Weights.Pix {
				o.Weights.Pix[j] = 1
			}
			x, err := estimate(ctx, dev, o, m, p.truth[i*pixels:(i+1)*pixels])
			if err != nil {
				return fmt.Errorf("%s, pair %d: %w", m.Method, i, err)
			}
			all = append(all, x...)
		}
		fmt.Println(m.Method, "done")
		h, err := fitsio.NewImage(string(m.Method), []int{p.n, p.side, p.side}, all, nil)
		if err != nil {
			return err
		}
		hdus = append(hdus, h)
	}
	return fitsio.WriteFile(out, fitsio.WriteOptions{}, hdus...)
}

func read(ctx context.Context, path string) (p pairs, err error) {
	f, err := fitsio.Open(path)
	if err != nil {
		return p, err
	}
	defer f.Close()
	for _, name := range []string{"TRUTH", "DATA", "PSF"} {
		h := f.Find(name, 1)
		if h == nil {
			return p, fmt.Errorf("%s has no HDU %s: it is not of limpid-cli calibrate --keep", path, name)
		}
		pix, err := h.ReadFloat32(ctx)
		if err != nil {
			return p, err
		}
		shape := h.Shape
		switch name {
		case "TRUTH":
			p.truth, p.n, p.side = pix, shape[0], shape[1]
		case "DATA":
			p.data = pix
		case "PSF":
			p.psf = solvers.Image{C: 1, H: shape[0], W: shape[1], Pix: pix}
		}
	}
	return p, nil
}

// estimate is a method's last estimate, Richardson–Lucy's best.
func estimate(ctx context.Context, dev engine.Device, o *solvers.Observation, set deconv.Settings, truth []float32) (last []float32, err error) {
	p, err := deconv.New(ctx, dev, o, set)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	host := make([]float32, p.Grid.Domain().Len())
	best := math.Inf(1)
	for step, err := range solvers.Run(ctx, p.Kernel, nil, solvers.Options{Steps: set.StepsAtMost(), Seed: 1}) {
		if err != nil {
			return nil, err
		}
		step.State.Stream.Download(host, step.State.X.Slice(0, 1))
		x := p.Grid.Crop(host)
		var e float64
		for i, v := range truth {
			e += float64(x[i]-v) * float64(x[i]-v)
		}
		if set.Method != deconv.RichardsonLucy || e < best {
			last, best = x, e
		}
	}
	return last, nil
}
