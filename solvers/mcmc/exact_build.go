package mcmc

import (
	"math"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/optim"
)

// build allocates and fills every tensor of the kernel.
func (k *Exact) build(dev engine.Device) error {
	g := k.op.Grid
	image, half := g.Domain(), engine.Shape{g.C, g.H, g.W/2 + 1}
	scenes := engine.Shape{k.batch, g.C, g.H, g.W}
	type want struct {
		t     **engine.Tensor
		shape engine.Shape
	}
	list := []want{
		{&k.w, image}, {&k.rootW, image}, {&k.rootD, image}, {&k.wy, image}, {&k.mean, image},
		{&k.c, half}, {&k.schur, half}, {&k.noise, half},
		{&k.post, image.Spectrum()}, {&k.cross, image.Spectrum()},
		{&k.unit, engine.Shape{k.shape[0]}},
		{&k.x, scenes}, {&k.u, scenes}, {&k.rhs, scenes}, {&k.real, scenes},
		{&k.spec, scenes.Spectrum()}, {&k.spec2, scenes.Spectrum()},
	}
	w, unit := k.normalisedWeights()
	used := usedLevels(w)
	k.levels, k.gains = make([]*engine.Tensor, len(used)), make([]*engine.Tensor, len(used))
	for i := range used {
		list = append(list, want{&k.levels[i], image}, want{&k.gains[i], half})
	}
	for _, a := range list {
		t, err := dev.Alloc(a.shape)
		if err != nil {
			return err
		}
		*a.t = t
		k.all = append(k.all, t)
	}
	var err error
	if k.cg, err = optim.NewCG(dev, k.shape); err != nil {
		return err
	}
	k.cg.MaxIter = maxIterations
	k.fillPixels(w, unit, used)
	k.fillFilters(unit, used)
	return k.stream.Err()
}

// maxIterations bounds a solve; the residual it stopped at is reported.
const maxIterations = 600

// normalisedWeights are the weights on the grid over their largest value, and
// the data's unit 1/√max(w) per band.
func (k *Exact) normalisedWeights() (w solvers.Image, unit []float64) {
	w = k.op.Embed(k.cfg.Weights)
	unit = make([]float64, w.C)
	for c := range unit {
		plane, top := w.Plane(c), float32(0)
		for _, v := range plane {
			top = max(top, v)
		}
		unit[c] = 1
		if top > 0 {
			unit[c] = 1 / math.Sqrt(float64(top))
		}
		for i := range plane {
			plane[i] = float32(float64(plane[i]) * unit[c] * unit[c])
		}
	}
	return w, unit
}

// usedLevels lists the levels that any fair number of noisier pixels belongs to;
// level 0 always (the border).
func usedLevels(w solvers.Image) []int {
	share := make([]float64, len(levelWeights))
	for _, v := range w.Pix {
		if v < 1 {
			for l := range share {
				share[l] += levelShare(float64(v), l) * float64(1-v)
			}
		}
	}
	used := []int{0}
	for l := 1; l < len(share); l++ {
		if share[l] > 1e-4*float64(len(w.Pix)) {
			used = append(used, l)
		}
	}
	return used
}

func (k *Exact) fillPixels(w solvers.Image, unit []float64, used []int) {
	s := k.stream
	n := len(w.Pix)
	rootW, rootD, wy := make([]float32, n), make([]float32, n), k.op.Embed(k.cfg.Data)
	plane := w.H * w.W
	for i, v := range w.Pix {
		rootW[i] = float32(math.Sqrt(float64(v)))
		rootD[i] = float32(math.Sqrt(max(0, 1-float64(v))))
		wy.Pix[i] = float32(float64(v) * float64(wy.Pix[i]) / unit[i/plane])
	}
	s.Upload(k.w, w.Pix)
	s.Upload(k.rootW, rootW)
	s.Upload(k.rootD, rootD)
	s.Upload(k.wy, wy.Pix)
	level := make([]float32, n)
	for i, l := range used {
		for j, v := range w.Pix {
			level[j] = float32(math.Sqrt(levelShare(float64(v), l))) * rootD[j]
		}
		s.Upload(k.levels[i], level)
	}
	units := make([]float32, k.shape[0])
	for i := range units {
		units[i] = float32(unit[i%len(unit)])
	}
	s.Upload(k.unit, units)
}

func (k *Exact) fillFilters(unit []float64, used []int) {
	g, s := k.op.Grid, k.stream
	modes := g.H * (g.W/2 + 1)
	transfer := make([]float32, 2*modes*g.C)
	s.Download(transfer, k.op.Transfer)
	c, schur, noise := make([]float32, modes*g.C), make([]float32, modes*g.C), make([]float32, modes*g.C)
	post, cross := make([]float32, 2*modes*g.C), make([]float32, 2*modes*g.C)
	gains := make([][]float32, len(used))
	for i := range gains {
		gains[i] = make([]float32, modes*g.C)
	}
	for b := range g.C {
		power := k.cfg.Spectra[b].OnGrid(g.H, g.W)
		for m, p := range power {
			p /= unit[b] * unit[b]
			i := b*modes + m
			re, im := float64(transfer[2*i]), float64(transfer[2*i+1])
			s2 := p * (re*re + im*im)
			ci := 1 / (1 + s2)
			c[i], schur[i], noise[i] = float32(ci), float32(s2*ci), float32(math.Sqrt(p)*ci)
			post[2*i], post[2*i+1] = float32(re*p*ci), float32(-im*p*ci)
			cross[2*i], cross[2*i+1] = float32(re*math.Sqrt(p)*ci), float32(im*math.Sqrt(p)*ci)
			for l, level := range used {
				gains[l][i] = float32(s2 / (1 + levelWeights[level]*s2))
			}
		}
	}
	s.Upload(k.c, c)
	s.Upload(k.schur, schur)
	s.Upload(k.noise, noise)
	s.Upload(k.post, post)
	s.Upload(k.cross, cross)
	for l := range gains {
		s.Upload(k.gains[l], gains[l])
	}
}
