package anneal

import (
	"math"
	"testing"

	"limpid/engine"
)

// Every draw has a doubt of its own, alike over a source; before a walk begins there is none.
func TestDoubt_OfEveryDraw_IsAlikeOverASource(t *testing.T) {
	const n, lag = 256, 8
	k := walkCore(t, n, 4)
	var err error
	d := k.newDoubt(&err)
	if err != nil {
		t.Fatal(err)
	}
	if d.light[5] != 1 || d.fine[5] != 1 {
		t.Errorf("before a walk variances are multiplied by %g and %g", d.light[5], d.fine[5])
	}
	d.draw(k, engine.NewKey(4))
	light, fines := make([]float32, len(d.light)), make([]float32, len(d.fine))
	for i := range light {
		light[i] = float32(math.Log(float64(d.light[i])) / doubtSpread)
		fines[i] = float32(math.Log(float64(d.fine[i])) / fineSpread)
	}
	variance, beside := moments(light, n, lag)
	if want := math.Exp(-lag * lag / (4 * doubtWidth * doubtWidth)); math.Abs(variance-1) > 0.25 || math.Abs(beside-want) > 0.06 {
		t.Errorf("variance %.3f, correlation over %d px %.3f: want 1 and %.3f", variance, lag, beside, want)
	}
	variance, beside = moments(fines, n, 3*lag)
	if want := math.Exp(-9 * lag * lag / (4 * fineWidth * fineWidth)); math.Abs(variance-1) > 0.5 || math.Abs(beside-want) > 0.1 {
		t.Errorf("of fine scales: variance %.3f, correlation over %d px %.3f: want 1 and %.3f", variance, 3*lag, beside, want)
	}
	var other float64
	for i := range n * n {
		other += float64(light[i]) * float64(light[n*n+i]) / (n * n)
	}
	if math.Abs(other) > 0.2 {
		t.Errorf("two draws' doubts correlate by %.3f", other)
	}
}

// A class of what is fine changes no covariance by itself, and with a factor what is fine alone.
func TestDoubt_Split_ChangesFineScalesAlone(t *testing.T) {
	const n = 64
	k := walkCore(t, n, 2)
	p, err := k.newPatches()
	if err != nil {
		t.Fatal(err)
	}
	if p.rough = k.newRoughness(&err); err != nil {
		t.Fatal(err)
	}
	modes, dom := len(k.rings.log), k.dom.Len()
	windows := [classes]float32{0.1, 0.3, 0.8, 0, 0.05}
	spectrum := func() []float64 { // of the covariance
		out := make([]float64, modes)
		for c := range classes {
			for i := range out {
				out[i] += of(p, k, c, i)
			}
		}
		return out
	}
	for _, by := range [][2]float32{{1, 1}, {4, 1}, {2, 2}} { // of the doubt and of the roughness
		factor := by[0] * by[1]
		for c, w := range windows {
			for i := range k.n * dom {
				p.host[c*k.n*dom+i] = w
			}
			value := make([]float64, ringCount)
			for b := range value {
				value[b] = math.Pow(float64(b+1), -float64(c%3)) // of sky white, of light falling
			}
			k.rings.fill(p.modes[c*modes:][:modes], value, 1e-9)
		}
		before := spectrum()
		var err error
		d := k.newDoubt(&err)
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.fine {
			d.fine[i], p.rough.finer[i] = by[0], by[1]
		}
		d.split(k, p)
		fined := 0.0
		for i, v := range spectrum() {
			light := before[i] - of(p, k, 0, i) - of(p, k, hazeClass, i)
			want := before[i] + (float64(factor)-1)*d.scale[i]*light
			fined = math.Max(fined, v/before[i])
			if math.Abs(v-want) > 1e-4*want {
				t.Fatalf("fine scales times %g: mode %d of %.3f cycles per pixel has %.5f of %.5f, want %.5f", factor, i, math.Exp(k.rings.log[i]), v, before[i], want)
			}
		}
		if factor > 1 && fined < 2 {
			t.Errorf("what is finest grew by %.2f", fined)
		}
	}
}

// of is the power of a class at mode i, where its window is that of the first pixel.
func of(p *patches, k *core, class, i int) float64 {
	w, r := float64(p.host[class*k.n*k.dom.Len()]), float64(p.modes[class*len(k.rings.log)+i])
	return w * w * r * r
}

// What widens variances stops at what the scene can have, and takes nothing from those that are beyond.
func TestPatches_Widened_NoFurtherThanTheScene(t *testing.T) {
	p := &patches{most: 100}
	for _, c := range []struct{ variance, factor, sigma, want float64 }{
		{1, 5, 1, 5}, {1, 500, 1, 100}, {1, 5, 5, 4}, {2, 3, 20, 1}, {2, 0.3, 20, 0.3}, {0, 1e4, 1, 1e4},
	} {
		if got := p.widened(c.variance, c.factor, c.sigma); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("variance %g σ², σ %g, times %g: %g, want %g", c.variance, c.sigma, c.factor, got, c.want)
		}
	}
}
