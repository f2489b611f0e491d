// Package summary keeps what a run is for: the mean, the standard deviation,
// samples, and the traces that tell whether the chains agree.
package summary

import (
	"fmt"
	"math"
	"slices"

	"limpid/solvers"
	"limpid/solvers/operator"
)

// Options of a Summary.
type Options struct {
	Keep   int // samples to keep, the first ones; 0: none
	Chains int // draws are dealt to this many chains in turn; default 1
	Probes int // pixels per band whose traces are kept, on a lattice; default 256
	// Smooth brings a scene on the grid, (C, H, W), to the resolution that is asked for, in
	// place; everything that is given out but GridMean is then of smoothed scenes. draw is
	// the number of the draw, −1 for an estimate. nil: scenes are given out as they are.
	Smooth func(scene []float32, draw int) error
}

// Summary accumulates the steps of a run over the grid; what it gives out is the
// image's window of it. It is not safe for concurrent use.
type Summary struct {
	grid   operator.Grid
	opt    Options
	window solvers.Image // (C, ImgH, ImgW) scratch
	host   []float32     // (C, H, W) scratch: a scene as it is given out
	plain  []float32     // (C, H, W) the scene as it is; host itself without Smooth

	estimate []float32 // (C, H, W); nil until an Estimate or Preview came
	shown    []float32 // the estimate, smoothed with Smooth
	preview  bool      // estimate goes at the first draw
	draws    int
	mean, m2 []float64 // (C, H, W), smoothed
	raw      []float64 // (C, H, W) mean of the scenes as they are; mean itself without Smooth
	samples  []solvers.Image
	probes   []int       // pixel indices into the window, all bands
	traces   [][]float64 // per probe, then per band flux; draws in order
}

// New allocates a summary of scenes on grid.
func New(grid operator.Grid, o Options) *Summary {
	if o.Chains == 0 {
		o.Chains = 1
	}
	if o.Probes == 0 {
		o.Probes = 256
	}
	n := grid.C * grid.H * grid.W
	s := &Summary{
		grid: grid, opt: o, window: solvers.NewImage(grid.C, grid.ImgH, grid.ImgW),
		host: make([]float32, n), mean: make([]float64, n), m2: make([]float64, n),
	}
	s.raw, s.plain = s.mean, s.host
	if o.Smooth != nil {
		s.raw, s.plain = make([]float64, n), make([]float32, n)
	}
	s.probes = lattice(grid, o.Probes)
	s.traces = make([][]float64, len(s.probes)+grid.C)
	return s
}

// Memory is what New and Keep samples take, in bytes.
func Memory(grid operator.Grid, o Options) int64 {
	grids, windows := int64(2*8+4+4+4), int64(2+o.Keep)*4
	if o.Smooth != nil {
		grids += 8 + 4
	}
	return int64(grid.C) * (grids*int64(grid.H)*int64(grid.W) + windows*int64(grid.ImgH)*int64(grid.ImgW))
}

// lattice spreads about n probes evenly over each band.
func lattice(g operator.Grid, n int) []int {
	step := max(1, int(math.Ceil(math.Sqrt(float64(g.ImgH*g.ImgW)/float64(n)))))
	var out []int
	for c := range g.C {
		for y := step / 2; y < g.ImgH; y += step {
			for x := step / 2; x < g.ImgW; x += step {
				out = append(out, (c*g.ImgH+y)*g.ImgW+x)
			}
		}
	}
	return out
}

// Add takes a step in: an Estimate replaces the one before, Draws accumulate, a
// Preview stands until they come, Warmup is passed over.
func (s *Summary) Add(st solvers.Step) error {
	state := st.State
	if state.Kind == solvers.Warmup {
		return nil
	}
	for i := range state.Count {
		state.Stream.Download(s.host, state.X.Slice(i, i+1))
		if err := state.Stream.Err(); err != nil {
			return err
		}
		for j, v := range s.host {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return fmt.Errorf("summary: step %d: value %g at pixel %d: the run has diverged", st.Index, v, j)
			}
		}
		if state.Kind == solvers.Estimate || state.Kind == solvers.Preview {
			if err := s.smooth(-1); err != nil {
				return err
			}
			s.estimate = append(s.estimate[:0], s.plain...)
			s.shown = append(s.shown[:0], s.host...)
			s.preview = state.Kind == solvers.Preview
			continue
		}
		if s.preview {
			s.estimate, s.shown, s.preview = nil, nil, false
		}
		if err := s.addDraw(); err != nil {
			return err
		}
	}
	return nil
}

// crop copies the image's window of a grid.
func (s *Summary) crop(dst solvers.Image, value func(i int) float32) solvers.Image {
	g := s.grid
	for c := range g.C {
		for y := range g.ImgH {
			at, to := (c*g.H+y+g.Row)*g.W+g.Col, (c*g.ImgH+y)*g.ImgW
			for x := range g.ImgW {
				dst.Pix[to+x] = value(at + x)
			}
		}
	}
	return dst
}

func (s *Summary) newWindow() solvers.Image {
	return solvers.NewImage(s.grid.C, s.grid.ImgH, s.grid.ImgW)
}

