package viewmodel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"limpid"
	"limpid/app/figure/measure"
	"limpid/app/file"
	"limpid/app/session"
	"limpid/fitsio/catalogue"
	"limpid/fitsio/regions"
	"limpid/fitsio/wcs"
	"limpid/ui/viewmodel/form"
	"limpid/ui/viewmodel/marks"
)

// edit is one step that can be undone: the recipe and regions of a file before it.
type edit struct {
	file  *File
	draft form.Draft
	marks marks.Set
}

type history struct{ done, undone []edit }

// mostEdits bounds the undo stack.
const mostEdits = 500

// remember notes the state of a file before it is changed.
func (m *Model) remember(f *File) {
	m.edits.done = append(m.edits.done, edit{f, f.draft, f.marks})
	if n := len(m.edits.done) - mostEdits; n > 0 {
		m.edits.done = m.edits.done[n:]
	}
	m.edits.undone = nil
}

// CanUndo and CanRedo say whether there is something to undo or to do again.
func (m *Model) CanUndo() bool { return len(m.edits.done) > 0 }

// CanRedo is the other direction.
func (m *Model) CanRedo() bool { return len(m.edits.undone) > 0 }

// Undo takes the last change of a recipe or of regions back.
func (m *Model) Undo() { m.step(&m.edits.done, &m.edits.undone) }

// Redo does it again.
func (m *Model) Redo() { m.step(&m.edits.undone, &m.edits.done) }

func (m *Model) step(from, to *[]edit) {
	for len(*from) > 0 {
		e := (*from)[len(*from)-1]
		*from = (*from)[:len(*from)-1]
		open := false
		for _, f := range m.files {
			open = open || f == e.file
		}
		if !open {
			continue
		}
		*to = append(*to, edit{e.file, e.file.draft, e.file.marks})
		was, _ := e.file.draft.Recipe()
		e.file.draft, e.file.marks = e.draft, e.marks
		is, _ := e.draft.Recipe()
		if m.file != e.file {
			m.ShowFile(e.file)
		}
		if measureKey(was) != measureKey(is) {
			m.remeasure(e.file)
		}
		m.changed(Recipe | Marks | View)
		return
	}
}

// inspection is what is looked at beside the images.
type inspection struct {
	selected int // region
	cat      *catalogue.Catalogue
	places   map[placing][][2]float64
	catName  string
	catPath  string
	row      int // of the catalogue; −1: none
	at       Place
	grid     bool
	contours bool
}

// Place is a pixel that was chosen, in the image of the file.
type Place struct {
	X, Y float64
	Set  bool
}

// Marked are the regions of the current file.
func (m *Model) Marked() []marks.Item {
	if m.file == nil {
		return nil
	}
	return m.file.marks.Items()
}

// SelectedRegion is the one chosen; 0: none.
func (m *Model) SelectedRegion() int { return m.tools.selected }

// SelectRegion chooses one.
func (m *Model) SelectRegion(id int) {
	if m.tools.selected != id {
		m.tools.selected = id
		m.changed(Marks)
	}
}

// AddRegion draws one and chooses it.
func (m *Model) AddRegion(r regions.Region) {
	if m.file == nil {
		return
	}
	m.remember(m.file)
	m.file.marks, m.tools.selected = m.file.marks.Add(r)
	m.changed(Marks)
}

// ReplaceRegion changes one; with live, as while it is being dragged, the change
// is part of the one before.
func (m *Model) ReplaceRegion(id int, r regions.Region, live bool) {
	if m.file == nil {
		return
	}
	if !live {
		m.remember(m.file)
	}
	m.file.marks = m.file.marks.Replace(id, r)
	m.changed(Marks)
}

// RemoveRegion takes one away; it reports whether it was there.
func (m *Model) RemoveRegion(id int) bool {
	if m.file == nil {
		return false
	}
	if _, ok := m.file.marks.Get(id); !ok {
		return false
	}
	m.remember(m.file)
	m.file.marks = m.file.marks.Remove(id)
	m.tools.selected = 0
	m.changed(Marks)
	return true
}

// TypeRegion takes a line of DS9 for a new region (id 0) or in place of one.
func (m *Model) TypeRegion(id int, text string) error {
	r, err := marks.ParseLine(text)
	if err != nil {
		return err
	}
	if m.file == nil {
		return errors.New("open an image first")
	}
	if id == 0 {
		m.AddRegion(r)
	} else {
		m.ReplaceRegion(id, r, false)
	}
	return nil
}

