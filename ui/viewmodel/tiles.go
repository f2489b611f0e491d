package viewmodel

import (
	"fmt"
	"math"

	"limpid/app/session"
	"limpid/ui/viewmodel/board"
	"limpid/ui/viewmodel/form"
)

// wanted works out which tiles the pane should have and what they are called.
func (m *Model) wanted() []*Tile {
	if m.file == nil {
		return nil
	}
	switch m.pane {
	case PaneData:
		return []*Tile{m.tile(Data)}
	case PaneMean:
		return []*Tile{m.tile(Mean)}
	case PaneStd:
		return []*Tile{m.tile(Std)}
	case PaneSample:
		return []*Tile{m.tile(Draw)}
	case PaneResidual:
		return []*Tile{m.tile(Residual)}
	case PaneColour:
		return []*Tile{m.colourTile()}
	case PaneShare:
		return []*Tile{m.tile(Share)}
	}
	s := m.panes.sides[m.pane]
	switch m.compare.mode {
	case Blinking:
		return []*Tile{m.tile(s[m.compare.side])}
	case Differing:
		return []*Tile{m.differenceTile(s)}
	}
	return []*Tile{m.tile(s[0]), m.tile(s[1])}
}

// tile says what a source means now, or why there is nothing.
func (m *Model) tile(s Source) *Tile {
	t := &Tile{Source: s}
	if f, hdu := m.other(s); f != nil {
		t.want = slot{file: f, hdu: hdu, source: s}
		if h, ok := m.hduInfo(f, hdu); ok {
			t.want.band = min(m.band, h.Planes()-1)
			t.Title = f.Name + ": " + form.Label(h)
		}
		t.group = m.groupOf(t.want)
		return t
	}
	if m.entry == nil {
		m.rawTile(t)
	} else {
		m.resultTile(t)
	}
	t.group = m.groupOf(t.want)
	return t
}

func (m *Model) rawTile(t *Tile) {
	h, ok := m.hduInfo(m.file, m.hdu)
	switch {
	case t.Source != Data:
		t.Title = m.sourceName(t.Source)
		t.Message = "There is no result yet: Run (Ctrl+R) computes it"
		return
	case m.file.Problem != nil && (!ok || len(h.Shape) < 2):
		t.Message = m.file.Problem.What
		if a := m.file.Problem.Advice; a != "" {
			t.Message += "\n" + a
		}
		return
	case !ok:
		t.Message = "This file has no such HDU"
		return
	case h.Role == session.RoleTable:
		t.Title = form.Label(h)
		t.Message = fmt.Sprintf("HDU %d (%s) is a table of %d rows; images are shown here", h.Index, h.Name, h.Rows)
		return
	case len(h.Shape) < 2:
		t.Title = form.Label(h)
		t.Message = fmt.Sprintf("HDU %d (%s) holds no image: choose another in the list at the left", h.Index, h.Name)
		return
	}
	t.want = slot{file: m.file, hdu: m.hdu, source: Data, band: m.band}
	t.Title = form.Label(h)
	if len(m.files) > 1 {
		t.Title = m.file.Name + ": " + t.Title
	}
	if n := h.Planes(); n > 1 {
		t.Title += fmt.Sprintf(", plane %d", m.band)
	}
}

