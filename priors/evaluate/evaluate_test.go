package evaluate

import (
	"math"
	"strings"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/card"
	"limpid/priors/gaussian"
)

const side = 64

// world is a Gaussian field, whose prior is exact.
type world struct {
	dev engine.Device
	s   engine.Stream
	p   *gaussian.Prior
}

func newWorld(t *testing.T, sp gaussian.Spectrum) world {
	t.Helper()
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	s := dev.NewStream()
	p, err := gaussian.New(dev, s, []gaussian.Spectrum{sp}, engine.Shape{1, side, side}, 8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return world{dev, s, p}
}

func (w world) Patch(dst []float32, n int, key engine.Key) {
	x, _ := w.dev.Alloc(engine.Shape{1, 1, n, n})
	defer x.Free()
	w.p.Sample(w.s, x, key)
	w.s.Download(dst, x)
}

var red = gaussian.PowerLaw(3, 0.1, 2.5)

// The exact prior of a Gaussian field can be no worse than the Wiener filter with the
// power measured on rings, and both leave the error of theory.
func TestTable_GaussianField_PriorIsTheWienerFilter(t *testing.T) {
	w := newWorld(t, red)
	scenes := Draw(w, 8, side, engine.NewKey(1))
	rows, err := Table(w.dev, w.s, w.p, scenes, []float64{0.1, 1}, engine.NewKey(2))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		sigma := r.Level * deviation(scenes.Pix)
		var want float64
		for i, p := range red.OnGrid(side, side) {
			want += gaussian.ModeWeight(i%(side/2+1), side) * p / (p + sigma*sigma) / (side * side)
		}
		// 3 %: eight scenes; rings are coarse for Wiener
		if math.Abs(r.Learned/want-1) > 0.03 || r.Wiener < 0.99*r.Learned || r.Wiener > 1.05*r.Learned {
			t.Errorf("level %g: prior %.4f, Wiener %.4f, theory %.4f", r.Level, r.Learned, r.Wiener, want)
		}
		if r.Starlet < r.Learned || r.TV < r.Learned {
			t.Errorf("level %g: starlet %.4f and TV %.4f beat the truth, %.4f", r.Level, r.Starlet, r.TV, r.Learned)
		}
	}
}

// curled is a field that is no gradient: the Gaussian's turned by a shift.
type curled struct {
	world
	by float32
	t  *engine.Tensor
}

func (c curled) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	c.p.Score(s, dst, x, sigma)
	s.Window(c.t, x, 1, 0)
	s.Axpy(dst, c.by, c.t)
}

func (c curled) References() []string { return nil }

func TestConsistency_GradientAndNoGradient(t *testing.T) {
	w := newWorld(t, red)
	x, _ := w.dev.Alloc(engine.Shape{4, 1, side, side})
	w.s.Normal(x, engine.NewKey(4))
	good, err := Consistency(w.dev, w.s, w.p, x, 1, 0.5, engine.NewKey(5))
	if err != nil {
		t.Fatal(err)
	}
	// float32 sums of 4096 products of order one
	if good.Loop > 1e-4 || good.Curl > 0.02 {
		t.Errorf("an exact score has closure %+v", good)
	}
	one, _ := w.dev.Alloc(engine.Shape{1, 1, side, side})
	bad, err := Consistency(w.dev, w.s, curled{w, 0.2, one}, x, 1, 0.5, engine.NewKey(5))
	if err != nil {
		t.Fatal(err)
	}
	// J − Jᵀ = .2 (S − Sᵀ): its norm over that of −(P+1)⁻¹ + .2 S, from four pairs of
	// directions, within a factor of two
	var inv float64
	for i, p := range red.OnGrid(side, side) {
		inv += gaussian.ModeWeight(i%(side/2+1), side) / ((p + 1) * (p + 1)) / (side * side)
	}
	want := 0.2 * math.Sqrt2 / math.Sqrt(inv+0.04)
	if bad.Curl < want/2 || bad.Curl > 2*want || bad.Loop < 10*good.Loop {
		t.Errorf("a shift has closure %+v, its curl is %.3f", bad, want)
	}
}

