package viewmodel

import (
	"math"
	"strings"

	"limpid/app/figure"
	"limpid/app/session"
	"limpid/ui/viewmodel/board"
)

// Look is how values of a kind become colours, but for their limits.
type Look = board.Look

// group is a set of tiles with the same limits: data, mean and samples of one
// band while scales are matched.
type group struct {
	file  *File
	entry *Entry
	hdu   int
	band  int
	kind  string
}

// The kinds of look. What a user chooses for one holds for all tiles of it.
const (
	lookSignal   = "signal"
	lookStd      = "std"
	lookResidual = "residual"
	lookPSF      = "psf"
	lookMap      = "map"
	lookDiff     = "difference"
)

func defaultLooks() map[string]Look {
	return map[string]Look{
		lookSignal:   {Stretch: figure.Asinh, Map: figure.Gray},
		lookStd:      {Stretch: figure.Linear, Map: figure.Magma},
		lookResidual: {Stretch: figure.Linear, Map: figure.Diverging},
		lookPSF:      {Stretch: figure.Asinh, Map: figure.Viridis},
		lookMap:      {Stretch: figure.Linear, Map: figure.Cividis},
		lookDiff:     {Stretch: figure.Linear, Map: figure.Diverging},
	}
}

// RuleAuto chooses limits by what a tile shows; the other rules are those of
// figure.Range.
const RuleAuto = board.RuleAuto

// limitState is where a group's limits come from.
type limitState struct {
	rule   string // RuleAuto or the text of a figure.Range
	limits figure.Limits
	from   *Picture // that they were found in
}

// lookOf says which look a tile has.
func (t *Tile) lookOf() string {
	if strings.HasPrefix(t.group.kind, lookDiff) {
		return lookDiff
	}
	switch t.group.kind {
	case string(Data), string(Mean), string(Draw), string(Colour):
		return lookSignal
	}
	return t.group.kind
}

// groupOf says which tiles share limits with a slot.
func (m *Model) groupOf(s slot) group {
	g := group{file: s.file, entry: s.entry, band: s.band}
	switch s.source {
	case Difference:
		g.kind = lookDiff + ":" + string(s.sides[0]) + ":" + string(s.sides[1])
		return g
	case Colour:
		g.kind = string(Colour)
		return g
	}
	if s.entry == nil {
		g.hdu = s.hdu
		g.kind = lookSignal
		if h, ok := m.hduInfo(s.file, s.hdu); ok {
			switch h.Role {
			case session.RolePSF:
				g.kind = lookPSF
			case session.RoleWeights, session.RoleVariance, session.RoleStd, session.RoleMask:
				g.kind = lookMap
			}
		}
		return g
	}
	switch s.source {
	case Std:
		g.kind = lookStd
	case Residual:
		g.kind = lookResidual
	case Share:
		g.kind = lookMap
	default:
		g.kind = lookSignal
		if !m.panes.matched {
			g.kind = string(s.source)
		}
	}
	return g
}

// settleLimits gives a tile's group limits when it has none, or newer ones while
// they are automatic.
func (m *Model) settleLimits(t *Tile) {
	if t.Picture == nil || t.Stale {
		return
	}
	st, has := m.panes.limits[t.group]
	if has && (st.rule != RuleAuto || st.from == t.Picture) {
		return
	}
	if has && t.group.entry != nil && !t.group.entry.Running() && st.from != nil && sameGrid(st.from, t.Picture) && t.lookOf() != lookStd && t.lookOf() != lookResidual {
		return // another sample of a result that is complete
	}
	m.panes.limits[t.group] = limitState{rule: RuleAuto, limits: usable(t.Picture.auto), from: t.Picture}
}

func sameGrid(a, b *Picture) bool {
	aw, ah := a.Image.Size()
	bw, bh := b.Image.Size()
	return aw == bw && ah == bh
}

func usable(l figure.Limits) figure.Limits { return board.Usable(l) }

// Style is how a tile is drawn.
func (m *Model) Style(t *Tile) figure.Style {
	l := m.panes.looks[t.lookOf()]
	return figure.Style{
		Limits: m.panes.limits[t.group].limits, Stretch: l.Stretch, Map: l.Map, Invert: l.Invert,
		Contrast: l.Contrast, Bias: l.Bias,
	}
}

