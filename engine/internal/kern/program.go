package kern

import "math"

// Program is the complex transform of one size, as numbers that Go and C read
// alike. In two levels, n = A·B: A-point transforms at stride B, a factor, B-point
// transforms, so that each stays within the first-level cache.
//
//	Desc = {n, A, B, offset of the factors, 0, index of list B, list A…, list B…}
//	list = {count, then radix, M, S, offset of twiddles, offset of roots, each}
type Program struct {
	N, A, B int
	Desc    []int32
	Tab     []float32
}

// View is where a transform reads or writes: element e starts at Step·e, a lane
// element or, with Interleaved, Lanes complex numbers in memory order.
type View struct {
	Data []float32
	Step int
	Mode int
}

// Modes of a View, to be added. Swapped exchanges real and imaginary parts, which
// turns a transform into its inverse when done on both sides. Streamed results,
// aligned to 64 bytes, go past the caches.
const (
	Swapped     = 1
	Interleaved = 2
	Streamed    = 4
)

// Lane is the view of a lane buffer.
func Lane(b []float32, mode int) View { return View{b, Element, mode} }

// NewProgram makes the program for n in radices t has, or returns nil where n has
// a prime factor beyond them.
func (t *Table) NewProgram(n int) *Program {
	a, b := n, 1
	if t.TwoLevels > 0 && n >= t.TwoLevels {
		a, b = t.split(n)
	}
	fa, ok := t.factor(a)
	fb, okb := t.factor(b)
	if !ok || !okb {
		return nil
	}
	p := &Program{N: n, A: a, B: b, Desc: make([]int32, 6, 6+2+5*(len(fa)+len(fb)))}
	p.list(a, fa)
	d := p.Desc
	d[0], d[1], d[2], d[5] = int32(n), int32(a), int32(b), int32(len(d))
	if b > 1 {
		p.list(b, fb)
		p.Desc[3] = int32(len(p.Tab))
		for i := range b {
			for k := range a {
				p.push(i*k, n)
			}
		}
	}
	return p
}

// Work is the number of elements of scratch a transform needs.
func (p *Program) Work() int {
	if p.B == 1 {
		return 2 * p.N
	}
	return p.N + p.A + 2*max(p.A, p.B)
}

func (p *Program) push(k, n int) {
	re, im := Root(k, n)
	p.Tab = append(p.Tab, float32(re), float32(im))
}

func (p *Program) list(n int, radices []int) {
	p.Desc = append(p.Desc, int32(len(radices)))
	s := 1
	for _, r := range radices {
		m := n / r
		tw := len(p.Tab)
		for i := range m {
			for k := 1; k < r; k++ {
				p.push(i*k, n)
			}
		}
		roots := len(p.Tab)
		for j := range r {
			p.push(j, r)
		}
		p.Desc = append(p.Desc, int32(r), int32(m), int32(s), int32(tw), int32(roots))
		n, s = m, s*r
	}
}

// Root is e^(−2πi k/n), exact at the quarters. k may be any number from 0 on.
func Root(k, n int) (re, im float64) {
	k %= n
	s, c := math.Sincos(-2 * math.Pi * float64(k) / float64(n))
	switch 8 * k {
	case 2 * n, 6 * n:
		c = 0
	case 4 * n:
		s = 0
	}
	return c, s
}

// factor writes n in few radices: of those t has, the choice with the lowest cost.
func (t *Table) factor(n int) (f []int, ok bool) {
	best := t.cheapest(n, map[int][]int{1: {}})
	return best, best != nil
}

// cost of a radix per element and pass: memory once, and arithmetic.
func (t *Table) cost(f []int) float64 {
	c := 0.0
	for _, r := range f {
		c += t.RadixCost[r]
	}
	return c
}

func (t *Table) cheapest(n int, known map[int][]int) []int {
	if f, ok := known[n]; ok {
		return f
	}
	var best []int
	for _, r := range t.Radices {
		if n%r != 0 {
			continue
		}
		rest := t.cheapest(n/r, known)
		if rest == nil {
			continue
		}
		if f := append([]int{r}, rest...); best == nil || t.cost(f) < t.cost(best) {
			best = f
		}
	}
	known[n] = best
	return best
}

// split chooses A·B = n with both near √n, or (n, 1) where n has no such factor.
func (t *Table) split(n int) (a, b int) {
	for b = int(math.Sqrt(float64(n))); b >= 4; b-- {
		if n%b == 0 && n/b <= 8*b {
			return n / b, b
		}
	}
	return n, 1
}

// fftPortable is Table.FFT in Go. It has one level only.
func fftPortable(p *Program, dst, src View, work []float32) {
	n := p.N * Element
	a, b := work[:n], work[n:2*n]
	re, im := (src.Mode&Swapped)*Lanes, (1-src.Mode&Swapped)*Lanes
	for k := range p.N {
		s, d := src.Data[k*src.Step:][:Element], at(a, k)
		for l := range Lanes {
			if src.Mode&Interleaved != 0 {
				d[re+l], d[im+l] = s[2*l], s[2*l+1]
			} else {
				d[re+l], d[im+l] = s[l], s[Lanes+l]
			}
		}
	}
	for l := p.Desc[7 : 7+5*p.Desc[6]]; len(l) > 0; l = l[5:] {
		ps := pass{Radix: int(l[0]), M: int(l[1]), S: int(l[2]), Twiddle: p.Tab[l[3]:], Root: p.Tab[l[4]:]}
		runPass(&ps, b, a)
		a, b = b, a
	}
	re, im = (dst.Mode&Swapped)*Lanes, (1-dst.Mode&Swapped)*Lanes
	for k := range p.N {
		s, d := at(a, k), dst.Data[k*dst.Step:][:Element]
		for l := range Lanes {
			if dst.Mode&Interleaved != 0 {
				d[2*l], d[2*l+1] = s[re+l], s[im+l]
			} else {
				d[l], d[Lanes+l] = s[re+l], s[im+l]
			}
		}
	}
}

// Rows is a group of real rows on their way to or from packed half spectra.
type Rows struct {
	Program *Program  // of half the row's length
	Rot     []float32 // e^(−2πi k/length)
	Lanes   int       // rows in this group, at most Lanes
	Past    bool      // results are too large to stay in the caches
}

// rowsForward transforms rows of src to rows of dst: (X[0], X[n/2]), X[1], … .
// buf holds Program.N elements and then the transform's work.
func rowsForward(r Rows, dst []float32, dstride int, src []float32, sstride int, buf []float32) {
	n := r.Program.N
	v, work := Lane(buf, 0), buf[n*Element:]
	LoadRows(buf, src, 2*n, sstride, r.Lanes)
	fftPortable(r.Program, v, v, work)
	SplitReal(buf, r.Rot, n)
	StoreRows(dst, buf, 2*n, dstride, r.Lanes, 0, 1)
}

// rowsBackward is the inverse, in place, times scale.
func rowsBackward(r Rows, data []float32, stride int, scale float32, buf []float32) {
	n := r.Program.N
	v, work := Lane(buf, 0), buf[n*Element:]
	LoadRows(buf, data, 2*n, stride, r.Lanes)
	JoinReal(buf, r.Rot, n)
	fftPortable(r.Program, v, v, work)
	StoreRows(data, buf, 2*n, stride, r.Lanes, 1, scale)
}
