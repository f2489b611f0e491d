package viewmodel

import (
	"fmt"
	"math"
	"strings"

	"limpid/app/figure"
	"limpid/app/figure/measure"
	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/app/training"
	"limpid/fitsio"
	"limpid/fitsio/regions"
	"limpid/fitsio/wcs"
	"limpid/solvers/deconv"
	"limpid/ui/viewmodel/form"
)

// GridShown and ContoursShown say what is drawn over the images.
func (m *Model) GridShown() bool { return m.tools.grid }

// ContoursShown says whether contours are drawn.
func (m *Model) ContoursShown() bool { return m.tools.contours }

// ShowGrid draws the grid of the sky or not.
func (m *Model) ShowGrid(on bool) { m.tools.grid = on; m.changed(View) }

// ShowContours draws contours or not.
func (m *Model) ShowContours(on bool) { m.tools.contours = on; m.changed(View) }

// Inspect chooses the pixel that is looked at closely, in the image of the file.
func (m *Model) Inspect(x, y float64) {
	p := Place{math.Round(x), math.Round(y), true}
	if p != m.tools.at {
		m.tools.at = p
		m.changed(Marks)
	}
}

// Inspected is that pixel.
func (m *Model) Inspected() Place { return m.tools.at }

// Why says how the uncertainty of a pixel comes about.
type Why struct {
	Unit      string
	Data      float64 // NaN: masked or none
	Noise     float64 // of the data; 0: masked
	Mean      float64
	Std       float64 // posterior; 0: none
	Prior     float64 // std before the data; 0: not known for this prior
	PSFPixels float64 // pixels over which the PSF spreads a point: 1/Σ PSF²
	Samples   []float64
	Sentence  string
}

// Why explains the pixel that was chosen; ok is false without a result there.
func (m *Model) Why() (w Why, ok bool) {
	e := m.entry
	if e == nil || e.Result == nil || !m.tools.at.Set || e.Result.Mean.Empty() {
		return w, false
	}
	r := e.Result
	x, y := int(m.tools.at.X)-e.Origin[0], int(m.tools.at.Y)-e.Origin[1]
	if x < 0 || y < 0 || x >= r.Mean.W || y >= r.Mean.H {
		return w, false
	}
	c := min(m.band, r.Mean.C-1)
	i := y*r.Mean.W + x
	w = Why{Unit: r.Unit, Mean: float64(r.Mean.Plane(c)[i]), Data: math.NaN()}
	if weight := float64(r.Weights.Plane(c)[i]); weight > 0 {
		w.Data, w.Noise = float64(r.Data.Plane(c)[i]), 1/math.Sqrt(weight)
	}
	if !r.Std.Empty() {
		w.Std = float64(r.Std.Plane(c)[i])
	}
	for _, s := range r.Samples {
		w.Samples = append(w.Samples, float64(s.Plane(c)[i]))
	}
	w.Prior = priorStd(r, c)
	if !r.PSF.Empty() {
		var q float64
		for _, v := range r.PSF.Plane(min(c, r.PSF.C-1)) {
			q += float64(v) * float64(v)
		}
		w.PSFPixels = 1 / q
	}
	w.Sentence = w.say()
	return w, true
}

// priorStd is the standard deviation of a pixel under the Gaussian prior that the
// run has used, in the data's unit; 0 where the prior has none to state (a
// learned prior keeps a spectrum too, but only that of its start).
func priorStd(r *session.Result, c int) float64 {
	if r.Recipe.Method.Kind != deconv.Gaussian || c < 0 || c >= len(r.Spectra) || len(r.Spectra[c].LogP) == 0 || r.Scale == 0 {
		return 0
	}
	return math.Sqrt(r.Spectra[c].Variance(r.Mean.H, r.Mean.W)) / r.Scale
}

