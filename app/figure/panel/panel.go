// Package panel composes figures for papers and talks: planes side by side, each
// with a title and a colour bar with units, with a scale bar in arcsec and a
// compass where the sky is known. North is up and east left as nearly as quarter
// turns and a mirror allow.
//
// One description gives PNG, PDF and SVG of the same layout; letters are drawn as
// outlines (Liberation Sans), so a file looks the same everywhere. The same input
// gives the same bytes.
package panel

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"

	"limpid/app/figure"
)

// Tile is one plane of a figure.
type Tile struct {
	Title string
	Image *figure.Image
	Style figure.Style
	Unit  string // of the values: what the colour bar is labelled with
	Label string // of the colour bar before the unit ("flux"); may be empty
	NoBar bool
	// Sky of this tile where it differs from the figure's.
	Sky figure.Sky
	// Lines are pieces of line (x0, y0, x1, y1) and Marks places of circles over the
	// picture, in pixels from 0.
	Lines [][4]float64
	Marks [][2]float64
}

// Figure is a grid of tiles. The zero values of its settings are good ones.
type Figure struct {
	Title   string
	Caption string // one line of small print under the tiles
	Tiles   []Tile
	Columns int        // 0: by the number of tiles
	Width   float64    // points; 0: 510, the text width of a two-column page
	DPI     int        // pixels per inch of PNG, and of the planes in PDF and SVG; 0: 200
	Dark    bool       // light on dark, for slides
	Sky     figure.Sky // for orientation, scale bar and compass; nil: pixels
	// AsStored keeps columns to the right and rows upwards, whatever the sky says.
	AsStored bool
}

// Bounds on what is asked for; a PNG of maxPixels takes 800 MB while it is made.
const (
	maxPixels = 200e6
	maxWidth  = 4000
	maxDPI    = 2400
	minWidth  = 80
)

// Sizes in points.
const (
	margin      = 6.0
	gapX, gapY  = 12.0, 10.0
	titleSize   = 9.0
	headSize    = 10.5
	labelSize   = 7.0
	captionSize = 6.5
	barGap      = 4.0
	barHeight   = 6.0
	tickLength  = 2.5
	hairline    = 0.5
)

type palette struct{ ground, ink, soft, frame color.RGBA }

var (
	paper = palette{
		ground: color.RGBA{255, 255, 255, 255}, ink: color.RGBA{17, 17, 17, 255},
		soft: color.RGBA{90, 90, 90, 255}, frame: color.RGBA{50, 50, 50, 255},
	}
	dark = palette{
		ground: color.RGBA{19, 21, 25, 255}, ink: color.RGBA{226, 229, 234, 255},
		soft: color.RGBA{154, 160, 170, 255}, frame: color.RGBA{120, 126, 136, 255},
	}
)

// sheet is a figure being laid out on an ink.
type sheet struct {
	ink
	palette
	text *typesetter
	px   float64 // points per pixel: everything straight is snapped to it
	turn []figure.Transform
	f    *Figure
}

func (f *Figure) check() error {
	if len(f.Tiles) == 0 {
		return errors.New("panel: a figure without tiles")
	}
	for i, t := range f.Tiles {
		if t.Image == nil {
			return fmt.Errorf("panel: tile %d (%q) has no image", i+1, t.Title)
		}
	}
	if f.Width == 0 {
		f.Width = 510
	}
	if f.DPI == 0 {
		f.DPI = 200
	}
	if f.Columns <= 0 {
		f.Columns = columns(len(f.Tiles))
	}
	f.Columns = min(f.Columns, len(f.Tiles))
	if !(f.Width >= minWidth && f.Width <= maxWidth) || f.DPI < 20 || f.DPI > maxDPI {
		return fmt.Errorf("panel: width %g pt at %d dpi: the width may be %d to %d, the dpi 20 to %d",
			f.Width, f.DPI, minWidth, maxWidth, maxDPI)
	}
	if w := f.tileWidth(); w < 30 {
		return fmt.Errorf("panel: %d columns leave tiles of %.0f pt: widen the figure or lower the columns", f.Columns, w)
	}
	return nil
}

func columns(n int) int {
	switch {
	case n <= 3:
		return n
	case n == 4:
		return 2
	case n <= 6, n == 9:
		return 3
	}
	return 4
}

func (f *Figure) tileWidth() float64 {
	return (f.Width - 2*margin - gapX*float64(f.Columns-1)) / float64(f.Columns)
}

