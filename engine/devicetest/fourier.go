package devicetest

import "math"

// tolFFT is relative to the rms of a white spectrum, √(HW): the rounding of about
// log₂ n butterflies, with a factor for the worst coefficient and for sizes with
// large prime factors.
const tolFFT = 3e-5

func fourierChecks() []check {
	return []check{
		{"RFFT2 IRFFT2 small", true, func(b *bench) { transforms(b, [][2]int{{1, 1}, {5, 7}, {16, 12}, {31, 33}}) }},
		{"RFFT2 IRFFT2", false, func(b *bench) {
			transforms(b, [][2]int{{1, 8}, {8, 1}, {2, 2}, {64, 64}, {45, 60}, {37, 41}, {97, 22}, {22, 97}, {128, 35}, {3, 251}})
		}},
		{"RFFT2 large, a wave", false, waves},
		{"Convolution theorem", true, convolution},
	}
}

// spectrum is the transform of batch images by its definition, in float64.
func spectrum(x []float64, batch, h, w int) []float64 {
	half := w/2 + 1
	rows := make([]float64, batch*h*half*2)
	out := make([]float64, len(rows))
	for r := range batch * h {
		for k := range half {
			var re, im float64
			for c := range w {
				sn, cs := math.Sincos(-2 * math.Pi * float64(c*k%w) / float64(w))
				re, im = re+x[r*w+c]*cs, im+x[r*w+c]*sn
			}
			rows[(r*half+k)*2], rows[(r*half+k)*2+1] = re, im
		}
	}
	for p := range batch {
		for k := range h {
			for r := range h {
				sn, cs := math.Sincos(-2 * math.Pi * float64(r*k%h) / float64(h))
				for c := range half {
					a, o := ((p*h+r)*half+c)*2, ((p*h+k)*half+c)*2
					out[o] += rows[a]*cs - rows[a+1]*sn
					out[o+1] += rows[a]*sn + rows[a+1]*cs
				}
			}
		}
	}
	return out
}

func transforms(b *bench, sizes [][2]int) {
	for _, hw := range sizes {
		for _, n := range []int{1, 7} {
			h, w := hw[0], hw[1]
			x := b.numbers(n*h*w, -1.7, 1.7)
			t := b.upload(x, n, h, w)
			spec := b.alloc(t.Shape().Spectrum()...)
			b.s.RFFT2(spec, t)
			b.near("RFFT2", spec, spectrum(x, n, h, w), tolFFT, math.Sqrt(float64(h*w)))
			b.near("RFFT2 source", t, x, tolExact, 0)
			before := b.download(spec)
			back := b.alloc(n, h, w)
			b.s.IRFFT2(back, spec)
			b.near("IRFFT2", back, x, tolFFT, 1)
			for i, v := range b.download(spec) {
				if v != before[i] {
					b.fail("IRFFT2 of %v changes its source", t.Shape())
				}
			}
		}
	}
}

// waves have one coefficient, which is known at any size.
func waves(b *bench) {
	for _, g := range [][4]int{{360, 360, 7, 11}, {512, 512, 3, 200}, {257, 1000, 100, 33}, {1009, 36, 500, 5}} {
		h, w, ky, kx := g[0], g[1], g[2], g[3]
		x := make([]float64, h*w)
		for i := range x {
			x[i] = math.Cos(2 * math.Pi * (float64(ky*(i/w)%h)/float64(h) + float64(kx*(i%w)%w)/float64(w)))
		}
		t := b.upload(x, h, w)
		spec := b.alloc(t.Shape().Spectrum()...)
		b.s.RFFT2(spec, t)
		want := make([]float64, spec.Len())
		want[(ky*(w/2+1)+kx)*2] = float64(h*w) / 2
		b.near("RFFT2", spec, want, tolFFT, math.Sqrt(float64(h*w)))
		b.s.IRFFT2(t, spec)
		b.near("IRFFT2", t, x, tolFFT, 1)
	}
}

// convolution checks signs, order and normalisation by a shift.
func convolution(b *bench) {
	const h, w, dy, dx = 12, 15, 3, 4
	x := b.numbers(7*h*w, -1, 1)
	k := make([]float64, h*w)
	k[dy*w+dx] = 1
	t, tk := b.upload(x, 7, h, w), b.upload(k, h, w)
	sx, sk := b.alloc(t.Shape().Spectrum()...), b.alloc(tk.Shape().Spectrum()...)
	b.s.RFFT2(sx, t)
	b.s.RFFT2(sk, tk)
	for _, sign := range []int{1, -1} {
		prod := b.alloc(sx.Shape()...)
		if sign > 0 {
			b.s.CMul(prod, sx, sk)
		} else {
			b.s.CMulConj(prod, sx, sk)
		}
		out := b.alloc(t.Shape()...)
		b.s.IRFFT2(out, prod)
		want := make([]float64, len(x))
		for i, v := range x {
			p, r, c := i/(h*w), i/w%h, i%w
			want[(p*h+(r+sign*dy+h)%h)*w+(c+sign*dx+w)%w] = v
		}
		b.near("shift by convolution", out, want, tolFFT, 1)
	}
}
