package deconv

import (
	"fmt"
	"math"
	"slices"

	"limpid/engine"
	"limpid/solvers"
)

// misfit accumulates the χ² of single draws.
type misfit struct {
	y, w, model *engine.Tensor // (C, H, W)
	chi2        *engine.Tensor // (C)
	host        []float32
	sums        []float64
	valid       []float64
	draws       int
}

func (m *misfit) init(p *Problem) error {
	r := p.Op.Range()
	for _, a := range []struct {
		t     **engine.Tensor
		shape engine.Shape
	}{{&m.y, r}, {&m.w, r}, {&m.model, r}, {&m.chi2, r[:1]}} {
		var err error
		if *a.t, err = p.dev.Alloc(a.shape); err != nil {
			return fmt.Errorf("deconv: misfit of draws: %w", err)
		}
	}
	weights := p.kernelWeights()
	p.stream.Upload(m.y, p.plainData().Pix)
	p.stream.Upload(m.w, weights.Pix)
	m.host, m.sums, m.valid = make([]float32, r[0]), make([]float64, r[0]), make([]float64, r[0])
	for c := range m.valid {
		for _, w := range weights.Plane(c) {
			if w > 0 {
				m.valid[c]++
			}
		}
	}
	return p.stream.Err()
}

func (m *misfit) close() {
	for _, t := range []*engine.Tensor{m.y, m.w, m.model, m.chi2} {
		t.Free()
	}
}

// AddDraws takes the χ² of a step's draws in; other steps are passed over.
func (p *Problem) AddDraws(st solvers.Step) error {
	m := &p.misfit
	if st.State.Kind != solvers.Draw || m.y == nil {
		return nil
	}
	s, d := p.stream, p.Op.Domain()
	for i := range st.State.Count {
		x := st.State.X.Slice(i, i+1).Reshape(d...)
		p.kernelOp().Forward(s, m.model, x)
		if p.beside != nil {
			if err := p.addBeside(x); err != nil {
				return err
			}
		}
		s.Sub(m.model, m.y, m.model)
		s.Mul(m.model, m.model, m.model)
		s.Dot(m.chi2, m.model, m.w)
		s.Download(m.host, m.chi2)
		if err := s.Err(); err != nil {
			return err
		}
		for c, v := range m.host {
			m.sums[c] += float64(v) / m.valid[c]
		}
		m.draws++
	}
	return s.Err()
}

// addBeside draws what is beside a draw of the scene, whose model stands in the misfit, and
// adds it there.
func (p *Problem) addBeside(x *engine.Tensor) error {
	m, s, b := &p.misfit, p.stream, p.beside
	scene, model := make([]float32, x.Len()), make([]float32, m.model.Len())
	s.Download(scene, x)
	s.Download(model, m.model)
	if err := s.Err(); err != nil {
		return err
	}
	a := b.given(model, m.draws)
	b.rows = append(b.rows, append(append([]float64(nil), a...), p.around(scene, a)...))
	b.n.Add(model, 1, a)
	s.Upload(m.model, model)
	return nil
}

// Adopt takes over what another problem of the same observation, whose device failed,
// has found of its draws.
func (p *Problem) Adopt(old *Problem) {
	m := &p.misfit
	if len(m.sums) == len(old.misfit.sums) {
		copy(m.sums, old.misfit.sums)
		m.draws = old.misfit.draws
	}
	p.SetBesideRows(old.BesideRows())
}

// Chi2Sums are what AddDraws gathered: χ² per pixel summed over the draws, per band.
func (p *Problem) Chi2Sums() (sums []float64, draws int) {
	return slices.Clone(p.misfit.sums), p.misfit.draws
}

// SetChi2Sums takes sums of an earlier run of the same problem over; it is false where
// they are of another number of bands.
func (p *Problem) SetChi2Sums(sums []float64, draws int) bool {
	if len(sums) != len(p.misfit.sums) {
		return false
	}
	copy(p.misfit.sums, sums)
	p.misfit.draws = draws
	return true
}

func (p *Problem) chi2Draws(c int) float64 {
	if p.misfit.draws == 0 {
		return math.NaN()
	}
	return p.misfit.sums[c] / float64(p.misfit.draws)
}