// plan works out the height of every row; it is needed before an ink exists.
func (f *Figure) plan() (turn []figure.Transform, rows []float64, height float64, err error) {
	if err = f.check(); err != nil {
		return nil, nil, 0, err
	}
	px := 72 / float64(f.DPI)
	height = margin
	if f.Title != "" {
		height += headSize + 6
	}
	for i := 0; i < len(f.Tiles); i += f.Columns {
		var row float64
		for _, t := range f.Tiles[i:min(i+f.Columns, len(f.Tiles))] {
			w, h := t.Image.Size()
			k := figure.Upright
			if sky := f.skyOf(t); sky != nil && !f.AsStored {
				k = figure.Orient(sky, w, h)
			}
			turn = append(turn, k)
			if k.Swaps() {
				w, h = h, w
			}
			tall := snap(f.tileWidth()*float64(h)/float64(w), px)
			if t.Title != "" {
				tall += titleSize + 4
			}
			if !t.NoBar {
				tall += barGap + barHeight + tickLength + 2*labelSize + 5
			}
			row = max(row, tall)
		}
		rows = append(rows, row)
		height += row + gapY
	}
	height += margin - gapY
	if f.Caption != "" {
		height += captionSize + 8
	}
	if dots := f.Width * height / px / px; !(dots <= maxPixels) {
		return nil, nil, 0, fmt.Errorf("panel: the figure would have %.0f million pixels, more than %.0f: lower the dpi or the width",
			dots/1e6, maxPixels/1e6)
	}
	return turn, rows, height, nil
}

func (f *Figure) skyOf(t Tile) figure.Sky {
	if t.Sky != nil {
		return t.Sky
	}
	return f.Sky
}

// draw lays the figure out on an ink that plan's height was given to.
func (f *Figure) draw(on ink, turn []figure.Transform, rows []float64, height float64) error {
	ts, err := newTypesetter()
	if err != nil {
		return err
	}
	s := &sheet{ink: on, palette: paper, text: ts, px: 72 / float64(f.DPI), turn: turn, f: f}
	if f.Dark {
		s.palette = dark
	}
	s.fill(box(0, 0, f.Width, height), s.ground)
	y := margin
	if f.Title != "" {
		s.write(f.Title, margin, y+headSize*0.8, f.Width-2*margin, headSize, bold, alignLeft, s.palette.ink)
		y += headSize + 6
	}
	marked := false // the figure's sky needs its marks once
	for r, tall := range rows {
		for c := range f.Columns {
			i := r*f.Columns + c
			if i >= len(f.Tiles) {
				break
			}
			x := margin + float64(c)*(f.tileWidth()+gapX)
			own := f.Tiles[i].Sky != nil
			s.tile(i, snap(x, s.px), snap(y, s.px), own || f.Sky != nil && !marked)
			marked = marked || !own
		}
		y += tall + gapY
	}
	if f.Caption != "" {
		s.write(f.Caption, margin, height-margin, f.Width-2*margin, captionSize, regular, alignLeft, s.soft)
	}
	return nil
}

// tile draws tile i with its upper left corner at (x, y).
func (s *sheet) tile(i int, x, y float64, marks bool) {
	t := s.f.Tiles[i]
	if t.Title != "" {
		s.write(t.Title, x, y+titleSize*0.8, s.f.tileWidth()+overhang, titleSize, regular, alignLeft, s.palette.ink)
		y = snap(y+titleSize+4, s.px)
	}
	iw, ih := t.Image.Size()
	if s.turn[i].Swaps() {
		iw, ih = ih, iw
	}
	w := snap(s.f.tileWidth(), s.px)
	h := max(s.px, snap(w*float64(ih)/float64(iw), s.px))
	var table figure.Table
	table.Set(t.Style, t.Image)
	pic := image.NewRGBA(image.Rect(0, 0, int(math.Round(w/s.px)), int(math.Round(h/s.px))))
	iw, ih = t.Image.Size()
	view := figure.Fit(iw, ih, pic.Rect.Dx(), pic.Rect.Dy(), s.turn[i])
	// The picture's sides are rounded to pixels: fill them, rather than show a
	// line of ground at an edge.
	view.Zoom *= 1 + 1/float64(min(pic.Rect.Dx(), pic.Rect.Dy()))
	var r figure.Renderer
	r.Render(pic, t.Image, view, &table, table.Style().Bad)
	s.picture(x, y, w, h, pic)
	s.over(t, view, x, y, w, h)
	s.frame(x, y, w, h)
	if marks {
		s.marks(s.f.skyOf(t), s.turn[i], x, y, w, h, view.Zoom*s.px, pic, t.Image)
	}
	if !t.NoBar {
		s.bar(t, &table, x, snap(y+h+barGap, s.px), w)
	}
}

func snap(v, px float64) float64 { return math.Round(v/px) * px }
