// Package board is a set of pictures of one field, shown in tabs: what the
// workspaces of mass maps and of blends have in their middle. Pictures have looks
// by their kind, share limits by their group, and are read like any other image.
// It knows nothing of windows.
package board

import (
	"math"

	"limpid/app/figure"
)

// Kind says what a picture is of, and so how it looks at first.
type Kind string

// The kinds.
const (
	Signal Kind = "signal" // light
	Signed Kind = "signed" // around zero: κ, residuals
	Spread Kind = "spread" // standard deviations
	Counts Kind = "counts" // numbers, weights
)

// Look is how values of a kind become colours, but for their limits.
type Look struct {
	Stretch        figure.Stretch
	Map            *figure.Colormap
	Invert         bool
	Contrast, Bias float64
}

// Layer is one picture. A Layer is not changed once it is on a Board: give a new one.
type Layer struct {
	Key     string // the same for newer pictures of the same
	Name    string // of its tab
	Title   string
	Unit    string
	Kind    Kind
	Group   string // layers that share limits; "": its own
	Image   *figure.Image
	Message string // why there is no image
	// Bands are red, green and blue of a colour picture, whose Image is the green.
	Bands  [3]*figure.Image
	Colour figure.Colour
	// Std is the standard deviation of every pixel, StdIs what of; nil: not known.
	Std   []float32
	StdIs string
	Auto  *figure.Limits // good limits; nil: by the kind
}

// Board is the set and how it is shown.
type Board struct {
	// Changed is called after something is to be shown otherwise.
	Changed func()

	layers []*Layer
	shown  string
	beside string // "": nothing
	active int
	looks  map[Kind]Look
	limits map[string]limitState
	counts map[*Layer]counted
	sky    figure.Sky
	frame  string
}

type limitState struct {
	rule   string
	limits figure.Limits
	from   *figure.Image
}

type counted struct {
	span figure.Limits
	hist figure.Histogram
}

// The rules of limits beside those of figure.Range.
const (
	RuleAuto   = "auto"
	RuleManual = "manual"
)

// New makes an empty board.
func New(changed func()) *Board {
	return &Board{
		Changed: changed, limits: map[string]limitState{}, counts: map[*Layer]counted{},
		looks: map[Kind]Look{
			Signal: {Stretch: figure.Asinh, Map: figure.Gray},
			Signed: {Stretch: figure.Linear, Map: figure.Diverging},
			Spread: {Stretch: figure.Linear, Map: figure.Magma},
			Counts: {Stretch: figure.Linear, Map: figure.Cividis},
		},
	}
}

func (b *Board) changed() {
	if b.Changed != nil {
		b.Changed()
	}
}

// Set replaces the layers. The layer shown stays if there is one of its key, else the
// first is shown. sky and frame may be nil and "".
func (b *Board) Set(layers []*Layer, sky figure.Sky, frame string) {
	b.layers, b.sky, b.frame = layers, sky, frame
	clear(b.counts)
	if b.find(b.shown) == nil {
		b.shown = ""
		if len(layers) > 0 {
			b.shown = layers[0].Key
		}
	}
	if b.find(b.beside) == nil {
		b.beside = ""
	}
	for _, l := range layers {
		b.settle(l)
	}
	b.changed()
}

func (b *Board) find(key string) *Layer {
	for _, l := range b.layers {
		if l.Key == key && key != "" {
			return l
		}
	}
	return nil
}

// Layers lists what there is.
func (b *Board) Layers() []*Layer { return b.layers }

// Shown is the key of the layer in the first pane; Beside that in the second, or "".
func (b *Board) Shown() string { return b.shown }

// Beside is the key of the layer in the second pane; "": there is one pane.
func (b *Board) Beside() string { return b.beside }

// Show chooses the layer of the first pane.
func (b *Board) Show(key string) {
	if key != b.shown && b.find(key) != nil {
		b.shown = key
		b.changed()
	}
}

// ShowBeside chooses the layer of the second pane; "" closes it.
func (b *Board) ShowBeside(key string) {
	if key != b.beside && (key == "" || b.find(key) != nil) {
		b.beside, b.active = key, 0
		b.changed()
	}
}

// Tiles are the layers shown, one or two.
func (b *Board) Tiles() []*Layer {
	var out []*Layer
	for _, k := range []string{b.shown, b.beside} {
		if l := b.find(k); l != nil {
			out = append(out, l)
		}
	}
	return out
}

// Sky is that of the pixels; nil: none.
func (b *Board) Sky() figure.Sky { return b.sky }

// Active is the tile that the tools act on.
func (b *Board) Active() int { return min(b.active, max(0, len(b.Tiles())-1)) }

// SetActive chooses it.
func (b *Board) SetActive(i int) {
	if i != b.active && i >= 0 && i < len(b.Tiles()) {
		b.active = i
		b.changed()
	}
}

func (l *Layer) group() string {
	if l.Group != "" {
		return l.Group
	}
	return l.Key
}

// settle gives a layer's group limits, or newer ones while they are automatic.
func (b *Board) settle(l *Layer) {
	if l.Image == nil {
		return
	}
	st, has := b.limits[l.group()]
	if has && (st.rule != RuleAuto || st.from == l.Image) {
		return
	}
	if l.Group != "" && l.Auto == nil && has {
		return
	}
	b.limits[l.group()] = limitState{RuleAuto, Usable(l.auto()), l.Image}
}

func (l *Layer) auto() figure.Limits {
	if l.Auto != nil {
		return *l.Auto
	}
	switch l.Kind {
	case Signed:
		return figure.Range{Kind: figure.Symmetric, Percent: 99.7}.Of(l.Image)
	case Spread:
		return figure.Limits{Lo: 0, Hi: l.Image.Quantiles(0.998)[0]}
	case Counts:
		return figure.Range{Kind: figure.Percentile, Percent: 99}.Of(l.Image)
	}
	return figure.Range{Kind: figure.Percentile, Percent: 99.5}.Of(l.Image)
}