// Rule is the text of the rule that a tile's limits follow: RuleAuto, a
// figure.Range, or "manual".
func (m *Model) Rule(t *Tile) string {
	st, ok := m.panes.limits[t.group]
	if !ok {
		return RuleAuto
	}
	return st.rule
}

// RuleManual is the rule of limits that were dragged or typed.
const RuleManual = board.RuleManual

// SetRule finds the limits of a tile's group in its picture by a rule.
func (m *Model) SetRule(t *Tile, rule string) {
	if t.Picture == nil || rule == RuleManual {
		return
	}
	limits := t.Picture.auto
	if rule != RuleAuto {
		r, err := figure.ParseRange(rule)
		if err != nil {
			m.fail(err)
			return
		}
		limits = r.Of(t.Picture.Image)
	}
	m.panes.limits[t.group] = limitState{rule: rule, limits: usable(limits), from: t.Picture}
	m.changed(View)
}

// SetLimits sets the limits of a tile's group by hand.
func (m *Model) SetLimits(t *Tile, l figure.Limits) {
	if t.Picture == nil || !(l.Hi > l.Lo) || math.IsInf(l.Hi-l.Lo, 0) {
		return
	}
	m.panes.limits[t.group] = limitState{rule: RuleManual, limits: l, from: t.Picture}
	m.changed(View)
}

// TypeLimits reads limits as typed: "lo" and "hi". It says what is wrong with
// them.
func (m *Model) TypeLimits(t *Tile, lo, hi string) error {
	r, err := figure.ParseRange(lo + ":" + hi)
	if err != nil {
		return err
	}
	m.SetLimits(t, r.Limits)
	return nil
}

// SetLook changes the look of every tile of the same kind.
func (m *Model) SetLook(t *Tile, change func(*Look)) {
	l := m.panes.looks[t.lookOf()]
	change(&l)
	if l != m.panes.looks[t.lookOf()] {
		m.panes.looks[t.lookOf()] = l
		m.changed(View)
	}
}

// Look is a tile's.
func (m *Model) Look(t *Tile) Look { return m.panes.looks[t.lookOf()] }

// Matched says whether data, mean and samples are drawn with the same limits.
func (m *Model) Matched() bool { return m.panes.matched }

// SetMatched makes them so or not.
func (m *Model) SetMatched(on bool) {
	if m.panes.matched != on {
		m.panes.matched = on
		m.refresh()
	}
}

// Active is the tile that stretch, limits and histogram act on.
func (m *Model) ActiveTile() int { return m.panes.active }

// SetActiveTile chooses it.
func (m *Model) SetActiveTile(i int) {
	if i != m.panes.active && i >= 0 && i < len(m.panes.tiles) {
		m.panes.active = i
		m.changed(View)
	}
}

// bins of a histogram, and about how many values are counted for it.
const (
	bins    = 256
	counted = 1 << 21
)

// painterFor is what a picture gets on the goroutine that makes it: a histogram
// over a range that suits its limits.
func (m *Model) painterFor(t *Tile) func(*Picture) {
	st, has := m.panes.limits[t.group]
	return func(p *Picture) {
		l := usable(p.auto)
		if has && st.rule != RuleAuto {
			l = st.limits
		}
		p.span = board.HistogramRange(p.Image, l)
		p.counts = p.Image.Thinned(counted).Histogram(p.span.Lo, p.span.Hi, bins)
	}
}

// Counts is a picture's histogram. It is made again where the limits have left
// its range.
func (m *Model) Counts(t *Tile) figure.Histogram {
	p := t.Picture
	if p == nil {
		return figure.Histogram{}
	}
	l := m.panes.limits[t.group].limits
	if l.Hi > l.Lo && (l.Lo < p.span.Lo || l.Hi > p.span.Hi || l.Hi-l.Lo < (p.span.Hi-p.span.Lo)/50) {
		p.span = board.HistogramRange(p.Image, l)
		p.counts = p.Image.Thinned(counted).Histogram(p.span.Lo, p.span.Hi, bins)
	}
	return p.counts
}
