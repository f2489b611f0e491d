package viewmodel

import (
	"fmt"
	"strings"

	"limpid/app/session"
	"limpid/fitsio/wcs"
	"limpid/ui/viewmodel/form"
)

// Pane is one of the tabs over the images.
type Pane int

// The tabs in their order.
const (
	PaneData Pane = iota
	PaneMean
	PaneStd
	PaneSample
	PaneResidual
	PaneDataMean
	PaneMeanStd
	PaneColour
	PaneShare
	paneCount
)

// Panes lists them.
func Panes() []Pane {
	out := make([]Pane, paneCount)
	for i := range out {
		out[i] = Pane(i)
	}
	return out
}

// Source is what a tile shows.
type Source string

// The sources that belong to the result (or HDU) chosen; another open file is
// "file:ID:HDU".
const (
	Data     Source = "data"
	Mean     Source = "mean"
	Std      Source = "std"
	Draw     Source = "sample"
	Residual Source = "residual"
	Share    Source = "share" // of the prior
	// Colour is three bands in one picture; Difference the left half less the right.
	Colour     Source = "colour"
	Difference Source = "difference"
)

func otherSource(f *File, hdu int) Source { return Source(fmt.Sprintf("file:%d:%d", f.ID, hdu)) }

// Tile is one image of the pane that is shown.
type Tile struct {
	Source  Source
	Title   string
	Picture *Picture // nil: Message says why
	Message string
	Stale   bool // the picture is older than the title: the new one is being made

	want  slot
	group group
}

// Unit of the tile's values.
func (t *Tile) Unit() string {
	if t.Picture == nil {
		return ""
	}
	return t.Picture.Unit
}

// Other says that the tile shows a file other than the one whose recipe is shown.
func (t *Tile) Other() bool { return strings.HasPrefix(string(t.Source), "file:") }

// ShowsRecipeImage says that what is shown as data is the image the recipe is
// about.
func (m *Model) ShowsRecipeImage() bool {
	if m.file == nil {
		return false
	}
	if m.entry != nil {
		return true
	}
	h, ok := m.file.draft.Image(m.file.openFile())
	return ok && h.Index == m.hdu
}

// Pane is the one shown.
func (m *Model) Pane() Pane { return m.pane }

// Tiles are its images, one or two.
func (m *Model) Tiles() []*Tile { return m.panes.tiles }

// Label names a pane's tab.
func (m *Model) Label(p Pane) string {
	switch p {
	case PaneData:
		return "Data"
	case PaneMean:
		return "Mean"
	case PaneStd:
		return "Std"
	case PaneSample:
		if n := m.sampleCount(); n > 0 {
			return fmt.Sprintf("Sample %d/%d", m.sample+1, n)
		}
		return "Sample"
	case PaneResidual:
		return "Residual"
	case PaneColour:
		return "RGB"
	case PaneShare:
		return m.sourceName(Share)
	}
	s := m.panes.sides[p]
	return m.sourceName(s[0]) + " | " + m.sourceName(s[1])
}

// sourceName is short, for tabs and lists.
func (m *Model) sourceName(s Source) string {
	switch s {
	case Data:
		return "Data"
	case Mean:
		return "Mean"
	case Std:
		return "Std"
	case Draw:
		return "Sample"
	case Residual:
		return "Residual"
	case Share:
		return "Prior's share"
	}
	if f, _ := m.other(s); f != nil {
		return f.Name
	}
	return "closed file"
}

// SetPane shows another pane. Panes of a result choose the file's last result
// when none is chosen.
func (m *Model) SetPane(p Pane) {
	if p < 0 || p >= paneCount || !m.Available(p) {
		return
	}
	if p != PaneSample && p != m.pane {
		m.setPlaying(false)
	}
	m.pane = p
	if p != PaneData && m.entry == nil && m.file != nil && len(m.file.Results) > 0 {
		m.SelectResult(m.file.Results[len(m.file.Results)-1])
		return
	}
	m.refresh()
}

// Blink changes between data and mean, at the same place and scale.
func (m *Model) Blink() {
	if m.pane == PaneMean {
		m.pane = PaneData
		m.refresh()
	} else {
		m.SetPane(PaneMean)
	}
}

// Sides are the sources of the two halves of a side-by-side pane.
func (m *Model) Sides(p Pane) [2]Source { return m.panes.sides[p] }

