// Package fft is the discrete Fourier transform in float32: complex and real, one
// and two dimensions, batched, of any size.
//
//	X[k] = Σ_j x[j] e^(−2πi jk/n)
//
// forward without a factor, inverse with 1/n. Sixteen transforms advance together,
// one in each lane of a vector, so that a butterfly needs no shuffles; sizes whose
// prime factors are at most 31 use the mixed-radix Stockham algorithm (Stockham
// 1966; Van Loan 1992, sec. 1.7), others Bluestein's (Bluestein 1970, IEEE Trans.
// Audio Electroacoust. 18, 451). Twiddle factors are computed in float64 and
// rounded once.
package fft

import (
	"sync"

	"limpid/engine/internal/kern"
)

// plan is the complex transform of one size over lane buffers.
type plan struct {
	n    int
	prog *kern.Program // nil where Bluestein's algorithm is used
	blue *bluestein
}

// bluestein writes a transform of any size as a convolution of good size.
type bluestein struct {
	conv  *plan
	chirp []float32 // (n, 2): e^(−πi j²/n)
	spec  []float32 // (conv.n, 2): transform of the conjugate chirp, divided by conv.n
}

// Cache makes plans for one instruction set and keeps them. It may be used by
// several goroutines.
type Cache struct {
	table *kern.Table
	mu    sync.Mutex
	plans map[int]*plan
}

// NewCache returns an empty cache of plans for t.
func NewCache(t *kern.Table) *Cache { return &Cache{table: t, plans: map[int]*plan{}} }

func (c *Cache) plan(n int) *plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.locked(n)
}

func (c *Cache) locked(n int) *plan {
	if p := c.plans[n]; p != nil {
		return p
	}
	p := &plan{n: n, prog: c.table.NewProgram(n)}
	if p.prog == nil {
		p.blue = newBluestein(n, c.locked(Good(2*n-1)))
	}
	c.plans[n] = p
	return p
}

// Good returns the smallest size from n on that transforms fast: even (or 1), with
// no prime factor above 7. Pad convolutions to it.
func Good(n int) int {
	if n <= 1 {
		return 1
	}
	for n += n & 1; ; n += 2 {
		m := n
		for _, p := range []int{2, 3, 5, 7} {
			for m%p == 0 {
				m /= p
			}
		}
		if m == 1 {
			return n
		}
	}
}

func newBluestein(n int, conv *plan) *bluestein {
	b := &bluestein{conv: conv}
	m := conv.n
	re, im := make([]float64, m), make([]float64, m)
	for j := range n {
		// j² mod 2n keeps the angle exact for large j.
		c, s := kern.Root(int(uint64(j)*uint64(j)%uint64(2*n)), 2*n)
		b.chirp = append(b.chirp, float32(c), float32(s))
		re[j], im[j] = c, -s
		if j > 0 {
			re[m-j], im[m-j] = c, -s
		}
	}
	dft64(re, im)
	for k := range m {
		b.spec = append(b.spec, float32(re[k]/float64(m)), float32(im[k]/float64(m)))
	}
	return b
}

// dft64 transforms in place in float64, recursively over the smallest factors. It
// runs once per plan.
func dft64(re, im []float64) {
	n := len(re)
	r := 2
	for r < n && n%r != 0 {
		r++
	}
	if n == 1 {
		return
	}
	m := n / r
	sr, si := make([]float64, n), make([]float64, n)
	for j := range r {
		for i := range m {
			sr[j*m+i], si[j*m+i] = re[i*r+j], im[i*r+j]
		}
		if m > 1 {
			dft64(sr[j*m:(j+1)*m], si[j*m:(j+1)*m])
		}
	}
	for k := range n {
		var ar, ai float64
		for j := range r {
			c, s := kern.Root(j*k, n)
			x, y := sr[j*m+k%m], si[j*m+k%m]
			ar, ai = ar+x*c-y*s, ai+x*s+y*c
		}
		re[k], im[k] = ar, ai
	}
}

// elements is the size of the lane buffer that run transforms, work of its scratch.
func (p *plan) elements() int {
	if p.blue != nil {
		return p.blue.conv.n
	}
	return p.n
}

func (p *plan) work() int {
	if p.blue != nil {
		return p.blue.conv.work()
	}
	return p.prog.Work()
}

// floats is the scratch a task asks its worker for.
func (p *plan) floats() int { return (p.elements() + p.work()) * kern.Element }

// run transforms the lane buffer a in place.
func (p *plan) run(k *kern.Table, a, work []float32) {
	if p.blue != nil {
		p.blue.run(k, p.n, a, work)
		return
	}
	v := kern.Lane(a, 0)
	k.FFT(p.prog, v, v, work)
}

func (b *bluestein) run(k *kern.Table, n int, x, work []float32) {
	m := b.conv.n
	kern.LaneMul(x, x, b.chirp, n)
	clear(x[n*kern.Element : m*kern.Element])
	b.conv.run(k, x, work)
	// The inverse transform is the forward one with real and imaginary parts swapped.
	kern.LaneMulSwap(x, x, b.spec, m)
	b.conv.run(k, x, work)
	kern.LaneSwapMul(x, x, b.chirp, n)
}
