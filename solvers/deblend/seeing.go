package deblend

import "math"

// The PSF's error in a band: a shift, and factors that the PSF is multiplied by,
//
//	P → P (1 + Σ_j c_j h_j) / Σ P (1 + Σ_j c_j h_j)   to first order in c,
//
// h_j hats in radius about ringKnots (in FWHM) and two of an ellipticity. The
// normalisation keeps the sum at 1: h_j P − (Σ h_j P) P.
const (
	nRings  = 5
	nSeeing = 2 + nRings + 2 // shift x, y; rings; cos 2θ, sin 2θ
)

var ringKnots = [nRings]float64{0, 0.4, 0.8, 1.3, 2}

// Priors on the PSF's error: astrometry between bands to .03 px, the PSF to 5 % at
// any radius. Bright stars overrule them; nothing else does.
const (
	shiftStd = 0.03
	ringStd  = 0.05
)

// fillBasis computes the transfer functions of the h_j P of every band.
func (p *problem) fillBasis() error {
	if !p.opt.PSFError {
		return nil
	}
	f, err := newFourier(p.dev, p.grid.H, p.grid.W, 1)
	if err != nil {
		return err
	}
	defer f.close()
	gh, gw := p.grid.H, p.grid.W
	host, spec := make([]float32, gh*gw), make([]float32, p.half())
	p.basis = make([][nSeeing][]complex128, p.b)
	cy, cx := (p.stamps.H-1)/2, (p.stamps.W-1)/2
	for b := range p.b {
		for j := 2; j < nSeeing; j++ {
			clear(host)
			var sum float64
			for i, v := range p.stamps.Plane(b) {
				dx, dy := i%p.stamps.W-cx, i/p.stamps.W-cy
				q := float64(v) * hat(j-2, float64(dx), float64(dy), p.psf[b])
				sum += q
				host[(dy+gh)%gh*gw+(dx+gw)%gw] += float32(q)
			}
			if err := f.forward(spec, host, 1); err != nil {
				return err
			}
			t := make([]complex128, len(p.modes))
			for i, m := range p.modes {
				t[i] = complex(float64(spec[2*m]), float64(spec[2*m+1])) - complex(sum, 0)*p.transfer[b][i]
			}
			p.basis[b][j] = t
		}
	}
	return nil
}

// hat is h_j at (x, y); beyond the last knot the last ring stays 1.
func hat(j int, x, y, fwhm float64) float64 {
	r := math.Hypot(x, y) / fwhm
	if j >= nRings {
		if r == 0 {
			return 0
		}
		a := 2 * math.Atan2(y, x)
		if j == nRings {
			return math.Min(r*r, 1) * math.Cos(a)
		}
		return math.Min(r*r, 1) * math.Sin(a)
	}
	k := ringKnots[j]
	switch {
	case r <= k && j == 0:
		return 1
	case r <= k:
		return math.Max(0, 1-(k-r)/(k-ringKnots[j-1]))
	case j == nRings-1:
		return 1
	}
	return math.Max(0, 1-(r-k)/(ringKnots[j+1]-k))
}

// seePSF makes the transfer of band b as its seeing parameters say, and phase, the
// shift alone.
func (g *group) seePSF(b int) {
	p, t, ph := g.p, g.transfer[b], g.phase[b]
	c := &g.seeing[b]
	if *c == ([nSeeing]float64{}) {
		copy(t, p.transfer[b])
		for i := range ph {
			ph[i] = 1
		}
		return
	}
	copy(t, p.transfer[b])
	for j := 2; j < nSeeing; j++ {
		if a := c[j]; a != 0 {
			for i, v := range p.basis[b][j] {
				t[i] += complex(a*real(v), a*imag(v))
			}
		}
	}
	for i, kx := range p.kx {
		sin, cos := math.Sincos(-kx*c[0] - p.ky[i]*c[1])
		ph[i] = complex(cos, sin)
		t[i] *= ph[i]
	}
}

// seeingDerivative is the model's spectrum's derivative by parameter j in mode i.
func (g *group) seeingDerivative(b, j, i int) complex128 {
	switch j {
	case 0:
		return g.bare[b][i] * g.transfer[b][i] * complex(0, -g.p.kx[i])
	case 1:
		return g.bare[b][i] * g.transfer[b][i] * complex(0, -g.p.ky[i])
	}
	return g.bare[b][i] * g.p.basis[b][j][i] * g.phase[b][i]
}

// seeingColumns fills planes of the scratch with the model's derivatives by the
// seeing parameters of band b.
func (g *group) seeingColumns(w *scratch, b int) error {
	for j := range nSeeing {
		s := w.plane(g.p, j)
		for i, m := range g.p.modes {
			put(s, m, g.seeingDerivative(b, j, i))
		}
	}
	return w.f.inverse(w.planes, w.spec, nSeeing)
}
