package fft

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
	"limpid/engine/internal/simd"
)

// fftTol is relative to the rms of the spectrum: float32 rounding grows as
// √log n, with a margin for the worst of all coefficients and for Bluestein.
const fftTol = 4e-6

func newJob(k *kern.Table, workers int) (*Job, func()) {
	p := par.NewPool(workers, 0)
	return &Job{Team: par.NewTeam(p), Table: k}, p.Close
}

// direct is the transform by its definition along one axis, in float64.
func direct(re, im []float64, n, stride, count int, outer int, sign float64) {
	tr, ti := make([]float64, n), make([]float64, n)
	sn, cs := make([]float64, n), make([]float64, n)
	for j := range n {
		sn[j], cs[j] = math.Sincos(sign * 2 * math.Pi * float64(j) / float64(n))
	}
	for o := range outer {
		for c := range count {
			base := o*n*stride + c
			for k := range n {
				tr[k], ti[k] = 0, 0
				for j := range n {
					s, co := sn[j*k%n], cs[j*k%n]
					x, y := re[base+j*stride], im[base+j*stride]
					tr[k] += x*co - y*s
					ti[k] += x*s + y*co
				}
			}
			for k := range n {
				re[base+k*stride], im[base+k*stride] = tr[k], ti[k]
			}
		}
	}
}

