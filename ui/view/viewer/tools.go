package viewer

import (
	"limpid/app/figure"
	"limpid/ui/view/scale"
	"limpid/ui/viewmodel"
)

// newTools makes the controls below the images. They act on the active tile.
func newTools(m *viewmodel.Model) *scale.Tools {
	act := func(f func(*viewmodel.Tile)) {
		if tiles := m.Tiles(); len(tiles) > 0 {
			f(tiles[m.ActiveTile()])
		}
	}
	return scale.New(scale.Actions{
		Look:   func(f func(*viewmodel.Look)) { act(func(t *viewmodel.Tile) { m.SetLook(t, f) }) },
		Rule:   func(s string) { act(func(t *viewmodel.Tile) { m.SetRule(t, s) }) },
		Limits: func(l figure.Limits) { act(func(t *viewmodel.Tile) { m.SetLimits(t, l) }) },
		Type: func(lo, hi string) (err error) {
			act(func(t *viewmodel.Tile) { err = m.TypeLimits(t, lo, hi) })
			return err
		},
		Match: m.SetMatched,
	})
}

func (v *Viewer) showTools() {
	tiles := v.m.Tiles()
	if len(tiles) == 0 || tiles[v.m.ActiveTile()].Picture == nil || tiles[v.m.ActiveTile()].Source == viewmodel.Colour {
		v.tools.Show(nil)
		return
	}
	t := tiles[v.m.ActiveTile()]
	v.tools.Show(&scale.State{
		Title: t.Title, Look: v.m.Look(t), Style: v.m.Style(t), Rule: v.m.Rule(t), Counts: v.m.Counts(t), Of: t.Picture, Matched: v.m.Matched(),
	})
}