// Style is how a layer is drawn.
func (b *Board) Style(l *Layer) figure.Style {
	k := b.looks[l.Kind]
	return figure.Style{
		Limits: b.limits[l.group()].limits, Stretch: k.Stretch, Map: k.Map, Invert: k.Invert,
		Contrast: k.Contrast, Bias: k.Bias,
	}
}

// Look is that of a layer's kind.
func (b *Board) Look(l *Layer) Look { return b.looks[l.Kind] }

// SetLook changes the look of all layers of a kind.
func (b *Board) SetLook(l *Layer, change func(*Look)) {
	k := b.looks[l.Kind]
	change(&k)
	if k != b.looks[l.Kind] {
		b.looks[l.Kind] = k
		b.changed()
	}
}

// Rule is what a layer's limits follow.
func (b *Board) Rule(l *Layer) string {
	if st, ok := b.limits[l.group()]; ok {
		return st.rule
	}
	return RuleAuto
}

// SetRule finds the limits of a layer's group in its picture.
func (b *Board) SetRule(l *Layer, rule string) error {
	if l.Image == nil || rule == RuleManual {
		return nil
	}
	limits := l.auto()
	if rule != RuleAuto {
		r, err := figure.ParseRange(rule)
		if err != nil {
			return err
		}
		limits = r.Of(l.Image)
	}
	b.limits[l.group()] = limitState{rule, Usable(limits), l.Image}
	b.changed()
	return nil
}

// SetLimits sets them by hand.
func (b *Board) SetLimits(l *Layer, lim figure.Limits) {
	if l.Image == nil || !(lim.Hi > lim.Lo) || math.IsInf(lim.Hi-lim.Lo, 0) {
		return
	}
	b.limits[l.group()] = limitState{RuleManual, lim, l.Image}
	b.changed()
}

// TypeLimits reads limits as typed and says what is wrong with them.
func (b *Board) TypeLimits(l *Layer, lo, hi string) error {
	r, err := figure.ParseRange(lo + ":" + hi)
	if err != nil {
		return err
	}
	b.SetLimits(l, r.Limits)
	return nil
}

// bins of a histogram.
const bins = 256

// Histogram of a layer over a range that suits its limits.
func (b *Board) Histogram(l *Layer) figure.Histogram {
	if l.Image == nil {
		return figure.Histogram{}
	}
	lim := b.limits[l.group()].limits
	c, ok := b.counts[l]
	if !ok || lim.Lo < c.span.Lo || lim.Hi > c.span.Hi || lim.Hi-lim.Lo < (c.span.Hi-c.span.Lo)/50 {
		c.span = HistogramRange(l.Image, lim)
		c.hist = l.Image.Histogram(c.span.Lo, c.span.Hi, bins)
		b.counts[l] = c
	}
	return c.hist
}

// Usable replaces limits that nothing can be drawn with.
func Usable(l figure.Limits) figure.Limits {
	if math.IsNaN(l.Lo) || math.IsNaN(l.Hi) || math.IsInf(l.Lo, 0) || math.IsInf(l.Hi, 0) {
		return figure.Limits{Lo: 0, Hi: 1}
	}
	if !(l.Hi > l.Lo) {
		room := math.Max(1e-12, math.Abs(l.Lo)*1e-3)
		return figure.Limits{Lo: l.Lo - room, Hi: l.Lo + room}
	}
	return l
}

// HistogramRange is a good range for the histogram of an image: around the limits
// with up to three times their distance above and one below, as far as there are
// values (a few outliers do not count).
func HistogramRange(im *figure.Image, l figure.Limits) figure.Limits {
	q := im.Quantiles(0.0005, 0.9995)
	wide := l.Hi - l.Lo
	lo := min(l.Lo, max(q[0], l.Lo-wide))
	hi := max(l.Hi, min(q[1], l.Hi+3*wide))
	if math.IsNaN(lo) || math.IsNaN(hi) || !(hi > lo) {
		lo, hi = l.Lo, l.Hi
	}
	room := 0.06 * (hi - lo)
	return figure.Limits{Lo: lo - room, Hi: hi + room}
}

// Readout is what a status line says about a place of an image.
type Readout struct {
	X, Y     float64 // pixels of the file's image from 0
	Value    float64 // NaN: none
	Std      float64 // its uncertainty; 0: unknown
	StdIs    string  // "posterior" or "noise"
	Unit     string
	Lon, Lat float64 // degrees
	Frame    string  // of them; empty: no sky here
	Scale    float64 // arcsec per pixel
}

// Read reads tile i at one of its pixels.
func (b *Board) Read(i int, x, y float64) (r Readout, ok bool) {
	tiles := b.Tiles()
	if i < 0 || i >= len(tiles) || tiles[i].Image == nil {
		return r, false
	}
	l := tiles[i]
	px, py := int(math.Floor(x+0.5)), int(math.Floor(y+0.5))
	v, inside := l.Image.At(px, py)
	if !inside {
		return r, false
	}
	r = Readout{X: x, Y: y, Value: float64(v), Unit: l.Unit}
	w, _ := l.Image.Size()
	if at := py*w + px; at < len(l.Std) {
		r.Std, r.StdIs = float64(l.Std[at]), l.StdIs
	}
	if b.sky != nil {
		if lon, lat, ok := b.sky.PixelToSky(x, y); ok {
			r.Lon, r.Lat, r.Frame = lon, lat, b.frame
			if _, _, scale, ok := figure.Compass(b.sky, x, y); ok {
				r.Scale = scale
			}
		}
	}
	return r, true
}
