// Command makesamples writes the sample images that Limpid ships, from its own
// simulator and a fixed seed: go generate ./assets.
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
	"limpid/priors/sims"
	"limpid/solvers"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "makesamples:", err)
		os.Exit(1)
	}
}

const (
	side  = 192  // pixels
	pad   = 32   // scene beyond the frame
	scale = 0.2  // arcsec per pixel
	seed  = 2026 //
	gain  = 2.0  // electrons per count
	ron   = 4.0  // electrons
	sky   = 30.0 // counts, subtracted after its noise was added
)

func run(dir string) error {
	key := engine.NewKey(seed)
	scene := spiral(key.Fold(0))
	psf, err := observe.AnalyticPSF(observe.PSFMoffat, 0.7/scale, 3, 61)
	if err != nil {
		return err
	}
	blurred, err := blur(scene, psf)
	if err != nil {
		return err
	}
	data, weights := make([]float32, side*side), make([]float32, side*side)
	rng := sims.Rand(key.Fold(1))
	for i, v := range blurred {
		variance := (float64(v)+sky)/gain + ron*ron/(gain*gain)
		data[i] = float32(float64(v) + math.Sqrt(variance)*rng.NormFloat64())
		weights[i] = float32(1 / variance)
	}
	truth := solvers.Image{C: 1, H: scene.H, W: scene.W, Pix: scene.Float32()}.Crop(pad, pad+side, pad, pad+side)
	if err := write(filepath.Join(dir, "galaxy.fits.gz"), data, weights, psf, truth); err != nil {
		return err
	}
	if err := blend(filepath.Join(dir, "blend.fits.gz"), key.Fold(2)); err != nil {
		return err
	}
	return shear(filepath.Join(dir, "shear.fits.gz"), key.Fold(3))
}

// spiral is a two-armed galaxy with companions and background galaxies.
func spiral(key engine.Key) *sims.Scene {
	const n = side + 2*pad
	s := sims.NewScene(n, n)
	rng := sims.Rand(key)
	s.Add(sims.Galaxy{
		X: n/2 + 3.3, Y: n/2 - 2.6, Flux: 9e5, BulgeShare: 0.22, BulgeRadius: 4.5, BulgeN: 2.5, BulgeQ: 0.85,
		DiskScale: 19, DiskQ: 0.62, Angle: 0.6, Arms: 2, ArmContrast: 0.85, Pitch: 0.34, Winding: 0.9,
		Knots: 260, KnotShare: 0.16,
	}, rng)
	s.Add(sims.Galaxy{
		X: n/2 + 61, Y: n/2 + 48, Flux: 3.5e4, BulgeShare: 0.7, BulgeRadius: 3, BulgeN: 3.5, BulgeQ: 0.7,
		DiskScale: 4, DiskQ: 0.7, Angle: 2.1,
	}, rng)
	for range 45 {
		r := 0.8 + 1.6*rng.Float64()
		s.Add(sims.Galaxy{
			X: n * rng.Float64(), Y: n * rng.Float64(), Flux: 700 * math.Pow(1-rng.Float64(), -0.8),
			BulgeShare: 0.3 * rng.Float64(), BulgeRadius: r, BulgeN: 2, BulgeQ: 0.8,
			DiskScale: r, DiskQ: 0.3 + 0.7*rng.Float64(), Angle: math.Pi * rng.Float64(),
		}, rng)
	}
	for range 9 {
		s.AddPoint(n*rng.Float64(), n*rng.Float64(), 3000*math.Pow(1-rng.Float64(), -0.9), 0.35)
	}
	return s
}

// blur convolves a padded scene and cuts the frame out of it.
func blur(scene *sims.Scene, psf solvers.Image) ([]float32, error) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	op, err := operator.NewConvolution(dev, s, psf, scene.H, scene.W, 1)
	if err != nil {
		return nil, err
	}
	x, err := dev.Alloc(op.Domain())
	if err != nil {
		return nil, err
	}
	y, err := dev.Alloc(op.Range())
	if err != nil {
		return nil, err
	}
	s.Upload(x, op.Embed(solvers.Image{C: 1, H: scene.H, W: scene.W, Pix: scene.Float32()}).Pix)
	op.Forward(s, y, x)
	out := solvers.NewImage(1, scene.H, scene.W)
	s.Download(out.Pix, y)
	return out.Crop(pad, pad+side, pad, pad+side).Pix, s.Err()
}

func write(path string, data, weights []float32, psf, truth solvers.Image) error {
	h := &fitsio.Header{}
	wcs.SetTAN(h, 194.182, 21.683, scale, side, side)
	h.Set("BUNIT", "adu", "sky subtracted")
	h.Set("GAIN", gain, "[e-/adu]")
	h.Set("RDNOISE", ron, "[e-]")
	h.Set("OBJECT", "simulated spiral", "")
	h.AddComment(fmt.Sprintf("Simulated by Limpid (assets/internal/makesamples, seed %d): not real data.", seed))
	add := func(name string, n int, pix []float32, with *fitsio.Header) *fitsio.NewHDU {
		hdu, err := fitsio.NewImage(name, []int{n, n}, pix, with)
		if err != nil {
			panic(err)
		}
		return hdu
	}
	weightHeader := h.Clone()
	weightHeader.Set("BUNIT", "adu-2", "inverse variance")
	psfHeader := &fitsio.Header{}
	psfHeader.AddComment("Moffat, FWHM 0.7 arcsec = 3.5 px, beta 3, integrated over pixels")
	var plain, packed bytes.Buffer
	err := fitsio.Write(&plain, fitsio.WriteOptions{},
		add("SCI", side, data, h), add("WHT", side, weights, weightHeader),
		add("PSF", psf.H, psf.Pix, psfHeader), add("TRUTH", side, truth.Pix, h))
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(plain.Bytes()); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, packed.Bytes(), 0o644)
}
