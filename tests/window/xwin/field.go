package xwin

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"limpid/fitsio"
	"limpid/fitsio/wcs"
)

// WriteStars writes a field of stars and galaxies with a Moffat PSF, sky and
// noise, as a telescope would give it without any calibration beside it: the
// image alone, with a WCS and a gain.
func WriteStars(path string, w, h int) error {
	rnd := rand.New(rand.NewPCG(7, 11))
	data := make([]float32, w*h)
	const sky, gain, beta, fwhm = 1200.0, 2.0, 3.0, 3.4
	alpha := fwhm / (2 * math.Sqrt(math.Pow(2, 1/beta)-1))
	add := func(cx, cy, flux, stretch, q, angle float64) {
		a := alpha * stretch
		peak := flux * (beta - 1) / (math.Pi * a * a * q)
		sin, cos := math.Sincos(angle)
		reach := int(12*a) + 2
		for y := max(0, int(cy)-reach); y < min(h, int(cy)+reach); y++ {
			for x := max(0, int(cx)-reach); x < min(w, int(cx)+reach); x++ {
				dx, dy := float64(x)-cx, float64(y)-cy
				u, v := dx*cos+dy*sin, (dy*cos-dx*sin)/q
				data[y*w+x] += float32(peak * math.Pow(1+(u*u+v*v)/(a*a), -beta))
			}
		}
	}
	for range w * h / 3600 {
		flux := 2500 * math.Pow(rnd.Float64()+0.003, -0.9)
		add(rnd.Float64()*float64(w), rnd.Float64()*float64(h), flux, 1, 1, 0)
	}
	for range w * h / 2500 {
		flux := 4000 * math.Pow(rnd.Float64()+0.02, -0.8)
		add(rnd.Float64()*float64(w), rnd.Float64()*float64(h), flux, 1.5+1.8*rnd.Float64(), 0.4+0.6*rnd.Float64(), rnd.Float64()*math.Pi)
	}
	for i, v := range data {
		level := sky + float64(v)
		data[i] = float32(level + math.Sqrt(level/gain)*rnd.NormFloat64())
	}
	head := &fitsio.Header{}
	for _, c := range []struct {
		key string
		v   any
	}{
		{"BUNIT", "adu"},
		{"OBJECT", "simulated field"},
		{"GAIN", gain},
		{"CTYPE1", "RA---TAN"},
		{"CTYPE2", "DEC--TAN"},
		{"CRVAL1", 210.8},
		{"CRVAL2", 54.35},
		{"CRPIX1", float64(w) / 2},
		{"CRPIX2", float64(h) / 2},
		{"CDELT1", -0.25 / 3600},
		{"CDELT2", 0.25 / 3600},
	} {
		head.Set(c.key, c.v, "")
	}
	hdu, err := fitsio.NewImage("SCI", []int{h, w}, data, head)
	if err != nil {
		return err
	}
	return fitsio.WriteFile(path, fitsio.WriteOptions{}, hdu)
}

// WriteCube writes n planes of one field of round galaxies whose colours differ,
// with noise and a WCS.
func WriteCube(path string, n, w, h int) error {
	rnd := rand.New(rand.NewPCG(3, 5))
	data := make([]float32, n*w*h)
	for range 60 {
		cx, cy := rnd.Float64()*float64(w), rnd.Float64()*float64(h)
		flux, size, hue := 40*math.Pow(rnd.Float64()+0.01, -0.7), 1.5+3*rnd.Float64(), rnd.Float64()
		for k := range n {
			at := float64(k) / float64(max(1, n-1))
			f := flux * math.Exp(-3*(at-hue)*(at-hue))
			for y := range h {
				for x := range w {
					r := math.Hypot(float64(x)-cx, float64(y)-cy) / size
					if r < 8 {
						data[(k*h+y)*w+x] += float32(f * math.Exp(-r))
					}
				}
			}
		}
	}
	for i := range data {
		data[i] += float32(2 * rnd.NormFloat64())
	}
	head := &fitsio.Header{}
	for _, c := range []struct {
		key string
		v   any
	}{
		{"BUNIT", "nJy"},
		{"CTYPE1", "RA---TAN"},
		{"CTYPE2", "DEC--TAN"},
		{"CRVAL1", 150.1},
		{"CRVAL2", 2.2},
		{"CRPIX1", float64(w) / 2},
		{"CRPIX2", float64(h) / 2},
		{"CDELT1", -0.2 / 3600},
		{"CDELT2", 0.2 / 3600},
	} {
		head.Set(c.key, c.v, "")
	}
	hdu, err := fitsio.NewImage("SCI", []int{n, h, w}, data, head)
	if err != nil {
		return err
	}
	return fitsio.WriteFile(path, fitsio.WriteOptions{}, hdu)
}

// WriteSquares writes bright squares of random places and sizes in noise of 1: nothing
// that a telescope sees.
func WriteSquares(path string, n int) error {
	rnd := rand.New(rand.NewPCG(5, 9))
	data := make([]float32, n*n)
	for i := range data {
		data[i] = float32(rnd.NormFloat64())
	}
	for range n * n / 120 {
		x0, y0, side, v := rnd.IntN(n-8), rnd.IntN(n-8), 2+rnd.IntN(6), float32(20+80*rnd.Float64())
		for y := y0; y < y0+side; y++ {
			for x := x0; x < x0+side; x++ {
				data[y*n+x] += v
			}
		}
	}
	head := &fitsio.Header{}
	head.Set("BUNIT", "adu", "")
	hdu, err := fitsio.NewImage("SCI", []int{n, n}, data, head)
	if err != nil {
		return err
	}
	return fitsio.WriteFile(path, fitsio.WriteOptions{}, hdu)
}

