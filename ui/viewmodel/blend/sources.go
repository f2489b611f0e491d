package blend

import (
	"math"
	"slices"

	"limpid/solvers/deblend"
	"limpid/ui/viewmodel/form"
)

// Sources is the list.
func (m *Model) Sources() []Source { return m.sources }

// Chosen is the ID of the source chosen; 0: none.
func (m *Model) Chosen() int { return m.chosen }

// Choose chooses one; 0: none.
func (m *Model) Choose(id int) {
	if id != m.chosen {
		m.chosen = id
		m.show()
	}
}

func (m *Model) index(id int) int {
	return slices.IndexFunc(m.sources, func(s Source) bool { return s.ID == id })
}

// Near is the ID of the source nearest to a pixel within a distance; 0: none.
func (m *Model) Near(x, y, within float64) int {
	best := 0
	for _, s := range m.sources {
		if d := math.Hypot(s.X-x, s.Y-y); d < within {
			best, within = s.ID, d
		}
	}
	return best
}

// remember notes the list and the form for undo.
func (m *Model) remember() {
	m.undo = append(m.undo, edit{slices.Clone(m.sources), m.form.Values()})
	if len(m.undo) > 100 {
		m.undo = m.undo[1:]
	}
	m.redo = nil
}

// Undo takes the last change of the list back; it says whether there was one.
func (m *Model) Undo() bool { return m.swap(&m.undo, &m.redo) }

// Redo does it again.
func (m *Model) Redo() bool { return m.swap(&m.redo, &m.undo) }

// CanUndo and CanRedo say whether there is something.
func (m *Model) CanUndo() bool { return len(m.undo) > 0 }

// CanRedo says whether there is something to do again.
func (m *Model) CanRedo() bool { return len(m.redo) > 0 }

func (m *Model) swap(from, to *[]edit) bool {
	n := len(*from)
	if n == 0 {
		return false
	}
	*to = append(*to, edit{slices.Clone(m.sources), m.form.Values()})
	was := (*from)[n-1]
	*from = (*from)[:n-1]
	m.sources = was.sources
	reads := false // the form says to read other pixels
	for _, id := range []form.ID{PSF, Noise, Sky, Cutout} {
		now := m.form.Get(id)
		reads = reads || now != was.form[id] && (now != "" || was.form[id] != "")
	}
	m.form.Restore(was.form)
	if reads {
		m.load(0)
	}
	m.show()
	return true
}

// AddSource puts a source at a pixel and chooses it.
func (m *Model) AddSource(x, y float64) {
	m.remember()
	m.lastID++
	m.sources = append(m.sources, Source{Source: deblend.Source{ID: m.lastID, X: x, Y: y, Kind: deblend.Galaxy}})
	m.chosen = m.lastID
	m.show()
}

// RemoveSource takes one off; it says whether it was there.
func (m *Model) RemoveSource(id int) bool {
	i := m.index(id)
	if i < 0 {
		return false
	}
	m.remember()
	m.sources = slices.Delete(slices.Clone(m.sources), i, i+1)
	m.chosen = 0
	m.show()
	return true
}

// MoveSource puts a source elsewhere; final ends a drag.
func (m *Model) MoveSource(id int, x, y float64, first bool) {
	i := m.index(id)
	if i < 0 {
		return
	}
	if first {
		m.remember()
	}
	m.sources = slices.Clone(m.sources)
	m.sources[i].X, m.sources[i].Y = x, y
	m.changed()
}

// ToggleKind makes a galaxy a star, or the other way round.
func (m *Model) ToggleKind(id int) {
	i := m.index(id)
	if i < 0 {
		return
	}
	m.remember()
	m.sources = slices.Clone(m.sources)
	if m.sources[i].Kind == deblend.Star {
		m.sources[i].Kind = deblend.Galaxy
	} else {
		m.sources[i].Kind = deblend.Star
	}
	m.changed()
}

// Peel takes a source off the picture or puts it back.
func (m *Model) Peel(id int) {
	if i := m.index(id); i >= 0 {
		m.sources = slices.Clone(m.sources)
		m.sources[i].Hidden = !m.sources[i].Hidden
		if m.sources[i].Hidden && m.entry != nil {
			m.board.Show("peeled")
		}
		m.show()
	}
}

// Adding says whether clicks add sources.
func (m *Model) Adding() bool { return m.adding }

// SetAdding makes clicks add sources, or choose them.
func (m *Model) SetAdding(on bool) {
	if on != m.adding {
		m.adding = on
		m.changed()
	}
}

// Edited says whether the list differs from the one that was fitted in the run shown.
func (m *Model) Edited() bool {
	if m.entry == nil || len(m.entry.D.Sources) != len(m.sources) {
		return m.entry != nil
	}
	for i, s := range m.sources {
		if s.Source != m.entry.D.Sources[i] {
			return true
		}
	}
	return false
}
