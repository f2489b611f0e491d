package deconv_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/operator"
	"limpid/solvers/summary"
)

// wide is an observation of h × w pixels with masked columns and a hole where tiles meet.
func wide(t *testing.T, dev engine.Device, sp gaussian.Spectrum, h, w int) *solvers.Observation {
	t.Helper()
	n := max(h, w)
	o, _ := simulate(t, dev, sp, n, 11)
	return cutWide(o, h, w)
}

// cutWide cuts h × w pixels from an observation and loses what wide says.
func cutWide(o *solvers.Observation, h, w int) *solvers.Observation {
	o.Data, o.Weights = o.Data.Crop(0, w, 0, h), o.Weights.Crop(0, w, 0, h)
	for y := 60; y < min(h, 68); y++ {
		for x := 92; x < 100; x++ {
			o.Data.Pix[y*w+x], o.Weights.Pix[y*w+x] = 0, 0
		}
	}
	return o
}

// As a tile has the noise of its pixels, many tiles make the draws of one that holds all of
// the image, mean and standard deviation too, up to the solves' tolerance and what
// the data beyond the overlap say. No row or column stands out: the worst is a masked one, in
// which the solves of either differ most.
func TestTiles_OneOrMany_SameDraws(t *testing.T) {
	dev := newDevice(t)
	const draws = 4
	for _, c := range []struct {
		p0, slope float64
		h, w      int
		colour    bool
	}{{30, 2, 300, 130, false}, {300, 3, 130, 260, false}, {60, 2.5, 130, 260, true}} {
		sp := gaussian.PowerLaw(c.p0, 0.1, c.slope)
		o := wide(t, dev, sp, c.h, c.w)
		if c.colour {
			all, _ := coloured(t, dev, sp, max(c.h, c.w), 1, 12)
			o = cutWide(all, c.h, c.w)
		}
		run := func(tile int) *summary.Summary {
			p, err := deconv.New(context.Background(), dev, o, deconv.Settings{Method: deconv.Gaussian, Spectra: []gaussian.Spectrum{sp}, Tile: tile})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if rows, cols, _ := p.TileCount(); (rows*cols > 1) != (tile == 192) {
				t.Fatalf("%d × %d tiles of %d", rows, cols, tile)
			}
			sum, _ := collect(t, p, draws)
			if _, fits, err := p.Residual(sum.GridMean()); err != nil || fits[0].Chi2 > 1 || fits[0].Chi2 < 0.3 || math.Abs(fits[0].Chi2Draws-1) > 0.1 {
				t.Errorf("p0 %g: fit %+v, %v", c.p0, fits, err)
			}
			return sum
		}
		one, many := run(512), run(192)
		std, std2, mean, mean2 := one.Std(), many.Std(), one.Mean(), many.Mean()
		var dMean, dDraw, a, b, n float64
		for i, v := range std.Pix {
			a, b = a+float64(v)*float64(v), b+float64(std2.Pix[i])*float64(std2.Pix[i])
		}
		s := float32(math.Sqrt(a / float64(len(std.Pix))))
		rows, cols := make([]float64, c.h), make([]float64, c.w)
		for i := range std.Pix {
			d := float64((mean2.Pix[i] - mean.Pix[i]) / s)
			dMean += d * d
			for k := range draws {
				d := float64((many.Samples()[k].Pix[i] - one.Samples()[k].Pix[i]) / s)
				dDraw += d * d / draws
				rows[i/c.w] += d * d / draws / float64(c.w)
				cols[i%c.w] += d * d / draws / float64(c.h)
			}
			n++
		}
		worst := 0.0
		for _, v := range append(rows, cols...) {
			worst = max(worst, math.Sqrt(v))
		}
		t.Logf("p0 %g: means differ by %.4f σ rms, draws by %.4f, in the worst row or column by %.4f; σ ratio %.4f",
			c.p0, math.Sqrt(dMean/n), math.Sqrt(dDraw/n), worst, math.Sqrt(b/a))
		if math.Sqrt(dMean/n) > 0.03 || math.Sqrt(dDraw/n) > 0.1 || worst > 0.3 || math.Abs(math.Sqrt(b/a)-1) > 0.01 {
			t.Errorf("p0 %g: tiles differ from one", c.p0)
		}
	}
}

