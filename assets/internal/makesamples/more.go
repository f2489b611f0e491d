package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"os"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
	"limpid/priors/sims"
	"limpid/solvers"
	"limpid/solvers/massmap"
	"limpid/solvers/observe"
	"limpid/solvers/operator"
)

// The blend: five bands of a crowded field.
const (
	blendSide  = 96
	psfSide    = 43
	blendScale = 0.168 // arcsec per pixel
)

var blendBands = []struct {
	name        string
	fwhm, noise float64 // arcsec; of a pixel
}{{"g", 0.77, 1.0}, {"r", 0.72, 1.2}, {"i", 0.60, 1.6}, {"z", 0.68, 2.6}, {"y", 0.64, 4.2}}

// blend writes SCI, WHT and PSF of three galaxies on top of each other, others about
// them, and two stars.
func blend(path string, key engine.Key) error {
	rng := sims.Rand(key)
	bands := make([]*sims.Scene, len(blendBands))
	for b := range bands {
		bands[b] = sims.NewScene(side, side) // padded like the galaxy's: blur cuts the frame out
	}
	const mid = side / 2
	list := []sims.Galaxy{
		{X: mid - 4, Y: mid + 3, Flux: 5200, BulgeShare: 0.6, BulgeRadius: 4, BulgeN: 3.2, BulgeQ: 0.8, DiskScale: 5, DiskQ: 0.75, Angle: 0.4},
		{X: mid + 8, Y: mid - 5, Flux: 2600, BulgeShare: 0.1, BulgeRadius: 2, BulgeN: 2, BulgeQ: 0.9, DiskScale: 4, DiskQ: 0.45, Angle: 2.2},
		{X: mid - 13, Y: mid - 8, Flux: 1500, BulgeShare: 0.15, BulgeRadius: 2, BulgeN: 2, BulgeQ: 0.9, DiskScale: 3, DiskQ: 0.6, Angle: 1.2},
		{X: mid + 19, Y: mid + 20, Flux: 1900, BulgeShare: 0.4, BulgeRadius: 2.5, BulgeN: 3, BulgeQ: 0.8, DiskScale: 3, DiskQ: 0.5, Angle: 2.8},
		{X: mid - 27, Y: mid + 22, Flux: 900, BulgeShare: 0.1, BulgeRadius: 1.5, BulgeN: 2, BulgeQ: 0.9, DiskScale: 2.5, DiskQ: 0.8, Angle: 0.9},
		{X: mid + 26, Y: mid - 24, Flux: 800, BulgeShare: 0.2, BulgeRadius: 1.5, BulgeN: 2, BulgeQ: 0.9, DiskScale: 2, DiskQ: 0.6, Angle: 1.9},
	}
	red := []float64{1.1, 0.1, 0.3, 0.9, -0.1, 0.5} // colour: flux rises as (band)^red
	for i, g := range list {
		one := sims.NewScene(side, side)
		one.Add(g, rng)
		for b := range bands {
			f := math.Pow(float64(b+2)/4, red[i])
			for p, v := range one.Pix {
				bands[b].Pix[p] += f * v
			}
		}
	}
	for i, s := range [][3]float64{{mid + 3, mid + 15, 1500}, {mid - 30, mid - 25, 1100}} {
		for b := range bands {
			bands[b].AddPoint(s[0], s[1], s[2]*math.Pow(float64(b+2)/4, 0.5-0.8*float64(i)), 0)
		}
	}
	n := blendSide * blendSide
	data, weights := make([]float32, 5*n), make([]float32, 5*n)
	var psfs []float32
	for b, scene := range bands {
		psf, err := observe.AnalyticPSF(observe.PSFMoffat, blendBands[b].fwhm/blendScale, 3, psfSide)
		if err != nil {
			return err
		}
		psfs = append(psfs, centred(psf, psfSide)...)
		wide, err := convolve(scene, psf)
		if err != nil {
			return err
		}
		const cut = (side - blendSide) / 2
		pix := wide.Crop(cut, cut+blendSide, cut, cut+blendSide).Pix
		for i, v := range pix {
			data[b*n+i] = float32(float64(v) + blendBands[b].noise*rng.NormFloat64())
			weights[b*n+i] = float32(1 / (blendBands[b].noise * blendBands[b].noise))
		}
	}
	h := &fitsio.Header{}
	wcs.SetTAN(h, 150.12, 2.2, blendScale, blendSide, blendSide)
	h.Set("BUNIT", "adu", "sky subtracted")
	h.Set("BANDS", "grizy", "")
	h.AddComment(fmt.Sprintf("Simulated by Limpid (assets/internal/makesamples, seed %d): not real data.", seed))
	shape := []int{5, blendSide, blendSide}
	return packed(path, image("SCI", shape, data, h), image("WHT", shape, weights, h), image("PSF", []int{5, psfSide, psfSide}, psfs, nil))
}

// centred pads a PSF to n × n.
func centred(psf solvers.Image, n int) []float32 {
	out := make([]float32, n*n)
	for y := range psf.H {
		for x := range psf.W {
			u, v := x+(n-psf.W)/2, y+(n-psf.H)/2
			if u >= 0 && v >= 0 && u < n && v < n {
				out[v*n+u] = psf.Pix[y*psf.W+x]
			}
		}
	}
	return out
}