func (w Why) say() string {
	var s []string
	switch {
	case w.Std == 0:
		s = append(s, "This method gives one estimate without uncertainty.")
	case w.Prior > 0:
		left := w.Std * w.Std / (w.Prior * w.Prior)
		switch {
		case left > 0.8:
			s = append(s, fmt.Sprintf("The data say little about this pixel alone: %.0f %% of the prior's variance is left.", 100*min(1, left)))
		case left > 0.2:
			s = append(s, fmt.Sprintf("Prior and data both matter: %.0f %% of the prior's variance is left.", 100*left))
		default:
			s = append(s, fmt.Sprintf("The data decide: %.1f %% of the prior's variance is left.", 100*left))
		}
	default:
		s = append(s, "This prior has no standard deviation of a single pixel to compare with.")
	}
	if w.Noise == 0 {
		s = append(s, "The pixel itself is masked: what is known of it comes from its neighbours through the PSF, and from the prior.")
	} else if w.Std > 0 && w.PSFPixels > 1.5 {
		s = append(s, fmt.Sprintf("The PSF spreads its light over about %.0f pixels, so that detail is paid for in noise: the posterior is %.1f times as wide as the noise of one pixel.", w.PSFPixels, w.Std/w.Noise))
	}
	return strings.Join(s, " ")
}

// Neighbourhood is the values around the pixel that was chosen, (2n+1)² of them,
// the upper row first, on the active tile; NaN outside.
func (m *Model) Neighbourhood(n int) (rows [][]float64, x0, y0 int, ok bool) {
	t, ok := m.activeTile()
	if !ok || !m.tools.at.Set {
		return nil, 0, 0, false
	}
	o := t.Picture.Origin
	cx, cy := int(m.tools.at.X), int(m.tools.at.Y)
	for dy := n; dy >= -n; dy-- {
		var row []float64
		for dx := -n; dx <= n; dx++ {
			v, in := t.Picture.Image.At(cx+dx-o[0], cy+dy-o[1])
			if !in {
				v = float32(math.NaN())
			}
			row = append(row, float64(v))
		}
		rows = append(rows, row)
	}
	return rows, cx - n, cy - n, true
}

func (m *Model) activeTile() (*Tile, bool) {
	if len(m.panes.tiles) == 0 {
		return nil, false
	}
	t := m.panes.tiles[m.panes.active]
	return t, t.Picture != nil
}

// Profile is a curve along a line or around a place.
type Profile struct {
	Name   string
	Unit   string
	X, Y   []float64
	Std    []float64 // posterior, or scatter in a ring; nil: none
	StdIs  string
	Radial bool
	Scale  float64 // arcsec per pixel; 0: no sky
}

// Profiles are those of all tiles: along the chosen line, else around the chosen
// circle, point or pixel.
func (m *Model) Profiles() (out []Profile, about string) {
	for _, t := range m.panes.tiles {
		if t.Picture == nil {
			continue
		}
		s, name, ok := m.profileShape(t)
		if !ok {
			continue
		}
		about = name
		p := Profile{Name: t.Title, Unit: t.Picture.Unit}
		if w := t.WCS(); w != nil {
			p.Scale = w.PixelScale()
		}
		if s.Kind == "line" {
			m.lineProfile(&p, t, s)
		} else {
			m.radialProfile(&p, t, s)
		}
		out = append(out, p)
	}
	return out, about
}

func (m *Model) profileShape(t *Tile) (s regions.Shape, about string, ok bool) {
	if m.file != nil {
		if r, has := m.file.marks.Get(m.tools.selected); has {
			if s, ok = m.ShapeOn(t, r); ok && len(s.Points) > 0 {
				switch s.Kind {
				case "line":
					return s, "along the line", true
				case "circle", "annulus":
					s.Sizes = s.Sizes[len(s.Sizes)-1:]
					return s, "around the " + s.Kind, true
				default:
					return regions.Shape{Kind: "circle", Points: s.Points[:1], Sizes: []float64{defaultRadius}}, "around the " + s.Kind, true
				}
			}
		}
	}
	if !m.tools.at.Set {
		return s, "", false
	}
	o := t.Picture.Origin
	c := [2]float64{m.tools.at.X - float64(o[0]), m.tools.at.Y - float64(o[1])}
	return regions.Shape{Kind: "circle", Points: [][2]float64{c}, Sizes: []float64{defaultRadius}},
		fmt.Sprintf("around pixel (%.0f, %.0f)", m.tools.at.X, m.tools.at.Y), true
}

