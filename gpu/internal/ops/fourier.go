package ops

import (
	"math"
	"math/cmplx"

	"limpid/engine"
)

// line describes the transforms of many lines, as the kernels fftline, fftpack and
// fftunpack take them: load and store are their modes, the strides are in complex
// numbers (or, of real rows, in numbers).
type line struct {
	n, lines           int
	load, store        int
	so, si, se         int
	do, di, de         int
	inner              int
	columns, half, row int
	sign, scale        float32
}

// chirp holds Bluestein's tables for n points: exp(−iπ j²/n), and the transform over
// wide points of its conjugate.
type chirp struct {
	wide     int
	w, other *engine.Tensor
}

// RFFT2 transforms images to half-plane spectra.
func (s *stream) RFFT2(dst, src *engine.Tensor) {
	planes := engine.CheckSpectrum("RFFT2", dst, src)
	if s.err != nil || src.Len() == 0 {
		return
	}
	h, w := hw(src)
	half := w/2 + 1
	s.lines(dst, src, line{
		n: w, lines: (planes*h + 1) / 2, load: 1, store: 1, so: w, do: half, half: half, row: planes * h, inner: 1, sign: 1, scale: 1,
	})
	s.lines(dst, dst, columns(planes, h, half, 1, 1))
}

// IRFFT2 transforms them back.
func (s *stream) IRFFT2(dst, src *engine.Tensor) {
	planes := engine.CheckSpectrum("IRFFT2", src, dst)
	if s.err != nil || dst.Len() == 0 {
		return
	}
	h, w := hw(dst)
	half := w/2 + 1
	t := s.room(src.Len())
	if t == nil {
		return
	}
	s.lines(t, src, columns(planes, h, half, -1, 1))
	s.lines(dst, t, line{
		n: w, lines: (planes*h + 1) / 2, load: 2, store: 2, so: half, do: w, half: half, row: planes * h, inner: 1,
		sign: -1, scale: float32(1 / (float64(h) * float64(w))),
	})
	t.Free()
}

func columns(planes, h, half int, sign, scale float32) line {
	return line{
		n: h, lines: planes * half, so: h * half, si: 1, se: half, do: h * half, di: 1, de: half, inner: half, columns: 1,
		sign: sign, scale: scale,
	}
}

// largestPrime is the largest prime factor that is done directly, at a cost that grows
// with it.
const largestPrime = 31

// factors splits n into radices, or gives nil where a prime factor is too large.
func factors(n int) []int {
	f := []int{}
	for _, r := range []int{5, 4, 3, 2} {
		for n%r == 0 {
			f = append(f, r)
			n /= r
		}
	}
	for p := 7; n > 1; p += 2 {
		for n%p == 0 {
			if p > largestPrime {
				return nil
			}
			f = append(f, p)
			n /= p
		}
		if p > largestPrime && n > 1 {
			return nil
		}
	}
	return f
}

// packed are the radices in three words of four bytes.
func packed(f []int) (r [3]int) {
	for i, v := range f {
		r[i/4] |= v << (8 * (i % 4))
	}
	return r
}

const mostStages = 12

// lines runs transforms: in group memory where a line fits there, else pass by pass.
func (s *stream) lines(dst, src *engine.Tensor, l line) {
	f := factors(l.n)
	room := s.dev.cfg.Line
	if f != nil && l.n <= room && len(f) <= mostStages {
		tw := s.roots(l.n)
		if tw == nil {
			return
		}
		per := max(1, min(room/l.n, 8))
		if l.columns == 0 {
			per = max(1, min(room/l.n, 512/l.n))
		}
		r := packed(f)
		s.begin(FFTLine, dst, src, tw).ints(
			l.n, l.lines, per, l.load, l.store, l.so, l.si, l.se, l.do, l.di, l.de, l.inner, l.columns, l.half, l.row, len(f), r[0], r[1], r[2],
		).floats(l.sign, l.scale).groups((l.lines + per - 1) / per)
		return
	}
	if f != nil {
		s.long(dst, src, l, f)
		return
	}
	s.bluestein(dst, src, l)
}

func (s *stream) pack(dst, src, w *engine.Tensor, l line, wide int) {
	n := l.lines * wide
	s.begin(FFTPack, dst, src, w).ints(l.n, wide, n, l.load, l.so, l.si, l.se, l.inner, l.half, l.row).floats(l.sign).threads(n)
}

func (s *stream) unpack(dst, src, w *engine.Tensor, l line, wide int) {
	n := l.lines * l.n
	s.begin(FFTUnpack, dst, src, w).ints(l.n, wide, n, l.store, l.do, l.di, l.de, l.inner, l.half, l.row).floats(l.sign, l.scale).threads(n)
}

