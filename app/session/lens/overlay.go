package lens

import (
	"context"
	"fmt"
	"path/filepath"

	"limpid"
	"limpid/app/figure"
	figmeasure "limpid/app/figure/measure"
	"limpid/fitsio/catalogue"
	"limpid/fitsio/wcs"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/measure"
)

// Overlay is what is drawn over a map, in its pixels from 0: places of a catalogue and
// contours of an image, X-ray or optical.
type Overlay struct {
	Marks [][2]float64
	Lines [][4]float64
	// Stack is the mean map at the marks against random places; nil without marks.
	Stack    *measure.StackResult
	Findings []limpid.Finding

	ra, dec []float64 // of all rows
}

// mostLines bounds the pieces of contours.
const mostLines = 20000

// OpenOverlay reads a catalogue (FITS table, CSV or text with RA and Dec) and an image
// (FILE, FILE[2] or FILE[NAME]) with a sky; either may be "".
func OpenOverlay(ctx context.Context, f *massmap.Field, marks, contours string) (*Overlay, error) {
	o := &Overlay{}
	if marks == "" && contours == "" {
		return nil, nil
	}
	if f.Projection.Kind == massmap.Pixels || f.Projection.Kind == "" {
		return nil, fmt.Errorf("lens: the map has no sky, so that nothing can be laid over it: %w", massmap.ErrSetting)
	}
	if err := o.readMarks(ctx, f, marks); err != nil {
		return nil, err
	}
	if err := o.readContours(ctx, f, contours); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *Overlay) readMarks(ctx context.Context, f *massmap.Field, path string) error {
	if path == "" {
		return nil
	}
	c, err := catalogue.Open(ctx, path, catalogue.Options{})
	if err != nil {
		return err
	}
	o.ra, o.dec = c.RA, c.Dec
	if c.RA == nil || c.Dec == nil {
		if o.ra, o.dec = o.search(f, c); o.ra == nil {
			return fmt.Errorf("lens: %s: no columns look like RA and Dec: %w", filepath.Base(path), massmap.ErrSetting)
		}
	}
	if o.Marks = onMap(f, o.ra, o.dec); len(o.Marks) == 0 {
		o.note(limpid.Warning, filepath.Base(path), "look at its columns of RA and Dec", "none of its %d places is on the map", len(o.ra))
	}
	return nil
}

// search looks in a table without names for two columns side by side that place at least
// half of the rows on the map.
func (o *Overlay) search(f *massmap.Field, c *catalogue.Catalogue) (ra, dec []float64) {
	var before []float64
	for i, col := range c.Columns {
		now, err := c.Float64(col.Name)
		if err != nil {
			before = nil
			continue
		}
		if before != nil && 2*len(onMap(f, before, now)) >= c.Rows && c.Rows > 0 {
			o.note(limpid.Info, "marks", "name the columns in its first line if that is wrong", "columns %d and %d are taken for RA and Dec, since they lie on the map", i, i+1)
			return before, now
		}
		before = now
	}
	return nil, nil
}

// onMap are those places that lie on the map, in its pixels.
func onMap(f *massmap.Field, ra, dec []float64) (out [][2]float64) {
	for i := range ra {
		x, y, ok := f.Projection.ToPixel(ra[i], dec[i])
		if ok && x > -0.5 && y > -0.5 && x < float64(f.W)-0.5 && y < float64(f.H)-0.5 {
			out = append(out, [2]float64{x, y})
		}
	}
	return out
}

func (o *Overlay) readContours(ctx context.Context, f *massmap.Field, path string) error {
	if path == "" {
		return nil
	}
	im, err := readImage(ctx, path)
	if err != nil {
		return err
	}
	w, err := wcs.FromHeader(im.header, "")
	if err != nil || w == nil {
		return fmt.Errorf("lens: %s has no sky that contours could be placed by: %w", filepath.Base(path), massmap.ErrSetting)
	}
	picture, err := figure.NewImage(figure.Plane{Data: im.planes[0], W: im.w, H: im.h})
	if err != nil {
		return fmt.Errorf("lens: %s: %w", filepath.Base(path), err)
	}
	q := picture.Quantiles(0.05, 0.999)
	place := func(x, y float32) (px, py float64, ok bool) {
		ra, dec, ok := w.PixelToSky(float64(x), float64(y))
		if !ok {
			return 0, 0, false
		}
		return f.Projection.ToPixel(ra, dec)
	}
	inside := func(x, y float64) bool {
		return x > -0.5 && y > -0.5 && x < float64(f.W)-0.5 && y < float64(f.H)-0.5
	}
	for _, s := range figmeasure.AutoContours(picture, figure.Limits{Lo: q[0], Hi: q[1]}, mostLines) {
		x0, y0, ok0 := place(s.X0, s.Y0)
		x1, y1, ok1 := place(s.X1, s.Y1)
		if ok0 && ok1 && inside(x0, y0) && inside(x1, y1) {
			o.Lines = append(o.Lines, [4]float64{x0, y0, x1, y1})
		}
	}
	if len(o.Lines) == 0 {
		o.note(limpid.Warning, filepath.Base(path), "look at its sky", "none of its contours is on the map")
	}
	return nil
}

func (o *Overlay) note(sev limpid.Severity, where, advice, format string, a ...any) {
	o.Findings = append(o.Findings, limpid.Finding{Severity: sev, Code: "mass.overlay", Where: where, What: fmt.Sprintf(format, a...), Advice: advice})
}

// stack measures a map at the marks, where enough of them are on data.
func (o *Overlay) stack(f *massmap.Field, mean []float32) {
	if len(o.ra) == 0 {
		return
	}
	s, err := measure.Stack(f, mean, o.ra, o.dec, 0)
	if err != nil {
		o.note(limpid.Info, "marks", "", "no stack at the marks: %v", err)
		return
	}
	o.Stack = &s
}