// A learned prior in tiles: with a Gaussian in its clothes it must agree with the exact
// posterior, at the edges of tiles as elsewhere; a tile may be all masked, and noise may be correlated.
func TestTiles_Learned_AgreesWithTheExactPosterior(t *testing.T) {
	dev := newDevice(t)
	sp := gaussian.PowerLaw(30, 0.1, 2)
	lost := wide(t, dev, sp, 64, 300)
	for i := range lost.Data.Pix {
		if i%lost.Data.W < 132 {
			lost.Data.Pix[i], lost.Weights.Pix[i] = 0, 0
		}
	}
	t.Run("masked tile", func(t *testing.T) { judgeTiles(t, dev, sp, lost, 150) })
	t.Run("correlated noise", func(t *testing.T) {
		o, _ := coloured(t, dev, sp, 200, 1, 12)
		judgeTiles(t, dev, sp, cutWide(o, 64, 200), 0)
	})
}

// judgeTiles compares draws of such a prior in tiles with the exact posterior on one grid, from a column on.
func judgeTiles(t *testing.T, dev engine.Device, sp gaussian.Spectrum, o *solvers.Observation, from int) {
	t.Helper()
	p, err := deconv.New(context.Background(), dev, o, deconv.Settings{
		Method: deconv.Learned, Spectra: []gaussian.Spectrum{sp}, Tile: 128, Budget: deconv.Quick,
		Load: func(dev engine.Device, s engine.Stream) (deconv.LearnedPrior, error) {
			g, err := gaussian.New(dev, s, []gaussian.Spectrum{sp}, operator.NewGrid(1, 64, 128, o.PSF.H, o.PSF.W).Aligned(4).Domain(), 16)
			return learned{g}, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const draws = 16 // one batch
	sum, previews := collect(t, p, draws)
	if previews != 1 {
		t.Errorf("%d previews, want 1", previews)
	}
	if _, fits, err := p.Residual(sum.GridMean()); err != nil || math.Abs(fits[0].Chi2Draws-1) > 0.1 {
		t.Errorf("fit %+v, %v", fits, err)
	}
	exact := runGaussian(t, dev, o, []gaussian.Spectrum{sp}, draws)
	std, mean, s2, m2 := exact.Std(), exact.Mean(), sum.Std(), sum.Mean()
	for lo := from; lo < o.Data.W; lo += 10 {
		var bias, ratio, n float64
		for i, s := range std.Pix {
			if x := i % o.Data.W; x >= lo && x < lo+10 {
				d := float64((m2.Pix[i] - mean.Pix[i]) / s)
				bias, ratio, n = bias+d*d, ratio+float64(s2.Pix[i]/s), n+1
			}
		}
		if b, r := math.Sqrt(bias/n), ratio/n; b > 1.7/math.Sqrt(draws) || math.Abs(r-1) > 0.15 {
			t.Errorf("columns %d to %d: bias %.3f σ rms, σ ratio %.3f", lo, lo+9, b, r)
		}
	}
}

func TestTiles_BadSettings_AreErrors(t *testing.T) {
	dev := newDevice(t)
	o, _ := simulate(t, dev, gaussian.PowerLaw(30, 0.1, 2), 64, 5)
	for _, set := range []deconv.Settings{
		{Method: deconv.RichardsonLucy, Tile: 128},
		{Method: deconv.Gaussian, Tile: 32},
		{Method: deconv.Learned, Tile: 128},
		{Method: deconv.Gaussian, Tile: 1 << 20},
	} {
		if p, err := deconv.New(context.Background(), dev, o, set); err == nil {
			p.Close()
			t.Errorf("%+v was taken", set)
		} else if set.Method != deconv.Learned && !errors.Is(err, deconv.ErrTile) {
			t.Errorf("%+v: %v", set, err)
		}
	}
}

// Smoothing tile by tile is smoothing.
func TestTiles_Smooth_AsOneGrid(t *testing.T) {
	dev := newDevice(t)
	sp := gaussian.PowerLaw(30, 0.1, 2)
	o := wide(t, dev, sp, 200, 150)
	var out [2]solvers.Image
	for i, tile := range []int{512, 128} {
		p, err := deconv.New(context.Background(), dev, o, deconv.Settings{Method: deconv.Gaussian, Spectra: []gaussian.Spectrum{sp}, Tile: tile})
		if err != nil {
			t.Fatal(err)
		}
		scene := p.Grid.Embed(o.Data)
		if err := p.Smooth(scene.Pix, deconv.MostTiledResolution/2); err != nil {
			t.Fatal(err)
		}
		out[i] = scene.Crop(p.Grid.Col, p.Grid.Col+150, p.Grid.Row, p.Grid.Row+200)
		p.Close()
	}
	for i, v := range out[0].Pix {
		if math.Abs(float64(v-out[1].Pix[i])) > 1e-3 {
			t.Fatalf("pixel %d: %g and %g", i, v, out[1].Pix[i])
		}
	}
}
