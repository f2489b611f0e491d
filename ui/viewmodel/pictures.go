package viewmodel

import (
	"context"
	"errors"
	"math"
	"time"

	"limpid/app/figure"
	"limpid/app/figure/panel"
	"limpid/app/session"
	"limpid/fitsio/wcs"
	"limpid/solvers"
	"limpid/ui/viewmodel/form"
)

// Picture is a plane prepared for display, made off the Model's goroutine.
type Picture struct {
	Image  *figure.Image
	Unit   string
	WCS    *wcs.WCS
	Origin [2]int // of its first pixel in the image of the file
	// Bands are red, green and blue of a colour picture, whose Image is the green.
	Bands [3]*figure.Image
	Auto  figure.Colour

	auto   figure.Limits    // good ones for its group
	counts figure.Histogram // over a good range for limits
	span   figure.Limits    // that the counts were made for
	std    []float32        // posterior std or noise of each pixel; nil: none
	inv    bool             // std holds inverse variances
	bytes  int64

	contours   [][4]float32 // at the limits contoursAt
	contoursAt figure.Limits
}

// slot names what a tile can show, whatever its version.
type slot struct {
	file   *File
	entry  *Entry // nil: an HDU
	hdu    int
	source Source
	band   int
	sample int
	rgb    [3]int    // of Colour
	sides  [2]Source // of Difference
}

// version tells snapshots of a run apart.
type version struct {
	slot
	result *session.Result
}

// panes is what is shown and the pictures made for it.
type panes struct {
	tiles    []*Tile
	sides    map[Pane][2]Source
	active   int // tile that the tools act on
	matched  bool
	looks    map[string]Look
	limits   map[group]limitState
	pictures map[version]*Picture
	order    []version // the least recently used first
	problems map[version]error
	painting bool
}

func newPanes() panes {
	return panes{
		sides:    map[Pane][2]Source{PaneDataMean: {Data, Mean}, PaneMeanStd: {Mean, Std}},
		matched:  true,
		looks:    defaultLooks(),
		limits:   map[group]limitState{},
		pictures: map[version]*Picture{},
		problems: map[version]error{},
	}
}

// keepBytes bounds the pictures that are kept though they are not shown.
const keepBytes = 384 << 20

// forget drops what was made for slots that are gone.
func (p *panes) forget(gone func(slot) bool) {
	order := p.order[:0:0]
	for _, v := range p.order {
		if gone(v.slot) {
			delete(p.pictures, v)
		} else {
			order = append(order, v)
		}
	}
	p.order = order
	for g := range p.limits {
		if gone(slot{file: g.file, entry: g.entry}) {
			delete(p.limits, g)
		}
	}
	clear(p.problems)
}

// keep puts a picture into the cache and drops the oldest beyond the bound, and
// every older snapshot of the same slot.
func (p *panes) keep(v version, pic *Picture) {
	var total int64
	order := p.order[:0:0]
	for _, old := range p.order {
		if old.slot == v.slot {
			delete(p.pictures, old)
			continue
		}
		order = append(order, old)
		total += p.pictures[old].bytes
	}
	for len(order) > 0 && total+pic.bytes > keepBytes {
		total -= p.pictures[order[0]].bytes
		delete(p.pictures, order[0])
		order = order[1:]
	}
	p.pictures[v] = pic
	p.order = append(order, v)
}

// refresh works out what the tiles should show, shows what there is, and has the
// rest made.
func (m *Model) refresh() {
	tiles := m.wanted()
	p := &m.panes
	for i, t := range tiles {
		v := m.versionOf(t.want)
		if pic := p.pictures[v]; pic != nil {
			t.Picture = pic
		} else if i < len(p.tiles) {
			if was := p.tiles[i]; was.Picture != nil && t.Message == "" && sameScene(was.want, t.want) {
				t.Picture, t.Stale = was.Picture, true
				if was.want != t.want { // the title is the picture's
					t.Title, t.Source, t.group = was.Title, was.Source, was.group
				}
			}
		}
		if err := p.problems[v]; err != nil {
			t.Picture, t.Message = nil, form.Plain(session.Problem(err).What)
		}
		if t.Picture == nil && t.Message == "" {
			t.Message = "Reading …"
		}
		m.settleLimits(t)
	}
	p.tiles = tiles
	p.active = min(p.active, max(0, len(tiles)-1))
	m.changed(View)
	m.paint()
}

// sameScene says whether an old picture may stand in for a new one: the same
// source of the same result, of another snapshot or sample.
func sameScene(a, b slot) bool {
	a.sample, b.sample = 0, 0
	return a == b
}

func (m *Model) versionOf(s slot) version {
	v := version{slot: s}
	if s.entry != nil {
		v.result = s.entry.Result
	}
	return v
}

// paint makes the first picture that is missing; when it is there refresh comes
// here again.
func (m *Model) paint() {
	p := &m.panes
	if p.painting || m.closed {
		return
	}
	for _, t := range p.tiles {
		v := m.versionOf(t.want)
		if t.want.file == nil || p.pictures[v] != nil || p.problems[v] != nil || v.slot.entry != nil && v.result == nil {
			continue
		}
		if v.slot.entry != nil && !hasSource(v.result, v.slot) {
			continue
		}
		p.painting = true
		lim, parts := m.painterFor(t), m.partsOf(v)
		m.background(func(ctx context.Context) func() {
			pic, err := makePicture(ctx, v, parts, lim)
			return func() {
				p.painting = false
				switch {
				case errors.Is(err, context.Canceled):
				case err != nil:
					p.problems[v] = err
				default:
					p.keep(v, pic)
				}
				m.refresh()
			}
		})
		return
	}
}

