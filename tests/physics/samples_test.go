package physics

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"limpid/app/figure"
	"limpid/assets"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/engine/nn/safetensors"
	"limpid/priors"
	"limpid/priors/card"
	"limpid/priors/evaluate"
	"limpid/priors/gaussian"
	"limpid/priors/hybrid"
	"limpid/priors/sample"
	"limpid/priors/score"
	"limpid/priors/sims"
)

// shipped loads a prior that ships.
func shipped(t *testing.T, dev engine.Device, s engine.Stream, name string) (priors.Prior, card.Card) {
	t.Helper()
	b, err := assets.ReadPrior(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := card.Of(f)
	if err != nil {
		t.Fatal(err)
	}
	if c.Kind == card.Hybrid {
		p, err := hybrid.From(dev, s, f)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		return p, c
	}
	p, err := score.From(dev, s, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, c
}

// Samples and scenes that are compared: as many as the issue asks.
const (
	compared = 64
	scene    = 64 // pixels along a side
)

// look is what is compared of a set of images.
type look struct {
	power           []gaussian.Bin
	quantiles       [5]float64 // 1, 16, 50, 84, 99 %
	variance, skew  float64
	high            float64 // 99.9 %
	area, roughness float64 // medians of Σ/peak and of std/mean over the images
}

func lookAt(t *testing.T, pix []float32, n int) look {
	t.Helper()
	var l look
	maps := make([][]float64, n)
	var all, areas, rough []float64
	for i := range maps {
		var sum, sum2, peak float64
		for _, v := range pix[i*scene*scene : (i+1)*scene*scene] {
			x := float64(v)
			maps[i], all = append(maps[i], x), append(all, x)
			sum, sum2, peak = sum+x, sum2+x*x, max(peak, x)
		}
		m := sum / (scene * scene)
		areas, rough = append(areas, sum/peak), append(rough, math.Sqrt(max(0, sum2/(scene*scene)-m*m))/math.Abs(m))
	}
	var err error
	if l.power, err = gaussian.Periodogram(maps, scene, scene, 1, 0); err != nil {
		t.Fatal(err)
	}
	var mean, third float64
	for _, v := range all {
		mean += v / float64(len(all))
	}
	for _, v := range all {
		l.variance += (v - mean) * (v - mean) / float64(len(all))
		third += math.Pow(v-mean, 3) / float64(len(all))
	}
	l.skew = third / math.Pow(l.variance, 1.5)
	sort.Float64s(all)
	for i, q := range []float64{0.01, 0.16, 0.5, 0.84, 0.99} {
		l.quantiles[i] = all[int(q*float64(len(all)))]
	}
	l.high = all[int(0.999*float64(len(all)))]
	sort.Float64s(areas)
	sort.Float64s(rough)
	l.area, l.roughness = areas[n/2], rough[n/2]
	return l
}

// montage writes samples above simulations, with a stretch.
func montage(t *testing.T, name string, a, b []float32, m *figure.Colormap, stretch func(v, peak float64) float64) {
	t.Helper()
	if *figures == "" {
		return
	}
	const cols, rows, gap = 12, 3, 2
	im := image.NewRGBA(image.Rect(0, 0, cols*(scene+gap), (2*rows)*(scene+gap)+3*gap))
	for k, set := range [][]float32{a, b} {
		for i := range cols * rows {
			var peak float64
			own := set[i*scene*scene : (i+1)*scene*scene]
			for _, v := range own {
				peak = max(peak, float64(v))
			}
			y0 := (i/cols+k*rows)*(scene+gap) + 3*gap*k
			for j, v := range own {
				im.Set(i%cols*(scene+gap)+j%scene, y0+j/scene, m.At(min(max(stretch(float64(v), peak), 0), 1)))
			}
		}
	}
	w, err := os.Create(filepath.Join(*figures, name))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := png.Encode(w, im); err != nil {
		t.Fatal(err)
	}
}

// 64 draws of the convergence prior against 64 simulations: power in rings of an
// octave within 25 %, quantiles of the pixels within .12 standard deviations (1, 16,
// 50, 84 %) and .4 (99 %), variance within 20 %.
func TestKappa_SamplesAgainstSimulations(t *testing.T) {
	slow(t)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	p, c := shipped(t, dev, s, "kappa-cosmos")
	source, err := sims.NewKappa(sims.COSMOS())
	if err != nil {
		t.Fatal(err)
	}
	truth := evaluate.Draw(source, compared, scene, engine.NewKey(1234))
	x, err := dev.Alloc(engine.Shape{compared, 1, scene, scene})
	if err != nil {
		t.Fatal(err)
	}
	if err := sample.Draw(context.Background(), dev, s, p, x, sample.Config{Start: 5 * c.High, End: c.Low / 4, Levels: 64, Key: engine.NewKey(5)}); err != nil {
		t.Fatal(err)
	}
	pix := make([]float32, x.Len())
	s.Download(pix, x)
	a, b := lookAt(t, pix, compared), lookAt(t, truth.Pix, compared)
	montage(t, "prior-kappa-cosmos.png", pix, truth.Pix, figure.Viridis, func(v, _ float64) float64 { return (v + 0.05) / 0.25 })
	std := math.Sqrt(b.variance)
	for i, bin := range b.power {
		r := a.power[i].Power / bin.Power
		t.Logf("k %.3f: power of samples over that of simulations %.3f", bin.K, r)
		if math.Abs(r-1) > 0.25+3*math.Sqrt(4/float64(compared*bin.Modes)) {
			t.Errorf("k %.3f: power ratio %.3f", bin.K, r)
		}
	}
	for i, q := range b.quantiles {
		d, band := (a.quantiles[i]-q)/std, 0.12
		if i == 4 {
			band = 0.4
		}
		t.Logf("quantile %d: %.4f, simulations %.4f", i, a.quantiles[i], q)
		if math.Abs(d) > band {
			t.Errorf("quantile %d is %.2f standard deviations off", i, d)
		}
	}
	t.Logf("standard deviation %.4f, simulations %.4f; skewness %.2f, simulations %.2f; 99.9 %% %.3f, simulations %.3f", math.Sqrt(a.variance), std, a.skew, b.skew, a.high, b.high)
	if math.Abs(a.variance/b.variance-1) > 0.2 {
		t.Errorf("variance ratio %.3f", a.variance/b.variance)
	}
}

// The galaxy prior has no scale of its own. 64 simulations of peak 1 get noise of 1/3 to
// 1/100 of the peak, and a draw of the posterior is made for each: were the prior the
// simulator's, draws and simulations would have the same distribution. Power in rings
// within a factor of 1.6, median area (sum over peak) and contrast within 35 %.
func TestGalaxies_DrawsAgainstSimulations(t *testing.T) {
	slow(t)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	p, _ := shipped(t, dev, s, "galaxies")
	source, err := sims.NewScenes(sims.SceneConfig{})
	if err != nil {
		t.Fatal(err)
	}
	truth := evaluate.Draw(source, compared, scene, engine.NewKey(4321))
	x, err := dev.Alloc(engine.Shape{compared, 1, scene, scene})
	if err != nil {
		t.Fatal(err)
	}
	y, err := dev.Alloc(x.Shape())
	if err != nil {
		t.Fatal(err)
	}
	// in units of the noise: a peak of 3 to 100
	for i := range compared {
		var peak float32
		for _, v := range truth.Scene(i) {
			peak = max(peak, v)
		}
		snr := 3 * math.Pow(100.0/3, (float64(i)+0.5)/compared)
		for j := range truth.Scene(i) {
			truth.Scene(i)[j] *= float32(snr) / peak
		}
	}
	s.Upload(y, truth.Pix)
	s.Normal(x, engine.NewKey(6))
	s.Add(x, x, y)
	if err := sample.Draw(context.Background(), dev, s, p, x, sample.Config{Start: 1, End: 1.0 / 200, Levels: 32, Given: true, Key: engine.NewKey(5)}); err != nil {
		t.Fatal(err)
	}
	for i := range compared {
		snr := 3 * math.Pow(100.0/3, (float64(i)+0.5)/compared)
		s.Scale(x.Slice(i, i+1), float32(1/snr), x.Slice(i, i+1))
		for j := range truth.Scene(i) {
			truth.Scene(i)[j] /= float32(snr)
		}
	}
	pix := make([]float32, x.Len())
	s.Download(pix, x)
	a, b := lookAt(t, pix, compared), lookAt(t, truth.Pix, compared)
	montage(t, "prior-galaxies.png", pix, truth.Pix, figure.Gray, func(v, peak float64) float64 { return math.Asinh(100*v/peak) / math.Asinh(100) })
	for i, bin := range b.power {
		r := a.power[i].Power / bin.Power
		t.Logf("k %.3f: power of draws over that of simulations %.3f", bin.K, r)
		if r > 1.6 || r < 1/1.6 {
			t.Errorf("k %.3f: power ratio %.3f", bin.K, r)
		}
	}
	t.Logf("median area %.1f, simulations %.1f; contrast %.2f, simulations %.2f; quantiles %.4f, simulations %.4f", a.area, b.area, a.roughness, b.roughness, a.quantiles, b.quantiles)
	if math.Abs(a.area/b.area-1) > 0.35 || math.Abs(a.roughness/b.roughness-1) > 0.35 {
		t.Errorf("median area %.1f of %.1f, contrast %.2f of %.2f", a.area, b.area, a.roughness, b.roughness)
	}
}

// sourceOf is the simulator that a shipped prior learned from.
func sourceOf(t *testing.T, c card.Card) score.Source {
	t.Helper()
	if c.Kind == card.Hybrid {
		k, err := sims.NewKappa(sims.COSMOS())
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	s, err := sims.NewScenes(sims.SceneConfig{Single: c.Centred})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
