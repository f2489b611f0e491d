package optim_test

import (
	"context"
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers/optim"
)

// Two diagonal systems of condition 10⁴ with a poor preconditioner: Below ends a solve at that
// norm of the residual, whatever Tol is.
func TestCG_Below_EndsAtTheNormOfTheResidual(t *testing.T) {
	const n = 64
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	shape := engine.Shape{2, n}
	var all []*engine.Tensor
	for range 4 {
		a, err := dev.Alloc(shape)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	x, b, r, diagonal := all[0], all[1], all[2], all[3].Slice(0, 1).Reshape(n)
	host := make([]float32, n)
	for i := range host {
		host[i] = float32(math.Pow(1e4, float64(i)/(n-1)))
	}
	s.Upload(diagonal, host)
	s.Normal(b, engine.NewKey(2))
	s.Scale(b, 100, b)
	cg, err := optim.NewCG(dev, shape)
	if err != nil {
		t.Fatal(err)
	}
	defer cg.Close()
	apply := func(dst, src *engine.Tensor) { s.Mul(dst, src, diagonal) }
	precondition := func(dst, src *engine.Tensor) { s.Copy(dst, src) }
	last := 0
	for _, below := range []float64{30, 1, 0.01} {
		cg.Below = below
		res, err := cg.Solve(context.Background(), s, apply, precondition, x, b)
		if err != nil {
			t.Fatal(err)
		}
		apply(r, x)
		s.Sub(r, r, b)
		got := make([]float32, 2*n)
		s.Download(got, r)
		for i := range 2 {
			var sum float64
			for _, v := range got[i*n : (i+1)*n] {
				sum += float64(v) * float64(v)
			}
			if norm := math.Sqrt(sum); norm > 1.01*below || !res.Converged {
				t.Errorf("system %d: |r| is %.3g after %d iterations, converged %v: %g was asked for", i, norm, res.Iterations, res.Converged, below)
			}
		}
		if res.Iterations <= last {
			t.Errorf("%d iterations for |r| below %g, %d for more", res.Iterations, below, last)
		}
		last = res.Iterations
	}
}