// SideChoices lists what a half can show: the sources, and images of the other
// open files, which are linked by the sky.
func (m *Model) SideChoices() []form.Option {
	var out []form.Option
	for _, s := range []Source{Data, Mean, Std, Draw, Residual, Share} {
		out = append(out, form.Option{Value: string(s), Label: m.sourceName(s)})
	}
	for _, f := range m.files {
		if f == m.file {
			continue
		}
		for _, h := range f.HDUs {
			if len(h.Shape) >= 2 && h.Role == session.RoleImage {
				out = append(out, form.Option{Value: string(otherSource(f, h.Index)), Label: f.Name + ": " + form.Label(h)})
			}
		}
	}
	return out
}

// SetSide changes one half of a side-by-side pane.
func (m *Model) SetSide(p Pane, side int, s Source) {
	sides := m.panes.sides[p]
	if sides[side] != s {
		sides[side] = s
		m.panes.sides[p] = sides
		m.refresh()
	}
}

// other finds the file and HDU of a source that is another file.
func (m *Model) other(s Source) (*File, int) {
	var id, hdu int
	if n, _ := fmt.Sscanf(string(s), "file:%d:%d", &id, &hdu); n != 2 {
		return nil, 0
	}
	for _, f := range m.files {
		if f.ID == id {
			return f, hdu
		}
	}
	return nil, 0
}

// Band is the band or plane shown, and how many there are.
func (m *Model) Band() (band, n int) { return m.band, m.bands() }

func (m *Model) bands() int {
	if m.entry != nil {
		if m.entry.Result != nil {
			return len(m.entry.Result.Bands)
		}
		return 1
	}
	if h, ok := m.hduInfo(m.file, m.hdu); ok && len(h.Shape) >= 2 {
		return h.Planes()
	}
	return 1
}

// BandName names a band or plane.
func (m *Model) BandName(k int) string {
	if m.entry != nil && m.entry.Result != nil && k < len(m.entry.Result.Bands) {
		return m.entry.Result.Bands[k]
	}
	return fmt.Sprintf("plane %d", k)
}

// SetBand shows another band; it stays within those there are.
func (m *Model) SetBand(k int) {
	k = min(max(0, k), m.bands()-1)
	if k != m.band {
		m.band = k
		m.refresh()
		m.changed(Recipe | Running)
	}
}

// SampleNumber is the sample shown, from 0, and how many there are.
func (m *Model) SampleNumber() (k, n int) { return m.sample, m.sampleCount() }

func (m *Model) sampleCount() int {
	if m.entry == nil || m.entry.Result == nil {
		return 0
	}
	return len(m.entry.Result.Samples)
}

// SetSample shows sample k; beyond the ends it goes round.
func (m *Model) SetSample(k int) {
	n := m.sampleCount()
	if n == 0 {
		return
	}
	m.sample = (k%n + n) % n
	m.refresh()
}

// hduInfo finds an HDU of a file.
func (m *Model) hduInfo(f *File, hdu int) (session.HDUInfo, bool) {
	if f == nil || hdu < 0 || hdu >= len(f.HDUs) {
		return session.HDUInfo{}, false
	}
	return f.HDUs[hdu], true
}

// Grid is the pixel grid that the pane's first tile shows: its size, and where
// its first pixel lies in the image of the file. Panes of one grid are linked
// pixel by pixel.
type Grid struct {
	W, H   int
	Origin [2]int
}

// Grid of a tile; the zero Grid while it has no picture.
func (t *Tile) Grid() Grid {
	if t.Picture == nil {
		return Grid{}
	}
	w, h := t.Picture.Image.Size()
	return Grid{W: w, H: h, Origin: t.Picture.Origin}
}

// WCS of the tile's pixels; nil: none.
func (t *Tile) WCS() *wcs.WCS {
	if t.Picture == nil {
		return nil
	}
	return t.Picture.WCS
}

// Playing says whether samples are shown one after the other.
func (m *Model) Playing() bool { return m.playing }

// Play starts or stops showing samples one after the other.
func (m *Model) Play() {
	if m.playing {
		m.setPlaying(false)
		m.changed(View)
		return
	}
	if m.sampleCount() > 1 {
		if m.pane != PaneSample {
			m.SetPane(PaneSample)
		}
		m.setPlaying(true)
		m.changed(View)
	}
}

func (m *Model) setPlaying(on bool) {
	m.playing = on
	if m.player != nil {
		m.player.Stop()
		m.player = nil
	}
	if on {
		m.player = newTimer(m.o.Play, func() { m.answer(m.playOn) })
	}
}

// playOn shows the next sample if the last has been drawn.
func (m *Model) playOn() {
	if !m.playing {
		return
	}
	if !m.panes.painting {
		m.SetSample(m.sample + 1)
	}
	m.setPlaying(true)
}
