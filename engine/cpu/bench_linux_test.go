package cpu

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// cpuTime is what this process has used, for a machine that is shared.
func cpuTime() time.Duration {
	var r unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano())
}

// BenchmarkResNet is 16 convolutions 3×3 of 64 channels with residuals.
func BenchmarkResNet(b *testing.B) {
	for _, g := range [][3]int{{8, 64, 64}, {1, 360, 360}} {
		b.Run(fmt.Sprint(g), func(b *testing.B) {
			d := New(Options{})
			defer d.Close()
			s := d.NewStream()
			in, h, t, u := must(b, d, g[0], g[1], g[2], 1), must(b, d, g[0], g[1], g[2], 64), must(b, d, g[0], g[1], g[2], 64), must(b, d, g[0], g[1], g[2], 64)
			s.Normal(in, engine.NewKey(1))
			head, tail := must(b, d, 3, 3, 1, 64), must(b, d, 3, 3, 64, 1)
			var body []*engine.Tensor
			for i := range 14 {
				w := must(b, d, 3, 3, 64, 64)
				s.Normal(w, engine.NewKey(uint64(i)))
				s.Scale(w, 0.04, w)
				body = append(body, w)
			}
			c := engine.Conv{Pad: 1}
			r := engine.Conv{Pad: 1, Act: engine.ReLU}
			t0 := cpuTime()
			for b.Loop() {
				s.Conv(h, in, head, nil, nil, c)
				for i := 0; i < 14; i += 2 {
					s.Conv(t, h, body[i], nil, nil, r)
					s.Conv(u, t, body[i+1], nil, h, c)
					h, u = u, h
				}
				s.Conv(in, h, tail, nil, in.Reshape(in.Shape()...), c)
			}
			fl := float64(g[0]*g[1]*g[2]) * 18 * (64*64*14 + 128)
			b.ReportMetric(fl*float64(b.N)/b.Elapsed().Seconds()/1e9, "GF/s")
			b.ReportMetric(fl*float64(b.N)/(cpuTime()-t0).Seconds()/1e9, "GF/s-cpu")
		})
	}
}
