package blend

import (
	"fmt"
	"math"

	"limpid/app/figure"
	"limpid/app/session"
	"limpid/solvers"
	"limpid/solvers/deblend"
	"limpid/ui/viewmodel/board"
)

// derived keeps pictures between two changes of what is shown.
type derived struct {
	of     *session.Deblending
	data   []*figure.Image // per band, masked pixels NaN
	colour figure.Colour
	rgb    [3]int
	model  []*figure.Image
	result any
}

func picture(pix []float32, w, h int) *figure.Image {
	im, err := figure.NewImage(figure.Plane{Data: pix, W: w, H: h})
	if err != nil {
		return nil
	}
	return im
}

// prepare makes the pictures of the data and of the fit, where they are not there yet.
func (m *Model) prepare(d *session.Deblending) *derived {
	s := &m.seen
	o := d.Obs
	w, h := o.Data.W, o.Data.H
	if s.of == nil || s.of.Obs != o {
		*s = derived{of: d}
		nan := float32(math.NaN())
		for c := range o.Data.C {
			pix := append([]float32(nil), o.Data.Plane(c)...)
			for i, q := range o.Weights.Plane(c) {
				if q == 0 {
					pix[i] = nan
				}
			}
			s.data = append(s.data, picture(pix, w, h))
		}
		if n := o.Data.C; n >= 3 { // the longest wavelength comes last
			s.rgb = [3]int{n - 1, n / 2, 0}
			s.colour = figure.AutoColour([3]*figure.Image{s.data[n-1], s.data[n/2], s.data[0]})
		}
	}
	s.of = d
	if d.Result != nil && s.result != any(d.Result) {
		s.result, s.model = d.Result, nil
		for c := range d.Result.Model.C {
			s.model = append(s.model, picture(d.Result.Model.Plane(c), w, h))
		}
	}
	return s
}

// show brings the board up to date.
func (m *Model) show() {
	d := m.Field()
	if d == nil {
		m.board.Set(nil, nil, "")
		return
	}
	s := m.prepare(d)
	b := min(m.band, len(s.data)-1)
	name := d.Obs.Bands[b]
	var layers []*board.Layer
	colour := func(key, tab, title string, of []*figure.Image) {
		if len(s.data) < 3 || len(of) != len(s.data) {
			return
		}
		bands := [3]*figure.Image{of[s.rgb[0]], of[s.rgb[1]], of[s.rgb[2]]}
		names := fmt.Sprintf("%s %s %s as red, green, blue", d.Obs.Bands[s.rgb[0]], d.Obs.Bands[s.rgb[1]], d.Obs.Bands[s.rgb[2]])
		layers = append(layers, &board.Layer{Key: key, Name: tab, Title: title + ": " + names, Unit: d.Obs.Unit, Kind: board.Signal, Image: bands[1], Bands: bands, Colour: s.colour})
	}
	plain := func(key, tab, title, unit string, kind board.Kind, im *figure.Image, auto *figure.Limits) *board.Layer {
		l := &board.Layer{Key: key, Name: tab, Title: title, Unit: unit, Kind: kind, Image: im, Auto: auto}
		if kind == board.Signal {
			l.Group = fmt.Sprintf("light %d", b)
		}
		layers = append(layers, l)
		return l
	}
	colour("rgb", "RGB", "Data", s.data)
	lim := signalLimits(s.data[b])
	l := plain("data", "Data", "Data, "+name, d.Obs.Unit, board.Signal, s.data[b], &lim)
	l.Std, l.StdIs = noise(d.Obs, b), "noise"
	if r := d.Result; r != nil {
		colour("rgbmodel", "RGB model", "Model", s.model)
		plain("model", "Model", "Model, "+name, d.Obs.Unit, board.Signal, s.model[b], nil)
		plain("residual", "Residual", "Residual / noise, "+name, "σ", board.Signed, picture(inSigma(r.Residual.Plane(b), d.Obs.Weights.Plane(b)), d.Obs.Data.W, d.Obs.Data.H), nil)
		m.peeled(d, s, b, colour, plain)
	} else if m.entry != nil {
		layers = append(layers, &board.Layer{Key: "model", Name: "Model", Title: "Model", Kind: board.Signal, Message: "The sources are being fitted …"})
		if !m.entry.Running {
			layers[len(layers)-1].Message = "The run ended before there was a model"
		}
	}
	if d.WCS != nil {
		m.board.Set(layers, d.WCS, d.WCS.Frame.String())
		return
	}
	m.board.Set(layers, nil, "")
}