func hasSource(r *session.Result, s slot) bool {
	switch s.source {
	case Std:
		return !r.Std.Empty()
	case Share:
		return !r.PriorShare.Empty()
	case Draw:
		return s.sample < len(r.Samples)
	case Difference:
		for _, side := range s.sides {
			if part := s; side != Difference {
				part.source = side
				if !hasSource(r, part) {
					return false
				}
			}
		}
	}
	return true
}

// makePicture reads or computes a plane and prepares it. It runs on any goroutine.
func makePicture(ctx context.Context, v version, parts []version, look func(*Picture)) (*Picture, error) {
	pic, err := basicPicture(ctx, v, parts)
	if err != nil {
		return nil, err
	}
	w, h := pic.Image.Size()
	pic.bytes = int64(w) * int64(h) * 6 // the plane and its reduced copies
	if pic.Bands[0] != nil {
		pic.bytes *= 3
	}
	look(pic)
	return pic, ctx.Err()
}

func basicPicture(ctx context.Context, v version, parts []version) (*Picture, error) {
	switch {
	case v.source == Colour:
		return colourPicture(ctx, parts)
	case v.source == Difference:
		return differencePicture(ctx, parts)
	case v.entry == nil:
		return readPicture(ctx, v.slot)
	}
	return resultPicture(v)
}

func readPicture(ctx context.Context, s slot) (*Picture, error) {
	plane, err := s.file.doc.ReadPlane(ctx, s.hdu, s.band)
	if err != nil {
		return nil, err
	}
	im, err := figure.NewImage(figure.Plane{Data: plane.Pix, W: plane.W, H: plane.H})
	if err != nil {
		return nil, err
	}
	pic := &Picture{Image: im, Unit: plane.Unit, WCS: plane.WCS}
	pic.auto = rawLimits(im, s.file.HDUs[s.hdu].Role)
	return pic, nil
}

func resultPicture(v version) (*Picture, error) {
	r, c := v.result, v.band
	pic := &Picture{Unit: r.Unit, WCS: r.WCS, Origin: v.entry.Origin}
	plane := func(im solvers.Image) figure.Plane { return figure.Plane{Data: im.Plane(c), W: im.W, H: im.H} }
	var err error
	switch v.source {
	case Std:
		if pic.Image, err = figure.NewImage(plane(r.Std)); err == nil {
			pic.auto = figure.Limits{Lo: 0, Hi: pic.Image.Quantiles(0.998)[0]}
		}
		return pic, err
	case Share:
		pic.Unit, pic.auto = "", figure.Limits{Lo: 0, Hi: 1}
		pic.Image, err = figure.NewImage(plane(r.PriorShare))
		return pic, err
	case Residual:
		pic.Unit = "σ"
		im := plane(r.Residual)
		im.Data = inSigma(im.Data, r.Weights.Plane(c))
		if pic.Image, err = figure.NewImage(im); err == nil {
			pic.auto = figure.Range{Kind: figure.Symmetric, Percent: 99.7}.Of(pic.Image)
		}
		return pic, err
	}
	data := plane(r.Data)
	data.Data = blank(data.Data, r.Weights.Plane(c))
	dataImage, err := figure.NewImage(data)
	if err != nil {
		return nil, err
	}
	mean := dataImage
	if !r.Mean.Empty() {
		if mean, err = figure.NewImage(plane(r.Mean)); err != nil {
			return nil, err
		}
	}
	pic.auto = panel.SignalLimits(dataImage, mean)
	switch v.source {
	case Data:
		pic.Image, pic.std, pic.inv = dataImage, r.Weights.Plane(c), true
	case Mean:
		pic.Image = mean
		if !r.Std.Empty() {
			pic.std = r.Std.Plane(c)
		}
	default:
		pic.Image, err = figure.NewImage(plane(r.Samples[v.sample]))
	}
	return pic, err
}

// blank is the data with NaN where they were not used.
func blank(data, weights []float32) []float32 {
	out := append([]float32(nil), data...)
	for i, w := range weights {
		if w == 0 {
			out[i] = float32(math.NaN())
		}
	}
	return out
}

// inSigma is the residual in units of the noise, NaN where there are no data.
func inSigma(residual, weights []float32) []float32 {
	out := make([]float32, len(residual))
	for i, v := range residual {
		if weights[i] == 0 {
			out[i] = float32(math.NaN())
		} else {
			out[i] = v * float32(math.Sqrt(float64(weights[i])))
		}
	}
	return out
}

// rawLimits are good limits for an HDU as it is.
func rawLimits(im *figure.Image, role session.Role) figure.Limits {
	switch role {
	case session.RoleImage:
		return panel.SignalLimits(im, im)
	case session.RolePSF:
		s := im.Stats()
		return figure.Limits{Lo: min(0, s.Min), Hi: s.Max}
	}
	return figure.Range{Kind: figure.Percentile, Percent: 99}.Of(im)
}

func newTimer(d time.Duration, f func()) *time.Timer { return time.AfterFunc(d, f) }