// Quasars are the images of one that WriteExposures writes, FITS pixels of its first exposure.
var Quasars = [][2]float64{{38.3, 52.6}, {60.8, 43.1}}

// WriteExposures writes count exposures of n² pixels of two images of a quasar, its lens and galaxies,
// displaced by parts of a pixel, with noise of 1 and skies of their own, through a Gaussian of 2 px.
func WriteExposures(dir string, n, count int) (paths []string, err error) {
	type source struct{ x, y, flux, sigma float64 }
	sources := []source{
		{Quasars[0][0], Quasars[0][1], 2600, 0},
		{Quasars[1][0], Quasars[1][1], 1500, 0},
		{48.5, 47.6, 2400, 2.2},
		{48.9, 47.2, 1500, 5},
		{18, 76, 1300, 1.6},
		{77, 20, 1700, 2.6},
		{80, 78, 500, 1.1},
		{22, 22, 420, 1.4},
	}
	rnd := rand.New(rand.NewPCG(11, 3))
	for e := range count {
		dx, dy := 0.5*float64(e%2)+0.06*float64(e), 0.5*float64(e/2%2)
		head := &fitsio.Header{}
		wcs.SetTAN(head, 150, 2, 0.1, n, n)
		head.Set("CRPIX1", float64(n+1)/2+dx, "")
		head.Set("CRPIX2", float64(n+1)/2+dy, "")
		head.Set("BUNIT", "electron", "")
		data := make([]float32, n*n)
		for i := range data {
			v := rnd.NormFloat64() + 0.6*float64(e)
			for _, s := range sources {
				sigma := math.Hypot(2/2.3548, s.sigma) * math.Sqrt2
				edge := func(a float64) float64 { return (math.Erf((a+0.5)/sigma) - math.Erf((a-0.5)/sigma)) / 2 }
				v += s.flux * edge(float64(i%n+1)-s.x-dx) * edge(float64(i/n+1)-s.y-dy)
			}
			data[i] = float32(v)
		}
		hdu, err := fitsio.NewImage("SCI", []int{n, n}, data, head)
		if err != nil {
			return nil, err
		}
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("dither%d.fits", e+1)))
		if err := fitsio.WriteFile(paths[e], fitsio.WriteOptions{}, hdu); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// StampFWHM is that of the Gaussian PSF of WriteStamp, px.
const StampFWHM = 3.5

// WriteStamp writes n² pixels of .2″ with an inclined galaxy in the middle, two concentric Gaussians, in noise of 1.
func WriteStamp(path string, n int) error {
	rnd := rand.New(rand.NewPCG(3, 8))
	head := &fitsio.Header{}
	wcs.SetTAN(head, 150, 2, 0.2, n, n)
	head.Set("BUNIT", "electron", "")
	data, mid, sin, cos := make([]float32, n*n), float64(n-1)/2, math.Sin(0.6), math.Cos(0.6)
	for i := range data {
		x, y := float64(i%n)-mid-0.3, float64(i/n)-mid+0.2
		u, v := x*cos+y*sin, y*cos-x*sin
		value := rnd.NormFloat64()
		for _, s := range []struct{ flux, long, short float64 }{{450, 1.1, 0.6}, {700, 3.4, 1.5}} {
			long, short := math.Hypot(s.long, StampFWHM/2.3548), math.Hypot(s.short, StampFWHM/2.3548)
			value += s.flux / (2 * math.Pi * long * short) * math.Exp(-(u*u/(long*long)+v*v/(short*short))/2)
		}
		data[i] = float32(value)
	}
	hdu, err := fitsio.NewImage("SCI", []int{n, n}, data, head)
	if err != nil {
		return err
	}
	return fitsio.WriteFile(path, fitsio.WriteOptions{}, hdu)
}

// WriteLarge writes a float32 image of any size, row by row: uniform noise and a spot
// every 256 pixels.
func WriteLarge(path string, side int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	const block = 2880
	cards := []string{"SIMPLE  =                    T", "BITPIX  =                  -32", "NAXIS   =                    2"}
	cards = append(cards, fmt.Sprintf("NAXIS1  = %20d", side), fmt.Sprintf("NAXIS2  = %20d", side), "BUNIT   = 'adu'", "END")
	head := ""
	for _, c := range cards {
		head += fmt.Sprintf("%-80s", c)
	}
	fmt.Fprintf(w, "%-*s", block, head)
	row := make([]byte, 4*side)
	rnd := uint32(1)
	for y := range side {
		for x := range side {
			rnd = rnd*1664525 + 1013904223
			v := float32(rnd>>8) / (1 << 22)
			if x%256 < 8 && y%256 < 8 {
				v += 50
			}
			binary.BigEndian.PutUint32(row[4*x:], math.Float32bits(v))
		}
		if _, err := w.Write(row); err != nil {
			return err
		}
	}
	if rest := 4 * side * side % block; rest > 0 {
		if _, err := w.Write(make([]byte, block-rest)); err != nil {
			return err
		}
	}
	return w.Flush()
}
