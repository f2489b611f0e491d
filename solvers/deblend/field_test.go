package deblend

import (
	"context"
	"math"
	"os"
	"testing"
	"time"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers"
)

// field is n galaxies and stars at random on a field of h × w, b bands: profiles
// with a Gaussian PSF, each drawn on a stamp of its own, white noise of 1.
func field(t testing.TB, dev engine.Device, b, h, w, n int, seed uint64) (*solvers.Observation, []Source, [][]float64) {
	t.Helper()
	const side = 64
	obs := &solvers.Observation{Data: solvers.NewImage(b, h, w), Weights: solvers.NewImage(b, h, w)}
	var src []Source
	var flux [][]float64
	key := engine.NewKey(seed)
	noise := normals32(key, b*h*w)
	copy(obs.Data.Pix, noise)
	for i := range obs.Weights.Pix {
		obs.Weights.Pix[i] = 1
	}
	for i := range n {
		k := key.Fold(uint64(i + 1))
		u := engine.Uniforms(engine.Philox(k.Seed, k.Counter, 0))
		z := engine.Normals(engine.Philox(k.Seed, k.Counter, 1))
		x, y := 10+float64(u[0])*float64(w-20), 10+float64(u[1])*float64(h-20)
		shape := Shape{X: side/2 + x - math.Floor(x), Y: side/2 + y - math.Floor(y), R: 2 * math.Exp(0.4*float64(z[0])), Nu: 0.5, Eta1: 0.3 * float64(z[1]), Eta2: 0.3 * float64(z[2])}
		kind := Galaxy
		if i%10 == 0 {
			shape.R, kind = 0, Star
		}
		f := make([]float64, b)
		for c := range f {
			f[c] = 600 * math.Exp(0.7*float64(z[3])) * (1 + 0.1*float64(c))
		}
		stamp, _ := sceneWith(t, dev, side, side, []Shape{shape}, [][]float64{f}, 0, false)
		obs.PSF = stamp.PSF
		for c := range b {
			for j, v := range stamp.Data.Plane(c) {
				yy, xx := int(y)-side/2+j/side, int(x)-side/2+j%side
				if yy >= 0 && yy < h && xx >= 0 && xx < w {
					obs.Data.Plane(c)[yy*w+xx] += v
				}
			}
		}
		src = append(src, Source{ID: i + 1, X: x, Y: y, Kind: kind})
		flux = append(flux, f)
	}
	return obs, src, flux
}

func checkField(t *testing.T, r *Result, flux [][]float64, within float64) {
	t.Helper()
	in, n := 0.0, 0.0
	for k, f := range flux {
		for b, v := range f {
			n++
			if math.Abs(r.Sources[k].Flux[b]-v) < 3*r.Sources[k].FluxErr[b] {
				in++
			}
		}
	}
	t.Logf("%d sources in %d groups: %.3f of the fluxes within 3σ, χ²/pixel %.3f", len(flux), r.Groups, in/n, r.Chi2)
	if in/n < within {
		t.Errorf("%.3f of the fluxes within 3σ", in/n)
	}
	for b, c := range r.Chi2 {
		if c > 1.1 || c < 0.9 {
			t.Errorf("band %d: χ²/pixel %.3f", b, c)
		}
	}
}

func TestFit_FieldOfGroups_SameForAnyWorkersAndRight(t *testing.T) {
	dev := device(t)
	obs, src, flux := field(t, dev, 2, 150, 160, 24, 11)
	var first *Result
	for _, workers := range []int{1, 3} {
		r, err := Fit(context.Background(), dev, obs, src, Options{Workers: workers, NoFreeForm: true})
		if err != nil {
			t.Fatal(err)
		}
		if r.Groups < 3 {
			t.Fatalf("%d groups", r.Groups)
		}
		checkField(t, r, flux, 0.95)
		if first == nil {
			first = r
			continue
		}
		for i, v := range r.Model.Pix {
			if v != first.Model.Pix[i] {
				t.Fatalf("pixel %d: %g with one worker, %g with three", i, first.Model.Pix[i], v)
			}
		}
	}
}

func TestFit_SixtySourcesCrowded_FluxesWithinErrors(t *testing.T) {
	if os.Getenv("LIMPID_LONG") == "" {
		t.Skip("slow: set LIMPID_LONG=1")
	}
	dev := device(t)
	obs, src, flux := field(t, dev, 3, 128, 128, 60, 12)
	r, err := Fit(context.Background(), dev, obs, src, Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	checkField(t, r, flux, 0.93)
}

func TestFit_Field1000_ThreeHundredSourcesInTime(t *testing.T) {
	if os.Getenv("LIMPID_LONG") == "" {
		t.Skip("slow: set LIMPID_LONG=1")
	}
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	obs, src, flux := field(t, dev, 5, 1000, 1000, 300, 13)
	start := time.Now()
	r, err := Fit(context.Background(), dev, obs, src, Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("5 × 1000², 300 sources: %.1f s", time.Since(start).Seconds())
	checkField(t, r, flux, 0.95)
}
