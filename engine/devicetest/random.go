package devicetest

import (
	"math"
	"math/bits"

	"limpid/engine"
)

// tolNormal is absolute, for numbers below 7: a few units in the last place of the
// logarithm, the root and the polynomials, whatever is fused.
const tolNormal = 4e-6

func randomChecks() []check {
	return []check{
		{"Normal and Uniform are the reference numbers", true, sameNumbers},
		{"Normal moments", false, moments},
	}
}

func sameNumbers(b *bench) {
	for _, s := range b.shapes() {
		for _, k := range []engine.Key{{}, engine.NewKey(42).Fold(3), {Seed: 1 << 63, Counter: 1<<40 + 5}} {
			n := s.Len()
			normal, uniform := make([]float64, n), make([]float64, n)
			for i := range n {
				w := engine.Philox(k.Seed, k.Counter, uint64(i/4))
				u := engine.Uniforms(w)
				uniform[i] = float64(u[i%4])
				normal[i] = boxMuller(w, i%4)
			}
			t := b.alloc(s...)
			b.s.Uniform(t, k)
			b.near("Uniform", t, uniform, tolExact, 0)
			b.s.Normal(t, k)
			b.near("Normal", t, normal, tolNormal, 1)
		}
	}
	if b.short {
		return
	}
	// Beyond the first 2¹⁶ blocks.
	t := b.alloc(1 << 19)
	b.s.Uniform(t, engine.NewKey(9))
	got := b.download(t)
	for _, i := range []int{0, 1, 1 << 18, 1<<18 + 3, 1<<19 - 1} {
		if w := engine.Uniforms(engine.Philox(9, 0, uint64(i/4)))[i%4]; got[i] != w {
			b.fail("Uniform: element %d is %v, want %v", i, got[i], w)
		}
	}
}

// boxMuller is engine.Normals in float64 with the library's functions: of the first
// word the 24 leading bits count.
func boxMuller(w [4]uint32, i int) float64 {
	w0, w1 := w[i&^1]|1, w[i|1]
	lz := bits.LeadingZeros32(w0)
	r := math.Sqrt(-2 * math.Log(math.Ldexp(float64(w0<<lz>>8), -24-lz)))
	f := float64(2*(int32(w1<<2)>>9)+1) * 0x1p-24
	s, c := math.Sincos(math.Pi / 2 * (f + float64(w1>>30)))
	if i&1 == 0 {
		return r * c
	}
	return r * s
}

// moments of 2²⁰ numbers: mean, variance, skewness and kurtosis within 5 sigma, and
// the right number beyond 3.
func moments(b *bench) {
	n := 1 << 20
	t := b.alloc(n)
	b.s.Normal(t, engine.NewKey(5))
	var m [5]float64
	tail := 0
	for _, v := range b.download(t) {
		x := float64(v)
		for p, q := 0, 1.0; p < 5; p, q = p+1, q*x {
			m[p] += q / float64(n)
		}
		if math.Abs(x) > 3 {
			tail++
		}
	}
	s := 5 / math.Sqrt(float64(n))
	for p, want := range []float64{1, 0, 1, 0, 3} {
		// The variance of x^p is E x^2p − (E x^p)².
		if sd := []float64{0, 1, math.Sqrt(2), math.Sqrt(15), math.Sqrt(96)}[p]; math.Abs(m[p]-want) > s*sd+1e-9 {
			b.fail("moment %d is %g, want %g", p, m[p], want)
		}
	}
	if e := 0.0026998 * float64(n); math.Abs(float64(tail)-e) > 5*math.Sqrt(e) {
		b.fail("%d numbers beyond 3 sigma, want %.0f", tail, e)
	}
}