func noise(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

var sizes = [][2]int{
	{1, 1},
	{1, 2},
	{2, 1},
	{1, 7},
	{3, 5},
	{8, 8},
	{16, 17},
	{17, 16},
	{31, 64},
	{64, 37},
	{37, 74},
	{45, 35},
	{5, 129},
	{60, 122},
	{41, 41},
	{1, 1009},
	{1024, 33},
	{33, 1024},
	{640, 34},
	{34, 1280},
	{729, 2},
	{2, 1458},
	{1, 2048},
	{1009, 2},
	{33, 31},
}

func TestReal_AllSizes_MatchDefinition(t *testing.T) {
	caches := map[*kern.Table]*Cache{}
	for _, k := range simd.Tables() {
		caches[k] = NewCache(k)
	}
	for _, hw := range sizes {
		h, w := hw[0], hw[1]
		for _, batch := range []int{1, 3} {
			if batch > 1 && h*w > 1<<13 {
				continue // the definition takes long
			}
			src := noise(batch*h*w, 7)
			re, im := make([]float64, len(src)), make([]float64, len(src))
			for i, v := range src {
				re[i] = float64(v)
			}
			direct(re, im, w, 1, 1, batch*h, -1)
			direct(re, im, h, w, w, batch, -1)
			for k, c := range caches {
				t.Run(fmt.Sprint(k.Name, hw, batch), func(t *testing.T) { testReal(t, c, hw, batch, src, re, im) })
			}
		}
	}
}

// testReal compares with the spectrum re + i im of all columns.
func testReal(t *testing.T, cache *Cache, hw [2]int, batch int, src []float32, re, im []float64) {
	h, w := hw[0], hw[1]
	j, done := newJob(cache.table, 2)
	defer done()
	p := cache.Real(h, w)
	half := w/2 + 1
	spec := noise(batch*h*half*2, 8)
	j.Forward(p, spec, src, batch)
	lim := fftTol * math.Sqrt(float64(h*w)) * 6
	for r := range batch * h {
		for c := range half {
			dr := float64(spec[(r*half+c)*2]) - re[r*w+c]
			di := float64(spec[(r*half+c)*2+1]) - im[r*w+c]
			if !(math.Hypot(dr, di) <= lim) {
				t.Fatalf("row %d column %d: off by %g, %g", r, c, dr, di)
			}
		}
	}
	back := noise(batch*h*w, 9)
	j.Inverse(p, back, spec, batch)
	for i := range src {
		if d := math.Abs(float64(back[i] - src[i])); !(d <= fftTol*6) {
			t.Fatalf("inverse, pixel %d: off by %g", i, d)
		}
	}
}

// Images that are written past the caches, see Real.past: every instruction set
// against single coefficients by the definition, and back.
func TestReal_LargeImage_MatchesDefinitionInPlaces(t *testing.T) {
	const h, w, half = 2048, 2064, 2064/2 + 1
	src := noise(h*w, 7)
	for _, k := range simd.Tables() {
		j, done := newJob(k, 2)
		defer done()
		p := NewCache(k).Real(h, w)
		if !p.past() {
			t.Fatal("not a large image")
		}
		spec, back := par.Aligned(h*half*2), par.Aligned(h*w)
		j.Forward(p, spec, src, 1)
		for _, rc := range [][2]int{{0, 0}, {1, 17}, {2047, 1032}, {1024, 1031}, {777, 512}} {
			var re, im float64
			for y := range h {
				for x := range w {
					s, c := math.Sincos(-2 * math.Pi * (float64(y*rc[0]%h)/h + float64(x*rc[1]%w)/w))
					re += c * float64(src[y*w+x])
					im += s * float64(src[y*w+x])
				}
			}
			at := (rc[0]*half + rc[1]) * 2
			if d := math.Hypot(float64(spec[at])-re, float64(spec[at+1])-im); !(d <= fftTol*math.Sqrt(h*w)*6) {
				t.Errorf("%s: coefficient %v off by %g", k.Name, rc, d)
			}
		}
		j.Inverse(p, back, spec, 1)
		for i := range src {
			if d := math.Abs(float64(back[i] - src[i])); !(d <= fftTol*6) {
				t.Fatalf("%s: inverse, pixel %d: off by %g", k.Name, i, d)
			}
		}
	}
}

// A spectrum that belongs to no real image is read as numpy's irfft2 does: the
// real part of the first and last columns' inverse transforms.
func TestReal_InverseOfArbitrarySpectrum_TakesRealPart(t *testing.T) {
	for _, hw := range sizes {
		h, w := hw[0], hw[1]
		half := w/2 + 1
		spec := noise(h*half*2, 3)
		re, im := make([]float64, h*half), make([]float64, h*half)
		for i := range re {
			re[i], im[i] = float64(spec[2*i]), float64(spec[2*i+1])
		}
		direct(re, im, h, half, half, 1, 1)
		fr, fi := make([]float64, h*w), make([]float64, h*w)
		for r := range h {
			for c := range half {
				fr[r*w+c], fi[r*w+c] = re[r*half+c], im[r*half+c]
				if c == 0 || 2*c == w {
					fi[r*w+c] = 0
				} else {
					fr[r*w+w-c], fi[r*w+w-c] = re[r*half+c], -im[r*half+c]
				}
			}
		}
		direct(fr, fi, w, 1, 1, h, 1)
		for _, k := range simd.Tables() {
			j, done := newJob(k, 1)
			got := make([]float32, h*w)
			j.Inverse(NewCache(k).Real(h, w), got, spec, 1)
			done()
			for i := range got {
				if d := math.Abs(float64(got[i]) - fr[i]/float64(h*w)); !(d <= 6*fftTol) {
					t.Fatalf("%s %v: pixel %d off by %g", k.Name, hw, i, d)
				}
			}
		}
	}
}

func TestComplex_AllSizes_MatchDefinition(t *testing.T) {
	for _, hw := range sizes {
		h, w, batch := hw[0], hw[1], 2
		if h*w > 1<<13 {
			batch = 1
		}
		src := noise(batch*h*w*2, 5)
		re, im := make([]float64, len(src)/2), make([]float64, len(src)/2)
		for i := range re {
			re[i], im[i] = float64(src[2*i]), float64(src[2*i+1])
		}
		direct(re, im, w, 1, 1, batch*h, -1)
		direct(re, im, h, w, w, batch, -1)
		for _, k := range simd.Tables() {
			testComplex(t, k, hw, batch, src, re, im)
		}
	}
}

func testComplex(t *testing.T, k *kern.Table, hw [2]int, batch int, src []float32, re, im []float64) {
	j, done := newJob(k, 2)
	defer done()
	dst := make([]float32, len(src))
	p := NewCache(k).Complex(hw[0], hw[1])
	j.Transform(p, dst, src, batch, false)
	lim := 6 * fftTol * math.Sqrt(float64(2*hw[0]*hw[1]))
	for i := range re {
		if d := math.Hypot(float64(dst[2*i])-re[i], float64(dst[2*i+1])-im[i]); !(d <= lim) {
			t.Fatalf("%s %v: element %d off by %g", k.Name, hw, i, d)
		}
	}
	j.Transform(p, dst, dst, batch, true)
	for i := range src {
		if d := math.Abs(float64(dst[i] - src[i])); !(d <= 8*fftTol) {
			t.Fatalf("%s %v: inverse, element %d off by %g", k.Name, hw, i, d)
		}
	}
}

func TestGood_Sizes_AreSmoothAndEven(t *testing.T) {
	for n, want := range map[int]int{0: 1, 1: 1, 2: 2, 3: 4, 11: 12, 361: 378, 1009: 1024, 4097: 4116} {
		if got := Good(n); got != want {
			t.Errorf("Good(%d) = %d, want %d", n, got, want)
		}
	}
}
