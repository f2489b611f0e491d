package lensing

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"limpid/app/session"
	"limpid/app/session/lens"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/measure"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
)

// beside is what is shown with a map without having been computed by its run.
type beside struct {
	key      string
	of       *massmap.Field
	overlay  *lens.Overlay
	aperture *measure.Aperture
	sn       []float32 // of the aperture mass
	err      error
	timer    *time.Timer

	profile *Profile
}

// Profile is κ in rings about a place of a map.
type Profile struct {
	X, Y float64 // pixels from 0
	Band measure.Band
	of   *lens.Result
}

// Rings of a profile, in arcmin.
const (
	ringWidth  = 0.5
	ringRadius = 10
)

// rebeside reads overlays and computes the aperture mass anew, where the form or the field
// have changed.
func (m *Model) rebeside(rest time.Duration) {
	if m.beside.timer != nil {
		m.beside.timer.Stop()
	}
	if rest > 0 {
		m.beside.timer = time.AfterFunc(rest, func() { m.run.Answer(func() { m.rebeside(0) }) })
		return
	}
	f := m.bin.field
	m.form.Check()
	r := m.recipe()
	if f == nil || m.form.First() != "" {
		return
	}
	key := fmt.Sprintf("%s %s %+v", r.Marks, r.Contours, r.Aperture)
	if r.Aperture != nil {
		key = fmt.Sprintf("%s %s %+v", r.Marks, r.Contours, *r.Aperture)
	}
	if key == m.beside.key && f == m.beside.of {
		return
	}
	m.beside.key, m.beside.of = key, f
	m.run.Go(func(ctx context.Context) func() {
		over, err := lens.OpenOverlay(ctx, f, r.Marks, r.Contours)
		var ap *measure.Aperture
		var sn []float32
		if r.Aperture != nil {
			var e error
			ap, e = measure.ApertureMass(f, r.Aperture.Filter, r.Aperture.Radius)
			err = errors.Join(err, e)
		}
		if ap != nil {
			sn = make([]float32, len(ap.Mass))
			for i, s := range ap.Std {
				sn[i] = float32(math.NaN())
				if s > 0 {
					sn[i] = ap.Mass[i] / s
				}
			}
		}
		return func() {
			if m.beside.key != key || m.beside.of != f {
				return
			}
			b := &m.beside
			b.overlay, b.aperture, b.sn, b.err = over, ap, sn, err
			m.show()
			m.changed()
		}
	})
}

// besideFindings are what went wrong with what is beside the map.
func (m *Model) besideFindings() (out []viewmodel.Finding) {
	if m.beside.err != nil {
		x := session.Problem(m.beside.err)
		x.What = form.Plain(x.What)
		out = append(out, viewmodel.Finding{Finding: x})
	}
	if o := m.beside.overlay; o != nil {
		for _, x := range o.Findings {
			out = append(out, viewmodel.Finding{Finding: x})
		}
	}
	return out
}

// Overlay is what is drawn over the maps; nil: nothing. Its places are pixels of the field
// that the form describes, so that a run of other pixels has its own.
func (m *Model) Overlay() *lens.Overlay {
	if e := m.entry; e != nil && e.Result != nil && e.Result.Overlay != nil {
		return e.Result.Overlay
	}
	if f, g := m.field(), m.bin.field; f == nil || g == nil || f.W != g.W || f.H != g.H || f.Arcmin != g.Arcmin {
		return nil
	}
	return m.beside.overlay
}

// Sticks says whether the shear is drawn over the maps of κ.
func (m *Model) Sticks() bool { return m.form.On(Sticks) }

// ProfileAt shows κ in rings about a pixel of the map shown; it needs a result.
func (m *Model) ProfileAt(x, y float64) {
	if m.entry == nil || m.entry.Result == nil {
		return
	}
	r := m.entry.Result
	f := r.Job.Field
	if x < -0.5 || y < -0.5 || x > float64(f.W)-0.5 || y > float64(f.H)-0.5 {
		return
	}
	m.run.Go(func(context.Context) func() {
		width := math.Max(ringWidth, f.Arcmin)
		b, err := measure.Profile(f, r.Mean, r.Samples, x, y, width, math.Max(ringRadius, 4*width))
		if err != nil {
			return nil
		}
		return func() {
			if m.entry != nil && m.entry.Result == r {
				m.beside.profile = &Profile{X: x, Y: y, Band: b, of: r}
				m.changed()
			}
		}
	})
}

// Profile is the one last asked for of the map shown; nil: none.
func (m *Model) Profile() *Profile {
	if p := m.beside.profile; p != nil && m.entry != nil && m.entry.Result == p.of {
		return p
	}
	return nil
}
