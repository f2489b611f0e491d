package cpu

import (
	"fmt"
	"testing"

	"limpid/engine"
)

func BenchmarkRFFT2(b *testing.B) {
	for _, n := range []int{64, 256, 360, 1024, 4096} {
		for _, inverse := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/inverse=%v", n, inverse), func(b *testing.B) {
				d := New(Options{})
				defer d.Close()
				s := d.NewStream()
				x := must(b, d, n, n)
				spec := must(b, d, x.Shape().Spectrum()...)
				s.Normal(x, engine.NewKey(1))
				s.RFFT2(spec, x)
				for b.Loop() {
					if inverse {
						s.IRFFT2(x, spec)
					} else {
						s.RFFT2(spec, x)
					}
				}
			})
		}
	}
}
