package operator_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/operator"
)

// smoothed is the correlation of white noise that was convolved with a Gaussian of sigma
// pixels along x and 0.8 of that along y, plus a little white noise.
func smoothed(sigma float64) solvers.Correlation {
	const reach, white = 6, 0.03
	c := solvers.Correlation{Reach: reach}
	for dy := -reach; dy <= reach; dy++ {
		for dx := -reach; dx <= reach; dx++ {
			a, b := float64(dx)/sigma, float64(dy)/(0.8*sigma)
			c.At = append(c.At, (1-white)*math.Exp(-(a*a+b*b)/4))
		}
	}
	c.At[len(c.At)/2] = 1
	return c
}

// bilinear is the correlation of an image that was shifted by half a pixel in x and y with
// bilinear interpolation, plus a little white noise.
func bilinear() solvers.Correlation {
	c := solvers.Correlation{Reach: 1}
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			c.At = append(c.At, 0.96*(1-0.5*math.Abs(float64(dx)))*(1-0.5*math.Abs(float64(dy))))
		}
	}
	c.At[4] = 1
	return c
}

// WᵀW against the inverse of the dense covariance of the pixels that are not masked.
func TestWhitening_Precision_MatchesDenseAlgebra(t *testing.T) {
	const n = 14
	weights := solvers.NewImage(1, n, n)
	var used []int
	for i := range weights.Pix {
		y, x := i/n, i%n
		if y >= 5 && y < 8 && x >= 4 && x < 9 || x == 12 {
			continue
		}
		weights.Pix[i] = float32(1 + 0.5*math.Sin(float64(i)))
		used = append(used, i)
	}
	for name, c := range map[string]struct {
		r             solvers.Correlation
		white, signal float64 // tolerances
	}{"smoothed": {smoothed(0.7), 0.03, 0.01}, "bilinear": {bilinear(), 0.15, 0.05}} {
		r := c.r
		cov := mat.NewSymDense(len(used), nil)
		for a, i := range used {
			for b, j := range used[:a+1] {
				cov.SetSym(a, b, r.Lag(i/n-j/n, i%n-j%n)/math.Sqrt(float64(weights.Pix[i]*weights.Pix[j])))
			}
		}
		var f mat.Cholesky
		if !f.Factorize(cov) {
			t.Fatal(name, "is no covariance")
		}
		w, err := operator.NewWhitening(weights, []solvers.Correlation{r})
		if err != nil {
			t.Fatal(err)
		}
		// every whitened pixel has unit variance, and hardly any covariance with others: W N Wᵀ
		rows := mat.NewDense(n*n, len(used), nil)
		for a, i := range used {
			one := make([]float32, n*n)
			one[i] = 1
			w.Apply(one, one)
			for j, v := range one {
				rows.Set(j, a, float64(v))
			}
		}
		var left, all mat.Dense
		left.Mul(rows, cov)
		all.Mul(&left, rows.T())
		var sum float64
		for i := range n * n {
			for j := range n * n {
				want := 0.0
				if i == j && weights.Pix[i] > 0 {
					want = 1
				}
				d := all.At(i, j) - want
				sum += d * d
				if i == j && math.Abs(d) > 1e-4 {
					t.Errorf("%s: pixel %d has the variance %g, want %g", name, i, all.At(i, j), want)
				}
			}
		}
		rms := math.Sqrt(sum / float64(len(used)))
		t.Logf("%s: W N Wᵀ departs from 1 by %.4f per pixel (%.4f over modes)", name, rms, w.Left)
		if rms > c.white {
			t.Errorf("%s: W N Wᵀ departs from 1 by %.4f per pixel", name, rms)
		}
		// signals are weighed right: uᵀ WᵀW u against uᵀ N⁻¹ u for smooth u
		for k := range 4 {
			u, host := mat.NewVecDense(len(used), nil), make([]float32, n*n)
			for a, i := range used {
				v := math.Cos(0.3*float64(k)*float64(i%n)) * math.Cos(0.2*float64(i/n))
				u.SetVec(a, v)
				host[i] = float32(v)
			}
			var z mat.VecDense
			if err := f.SolveVecTo(&z, u); err != nil {
				t.Fatal(err)
			}
			want := mat.Dot(u, &z)
			w.Apply(host, host)
			var got float64
			for _, v := range host {
				got += float64(v) * float64(v)
			}
			if math.Abs(got/want-1) > c.signal {
				t.Errorf("%s: signal %d has the weight %.4g, want %.4g", name, k, got, want)
			}
		}
	}
}