// tiles draws noisy tiles of a field.
func (w world) tiles(n int, sigma float64, key engine.Key) [][]float32 {
	noise, _ := w.dev.Alloc(engine.Shape{TileSide * TileSide})
	out := make([][]float32, n)
	host := make([]float32, TileSide*TileSide)
	for i := range out {
		out[i] = make([]float32, TileSide*TileSide)
		w.Patch(out[i], TileSide, key.Fold(uint64(2*i)))
		w.s.Normal(noise, key.Fold(uint64(2*i+1)))
		w.s.Download(host, noise)
		for j := range host {
			out[i][j] += float32(sigma) * host[j]
		}
	}
	return out
}

// As many tiles like the training fail as is said, within four standard deviations of
// a binomial distribution; with noise of another size, or structure, nearly all do.
func TestTest_FalseAlarmsAndFinds(t *testing.T) {
	w := newWorld(t, red)
	const learn, try, sigma = 800, 400, 0.7
	test, err := NewTest(w.dev, w.s, w.p, card.Typical{})
	if err != nil {
		t.Fatal(err)
	}
	defer test.Close()
	known := w.tiles(learn, sigma, engine.NewKey(1))
	test.Learn(learn, engine.NewKey(2), func(i int, tile []float32) float64 {
		copy(tile, known[i])
		return sigma
	})
	alarms := func(tiles [][]float32, sigma float64) (n int) {
		for i, x := range tiles {
			if p, _ := test.PValue(test.Measure(x, sigma, engine.NewKey(3).Fold(uint64(i)))); p < Alarm {
				n++
			}
		}
		return n
	}
	fresh := w.tiles(try, sigma, engine.NewKey(4))
	if n := alarms(fresh, sigma); float64(n) > Alarm*try+4*math.Sqrt(Alarm*try) {
		t.Errorf("%d false alarms in %d tiles", n, try)
	}
	few := fresh[:40]
	if n := alarms(few, 1.3*sigma); n < 36 {
		t.Errorf("noise 30 %% too large: %d of 40 found", n)
	}
	striped := make([][]float32, len(few))
	for i, x := range few {
		striped[i] = append([]float32(nil), x...)
		for j := range striped[i] {
			striped[i][j] += float32(3 * math.Sin(float64(j%TileSide)))
		}
	}
	if n := alarms(striped, sigma); n < 36 {
		t.Errorf("stripes: %d of 40 found", n)
	}
	big := make([]float32, 4*TileSide*TileSide)
	for i := range big {
		y, x := i/(2*TileSide), i%(2*TileSide)
		big[i] = striped[y/TileSide*2+x/TileSide][y%TileSide*TileSide+x%TileSide]
	}
	f, ok := test.Image(big, 2*TileSide, 2*TileSide, func(int) float64 { return sigma }, engine.NewKey(5))
	if !ok || f == nil || !strings.Contains(f.What, "4 of 4 tiles") {
		t.Errorf("finding %v, %v", f, ok)
	}
	if _, ok := test.Image(big, TileSide-1, 2*TileSide, func(int) float64 { return sigma }, engine.NewKey(5)); ok {
		t.Error("an image too small for a tile was tested")
	}
}

func TestFewest_IsTheBinomialTail(t *testing.T) {
	// by hand: 1 − .99ⁿ ≤ .01 only for n = 1; P(≥ 2 of 16) = .0109, P(≥ 3 of 16) = .0005
	for n, want := range map[int]int{1: 1, 4: 2, 15: 2, 16: 3, 100: 5} {
		if got := fewest(n); got != want {
			t.Errorf("%d tiles: %d, want %d", n, got, want)
		}
	}
}

// The denoiser of a Gaussian field is exact, and so is what it believes.
func TestWidths_GaussianField_ErrorIsBelief(t *testing.T) {
	w := newWorld(t, red)
	scenes := Draw(w, 8, side, engine.NewKey(1))
	x, err := w.dev.Alloc(engine.Shape{8, 1, side, side})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Free()
	w.s.Upload(x, scenes.Pix)
	sigma := deviation(scenes.Pix)
	rows, err := Widths(w.dev, w.s, w.p, x, sigma, []float64{-1e9, 0, 1e9}, 4, engine.NewKey(2))
	if err != nil {
		t.Fatal(err)
	}
	if rows[0].Pixels+rows[1].Pixels != len(scenes.Pix) {
		t.Errorf("%d and %d of %d pixels", rows[0].Pixels, rows[1].Pixels, len(scenes.Pix))
	}
	for _, r := range rows {
		if d := r.Error/r.Belief - 1; math.Abs(d) > 0.08 { // eight scenes
			t.Errorf("from %g: error² %.4f, belief %.4f", r.Low, r.Error, r.Belief)
		}
	}
}
