package deconv_test

import (
	"context"
	"math"
	"testing"

	"limpid/priors/gaussian"
	"limpid/solvers/deconv"
)

// The share of the prior is 1 without data, near 0 with perfect ones, near 1 inside a hole
// wider than the PSF, and grows where a scene is finer than the data show.
func TestPriorShare(t *testing.T) {
	dev := newDevice(t)
	const n = 48
	sp := gaussian.PowerLaw(30, 0.1, 2.5)
	o, _ := galaxy(t, dev, n, 1)
	share := func(weight float32, hole int, scene func(x, y int) float32) deconv.Share {
		t.Helper()
		obs := *o
		obs.Weights = o.Weights.Clone()
		for i := range obs.Weights.Pix {
			obs.Weights.Pix[i] = weight
			if dx, dy := i%n-n/2, i/n-n/2; hole > 0 && dx*dx+dy*dy < hole*hole {
				obs.Weights.Pix[i] = 0
			}
		}
		p, err := deconv.New(context.Background(), dev, &obs, deconv.Settings{Method: deconv.Gaussian, Spectra: []gaussian.Spectrum{sp}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		x := make([]float32, p.Op.Domain().Len())
		for i := range x {
			x[i] = scene(i%p.Grid.W-p.Grid.Col, i/p.Grid.W-p.Grid.Row)
		}
		out, err := p.PriorShare(x, 0)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	blob := func(width float64) func(x, y int) float32 {
		return func(x, y int) float32 {
			d2 := float64((x-n/2)*(x-n/2) + (y-n/2)*(y-n/2))
			return float32(100 * math.Exp(-d2/(2*width*width)))
		}
	}
	most := func(s deconv.Share, reach int) (lo, hi float64) {
		lo, hi = 1, 0
		for y := n/2 - reach; y <= n/2+reach; y++ {
			for x := n/2 - reach; x <= n/2+reach; x++ {
				v := float64(s.Map.Pix[y*n+x])
				lo, hi = math.Min(lo, v), math.Max(hi, v)
			}
		}
		return lo, hi
	}
	if lo, _ := most(share(1e-12, 0, blob(3)), 12); lo < 0.999 {
		t.Errorf("no data: %.4f, want 1", lo)
	}
	if _, hi := most(share(1e12, 0, blob(3)), 12); hi > 0.001 {
		t.Errorf("perfect data: %.4f, want 0", hi)
	}
	if lo, _ := most(share(1, 9, blob(6)), 2); lo < 0.9 {
		t.Errorf("inside a hole: %.3f, want 1", lo)
	}
	wide, fine := share(1, 0, blob(4)), share(1, 0, blob(0.5))
	_, w := most(wide, 0)
	_, f := most(fine, 0)
	t.Logf("share at a blob of σ 4 px: %.4f, of σ .5 px: %.4f; finer %.4f and %.4f", w, f, wide.Finer, fine.Finer)
	if w > 0.02 || f < 5*w || !(fine.Finer > 5*wide.Finer) {
		t.Errorf("share of a wide blob %.4f, of a fine one %.4f (finer: %.4f, %.4f)", w, f, wide.Finer, fine.Finer)
	}
}