func (m *Model) resultTile(t *Tile) {
	e := m.entry
	t.want = slot{file: m.file, entry: e, source: t.Source, band: m.band}
	t.Title = map[Source]string{
		Data: "Data", Mean: "Posterior mean", Std: "Posterior standard deviation", Residual: "Residual / noise",
		Share: "Share of the prior",
	}[t.Source]
	if e.Recipe.Method.Kind == "rl" && t.Source == Mean {
		t.Title = "Richardson–Lucy estimate"
	}
	r := e.Result
	if t.Source == Draw {
		t.Title = "Posterior sample"
		if r != nil && m.sample < len(r.Samples) {
			t.want.sample = m.sample
			t.Title = fmt.Sprintf("Posterior sample %d of %d", m.sample+1, len(r.Samples))
		}
	}
	if r == nil {
		t.Message = m.withoutResult(e)
		return
	}
	if t.Source == Data && r.Report != nil && m.band < len(r.Report.SkyLevel) && r.Report.SkyLevel[m.band] != 0 {
		t.Title += ", sky subtracted"
	}
	if len(r.Bands) > 1 && m.band < len(r.Bands) {
		t.Title += ", " + r.Bands[m.band]
	}
	if hasSource(r, t.want) {
		return
	}
	switch {
	case t.Source == Share && e.Running():
		t.Message = "Waiting for the end of the run …"
	case t.Source == Share:
		t.Message = "The run ended before the share of the prior was known"
	case e.Recipe.Method.Kind == "rl":
		t.Message = "Richardson–Lucy gives one estimate without uncertainty: there is no " + map[Source]string{Std: "standard deviation", Draw: "sample"}[t.Source]
	case e.Running():
		t.Message = "Waiting for samples …"
	case e.Recipe.Draw.Samples == 0:
		t.Message = "No samples were asked for: set Samples in step 5 and run again"
	default:
		t.Message = "The run ended before there were samples"
	}
}

func (m *Model) withoutResult(e *Entry) string {
	if e.Problem != nil {
		text := e.Problem.What
		if e.Problem.Advice != "" {
			text += "\n" + e.Problem.Advice
		}
		return text
	}
	_, _, text := e.Progress()
	return capital(text)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return string(s[0]&^0x20) + s[1:]
}

// Readout is what the status line says about a place of an image.
type Readout = board.Readout

// Read reads a tile at one of its pixels, (0, 0) the centre of the first.
func (m *Model) Read(i int, x, y float64) (r Readout, ok bool) {
	if i < 0 || i >= len(m.panes.tiles) || m.panes.tiles[i].Picture == nil {
		return r, false
	}
	p := m.panes.tiles[i].Picture
	px, py := int(math.Floor(x+0.5)), int(math.Floor(y+0.5))
	v, inside := p.Image.At(px, py)
	if !inside {
		return r, false
	}
	r = Readout{X: x + float64(p.Origin[0]), Y: y + float64(p.Origin[1]), Value: float64(v), Unit: p.Unit}
	w, _ := p.Image.Size()
	if p.std != nil {
		s := float64(p.std[py*w+px])
		r.Std, r.StdIs = s, "posterior"
		if p.inv {
			r.Std, r.StdIs = 0, "noise"
			if s > 0 {
				r.Std = 1 / math.Sqrt(s)
			}
		}
	}
	if m.entry == nil && !m.panes.tiles[i].Other() && m.ShowsRecipeImage() {
		if s := m.noiseAt(px, py); s > 0 {
			r.Std, r.StdIs = s, "noise"
		}
	}
	if p.WCS != nil {
		if lon, lat, ok := p.WCS.PixelToSky(x, y); ok {
			r.Lon, r.Lat, r.Frame, r.Scale = lon, lat, p.WCS.Frame.String(), p.WCS.PixelScale()
		}
	}
	return r, true
}

// noiseAt is the noise of a pixel of the file's image as measured; 0: not known.
func (m *Model) noiseAt(x, y int) float64 {
	o := m.fresh(m.file)
	if o == nil || o.Obs == nil {
		return 0
	}
	if c := o.Recipe.Input.Cutout; c != nil {
		x, y = x-c[0], y-c[2]
	}
	w := o.Obs.Weights
	if len(o.Obs.Exposures) > 0 {
		w = o.Obs.Exposures[0].Weights
	}
	if x < 0 || y < 0 || x >= w.W || y >= w.H {
		return 0
	}
	band := m.band
	if o.Plane >= 0 {
		if band != o.Plane {
			return 0
		}
		band = 0
	}
	if band >= w.C {
		return 0
	}
	v := float64(w.Plane(band)[y*w.W+x])
	if !(v > 0) {
		return 0
	}
	return 1 / math.Sqrt(v) / o.Scale
}
