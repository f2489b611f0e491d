package viewmodel

import (
	"context"
	"fmt"
	"math"
	"time"

	"limpid/app/figure"
	"limpid/ui/viewmodel/form"
)

// Compare is how the two halves of a side-by-side pane are compared.
type Compare string

// Side by side; one over the other with a seam; in turn; or subtracted.
const (
	SideBySide Compare = "side"
	Splitting  Compare = "split"
	Blinking   Compare = "blink"
	Differing  Compare = "difference"
)

// Compares lists them.
func Compares() []form.Option {
	return []form.Option{
		{Value: string(SideBySide), Label: "side by side"},
		{Value: string(Splitting), Label: "split"},
		{Value: string(Blinking), Label: "blink"},
		{Value: string(Differing), Label: "difference"},
	}
}

type compare struct {
	mode  Compare
	side  int // shown while blinking
	timer *time.Timer
}

func (c *compare) stop() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// blinkEvery is the time one half is shown.
const blinkEvery = 700 * time.Millisecond

// Comparing is the way in use.
func (m *Model) Comparing() Compare {
	if m.compare.mode == "" {
		return SideBySide
	}
	return m.compare.mode
}

// Halves says whether the pane compares two halves.
func (m *Model) Halves() bool {
	_, two := m.panes.sides[m.pane]
	return two
}

// SetCompare changes the way of comparing, and shows a pane of two halves if none
// is shown.
func (m *Model) SetCompare(c Compare) {
	m.compare.stop()
	m.compare.mode, m.compare.side = c, 0
	if !m.Halves() {
		m.SetPane(PaneDataMean)
	} else {
		m.refresh()
	}
	m.blinkOn()
}

// NextCompare goes on to the next way.
func (m *Model) NextCompare() {
	list := Compares()
	for i, o := range list {
		if o.Value == string(m.Comparing()) {
			if !m.Halves() {
				i = -1
			}
			m.SetCompare(Compare(list[(i+1)%len(list)].Value))
			return
		}
	}
}

func (m *Model) blinkOn() {
	if m.compare.mode != Blinking {
		return
	}
	m.compare.timer = newTimer(blinkEvery, func() {
		m.answer(func() {
			if m.compare.mode != Blinking {
				return
			}
			if m.Halves() && !m.panes.painting {
				m.compare.side = 1 - m.compare.side
				m.refresh()
			}
			m.blinkOn()
		})
	})
}

// Available says whether a pane can show anything: RGB needs three bands.
func (m *Model) Available(p Pane) bool { return p != PaneColour || m.bands() >= 3 }

// ColourLook is how three bands become a picture.
type ColourLook struct {
	Set    bool
	Bands  [3]int // red, green, blue
	Bright int    // 0 to 100; 50 as found in the image
	Soften float64
}

// Colours is what the RGB pane uses: the last band red and the first blue unless
// others were chosen.
func (m *Model) Colours() ColourLook {
	c, n := m.rgb, m.bands()
	if !c.Set {
		c.Bands = [3]int{n - 1, n / 2, 0}
		if n > 4 { // grizy: i, r, g are what eyes expect
			c.Bands = [3]int{2, 1, 0}
		}
	}
	for i := range c.Bands {
		c.Bands[i] = min(max(0, c.Bands[i]), max(0, n-1))
	}
	return c
}

// SetColours changes it.
func (m *Model) SetColours(c ColourLook) {
	c.Set = true
	if c != m.rgb {
		m.rgb = c
		m.refresh()
	}
}

// ColourOf is the way to draw a colour tile.
func (m *Model) ColourOf(t *Tile) figure.Colour {
	c := t.Picture.Auto
	look := m.Colours()
	c.Range *= math.Pow(10, float64(50-look.Bright)/40)
	c.Soften = look.Soften
	return c
}

