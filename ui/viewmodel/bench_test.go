package viewmodel

import (
	"math"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"limpid/app/figure"
	"limpid/app/session"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/ui/viewmodel/board"
	"limpid/ui/viewmodel/store"
)

// bench is a Model on a goroutine of its own kind: what is posted waits until the
// test pumps it.
type bench struct {
	*Model
	t      *testing.T
	posted chan func()
	seen   Change
	posts  int
}

const patience = 4 * time.Minute // a run of the race detector on a busy machine

func newBench(t *testing.T) *bench {
	t.Helper()
	dev := cpu.New(cpu.Options{Workers: 1})
	ses := session.New(dev)
	b := &bench{t: t, posted: make(chan func(), 10000)}
	b.Model = New(Options{
		Session: ses, Post: func(f func()) { b.posted <- f },
		Changed:  func(c Change) { b.seen |= c },
		Debounce: 5 * time.Millisecond, Interval: 10 * time.Millisecond, Play: 5 * time.Millisecond,
		Store: store.OpenFile(filepath.Join(t.TempDir(), "window.json")),
	})
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var once sync.Once
	t.Cleanup(func() {
		once.Do(func() {
			b.Close()
			ses.Close()
			dev.Close()
		})
	})
	return b
}

// until pumps what is posted until a condition holds.
func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	end := time.After(patience)
	for !cond() {
		select {
		case f := <-b.posted:
			b.posts++
			f()
		case <-end:
			b.t.Fatalf("waited %v for: %s; notices %v", patience, what, b.Notices())
		}
	}
}

func (b *bench) settled() bool {
	return b.file != nil && !b.panes.painting && !b.file.measure.busy && b.file.measure.key != "" && len(b.posted) == 0
}

// open opens files and waits until they are shown and measured.
func (b *bench) open(paths ...string) {
	b.t.Helper()
	n := len(b.Files())
	b.Open(paths...)
	b.until("files to open", func() bool { return len(b.Files()) > n || len(b.Notices()) > 0 })
	if len(b.Files()) > n {
		b.until("pictures and measurement", b.settled)
	}
}

// writeImage writes a file with an image of stars, its weights and its PSF, and
// returns its path.
func writeImage(t *testing.T, name string, planes, h, w int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	data := make([]float32, planes*h*w)
	weights := make([]float32, planes*h*w)
	rnd := uint64(1)
	noise := func() float64 { // about N(0, 1): the sum of 12 uniforms
		var s float64
		for range 12 {
			rnd = rnd*6364136223846793005 + 1442695040888963407
			s += float64(rnd>>11) / (1 << 53)
		}
		return s - 6
	}
	for i := range data {
		data[i] = float32(noise())
		weights[i] = 1
	}
	const sigma = 1.5
	for p := range planes {
		for k := range 6 {
			cx, cy := float64(w)*(0.17+0.13*float64(k)), float64(h)*(0.2+0.11*float64((k*4)%6))
			for y := range h {
				for x := range w {
					r2 := (float64(x)-cx)*(float64(x)-cx) + (float64(y)-cy)*(float64(y)-cy)
					data[(p*h+y)*w+x] += float32(200 * float64(k+2) * math.Exp(-r2/(2*sigma*sigma)))
				}
			}
		}
	}
	const n = 15
	psf := make([]float32, n*n)
	for i := range psf {
		x, y := float64(i%n-n/2), float64(i/n-n/2)
		psf[i] = float32(math.Exp(-(x*x + y*y) / (2 * sigma * sigma)))
	}
	shape := []int{planes, h, w}
	if planes == 1 {
		shape = shape[1:]
	}
	head := &fitsio.Header{}
	head.Set("BUNIT", "adu", "")
	for _, c := range []struct {
		k string
		v any
	}{
		{"CTYPE1", "RA---TAN"},
		{"CTYPE2", "DEC--TAN"},
		{"CRVAL1", 150.0},
		{"CRVAL2", 2.0},
		{"CRPIX1", 1.0},
		{"CRPIX2", 1.0},
		{"CDELT1", -0.2 / 3600},
		{"CDELT2", 0.2 / 3600},
	} {
		head.Set(c.k, c.v, "")
	}
	var hdus []*fitsio.NewHDU
	for _, x := range []struct {
		name  string
		shape []int
		pix   []float32
	}{{"SCI", shape, data}, {"WHT", shape, weights}, {"PSF", []int{n, n}, psf}} {
		hd := head
		if x.name == "PSF" {
			hd = &fitsio.Header{}
		}
		hdu, err := fitsio.NewImage(x.name, x.shape, x.pix, hd.Clone())
		if err != nil {
			t.Fatal(err)
		}
		hdus = append(hdus, hdu)
	}
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, hdus...); err != nil {
		t.Fatal(err)
	}
	return path
}

// BenchmarkPicture4096 is what happens between a 4096² plane that has been read and its
// picture: reduced copies, limits, histogram.
func BenchmarkPicture4096(b *testing.B) {
	const n = 4096
	pix := make([]float32, n*n)
	x := uint32(1)
	for i := range pix {
		x = x*1664525 + 1013904223
		pix[i] = float32(x>>8) / (1 << 24)
	}
	for b.Loop() {
		im, err := figure.NewImage(figure.Plane{Data: pix, W: n, H: n})
		if err != nil {
			b.Fatal(err)
		}
		l := usable(rawLimits(im, session.RoleImage))
		span := board.HistogramRange(im, l)
		if im.Thinned(counted).Histogram(span.Lo, span.Hi, bins).Peak() == 0 {
			b.Fatal("an empty histogram")
		}
	}
}
