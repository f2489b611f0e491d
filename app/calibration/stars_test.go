package calibration

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/priors/sims"
	"limpid/solvers"
	"limpid/solvers/deconv"
)

// Stars lie where they are said to, on a host or not; what is told is near them.
func TestPlace_Stars_LieWhereTheyAreSaid(t *testing.T) {
	const n, margin = 40, 4
	psf := solvers.NewImage(1, 3, 3)
	psf.Pix[4] = 1
	image := make([]float32, n*n)
	image[25*n+14] = 7
	image[1*n+1] = 90 // within the margin
	rng := sims.Rand(engine.NewKey(2))
	var off, told float64
	const stars = 400
	for i := range stars {
		p := place(image, n, margin, psf, i%2 == 0, rng)
		if p.flux < starLow || p.flux > starHigh {
			t.Fatalf("S/N %g", p.flux) // the PSF is a pixel, the noise 1
		}
		told += math.Pow(math.Hypot(p.told.X-p.star.X, p.told.Y-p.star.Y), 2) / (2 * stars)
		if p.host {
			off += math.Pow(math.Hypot(p.star.X-14, p.star.Y-25), 2) / stars
		} else if p.star.X < 2*margin || p.star.X > n-2*margin || p.star.Y < 2*margin || p.star.Y > n-2*margin {
			t.Errorf("a star at (%g, %g)", p.star.X, p.star.Y)
		}
	}
	if math.Abs(math.Sqrt(told)/deconv.DefaultStarError-1) > 0.15 || math.Abs(math.Sqrt(off)/starOffHost-1) > 0.15 {
		t.Errorf("told %g off, %g from the host", math.Sqrt(told), math.Sqrt(off))
	}
}

// Draws that scatter as the truths do hold them as often as they say, and narrower ones do not.
func TestStars_DrawsLikeTheTruth_AreHeld(t *testing.T) {
	const pairs, draws = 200, 19
	for _, width := range []float64{1, 0.4} {
		s, rng := newStars(), sims.Rand(engine.NewKey(6))
		for i := range pairs {
			centre := [4]float64{100 + 20*rng.NormFloat64(), 20 + rng.NormFloat64(), 15 + rng.NormFloat64(), rng.NormFloat64()}
			scale := [4]float64{3, 0.1, 0.1, 0.2}
			one := func(f float64) (out [4]float64) {
				for k, c := range centre {
					out[k] = c + f*scale[k]*rng.NormFloat64()
				}
				return out
			}
			v := one(1)
			p := placed{flux: v[0], star: deconv.Star{X: v[1], Y: v[2]}, sky: v[3], host: i%2 == 0}
			var skies [][]float64
			var list [][]deconv.StarDraw
			for range draws {
				d := one(width)
				skies, list = append(skies, []float64{d[3]}), append(list, []deconv.StarDraw{{X: d[1], Y: d[2], Flux: []float64{d[0]}}})
			}
			if err := s.add(p, skies, list, engine.NewKey(uint64(i))); err != nil {
				t.Fatal(err)
			}
		}
		ranks, err := s.finish()
		if err != nil {
			t.Fatal(err)
		}
		near := func(h StarsHeld) bool { return math.Abs(h.Flux-0.9) < 0.09 && math.Abs(h.Place-0.9) < 0.07 }
		right := near(s.Host) && near(s.Field) && math.Abs(s.Sky-0.9) < 0.07
		if right != (width == 1) || s.Host.Stars != pairs/2 || s.Field.Stars != pairs/2 {
			t.Errorf("draws %g as wide as they should be: %+v, %+v, skies %.3f", width, s.Host, s.Field, s.Sky)
		}
		if (ranks[0].P > 0.001) != (width == 1) {
			t.Errorf("draws %g as wide: p %g", width, ranks[0].P)
		}
		r := Report{Pairs: pairs, Coverage: 0.9, Bright: 0.9, FluxCover: 0.9, Stars: s}
		if r.Right() != (width == 1) {
			t.Errorf("draws %g as wide: right %v", width, r.Right())
		}
	}
}