// convolve blurs a scene of the padded size.
func convolve(scene *sims.Scene, psf solvers.Image) (solvers.Image, error) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	op, err := operator.NewConvolution(dev, s, psf, scene.H, scene.W, 1)
	if err != nil {
		return solvers.Image{}, err
	}
	x, err := dev.Alloc(op.Domain())
	if err != nil {
		return solvers.Image{}, err
	}
	y, err := dev.Alloc(op.Range())
	if err != nil {
		return solvers.Image{}, err
	}
	s.Upload(x, op.Embed(solvers.Image{C: 1, H: scene.H, W: scene.W, Pix: scene.Float32()}).Pix)
	op.Forward(s, y, x)
	out := solvers.NewImage(1, scene.H, scene.W)
	s.Download(out.Pix, y)
	return out, s.Err()
}

// The shear field: galaxies behind simulated mass.
const (
	shearSide     = 128 // pixels of 0.29′
	shearMargin   = 14  // without galaxies: the simulation is a torus
	shearGalaxies = 18000
	shearSigma    = 0.27
)

// shear writes a catalogue of RA, DEC, E1, E2, WEIGHT; components in a frame with x to
// the west.
func shear(path string, key engine.Key) error {
	c := sims.COSMOS()
	k, err := sims.NewKappa(c)
	if err != nil {
		return err
	}
	kappa := make([]float32, shearSide*shearSide)
	k.Patch(kappa, shearSide, key.Fold(0))
	for _, c := range [][3]float64{{84, 46, 0.42}, {40, 88, 0.26}, {88, 92, 0.2}} { // clusters of galaxies
		for i := range kappa {
			r := math.Hypot(float64(i%shearSide)-c[0], float64(i/shearSide)-c[1])
			kappa[i] += float32(c[2] / (1 + r*r/16) * math.Exp(-r*r/300))
		}
	}
	gamma, err := shearOf(kappa)
	if err != nil {
		return err
	}
	const w = shearSide
	p := massmap.Projection{Kind: massmap.Gnomonic, RA0: 150.1, Dec0: 2.2, Arcmin: c.Arcmin, W: w, H: w}
	rng := sims.Rand(key.Fold(1))
	cols := make([][]float32, 5)
	for len(cols[0]) < shearGalaxies {
		x, y := shearMargin+(w-2*shearMargin)*rng.Float64(), shearMargin+(w-2*shearMargin)*rng.Float64()
		ra, dec, ok := p.ToSky(x, y)
		if !ok || math.Hypot(x-58, y-74) < 6 { // a bright star's mask
			continue
		}
		i := int(y+0.5)*w + int(x+0.5)
		less := 1 - float64(kappa[i])
		weight := 0.6 + 0.8*rng.Float64()
		noise := shearSigma / math.Sqrt(weight)
		v := []float64{ra, dec, float64(gamma[i])/less + noise*rng.NormFloat64(), float64(gamma[w*w+i])/less + noise*rng.NormFloat64(), weight}
		for k := range cols {
			if k >= 2 {
				v[k] = math.Round(v[k]*1e3) / 1e3 // compresses
			}
			cols[k] = append(cols[k], float32(v[k]))
		}
	}
	h := &fitsio.Header{}
	h.AddComment(fmt.Sprintf("Simulated by Limpid (assets/internal/makesamples, seed %d): not real data.", seed))
	h.AddComment("E1, E2: reduced shear and shape noise, x to the west, y to the north")
	var list []fitsio.NewColumn
	for k, name := range []string{"RA", "DEC", "E1", "E2", "WEIGHT"} {
		unit := ""
		if k < 2 {
			unit = "deg"
		}
		list = append(list, fitsio.NewColumn{Name: name, Unit: unit, Data: cols[k]})
	}
	table, err := fitsio.NewTable("SHEAR", list, h)
	if err != nil {
		return err
	}
	return packed(path, table)
}

func shearOf(kappa []float32) ([]float32, error) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	op, err := operator.NewShear(dev, s, operator.ShearGrid(shearSide, shearSide, 0), 1)
	if err != nil {
		return nil, err
	}
	defer op.Close()
	x, err := dev.Alloc(engine.Shape{1, 1, op.H, op.W})
	if err != nil {
		return nil, err
	}
	y, err := dev.Alloc(engine.Shape{1, 2, shearSide, shearSide})
	if err != nil {
		return nil, err
	}
	if op.H != shearSide || op.W != shearSide {
		return nil, fmt.Errorf("the grid is %d × %d", op.W, op.H)
	}
	s.Upload(x, kappa)
	op.Forward(s, y, x)
	out := make([]float32, 2*len(kappa))
	s.Download(out, y)
	return out, s.Err()
}

func image(name string, shape []int, pix []float32, h *fitsio.Header) *fitsio.NewHDU {
	hdu, err := fitsio.NewImage(name, shape, pix, h)
	if err != nil {
		panic(err)
	}
	return hdu
}

// packed writes a FITS file through gzip.
func packed(path string, hdus ...*fitsio.NewHDU) error {
	var plain, out bytes.Buffer
	if err := fitsio.Write(&plain, fitsio.WriteOptions{}, hdus...); err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(plain.Bytes()); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}