// peeled adds the data without the sources that are hidden, and the source chosen alone.
func (m *Model) peeled(d *session.Deblending, s *derived, b int, colour func(key, tab, title string, of []*figure.Image), plain func(key, tab, title, unit string, kind board.Kind, im *figure.Image, auto *figure.Limits) *board.Layer) {
	w, h := d.Obs.Data.W, d.Obs.Data.H
	n := w * h
	rest := append([]float32(nil), d.Obs.Data.Pix...)
	hidden := 0
	for _, x := range m.sources {
		if pix := m.image(x.ID); x.Hidden && pix != nil {
			hidden++
			for i, v := range pix {
				rest[i] -= v
			}
		}
	}
	nan := float32(math.NaN())
	for i, q := range d.Obs.Weights.Pix {
		if q == 0 {
			rest[i] = nan
		}
	}
	pictures := func(pix []float32) (out []*figure.Image) {
		for c := range d.Obs.Data.C {
			out = append(out, picture(pix[c*n:(c+1)*n], w, h))
		}
		return out
	}
	title := fmt.Sprintf("Data without %d hidden sources", hidden)
	if hidden == 1 {
		title = "Data without the hidden source"
	}
	peeled := pictures(rest)
	if len(s.data) >= 3 {
		colour("peeled", "Peeled", title, peeled)
	} else {
		plain("peeled", "Peeled", title, d.Obs.Unit, board.Signal, peeled[b], nil)
	}
	if pix := m.image(m.chosen); pix != nil {
		alone := pictures(pix)
		title := fmt.Sprintf("Source %d alone", m.chosen)
		if len(s.data) >= 3 {
			colour("alone", fmt.Sprintf("Source %d", m.chosen), title, alone)
		} else {
			plain("alone", fmt.Sprintf("Source %d", m.chosen), title, d.Obs.Unit, board.Signal, alone[b], nil)
		}
	}
}

// image is what a source adds to the data in the run shown, (B, H, W); nil: not known.
func (m *Model) image(id int) []float32 {
	e := m.entry
	if e == nil || e.D.Result == nil {
		return nil
	}
	for i := range e.D.Result.Sources {
		if e.D.Result.Sources[i].ID != id {
			continue
		}
		if pix, ok := e.images[i]; ok {
			return pix
		}
		if e.images == nil || len(e.images) > 64 {
			e.images = map[int][]float32{}
		}
		e.images[i] = e.D.Result.Image(i).Pix
		return e.images[i]
	}
	return nil
}

func signalLimits(im *figure.Image) figure.Limits {
	med, sigma := im.Robust()
	top := im.Quantiles(0.998)[0]
	return figure.Limits{Lo: med - 2*sigma, Hi: math.Max(top, med+5*sigma)}
}

func noise(o *solvers.Observation, b int) []float32 {
	out := make([]float32, o.Data.W*o.Data.H)
	for i, q := range o.Weights.Plane(b) {
		if q > 0 {
			out[i] = float32(1 / math.Sqrt(float64(q)))
		}
	}
	return out
}

func inSigma(residual, weights []float32) []float32 {
	out := make([]float32, len(residual))
	for i, v := range residual {
		out[i] = v * float32(math.Sqrt(float64(weights[i])))
		if weights[i] == 0 {
			out[i] = float32(math.NaN())
		}
	}
	return out
}

// Thumb is a small picture of a source: its morphology once fitted, else the data about
// it in the band shown.
type Thumb struct {
	Image  *figure.Image
	Limits figure.Limits
	Key    any // changes with the picture
}

type thumbKey struct {
	of   any
	id   int
	x, y int
	band int
}

// ThumbOf makes it; Image is nil where there is none.
func (m *Model) ThumbOf(s Source) Thumb {
	if f := m.Fitted(s.ID); f != nil && !f.Morphology.Empty() {
		im := around(f)
		if im == nil {
			return Thumb{}
		}
		return Thumb{im, board.Usable(figure.Limits{Lo: 0, Hi: im.Stats().Max}), thumbKey{of: m.entry.D.Result, id: s.ID}}
	}
	d := m.Field()
	if d == nil {
		return Thumb{}
	}
	const r = 9
	x0, y0 := int(math.Round(s.X))-r, int(math.Round(s.Y))-r
	b := min(m.band, d.Obs.Data.C-1)
	pix := make([]float32, (2*r+1)*(2*r+1))
	plane := d.Obs.Data.Plane(b)
	for i := range pix {
		x, y := x0+i%(2*r+1), y0+i/(2*r+1)
		pix[i] = float32(math.NaN())
		if x >= 0 && y >= 0 && x < d.Obs.Data.W && y < d.Obs.Data.H {
			pix[i] = plane[y*d.Obs.Data.W+x]
		}
	}
	im := picture(pix, 2*r+1, 2*r+1)
	if im == nil {
		return Thumb{}
	}
	q := im.Quantiles(0.1, 1)
	return Thumb{im, board.Usable(figure.Limits{Lo: q[0], Hi: q[1]}), thumbKey{d, s.ID, x0, y0, b}}
}

// around is the part of a morphology that has its light: 3 half-light radii.
func around(f *deblend.Fitted) *figure.Image {
	r := max(6, int(3*f.Shape.R+0.5))
	cx, cy := int(math.Round(f.Shape.X))-f.Box[0], int(math.Round(f.Shape.Y))-f.Box[2]
	n := 2*r + 1
	pix := make([]float32, n*n)
	for i := range pix {
		x, y := cx-r+i%n, cy-r+i/n
		if x >= 0 && y >= 0 && x < f.Morphology.W && y < f.Morphology.H {
			pix[i] = f.Morphology.Pix[y*f.Morphology.W+x]
		}
	}
	return picture(pix, n, n)
}
