package kern

// Lanes is the number of transforms that advance together. A complex element of
// a lane buffer is Lanes real parts, then Lanes imaginary parts.
const (
	Lanes   = 16
	Element = 2 * Lanes
)

// MaxRadix is the largest prime with a direct butterfly.
const MaxRadix = 31

// pass is one step of the Stockham FFT (decimation in frequency, self-sorting)
// over lane buffers: n = Radix·M·S elements, S of which are already transformed.
//
//	dst[q + S(Radix·p + k)] = w_p^k Σ_j src[q + S(p + M j)] e^(−2πi jk/Radix)
//
// with w_p = e^(−2πi p/(Radix·M)).
type pass struct {
	Radix, M, S int
	Twiddle     []float32 // (M, Radix−1, 2): w_p^k for k = 1 …
	Root        []float32 // (Radix, 2): e^(−2πi j/Radix), for odd radices without a butterfly of their own
}

// runPass is the portable implementation of a pass.
func runPass(p *pass, dst, src []float32) {
	switch p.Radix {
	case 2:
		pass2(p, dst, src)
	case 3:
		pass3(p, dst, src)
	case 4:
		pass4(p, dst, src)
	case 5:
		pass5(p, dst, src)
	default:
		passOdd(p, dst, src)
	}
}

func at(b []float32, i int) *[Element]float32 { return (*[Element]float32)(b[i*Element:]) }

func pass2(p *pass, dst, src []float32) {
	s := p.S
	for i := range p.M {
		wr, wi := p.Twiddle[2*i], p.Twiddle[2*i+1]
		for q := range s {
			a, b := at(src, q+s*i), at(src, q+s*(i+p.M))
			c, d := at(dst, q+s*2*i), at(dst, q+s*(2*i+1))
			for l := range Lanes {
				ar, ai, br, bi := a[l], a[Lanes+l], b[l], b[Lanes+l]
				c[l], c[Lanes+l] = ar+br, ai+bi
				dr, di := ar-br, ai-bi
				d[l], d[Lanes+l] = dr*wr-di*wi, dr*wi+di*wr
			}
		}
	}
}

func pass3(p *pass, dst, src []float32) {
	const half3 = 0.866025403784438646763723170752936183 // sin(π/3)
	s := p.S
	for i := range p.M {
		w := (*[4]float32)(p.Twiddle[4*i:])
		for q := range s {
			a, b, c := at(src, q+s*i), at(src, q+s*(i+p.M)), at(src, q+s*(i+2*p.M))
			x, y, z := at(dst, q+s*3*i), at(dst, q+s*(3*i+1)), at(dst, q+s*(3*i+2))
			for l := range Lanes {
				ar, ai := a[l], a[Lanes+l]
				tr, ti := b[l]+c[l], b[Lanes+l]+c[Lanes+l]
				ur, ui := half3*(b[l]-c[l]), half3*(b[Lanes+l]-c[Lanes+l])
				x[l], x[Lanes+l] = ar+tr, ai+ti
				ar, ai = ar-0.5*tr, ai-0.5*ti
				pr, pi, nr, ni := ar+ui, ai-ur, ar-ui, ai+ur
				y[l], y[Lanes+l] = pr*w[0]-pi*w[1], pr*w[1]+pi*w[0]
				z[l], z[Lanes+l] = nr*w[2]-ni*w[3], nr*w[3]+ni*w[2]
			}
		}
	}
}

func pass4(p *pass, dst, src []float32) {
	s := p.S
	for i := range p.M {
		w := (*[6]float32)(p.Twiddle[6*i:])
		for q := range s {
			a, b := at(src, q+s*i), at(src, q+s*(i+p.M))
			c, d := at(src, q+s*(i+2*p.M)), at(src, q+s*(i+3*p.M))
			x, y := at(dst, q+s*4*i), at(dst, q+s*(4*i+1))
			z, u := at(dst, q+s*(4*i+2)), at(dst, q+s*(4*i+3))
			for l := range Lanes {
				sr, si := a[l]+c[l], a[Lanes+l]+c[Lanes+l]
				dr, di := a[l]-c[l], a[Lanes+l]-c[Lanes+l]
				tr, ti := b[l]+d[l], b[Lanes+l]+d[Lanes+l]
				er, ei := b[l]-d[l], b[Lanes+l]-d[Lanes+l]
				x[l], x[Lanes+l] = sr+tr, si+ti
				sr, si = sr-tr, si-ti
				pr, pi, nr, ni := dr+ei, di-er, dr-ei, di+er
				y[l], y[Lanes+l] = pr*w[0]-pi*w[1], pr*w[1]+pi*w[0]
				z[l], z[Lanes+l] = sr*w[2]-si*w[3], sr*w[3]+si*w[2]
				u[l], u[Lanes+l] = nr*w[4]-ni*w[5], nr*w[5]+ni*w[4]
			}
		}
	}
}

