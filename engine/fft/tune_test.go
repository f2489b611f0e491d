package fft

import (
	"fmt"
	"os"
	"testing"

	"limpid/engine/internal/kern"
	"limpid/engine/internal/simd"
)

func BenchmarkLanes(b *testing.B) {
	k := simd.Tables()[0]
	if os.Getenv("TAB") == "1" {
		k = simd.Tables()[1]
	}
	try := func(n, two int, rad ...int) {
		k.Radices = rad
		k.TwoLevels = two
		p := k.NewProgram(n)
		if p == nil {
			return
		}
		buf, work := noise(n*kern.Element, 1), make([]float32, p.Work()*kern.Element)
		desc := ""
		for l := p.Desc[7 : 7+5*p.Desc[6]]; len(l) > 0; l = l[5:] {
			desc += fmt.Sprint(l[0], "-")
		}
		if p.B > 1 {
			o := p.Desc[5]
			desc += "x"
			for l := p.Desc[o+1 : o+1+5*p.Desc[o]]; len(l) > 0; l = l[5:] {
				desc += fmt.Sprint(l[0], "-")
			}
		}
		b.Run(fmt.Sprint(n, "/", desc), func(b *testing.B) {
			v := kern.Lane(buf, 0)
			for b.Loop() {
				k.FFT(p, v, v, work)
				for i := 0; i < 4; i++ {
					buf[i] = 1
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n)*3.65, "cyc/elem")
		})
	}
	for _, n := range []int{16, 64, 128, 180, 256, 360, 512, 1024, 2048, 4096} {
		for _, two := range []int{0, 16} {
			try(n, two, 2, 4, 3, 5)
			try(n, two, 2, 4, 8, 3, 5, 9)
			try(n, two, 2, 4, 8, 16, 3, 5, 9)
		}
	}
}
