package mcmc

import (
	"context"

	"gonum.org/v1/gonum/mat"

	"limpid/engine"
	"limpid/solvers"
	"limpid/solvers/operator"
)

// beside is what Exact needs of the columns P beside the scene. Everything on the device is
// in normalised units.
type beside struct {
	op     *operator.Convolution
	w      solvers.Image    // (C, ImgH, ImgW) weights of the data
	unit   []float64        // of the data, per band
	z      []*engine.Tensor // (C, H, W) Z, per column
	zAll   *engine.Tensor
	inv    *engine.Tensor // (C, H, W/2+1) 1/P
	image  *engine.Tensor // (C, ImgH, ImgW) scratch
	a      *amplitudes
	column solvers.Image // scratch
}

func newBeside(dev engine.Device, k *Exact, op *operator.Convolution, unit []float64, power *engine.Tensor) (*beside, error) {
	b := &beside{op: op, w: k.cfg.Weights, unit: unit, column: solvers.NewImage(op.C, op.ImgH, op.ImgW)}
	var err error
	if b.zAll, err = dev.Alloc(append(engine.Shape{len(k.cfg.Columns)}, op.Domain()...)); err != nil {
		return nil, err
	}
	if b.image, err = dev.Alloc(op.Range()); err != nil {
		b.close()
		return nil, err
	}
	if b.inv, err = dev.Alloc(power.Shape()); err != nil {
		b.close()
		return nil, err
	}
	k.stream.Map(b.inv, engine.Recip, power)
	for i := range k.cfg.Columns {
		b.z = append(b.z, b.zAll.Slice(i, i+1).Reshape(op.Domain()...))
	}
	return b, nil
}

// weighted is w P of column i on the grid, over the data's unit.
func (b *beside) weighted(n *solvers.Nuisance, i int) solvers.Image {
	b.fill(n, i)
	plane := b.op.ImgH * b.op.ImgW
	for j, v := range b.column.Pix {
		b.column.Pix[j] = float32(float64(v) * float64(b.w.Pix[j]) * b.unit[j/plane])
	}
	return b.op.Embed(b.column)
}

// fill leaves P of column i in column.
func (b *beside) fill(n *solvers.Nuisance, i int) {
	one := make([]float64, n.Len())
	one[i] = 1
	clear(b.column.Pix)
	n.Add(b.column.Pix, 1, one)
}

// less is y − H x for a scene x in normalised units.
func (b *beside) less(s engine.Stream, y []float32, x *engine.Tensor) []float32 {
	b.op.Forward(s, b.image, x)
	out := make([]float32, b.image.Len())
	s.Download(out, b.image)
	plane := b.op.ImgH * b.op.ImgW
	for i, v := range out {
		out[i] = float32(float64(y[i]) - float64(v)*b.unit[i/plane])
	}
	return out
}

// solve finds Z and the posterior of a, and takes Z times its mean off the mean of the
// scene, which is in the conditional's x.
func (b *beside) solve(ctx context.Context, k *Exact) error {
	s, v := k.stream, k.cond.view(1)
	cols := k.cfg.Columns
	n, err := solvers.NewNuisance(cols, b.w)
	if err != nil {
		return err
	}
	mu := v.x.Reshape(k.mean.Shape()...)
	s.Copy(k.mean, mu)
	host := func(t *engine.Tensor) []float32 {
		out := make([]float32, t.Len())
		s.Download(out, t)
		return out
	}
	mean, rest := host(k.mean), b.less(s, k.cfg.Data.Pix, k.mean)
	excess := make([]float64, len(cols))
	residuals := make([][]float32, len(cols)) // P − H Z
	m := mat.NewSymDense(len(cols), nil)
	for j := range cols {
		s.Upload(b.z[j], b.weighted(n, j).Pix)
		if _, err := k.cond.mean(ctx, 1, b.z[j], k.cfg.MeanTol); err != nil {
			return err
		}
		s.Copy(b.z[j], mu)
		b.fill(n, j)
		residuals[j] = b.less(s, b.column.Pix, b.z[j])
		s.RFFT2(v.spec, v.x)
		s.CScale(v.spec, v.spec, b.inv)
		s.IRFFT2(v.real, v.spec)
		cz := host(v.real)
		excess[j] = stationary(b.w.Pix, rest, residuals[j], mean, cz)
		for i := range j + 1 {
			m.SetSym(i, j, stationary(b.w.Pix, residuals[i], residuals[j], host(b.z[i]), cz))
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	if b.a, err = newAmplitudes(cols, m, excess); err != nil {
		return err
	}
	s.Copy(mu, k.mean)
	for i, v := range b.a.mean {
		s.Axpy(mu, float32(-v), b.z[i])
	}
	return nil
}

// scatter gives n draws, which are about the mean of the scene, the scatter that a brings.
func (b *beside) scatter(k *Exact, n int, key func(i int) engine.Key) {
	scenes := k.cond.view(n).x
	for i := range n {
		x := scenes.Slice(i, i+1).Reshape(b.op.Domain()...)
		for j, v := range b.a.scatter(key(i)) {
			k.stream.Axpy(x, float32(-v), b.z[j])
		}
	}
}

// Amplitudes is the posterior's mean of a, once the first step has been made.
func (k *Exact) Amplitudes() []float64 { return k.beside.a.mean }

func (b *beside) close() {
	b.zAll.Free()
	b.inv.Free()
	b.image.Free()
}
