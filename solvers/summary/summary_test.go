package summary_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers"
	"limpid/solvers/operator"
	"limpid/solvers/summary"
)

// feed makes a state from host images on the grid.
func feed(t *testing.T, dev engine.Device, s *summary.Summary, kind solvers.StepKind, shape engine.Shape, draws ...[]float32) {
	t.Helper()
	x, err := dev.Alloc(append(engine.Shape{len(draws)}, shape...))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Free()
	stream := dev.NewStream()
	for i, d := range draws {
		stream.Upload(x.Slice(i, i+1), d)
	}
	st := &solvers.State{X: x, Kind: kind, Count: len(draws), Stream: stream}
	if err := s.Add(solvers.Step{State: st}); err != nil {
		t.Fatal(err)
	}
}

func TestSummary_MeanAndStd_AsInTwoPasses(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	grid := operator.Grid{C: 2, H: 6, W: 8, Row: 1, Col: 2, ImgH: 3, ImgW: 4}
	s := summary.New(grid, summary.Options{Keep: 3, Chains: 2})
	rng := rand.New(rand.NewPCG(1, 2))
	const n, tolerance = 37, 1e-5
	var all [][]float32
	feed(t, dev, s, solvers.Warmup, grid.Domain(), make([]float32, 96)) // must not count
	for range n {
		d := make([]float32, 96)
		for i := range d {
			d[i] = float32(1000 + rng.NormFloat64()) // a large offset: Welford must not cancel
		}
		all = append(all, d)
		feed(t, dev, s, solvers.Draw, grid.Domain(), d)
	}
	mean, std := s.Mean(), s.Std()
	if s.Draws() != n || len(s.Samples()) != 3 {
		t.Fatalf("%d draws, %d samples kept", s.Draws(), len(s.Samples()))
	}
	for c := range 2 {
		for y := range 3 {
			for x := range 4 {
				at := (c*6+y+1)*8 + x + 2
				var m, v float64
				for _, d := range all {
					m += float64(d[at]) / n
				}
				for _, d := range all {
					v += math.Pow(float64(d[at])-m, 2) / (n - 1)
				}
				i := (c*3+y)*4 + x
				if math.Abs(float64(mean.Pix[i])-m) > 1000*tolerance || math.Abs(float64(std.Pix[i])-math.Sqrt(v)) > tolerance*10 {
					t.Fatalf("pixel %d: mean %g std %g, want %g %g", i, mean.Pix[i], std.Pix[i], m, math.Sqrt(v))
				}
				if s.Samples()[1].Pix[i] != all[1][at] {
					t.Fatalf("sample 1 at %d is %g, want %g", i, s.Samples()[1].Pix[i], all[1][at])
				}
			}
		}
	}
}

func TestSummary_WithExactMean_StdIsAboutIt(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	grid := operator.Grid{C: 1, H: 2, W: 2, ImgH: 2, ImgW: 2}
	s := summary.New(grid, summary.Options{})
	feed(t, dev, s, solvers.Estimate, grid.Domain(), []float32{1, 1, 1, 1})
	feed(t, dev, s, solvers.Draw, grid.Domain(), []float32{2, 2, 2, 2}, []float32{4, 4, 4, 4})
	if m := s.Mean().Pix[0]; m != 1 {
		t.Errorf("mean %g, want the estimate 1", m)
	}
	if got, want := float64(s.Std().Pix[0]), math.Sqrt((1.0+9.0)/2); math.Abs(got-want) > 1e-6 {
		t.Errorf("std %g, want %g", got, want)
	}
}

func TestSummary_NaN_IsAnError(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	grid := operator.Grid{C: 1, H: 2, W: 2, ImgH: 2, ImgW: 2}
	s := summary.New(grid, summary.Options{})
	x, _ := dev.Alloc(engine.Shape{1, 1, 2, 2})
	stream := dev.NewStream()
	stream.Upload(x, []float32{0, float32(math.NaN()), 0, 0})
	if err := s.Add(solvers.Step{State: &solvers.State{X: x, Kind: solvers.Draw, Count: 1, Stream: stream}}); err == nil {
		t.Fatal("a diverged draw was taken")
	}
}

func chainsOf(rng *rand.Rand, chains, n int, rho float64, offset func(c int) float64) [][]float64 {
	out := make([][]float64, chains)
	for c := range out {
		x := rng.NormFloat64()
		for range n {
			x = rho*x + math.Sqrt(1-rho*rho)*rng.NormFloat64()
			out[c] = append(out[c], x+offset(c))
		}
	}
	return out
}

// Theory: the integrated autocorrelation time of an AR(1) chain is (1+ρ)/(1−ρ).
func TestESS_AR1_MatchesTheory(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, rho := range []float64{0, 0.5, 0.9} {
		const chains, n, tolerance = 4, 5000, 0.15
		got := summary.ESS(chainsOf(rng, chains, n, rho, func(int) float64 { return 0 }))
		want := chains * n * (1 - rho) / (1 + rho)
		if math.Abs(got/want-1) > tolerance {
			t.Errorf("ρ = %g: ESS %.0f, want %.0f", rho, got, want)
		}
	}
}

func TestRHat_TellsChainsThatDisagree(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	if r := summary.RHat(chainsOf(rng, 4, 1000, 0, func(int) float64 { return 0 })); math.Abs(r-1) > 0.01 {
		t.Errorf("equal chains: R-hat %.3f", r)
	}
	if r := summary.RHat(chainsOf(rng, 4, 1000, 0, func(c int) float64 { return float64(c) })); r < 1.3 {
		t.Errorf("chains one σ apart: R-hat %.3f", r)
	}
	drift := chainsOf(rng, 1, 1000, 0, func(int) float64 { return 0 })
	for i := range drift[0] {
		drift[0][i] += 4 * float64(i) / 1000
	}
	if r := summary.RHat(drift); r < 1.2 {
		t.Errorf("a drifting chain: R-hat %.3f", r)
	}
	if r := summary.RHat([][]float64{{1, 2}, {1, 2}}); !math.IsNaN(r) {
		t.Errorf("two draws: R-hat %.3f, want NaN", r)
	}
}
