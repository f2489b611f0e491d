package devicetest

import (
	"math"

	"limpid/engine"
)

// tolReduce is relative to Σ|x y|: sums are in float64 or compensated, so that only
// the last rounding and a device's rounding of products are left.
const tolReduce = 4e-7

func reductionChecks() []check {
	return []check{
		{"Dot Sum MaxAbs", true, reductions},
		{"Sum of large offset", false, largeOffset},
		{"SumLeading", true, leadingSums},
		{"AxpyBy ScaleBy", true, bySlice},
	}
}

// sliceShapes have the batch in front, long slices and many short ones.
func (b *bench) sliceShapes() []engine.Shape {
	if b.short {
		return append(b.shapes(), engine.Shape{2, 20011})
	}
	return append(b.shapes(), engine.Shape{1, 100003}, engine.Shape{7, 50021}, engine.Shape{1000, 3})
}

func reductions(b *bench) {
	for _, s := range b.sliceShapes() {
		n, batch := s.Len(), s[0]
		per := n / batch
		x, y := b.numbers(n, -3, 3), b.numbers(n, -3, 3)
		short := b.numbers(per, -3, 3)
		tx, ty, ts := b.upload(x, s...), b.upload(y, s...), b.upload(short, per)
		dst := b.alloc(batch)
		compare := func(what string, term func(i int) float64, largest bool) {
			got := b.download(dst)
			for k := range batch {
				var sum, abs, top float64
				for i := k * per; i < (k+1)*per; i++ {
					v := term(i)
					sum, abs, top = sum+v, abs+math.Abs(v), max(top, math.Abs(v))
				}
				if largest {
					sum, abs = top, 0
				}
				if d := math.Abs(float64(got[k]) - sum); d > tolReduce*abs {
					b.fail("%s: slice %d of %v is %g, want %g", what, k, s, got[k], sum)
				}
			}
		}
		b.s.Dot(dst, tx, ty)
		compare("Dot", func(i int) float64 { return x[i] * y[i] }, false)
		b.s.Dot(dst, tx, tx)
		compare("Dot of x with x", func(i int) float64 { return x[i] * x[i] }, false)
		b.s.Dot(dst, tx, ts)
		compare("Dot, y repeated", func(i int) float64 { return x[i] * short[i%per] }, false)
		b.s.Sum(dst, tx)
		compare("Sum", func(i int) float64 { return x[i] }, false)
		b.s.MaxAbs(dst, tx)
		compare("MaxAbs", func(i int) float64 { return x[i] }, true)
	}
}

// A sum in plain float32 would lose what is asked for here.
func largeOffset(b *bench) {
	n := 1 << 20
	x := make([]float64, n)
	want := 0.0
	for i := range x {
		x[i] = float64(float32(1000 + 1e-2*math.Sin(float64(i))))
		want += x[i]
	}
	dst := b.alloc(1)
	b.s.Sum(dst, b.upload(x, 1, n))
	b.near("Sum", dst, []float64{want}, tolReduce, 0)
}

func leadingSums(b *bench) {
	for _, g := range [][2]int{{1, 1}, {1, 19}, {7, 33}, {1000, 3}, {100003, 1}, {3, 70001}, {7, 4096}} {
		reps, n := g[0], g[1]
		x := b.numbers(reps*n, -3, 3)
		want := make([]float64, n)
		for i, v := range x {
			want[i%n] += v
		}
		dst := b.alloc(n)
		b.s.SumLeading(dst, b.upload(x, reps, n))
		b.near("SumLeading", dst, want, tolReduce, 2*float64(reps))
	}
}

func bySlice(b *bench) {
	for _, s := range b.sliceShapes() {
		n, batch := s.Len(), s[0]
		per := n / batch
		x, d := b.numbers(n, -3, 3), b.numbers(n, -3, 3)
		num, den := b.numbers(batch, -2, 2), b.numbers(batch, 0.5, 2)
		if batch > 2 {
			den[1] = 0
		}
		tx, tn, td := b.upload(x, s...), b.upload(num, batch), b.upload(den, batch)
		want := make([]float64, n)
		for i := range want {
			want[i] = d[i]
			if k := i / per; den[k] != 0 {
				want[i] -= num[k] / den[k] * x[i]
			}
		}
		dst := b.upload(d, s...)
		b.s.AxpyBy(dst, -1, tn, td, tx)
		b.near("AxpyBy", dst, want, 2*tolDiv, 12)
		for i := range want {
			want[i] += num[i/per] * x[i]
		}
		b.s.AxpyBy(dst, 1, tn, nil, tx)
		b.near("AxpyBy without den", dst, want, 2*tolDiv, 24)
		for i := range want {
			want[i] = 0
			if k := i / per; den[k] != 0 {
				want[i] = num[k] / den[k] * x[i]
			}
		}
		b.s.ScaleBy(dst, tn, td, tx)
		b.near("ScaleBy", dst, want, 2*tolDiv, 0)
		for i := range want {
			want[i] = num[i/per] * x[i]
		}
		b.s.ScaleBy(tx, tn, nil, tx)
		b.near("ScaleBy in place", tx, want, tolSum, 0)
	}
}