const (
	defaultRadius = 20
	maxRadius     = 512
)

func (m *Model) lineProfile(p *Profile, t *Tile, s regions.Shape) {
	a, b := s.Points[0], s.Points[1]
	n := min(4000, max(2, int(math.Hypot(b[0]-a[0], b[1]-a[1])*2)+1))
	p.X, p.Y = measure.Line(t.Picture.Image.Plane(), a[0], a[1], b[0], b[1], n)
	e := t.want.entry
	if e == nil || e.Result == nil || t.Source != Mean || len(e.Result.Samples) < 2 {
		return
	}
	q, q2 := make([]float64, n), make([]float64, n)
	w, h := t.Picture.Image.Size()
	for _, sample := range e.Result.Samples {
		_, v := measure.Line(figure.Plane{Data: sample.Plane(t.want.band), W: w, H: h}, a[0], a[1], b[0], b[1], n)
		for i := range v {
			q[i] += v[i]
			q2[i] += v[i] * v[i]
		}
	}
	k := float64(len(e.Result.Samples))
	for i := range q {
		mean := q[i] / k
		p.Std = append(p.Std, math.Sqrt(max(0, q2[i]/k-mean*mean)*k/(k-1)))
	}
	p.StdIs = "posterior"
}

func (m *Model) radialProfile(p *Profile, t *Tile, s regions.Shape) {
	p.Radial = true
	radius := min(maxRadius, max(3, s.Sizes[0]))
	p.StdIs = "scatter within the ring"
	for _, r := range measure.Radial(t.Picture.Image.Plane(), s.Points[0][0], s.Points[0][1], radius) {
		p.X, p.Y = append(p.X, r.Radius), append(p.Y, r.Mean)
		p.Std = append(p.Std, r.Std)
	}
}

// Spectra are the power spectra of all tiles, and of the prior where it has one.
func (m *Model) Spectra() []Profile {
	var out []Profile
	for _, t := range m.panes.tiles {
		if t.Picture == nil {
			continue
		}
		s := measure.Spectrum(t.Picture.Image.Plane())
		out = append(out, Profile{Name: t.Title, Unit: t.Picture.Unit, X: s.K, Y: s.P})
	}
	if e := m.entry; e != nil && e.Result != nil && len(out) > 0 {
		r, c := e.Result, m.band
		if priorStd(r, min(c, max(0, len(r.Spectra)-1))) > 0 {
			p := Profile{Name: "prior", Unit: r.Unit}
			for _, k := range out[0].X {
				p.X, p.Y = append(p.X, k), append(p.Y, r.Spectra[min(c, len(r.Spectra)-1)].At(k)/(r.Scale*r.Scale))
			}
			out = append(out, p)
		}
	}
	return out
}

// Contours are those of the active tile at five levels between its limits.
func (m *Model) Contours(t *Tile) [][4]float32 {
	if t.Picture == nil {
		return nil
	}
	l := m.panes.limits[t.group].limits
	if p := t.Picture; p.contours == nil || p.contoursAt != l {
		p.contoursAt = l
		p.contours = [][4]float32{}
		for _, s := range measure.AutoContours(p.Image, l, maxPieces) {
			p.contours = append(p.contours, [4]float32{s.X0, s.Y0, s.X1, s.Y1})
		}
	}
	return t.Picture.contours
}

// maxPieces bounds the contours of a noisy image: beyond, they are traced in a copy
// reduced by two.
const maxPieces = 20000

// GoTo understands a place as typed: two pixel coordinates (from 0), or a sky
// position in degrees or sexagesimal, in the image's frame. It gives pixels of the
// file's image.
func (m *Model) GoTo(text string) (x, y float64, err error) {
	t, ok := m.activeTile()
	if !ok {
		return 0, 0, fmt.Errorf("no image is shown")
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == ';' })
	if len(words) == 2 || len(words) == 6 {
		a, b := strings.Join(words[:len(words)/2], ":"), strings.Join(words[len(words)/2:], ":")
		sexagesimal := strings.ContainsAny(a, ":hd°")
		if w := t.WCS(); w != nil && (sexagesimal || strings.ContainsAny(b, "+:d°") || strings.HasSuffix(text, "°")) {
			return m.goToSky(t, w, a, b, sexagesimal && strings.ContainsAny(a, ":h"))
		}
		if _, err := fmt.Sscanf(words[0]+" "+words[1], "%g %g", &x, &y); err == nil && len(words) == 2 {
			return x, y, nil
		}
	}
	return 0, 0, fmt.Errorf("type a pixel as 120 88, or a position as 12:56:42.4 +21:41:00 or 194.1767 +21.6833")
}