func TestWhitening_NotACovariance_IsRefused(t *testing.T) {
	c := solvers.Correlation{Reach: 1, At: []float64{0, 0, 0, 0.9, 1, 0.9, 0, 0, 0}}
	weights := solvers.NewImage(1, 8, 8)
	for i := range weights.Pix {
		weights.Pix[i] = 1
	}
	if _, err := operator.NewWhitening(weights, []solvers.Correlation{c}); err == nil {
		t.Error("correlations of .9, then 0, were taken")
	}
	if _, err := operator.NewWhitening(weights, nil); err == nil {
		t.Error("no correlation was taken")
	}
}

func BenchmarkWhitening(b *testing.B) {
	const n = 1024
	weights := solvers.NewImage(1, n, n)
	for i := range weights.Pix {
		weights.Pix[i] = 1
	}
	w, err := operator.NewWhitening(weights, []solvers.Correlation{smoothed(0.7)})
	if err != nil {
		b.Fatal(err)
	}
	pix := make([]float32, n*n)
	for i, v := range solvers.Normals(engine.NewKey(1), n*n) {
		pix[i] = float32(v)
	}
	out := make([]float32, n*n)
	b.ResetTimer()
	for range b.N {
		w.Apply(out, pix)
		w.Transpose(out, out)
	}
}

// Pixels side by side that are predicted alike are worked together: that changes nothing, and Wᵀ stays the transpose of W, with
// masked pixels among them.
func TestWhitening_WideImages_AsNarrowOnes(t *testing.T) {
	const h, w, narrow, inside = 12, 60, 15, 7 // runs of narrow are short; inside sees nothing of what was cut off
	weights := solvers.NewImage(1, h, w)
	for i := range weights.Pix {
		weights.Pix[i] = float32(1 + 0.5*math.Sin(float64(i)))
		if y, x := i/w, i%w; y == 5 && x > 2 && x < 5 || y > 6 && x == 40 {
			weights.Pix[i] = 0
		}
	}
	of := func(weights solvers.Image) *operator.Whitening {
		o, err := operator.NewWhitening(weights, []solvers.Correlation{smoothed(0.7)})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	wide, cut := of(weights), of(weights.Crop(0, narrow, 0, h))
	x, y := solvers.NewImage(1, h, w), make([]float32, h*w)
	for i, v := range solvers.Normals(engine.NewKey(1), 2*h*w) {
		if i < h*w {
			x.Pix[i] = float32(v)
		} else {
			y[i-h*w] = float32(v)
		}
	}
	wx, wy, part := make([]float32, h*w), make([]float32, h*w), x.Crop(0, narrow, 0, h)
	wide.Apply(wx, x.Pix)
	wide.Transpose(wy, y)
	cut.Apply(part.Pix, part.Pix)
	var a, b float64
	for i := range wx {
		a, b = a+float64(wx[i])*float64(y[i]), b+float64(x.Pix[i])*float64(wy[i])
		if row, col := i/w, i%w; col < inside && wx[i] != part.Pix[row*narrow+col] {
			t.Errorf("row %d, column %d: %g of the wide image, %g of the narrow one", row, col, wx[i], part.Pix[row*narrow+col])
		}
	}
	if math.Abs(a-b) > 1e-5*math.Abs(a) {
		t.Errorf("y·Wx = %g, x·Wᵀy = %g", a, b)
	}
}