// readRegions reads a region file; what it returns adds it to the current file.
func (m *Model) readRegions(path string) func() {
	text, err := os.ReadFile(path)
	var list []regions.Region
	var found []limpid.Finding
	if err == nil {
		list, found, err = regions.Parse(bytes.NewReader(text))
	}
	return func() {
		name := filepath.Base(path)
		switch {
		case err != nil:
			m.notify(limpid.Finding{Severity: limpid.Problem, Code: "regions", Where: name, What: form.Plain(err.Error()), Advice: "a DS9 region file has lines like circle(101,98,12)"})
			return
		case m.file == nil:
			m.notify(limpid.Finding{Severity: limpid.Info, Code: "regions", Where: name, What: "regions are drawn on an image", Advice: "open the image first"})
			return
		}
		if len(found) > 0 {
			f := found[0]
			f.Where = name + ", " + f.Where
			if len(found) > 1 {
				f.What += fmt.Sprintf(" (and %d more)", len(found)-1)
			}
			m.notify(f)
		}
		m.remember(m.file)
		m.file.marks, _ = m.file.marks.Add(list...)
		m.changed(Marks)
	}
}

// SaveRegions writes the regions of the current file for DS9.
func (m *Model) SaveRegions(path string) error {
	if m.file == nil || m.file.marks.Len() == 0 {
		return errors.New("there are no regions")
	}
	var b bytes.Buffer
	if err := regions.Write(&b, m.file.marks.Regions()); err != nil {
		return err
	}
	if err := file.WriteBytes(path, b.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", session.ErrOutput, err)
	}
	return nil
}

// ShapeOn is a region in the pixels of a tile; ok is false where it cannot be
// drawn there.
func (m *Model) ShapeOn(t *Tile, r regions.Region) (s regions.Shape, ok bool) {
	if t.Picture == nil {
		return s, false
	}
	pixels := r.System == "image" || r.System == "physical"
	if pixels && t.Other() {
		return s, false
	}
	hdu := m.hdu
	if m.entry != nil {
		hdu = m.entry.HDU
	}
	head, err := m.file.doc.Header(hdu)
	if err != nil {
		return s, false
	}
	if s, err = r.Pixels(head, t.Picture.WCS); err != nil {
		return s, false
	}
	if o := t.Picture.Origin; pixels && o != [2]int{} {
		s = marks.Move(s, -float64(o[0]), -float64(o[1]))
	}
	return s, true
}

// RegionFrom makes a region of the file's image from a shape on a tile.
func (m *Model) RegionFrom(t *Tile, s regions.Shape, like regions.Region) regions.Region {
	o := t.Grid().Origin
	return marks.FromShape(marks.Move(s, float64(o[0]), float64(o[1])), like)
}

// Measured are the statistics of a region on a tile.
type Measured struct {
	Title, Unit string
	Pixels      int
	Area        float64 // arcsec²; 0: no sky
	measure.Stats
	SumStd   float64 // of the sum; 0: not known
	SumStdIs string  // where it is from
}

// MeasureRegion describes what a tile shows in a region. The error of the sum is
// the scatter of the sums of the posterior samples (which knows that neighbouring
// pixels are correlated), or for data the root of the summed variances.
func (m *Model) MeasureRegion(i int, r regions.Region) (out Measured, ok bool) {
	if i >= len(m.panes.tiles) {
		return out, false
	}
	t := m.panes.tiles[i]
	s, ok := m.ShapeOn(t, r)
	if !ok || s.Kind == "line" || s.Kind == "point" || s.Kind == "text" {
		return out, false
	}
	x0f, y0f, x1f, y1f := s.Bounds()
	x0, y0, x1, y1 := int(math.Floor(x0f)), int(math.Floor(y0f)), int(math.Ceil(x1f))+1, int(math.Ceil(y1f))+1
	p := t.Picture
	out = Measured{Title: t.Title, Unit: p.Unit, Stats: measure.Within(p.Image.Plane(), x0, y0, x1, y1, s.Contains)}
	out.CentroidX += float64(p.Origin[0]) // pixels of the file, not of a cut-out
	out.CentroidY += float64(p.Origin[1])
	out.Pixels = out.N
	if p.WCS != nil {
		k := p.WCS.PixelScale()
		out.Area = float64(out.N) * k * k
	}
	m.errorOfSum(&out, t, s, [4]int{x0, x1, y0, y1})
	return out, true
}

func (m *Model) errorOfSum(out *Measured, t *Tile, s regions.Shape, box [4]int) {
	p := t.Picture
	w, h := p.Image.Size()
	each := func(f func(i int)) {
		for y := max(0, box[2]); y < min(h, box[3]); y++ {
			for x := max(0, box[0]); x < min(w, box[1]); x++ {
				if s.Contains(float64(x), float64(y)) {
					f(y*w + x)
				}
			}
		}
	}
	e := t.want.entry
	switch {
	case p.std != nil && p.inv:
		var v float64
		each(func(i int) {
			if p.std[i] > 0 {
				v += 1 / float64(p.std[i])
			}
		})
		out.SumStd, out.SumStdIs = math.Sqrt(v), "noise"
	case e != nil && e.Result != nil && t.Source == Mean && len(e.Result.Samples) > 1:
		var sums []float64
		for _, sample := range e.Result.Samples {
			plane := sample.Plane(t.want.band)
			var sum float64
			each(func(i int) { sum += float64(plane[i]) })
			sums = append(sums, sum)
		}
		n := len(sums) // a standard deviation of n samples is itself known to 1/√(2(n−1))
		out.SumStd, out.SumStdIs = scatter(sums), fmt.Sprintf("%d samples, itself ± %.0f %%", n, 100/math.Sqrt(2*float64(n-1)))
	}
}