func (m *Model) colourTile() *Tile {
	base := m.tile(Data)
	if m.entry != nil {
		base = m.tile(Mean)
	}
	c := m.Colours()
	t := &Tile{Source: Colour, Title: "RGB", Message: base.Message, want: base.want}
	if m.bands() < 3 {
		t.Message = "A colour picture needs three bands"
	}
	if t.Message != "" {
		return t
	}
	t.want.source, t.want.band, t.want.rgb = Colour, 0, c.Bands
	t.Title = fmt.Sprintf("RGB: %s, %s, %s", m.BandName(c.Bands[0]), m.BandName(c.Bands[1]), m.BandName(c.Bands[2]))
	t.group = m.groupOf(t.want)
	return t
}

func (m *Model) differenceTile(s [2]Source) *Tile {
	a, b := m.tile(s[0]), m.tile(s[1])
	t := &Tile{Source: Difference, Title: m.sourceName(s[0]) + " − " + m.sourceName(s[1]), want: a.want}
	for _, x := range []*Tile{a, b} {
		if x.Message != "" {
			t.Message = x.Message
			return t
		}
	}
	t.want.file, t.want.entry, t.want.source, t.want.sides = m.file, m.entry, Difference, s
	t.want.band, t.want.sample = m.band, m.sample
	t.group = m.groupOf(t.want)
	return t
}

// partsOf are the pictures that a colour picture or difference is made from.
func (m *Model) partsOf(v version) []version {
	var out []version
	switch v.source {
	case Colour:
		for _, b := range v.rgb {
			p := v
			p.source, p.band, p.rgb = Data, b, [3]int{}
			if v.entry != nil {
				p.source = Mean
			}
			out = append(out, p)
		}
	case Difference:
		for _, s := range v.sides {
			out = append(out, m.versionOf(m.tile(s).want))
		}
	}
	return out
}

func colourPicture(ctx context.Context, parts []version) (*Picture, error) {
	var out *Picture
	var bands [3]*figure.Image
	for i, p := range parts {
		pic, err := basicPicture(ctx, p, nil)
		if err != nil {
			return nil, err
		}
		bands[i] = pic.Image
		if i == 1 {
			out = pic
		}
	}
	out.Bands, out.Auto = bands, figure.AutoColour(bands)
	out.std = nil
	return out, nil
}

func differencePicture(ctx context.Context, parts []version) (*Picture, error) {
	a, err := basicPicture(ctx, parts[0], nil)
	if err != nil {
		return nil, err
	}
	b, err := basicPicture(ctx, parts[1], nil)
	if err != nil {
		return nil, err
	}
	if why := unlike(a, b); why != "" {
		return nil, fmt.Errorf("no difference: %s", why)
	}
	p, q := a.Image.Plane(), b.Image.Plane()
	d := figure.Plane{Data: make([]float32, len(p.Data)), W: p.W, H: p.H}
	for i := range d.Data {
		d.Data[i] = p.Data[i] - q.Data[i]
	}
	im, err := figure.NewImage(d)
	if err != nil {
		return nil, err
	}
	return &Picture{
		Image: im, Unit: a.Unit, WCS: a.WCS, Origin: a.Origin,
		auto: figure.Range{Kind: figure.Symmetric, Percent: 99.7}.Of(im),
	}, nil
}

// unlike says why two pictures cannot be subtracted pixel by pixel; "" where they
// can: same grid, same place on the sky to half a pixel, same unit.
func unlike(a, b *Picture) string {
	aw, ah := a.Image.Size()
	bw, bh := b.Image.Size()
	switch {
	case aw != bw || ah != bh:
		return fmt.Sprintf("one image has %d×%d pixels, the other %d×%d", aw, ah, bw, bh)
	case a.Unit != b.Unit && a.Unit != "" && b.Unit != "":
		return fmt.Sprintf("one image is in %s, the other in %s", a.Unit, b.Unit)
	case a.WCS == nil || b.WCS == nil:
		return ""
	}
	for _, c := range [][2]float64{{0, 0}, {float64(aw - 1), float64(ah - 1)}} {
		lon, lat, ok := a.WCS.PixelToSky(c[0], c[1])
		x, y, ok2 := b.WCS.SkyToPixel(lon, lat)
		if ok && (!ok2 || math.Hypot(x-c[0], y-c[1]) > 0.5) {
			return "the images show other parts of the sky"
		}
	}
	return ""
}
