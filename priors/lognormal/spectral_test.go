package lognormal_test

import (
	"math"
	"testing"

	"limpid/engine"
)

func TestSpectrum_Forms_EqualThoseOfWhiteNoise(t *testing.T) {
	b, p := open(t, 2, 1, 12, 16)
	shape := engine.Shape{2, 1, 12, 16}
	z, g := b.Normal(1, 1, shape...), b.Normal(2, 1, shape...)
	x, want, dz := b.Tensor(shape...), b.Tensor(shape...), b.Tensor(shape...)
	spec := b.Tensor(shape.Spectrum()...)
	p.FromWhite(b.S, want, z)
	b.S.RFFT2(spec, z)
	p.FromSpectrum(b.S, x, spec)
	same := func(what string, got, want []float64) {
		for i, v := range got {
			if math.Abs(v-want[i]) > 1e-5*(1+math.Abs(want[i])) {
				t.Fatalf("%s: pixel %d is %g, want %g", what, i, v, want[i])
			}
		}
	}
	same("κ", b.Host(x), b.Host(want))
	p.Pullback(b.S, want, z, g)
	p.PullbackSpectrum(b.S, spec, x, g)
	b.S.IRFFT2(dz, spec)
	same("gradient", b.Host(dz), b.Host(want))
}