func scatter(vs []float64) float64 {
	var mean, q float64
	for _, v := range vs {
		mean += v
	}
	mean /= float64(len(vs))
	for _, v := range vs {
		q += (v - mean) * (v - mean)
	}
	return math.Sqrt(q / float64(max(1, len(vs)-1)))
}

// readCatalogue reads a table of sources; what it returns shows it.
func (m *Model) readCatalogue(ctx context.Context, path string, hdu int) func() {
	c, err := catalogue.Open(ctx, path, catalogue.Options{HDU: hdu})
	return func() {
		name := filepath.Base(path)
		if err != nil {
			m.notify(limpid.Finding{Severity: limpid.Problem, Code: "catalogue", Where: name, What: form.Plain(strings.TrimPrefix(err.Error(), "catalogue: ")), Advice: "a CSV file or FITS table with columns of RA and Dec, or x and y"})
			return
		}
		m.tools.cat, m.tools.catName, m.tools.catPath, m.tools.row = c, name, path, -1
		m.tools.places = nil
		if c.RA == nil && c.X == nil {
			m.notify(limpid.Finding{Severity: limpid.Warning, Code: "catalogue", Where: name, What: "no column was recognised as a position: the table is shown, not drawn", Advice: "name them ra and dec (degrees), or x and y (pixels from 1)"})
		}
		m.changed(Marks)
	}
}

// OpenCatalogue shows a table of sources over the images; the table HDU of a FITS
// file with hdu above 0.
func (m *Model) OpenCatalogue(path string, hdu int) {
	m.background(func(ctx context.Context) func() { return m.readCatalogue(ctx, path, hdu) })
}

// Catalogue is the one shown and its name; nil: none.
func (m *Model) Catalogue() (*catalogue.Catalogue, string) { return m.tools.cat, m.tools.catName }

// CloseCatalogue takes it off.
func (m *Model) CloseCatalogue() {
	m.tools.cat, m.tools.places = nil, nil
	m.changed(Marks)
}

// CatalogueRow is the row chosen; −1: none.
func (m *Model) CatalogueRow() int { return m.tools.row }

// SelectRow chooses a row.
func (m *Model) SelectRow(row int) {
	if m.tools.row != row {
		m.tools.row = row
		m.changed(Marks)
	}
}

// placing is what the places of a catalogue's sources depend on.
type placing struct {
	cat    *catalogue.Catalogue
	wcs    *wcs.WCS
	origin [2]int
	other  bool
}

// mostPlacings bounds how many pictures' places are kept.
const mostPlacings = 16

// CataloguePlaces are the catalogue's sources in the pixels of a tile; NaN where
// they have none. They are kept, and not to be changed.
func (m *Model) CataloguePlaces(t *Tile) [][2]float64 {
	c := m.tools.cat
	if c == nil || t.Picture == nil {
		return nil
	}
	key := placing{c, t.WCS(), t.Picture.Origin, t.Other()}
	if out, ok := m.tools.places[key]; ok {
		return out
	}
	out := placesOf(c, t)
	if len(m.tools.places) >= mostPlacings || m.tools.places == nil {
		m.tools.places = map[placing][][2]float64{}
	}
	m.tools.places[key] = out
	return out
}

func placesOf(c *catalogue.Catalogue, t *Tile) [][2]float64 {
	w := t.WCS()
	out := make([][2]float64, c.Rows)
	nan := math.NaN()
	for i := range out {
		out[i] = [2]float64{nan, nan}
		switch {
		case c.RA != nil && w != nil:
			lon, lat, ok := toFrame(c.Frame, w.Frame, c.RA[i], c.Dec[i])
			if x, y, good := w.SkyToPixel(lon, lat); ok && good {
				out[i] = [2]float64{x, y}
			}
		case c.X != nil && !t.Other():
			o := t.Picture.Origin
			out[i] = [2]float64{c.X[i] - float64(o[0]), c.Y[i] - float64(o[1])}
		}
	}
	return out
}

// toFrame converts unless the frames are one.
func toFrame(from, to wcs.Frame, lon, lat float64) (float64, float64, bool) {
	if from == to {
		return lon, lat, true
	}
	return from.To(to, lon, lat)
}