// smooth leaves the scene of host in plain, and what is given out of it in host.
func (s *Summary) smooth(draw int) error {
	if s.opt.Smooth == nil {
		return nil
	}
	copy(s.plain, s.host)
	return s.opt.Smooth(s.host, draw)
}

// addDraw updates mean and squared deviations (Welford 1962). A draw that cannot be
// smoothed is not counted.
func (s *Summary) addDraw() error {
	if err := s.smooth(s.draws); err != nil {
		return err
	}
	s.draws++
	inv := 1 / float64(s.draws)
	if s.opt.Smooth != nil {
		for i, v := range s.plain {
			s.raw[i] += (float64(v) - s.raw[i]) * inv
		}
	}
	for i, v := range s.host {
		x := float64(v)
		d := x - s.mean[i]
		s.mean[i] += d * inv
		s.m2[i] += d * (x - s.mean[i])
	}
	s.crop(s.window, func(i int) float32 { return s.host[i] })
	if len(s.samples) < s.opt.Keep {
		s.samples = append(s.samples, s.window.Clone())
	}
	for i, p := range s.probes {
		s.traces[i] = append(s.traces[i], float64(s.window.Pix[p]))
	}
	for c := range s.grid.C {
		s.traces[len(s.probes)+c] = append(s.traces[len(s.probes)+c], Flux(s.window, c))
	}
	return nil
}

// Flux is the sum of a band over the window.
func Flux(im solvers.Image, c int) float64 {
	var sum float64
	for _, v := range im.Plane(c) {
		sum += float64(v)
	}
	return sum
}

// Draws is the number of draws taken in.
func (s *Summary) Draws() int { return s.draws }

// Mean is the estimate if the kernel gave one (the exact mean of a conjugate
// posterior, the last iteration of an optimiser), else the mean of the draws.
// It is empty before the first step.
func (s *Summary) Mean() solvers.Image {
	switch {
	case s.estimate != nil:
		return s.crop(s.newWindow(), func(i int) float32 { return s.shown[i] })
	case s.draws == 0:
		return solvers.Image{}
	}
	return s.crop(s.newWindow(), func(i int) float32 { return float32(s.mean[i]) })
}

// GridEstimate is the latest Estimate or Preview on the grid, nil without one.
func (s *Summary) GridEstimate() []float32 { return s.estimate }

// GridMean is the mean, not smoothed, over the whole grid, (C, H, W): what the operator
// takes.
func (s *Summary) GridMean() []float32 {
	if s.estimate != nil {
		return s.estimate
	}
	out := make([]float32, len(s.raw))
	for i, v := range s.raw {
		out[i] = float32(v)
	}
	return out
}

// Std is the standard deviation of the draws: about the exact mean if the kernel
// gave one (divisor n), else about their own (n−1). Its relative error is
// 1/√(2n). It is empty with fewer than two draws.
func (s *Summary) Std() solvers.Image {
	if s.draws < 2 {
		return solvers.Image{}
	}
	n := float64(s.draws)
	if s.estimate == nil {
		return s.crop(s.newWindow(), func(i int) float32 { return float32(math.Sqrt(s.m2[i] / (n - 1))) })
	}
	return s.crop(s.newWindow(), func(i int) float32 {
		d := s.mean[i] - float64(s.shown[i])
		return float32(math.Sqrt(s.m2[i]/n + d*d))
	})
}

// Samples are the kept draws, oldest first. They do not change any more.
func (s *Summary) Samples() []solvers.Image { return s.samples }

// FluxTrace is the flux of band c in every draw.
func (s *Summary) FluxTrace(c int) []float64 { return s.traces[len(s.probes)+c] }

// FluxStd is the standard deviation of band c's flux over the draws; NaN with
// fewer than two.
func (s *Summary) FluxStd(c int) float64 {
	t := s.FluxTrace(c)
	if len(t) < 2 {
		return math.NaN()
	}
	_, v := moments(t)
	return math.Sqrt(v)
}

// Convergence is how well the chains agree, over the probe pixels and the fluxes.
// With few draws the worst of many quantities is large by chance; the medians
// tell about the run, the worst about what to look at.
type Convergence struct {
	RHat      float64 // median split R-hat; NaN with < 4 draws per chain
	ESS       float64 // median effective sample size
	WorstRHat float64
	WorstESS  float64
}

// Convergence deals the draws to the chains in turn and compares them.
func (s *Summary) Convergence() Convergence {
	chains := make([][]float64, s.opt.Chains)
	var rhat, ess []float64
	for _, trace := range s.traces {
		for c := range chains {
			chains[c] = chains[c][:0]
		}
		for i, v := range trace {
			chains[i%s.opt.Chains] = append(chains[i%s.opt.Chains], v)
		}
		if r := RHat(chains); !math.IsNaN(r) {
			rhat, ess = append(rhat, r), append(ess, ESS(chains))
		}
	}
	if len(rhat) == 0 {
		nan := math.NaN()
		return Convergence{nan, nan, nan, nan}
	}
	slices.Sort(rhat)
	slices.Sort(ess)
	return Convergence{
		RHat: rhat[len(rhat)/2], WorstRHat: rhat[len(rhat)-1],
		ESS: ess[len(ess)/2], WorstESS: ess[0],
	}
}