func (m *Model) goToSky(t *Tile, w *wcs.WCS, a, b string, hours bool) (x, y float64, err error) {
	lon, err := wcs.ParseAngle(a, hours)
	if err != nil {
		return 0, 0, err
	}
	lat, err := wcs.ParseAngle(b, false)
	if err != nil {
		return 0, 0, err
	}
	x, y, ok := w.SkyToPixel(lon, lat)
	if !ok {
		return 0, 0, fmt.Errorf("this place is not on the image's projection")
	}
	o := t.Picture.Origin
	return x + float64(o[0]), y + float64(o[1]), nil
}

// Distance says how far apart the ends of a line are, and in which direction, on
// the active tile.
func (m *Model) Distance(r regions.Region) string {
	t, ok := m.activeTile()
	if !ok {
		return ""
	}
	s, ok := m.ShapeOn(t, r)
	if !ok || s.Kind != "line" || len(s.Points) < 2 {
		return ""
	}
	a, b := s.Points[0], s.Points[1]
	text := fmt.Sprintf("%.2f px", math.Hypot(b[0]-a[0], b[1]-a[1]))
	w := t.WCS()
	if w == nil {
		return text
	}
	lon1, lat1, ok1 := w.PixelToSky(a[0], a[1])
	lon2, lat2, ok2 := w.PixelToSky(b[0], b[1])
	if !ok1 || !ok2 {
		return text
	}
	d := wcs.Separation(lon1, lat1, lon2, lat2) * 3600
	unit := "″"
	if d >= 120 {
		d, unit = d/60, "′"
	}
	return fmt.Sprintf("%s, %.4g%s, position angle %.1f° (north through east)", text, d, unit, wcs.PositionAngle(lon1, lat1, lon2, lat2))
}

// Header is the header shown: of the chosen HDU, or of a result's data.
func (m *Model) Header() (*fitsio.Header, string, error) {
	if m.file == nil {
		return nil, "", fmt.Errorf("no file is open")
	}
	hdu := m.hdu
	if m.entry != nil {
		hdu = m.entry.HDU
	}
	h, err := m.file.doc.Header(hdu)
	return h, fmt.Sprintf("%s, HDU %d", m.file.Name, hdu), err
}

// PriorCard is what the learned prior of the current recipe says about itself, in
// rows: what it was trained on, where it holds and where it does not. ok is false
// for methods without one.
func (m *Model) PriorCard() (rows []Row, ok bool) {
	r, _ := m.Draft()
	if r.Method.Kind != deconv.Learned {
		return nil, false
	}
	name := r.Prior.Kind
	if name == recipe.PriorWeights {
		name = r.Prior.File
	}
	if name == "" {
		return nil, false
	}
	if m.card.name != name {
		m.card.name, m.card.rows = name, cardRows(name)
	}
	return m.card.rows, true
}

// priorCard is the card read last.
type priorCard struct {
	name string
	rows []Row
}

func cardRows(name string) []Row {
	e, err := training.Find(name)
	if err != nil {
		return []Row{{"This prior cannot be used", form.Plain(strings.TrimPrefix(err.Error(), "training: "))}}
	}
	c := e.Card
	rows := []Row{{"Prior", c.Name}, {"", c.About}, {"Trained on", c.Scenes}, {"Holds for", c.Validity}}
	if c.LowSNR > 0 && c.HighSNR > 0 {
		rows = append(rows, Row{"Peak signal to noise", fmt.Sprintf("%.4g – %.4g", c.LowSNR, c.HighSNR)})
	}
	var out []Row
	for _, x := range rows {
		if x.Value != "" {
			out = append(out, x)
		}
	}
	return out
}
