package panel

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"io"
	"slices"
	"strings"

	"limpid/app/figure"
)

// Size of a film's pictures, and how long each is seen.
const (
	filmWidth = 420 // points
	filmDPI   = 100
	filmDelay = 12 // hundredths of a second
)

// Film is a picture for each sample, all on the scale of the data and the mean, so that
// what stays is what the data know and what flickers is what they do not.
func (p Posterior) Film() ([]Figure, error) {
	if p.Data == nil || p.Mean == nil || len(p.Samples) == 0 {
		return nil, errors.New("panel: a film needs data, mean and samples")
	}
	_, _, style, err := p.signal()
	if err != nil {
		return nil, err
	}
	return Frames(p.Samples, Figure{Title: p.Title, Sky: p.Sky}, Tile{Title: "Posterior sample", Style: style, Unit: p.Unit})
}

// WriteTIFF writes the mean on the scale of the figure, in 16 bits of grey, turned as
// the figure is; what the grey stands for is in its description.
func (p Posterior) WriteTIFF(w io.Writer) error {
	if p.Data == nil || p.Mean == nil {
		return errors.New("panel: a picture of the mean needs data and mean")
	}
	_, _, style, err := p.signal()
	if err != nil {
		return err
	}
	var table figure.Table
	table.Set(style, nil)
	unit := cmp.Or(strings.ReplaceAll(p.Unit, "µ", "u"), "no unit stated")
	about := fmt.Sprintf("%s\nPosterior mean. Grey g = 0 to 65535 stands for %.6g + (%.6g) * sinh(g/65535 * asinh(10)) / 10 (%s).",
		p.Title, style.Limits.Lo, style.Limits.Hi-style.Limits.Lo, unit)
	turn := figure.Upright
	if p.Sky != nil {
		turn = figure.Orient(p.Sky, p.Mean.W, p.Mean.H)
	}
	return figure.WriteTIFF(w, *p.Mean, &table, turn, about)
}

// Frames makes a picture of each plane: like gives its title and sky, tile its style;
// the number of the plane is put behind the tile's title.
func Frames(planes []figure.Plane, like Figure, tile Tile) ([]Figure, error) {
	like.Width, like.DPI, like.Columns = filmWidth, filmDPI, 1
	name := tile.Title
	var out []Figure
	for i, pl := range planes {
		im, err := figure.NewImage(pl)
		if err != nil {
			return nil, err
		}
		tile.Image, tile.Title = im, fmt.Sprintf("%s %d of %d", name, i+1, len(planes))
		f := like
		f.Tiles = []Tile{tile}
		out = append(out, f)
	}
	return out, nil
}

// WriteGIF writes pictures of one size as an animation that goes round for ever. A GIF
// has 256 colours: those that the first picture has most of.
func WriteGIF(w io.Writer, frames []Figure) error {
	if len(frames) == 0 {
		return errors.New("panel: a film without pictures")
	}
	film := &gif.GIF{}
	var colours color.Palette
	index := map[color.RGBA]uint8{}
	for i := range frames {
		im, err := frames[i].Image()
		if err != nil {
			return err
		}
		if i == 0 {
			colours = popular(im)
		}
		out := image.NewPaletted(im.Rect, colours)
		for k := range out.Pix {
			c := color.RGBA{im.Pix[4*k], im.Pix[4*k+1], im.Pix[4*k+2], im.Pix[4*k+3]}
			n, ok := index[c]
			if !ok {
				n = uint8(colours.Index(c))
				index[c] = n
			}
			out.Pix[k] = n
		}
		film.Image = append(film.Image, out)
		film.Delay = append(film.Delay, filmDelay)
	}
	if err := gif.EncodeAll(w, film); err != nil {
		return fmt.Errorf("panel: %w", err)
	}
	return nil
}

// popular are the 256 colours that an image has most of.
func popular(im *image.RGBA) color.Palette {
	count := map[color.RGBA]int{}
	for k := 0; k+4 <= len(im.Pix); k += 4 {
		count[color.RGBA{im.Pix[k], im.Pix[k+1], im.Pix[k+2], im.Pix[k+3]}]++
	}
	var list []color.RGBA
	for c := range count {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b color.RGBA) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a.R, b.R), cmp.Compare(a.G, b.G), cmp.Compare(a.B, b.B))
	})
	var out color.Palette
	for _, c := range list[:min(256, len(list))] {
		out = append(out, c)
	}
	return out
}