func pass5(p *pass, dst, src []float32) {
	const (
		c1 = 0.309016994374947424102293417182819059  // cos(2π/5)
		c2 = -0.809016994374947424102293417182819059 // cos(4π/5)
		s1 = 0.951056516295153572116439333379382143  // sin(2π/5)
		s2 = 0.587785252292473129168705954639072769  // sin(4π/5)
	)
	s := p.S
	for i := range p.M {
		w := (*[8]float32)(p.Twiddle[8*i:])
		for q := range s {
			a, b, c := at(src, q+s*i), at(src, q+s*(i+p.M)), at(src, q+s*(i+2*p.M))
			d, e := at(src, q+s*(i+3*p.M)), at(src, q+s*(i+4*p.M))
			o := dst[(q+s*5*i)*Element:]
			y0, y1, y2, y3, y4 := at(o, 0), at(o, s), at(o, 2*s), at(o, 3*s), at(o, 4*s)
			for l := range Lanes {
				ar, ai := a[l], a[Lanes+l]
				ter, tei := b[l]+e[l], b[Lanes+l]+e[Lanes+l]
				uer, uei := b[l]-e[l], b[Lanes+l]-e[Lanes+l]
				tdr, tdi := c[l]+d[l], c[Lanes+l]+d[Lanes+l]
				udr, udi := c[l]-d[l], c[Lanes+l]-d[Lanes+l]
				y0[l], y0[Lanes+l] = ar+ter+tdr, ai+tei+tdi
				pr, pi := ar+c1*ter+c2*tdr, ai+c1*tei+c2*tdi
				qr, qi := ar+c2*ter+c1*tdr, ai+c2*tei+c1*tdi
				vr, vi := s1*uer+s2*udr, s1*uei+s2*udi
				xr, xi := s2*uer-s1*udr, s2*uei-s1*udi
				br, bi := pr+vi, pi-vr
				y1[l], y1[Lanes+l] = br*w[0]-bi*w[1], br*w[1]+bi*w[0]
				br, bi = qr+xi, qi-xr
				y2[l], y2[Lanes+l] = br*w[2]-bi*w[3], br*w[3]+bi*w[2]
				br, bi = qr-xi, qi+xr
				y3[l], y3[Lanes+l] = br*w[4]-bi*w[5], br*w[5]+bi*w[4]
				br, bi = pr-vi, pi+vr
				y4[l], y4[Lanes+l] = br*w[6]-bi*w[7], br*w[7]+bi*w[6]
			}
		}
	}
}

// passOdd is the butterfly of any odd radix by its definition, with the sums and
// differences of opposite inputs shared: (r−1)²/2 complex-real products.
func passOdd(p *pass, dst, src []float32) {
	r, h := p.Radix, (p.Radix-1)/2
	for i := range p.M {
		for q := range p.S {
			for l := range Lanes {
				var sr, si, dr, di [MaxRadix/2 + 1]float32
				a := at(src, q+p.S*i)
				ar, ai := a[l], a[Lanes+l]
				tr, ti := ar, ai
				for j := 1; j <= h; j++ {
					b, c := at(src, q+p.S*(i+p.M*j)), at(src, q+p.S*(i+p.M*(r-j)))
					sr[j], si[j] = b[l]+c[l], b[Lanes+l]+c[Lanes+l]
					dr[j], di[j] = b[l]-c[l], b[Lanes+l]-c[Lanes+l]
					tr, ti = tr+sr[j], ti+si[j]
				}
				o := at(dst, q+p.S*r*i)
				o[l], o[Lanes+l] = tr, ti
				for k := 1; k <= h; k++ {
					er, ei, fr, fi := ar, ai, float32(0), float32(0)
					jk := 0
					for j := 1; j <= h; j++ {
						if jk += k; jk >= r {
							jk -= r
						}
						c, s := p.Root[2*jk], p.Root[2*jk+1]
						er, ei = er+c*sr[j], ei+c*si[j]
						fr, fi = fr-s*di[j], fi+s*dr[j]
					}
					twist(at(dst, q+p.S*(r*i+k)), l, er+fr, ei+fi, p.Twiddle[2*((r-1)*i+k-1):])
					twist(at(dst, q+p.S*(r*i+r-k)), l, er-fr, ei-fi, p.Twiddle[2*((r-1)*i+r-k-1):])
				}
			}
		}
	}
}

func twist(o *[Element]float32, l int, r, i float32, w []float32) {
	o[l], o[Lanes+l] = r*w[0]-i*w[1], r*w[1]+i*w[0]
}
