package fft

import (
	"fmt"
	"testing"

	"limpid/engine/internal/par"
	"limpid/engine/internal/simd"
)

// BenchmarkPhase times rows and columns apart, on one thread.
func BenchmarkPhase(b *testing.B) {
	for _, n := range []int{256, 360, 1024, 4096} {
		k := simd.Tables()[0]
		j, done := newJob(k, 1)
		p := NewCache(k).Real(n, n)
		src, dst := par.Aligned(n*n), par.Aligned(n*(n+2))
		copy(src, noise(n*n, 1))
		for ph, name := range map[phase]string{forwardRows: "rows", forwardCols: "cols"} {
			b.Run(fmt.Sprint(n, name), func(b *testing.B) {
				t := &realTask{p: p, k: k, dst: dst, src: src, batch: 1, phase: ph}
				g := t.rowGroups()
				if ph == forwardCols {
					g = groups(p.columns())
				}
				for b.Loop() {
					j.Team.Run(g, t)
					if ph == forwardCols {
						b.StopTimer()
						copy(dst, src)
						b.StartTimer()
					}
				}
			})
		}
		done()
	}
}