// long transforms lines that group memory cannot hold.
func (s *stream) long(dst, src *engine.Tensor, l line, f []int) {
	a := s.room(l.lines, l.n, 2)
	if a == nil {
		return
	}
	s.pack(a, src, nil, l, l.n)
	a = s.passes(a, l.lines, l.n, f, l.sign)
	if a == nil {
		return
	}
	s.unpack(dst, a, nil, l, l.n)
	a.Free()
}

// passes transforms lines of n numbers in a and returns where they are then.
func (s *stream) passes(a *engine.Tensor, lines, n int, f []int, sign float32) *engine.Tensor {
	tw, b := s.roots(n), s.room(lines, n, 2)
	if tw == nil || b == nil {
		a.Free()
		b.Free()
		return nil
	}
	ns := 1
	for _, r := range f {
		count := lines * (n / r)
		s.begin(FFTPass, b, a, tw).ints(n, count, ns, r).floats(sign).threads(count)
		a, b = b, a
		ns *= r
	}
	b.Free()
	return a
}

// bluestein transforms lines of any length n by a convolution with a chirp (Bluestein
// 1970): with w_j = exp(−iπ j²/n),
//
//	X_k = w_k Σ_j (x_j w_j) conj(w_{k−j})
func (s *stream) bluestein(dst, src *engine.Tensor, l line) {
	c := s.chirp(l.n)
	if c == nil {
		return
	}
	a := s.room(l.lines, c.wide, 2)
	if a == nil {
		return
	}
	s.pack(a, src, c.w, l, c.wide)
	if a = s.wide(a, l.lines, c.wide, 1); a == nil {
		return
	}
	conj := l.sign // the inverse has the conjugate chirp, whose transform is conjugate
	n := a.Len() / 2
	s.begin(Complex, a, a, c.other).ints(n, c.wide).floats(conj).threads(n)
	if a = s.wide(a, l.lines, c.wide, -1); a == nil {
		return
	}
	u := l
	u.scale = l.scale / float32(c.wide)
	s.unpack(dst, a, c.w, u, c.wide)
	a.Free()
}

// wide transforms lines of a power of two.
func (s *stream) wide(a *engine.Tensor, lines, n int, sign float32) *engine.Tensor {
	if n <= s.dev.cfg.Line {
		s.lines(a, a, line{n: n, lines: lines, so: n, se: 1, do: n, de: 1, inner: 1, sign: sign, scale: 1})
		return a
	}
	return s.passes(a, lines, n, factors(n), sign)
}

// roots is the table exp(−2πi k/n).
func (s *stream) roots(n int) *engine.Tensor {
	d := s.dev
	d.mu.Lock()
	t := d.roots[n]
	d.mu.Unlock()
	if t != nil {
		return t
	}
	v := make([]float32, 2*n)
	for k := range n {
		sn, cs := math.Sincos(-2 * math.Pi * float64(k) / float64(n))
		v[2*k], v[2*k+1] = float32(cs), float32(sn)
	}
	t, err := d.table(v)
	if err != nil {
		s.fail(err)
		return nil
	}
	d.mu.Lock()
	d.roots[n] = t
	d.mu.Unlock()
	return t
}

func (s *stream) chirp(n int) *chirp {
	d := s.dev
	d.mu.Lock()
	c := d.chirps[n]
	d.mu.Unlock()
	if c != nil {
		return c
	}
	c = &chirp{wide: 1}
	for c.wide < 2*n-1 {
		c.wide *= 2
	}
	w, b := make([]float32, 2*n), make([]complex128, c.wide)
	for j := range n {
		z := cmplx.Rect(1, -math.Pi*float64(j*j%(2*n))/float64(n))
		w[2*j], w[2*j+1] = float32(real(z)), float32(imag(z))
		b[j] = cmplx.Conj(z)
		b[(c.wide-j)%c.wide] = b[j]
	}
	transform(b)
	other := make([]float32, 2*c.wide)
	for i, z := range b {
		other[2*i], other[2*i+1] = float32(real(z)), float32(imag(z))
	}
	var err error
	if c.w, err = d.table(w); err == nil {
		c.other, err = d.table(other)
	}
	if err != nil {
		s.fail(err)
		return nil
	}
	d.mu.Lock()
	d.chirps[n] = c
	d.mu.Unlock()
	return c
}

// transform is the forward transform of a power of two, in place.
func transform(x []complex128) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j |= bit
		if i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		for lo := 0; lo < n; lo += size {
			for k := range size / 2 {
				w := cmplx.Rect(1, -2*math.Pi*float64(k)/float64(size))
				a, b := x[lo+k], x[lo+k+size/2]*w
				x[lo+k], x[lo+k+size/2] = a+b, a-b
			}
		}
	}
}
