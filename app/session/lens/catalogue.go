// Package lens is what a user can do with shear: open a catalogue or maps, confirm the
// columns and the conventions, map the mass, look at peaks, export. Window and command
// line are thin layers over it.
package lens

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"limpid"
	"limpid/fitsio"
	"limpid/fitsio/catalogue"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/binning"
)

// Columns names the columns of a shear catalogue. Weight and Z may be empty.
type Columns struct {
	RA     string `json:"ra"`
	Dec    string `json:"dec"`
	E1     string `json:"e1"`
	E2     string `json:"e2"`
	Weight string `json:"weight,omitempty"`
	Z      string `json:"z,omitempty"`
}

// Catalogue is an open shear catalogue. Close it.
type Catalogue struct {
	Path     string
	Rows     int
	Names    []string
	Guess    Columns // empty where nothing fits: ask the user
	Findings []limpid.Finding

	units map[string]string
	file  *fitsio.File
	table *fitsio.Table        // FITS: streamed
	text  *catalogue.Catalogue // CSV and text: in memory
}

// names by which columns go, best first, without case, blanks and underscores.
var known = []struct {
	of    func(*Columns) *string
	names []string
}{
	{func(c *Columns) *string { return &c.RA }, []string{"ra", "raj2000", "raicrs", "alphaj2000", "radeg", "alpha", "alphawinj2000", "rightascension", "ragal", "racgal"}},
	{func(c *Columns) *string { return &c.Dec }, []string{"dec", "decj2000", "dej2000", "deicrs", "decicrs", "deltaj2000", "decdeg", "dedeg", "delta", "deltawinj2000", "declination", "decgal", "deccgal"}},
	{func(c *Columns) *string { return &c.E1 }, []string{"e1", "g1", "gamma1", "shear1", "mcalg1", "ell1", "eps1", "e1iso", "autocale1", "biascorrectede1", "hsmshaperegausse1", "ishapehsmregausse1"}},
	{func(c *Columns) *string { return &c.E2 }, []string{"e2", "g2", "gamma2", "shear2", "mcalg2", "ell2", "eps2", "e2iso", "autocale2", "biascorrectede2", "hsmshaperegausse2", "ishapehsmregausse2"}},
	{func(c *Columns) *string { return &c.Weight }, []string{"weight", "w", "wt", "weights", "shapeweight", "recalweight", "lensfitweight", "nhweightint", "lensweight"}},
	{func(c *Columns) *string { return &c.Z }, []string{"z", "zphot", "photoz", "zb", "zbest", "redshift", "zmean", "zcgal", "zpeak", "zmc"}},
}

func plainName(s string) string {
	return strings.NewReplacer("_", "", " ", "", "-", "", ".", "").Replace(strings.ToLower(strings.TrimSpace(s)))
}

// Open reads the names of a catalogue and guesses what they are. hdu picks a table of a
// FITS file; 0: the first table.
func Open(ctx context.Context, path string, hdu int) (*Catalogue, error) {
	c := &Catalogue{Path: path, units: map[string]string{}}
	f, err := fitsio.OpenWith(ctx, path, fitsio.Options{})
	switch {
	case err == nil:
		if err := c.openFITS(f, hdu); err != nil {
			f.Close()
			return nil, err
		}
	case errors.Is(err, fitsio.ErrNotFITS):
		if c.text, err = catalogue.Open(ctx, path, catalogue.Options{}); err != nil {
			return nil, err
		}
		c.Rows = c.text.Rows
		for _, col := range c.text.Columns {
			c.Names = append(c.Names, col.Name)
			c.units[strings.ToLower(col.Name)] = col.Unit
		}
		for _, x := range c.text.Findings {
			if x.Code == "catalogue.ragged" {
				c.Findings = append(c.Findings, x)
			}
		}
	default:
		return nil, err
	}
	c.guess()
	return c, nil
}

func (c *Catalogue) openFITS(f *fitsio.File, hdu int) error {
	for _, h := range f.HDUs {
		if h.Kind != fitsio.BinaryTable && h.Kind != fitsio.ASCIITable || (hdu > 0 && h.Index != hdu) {
			continue
		}
		t, err := h.Table()
		if err != nil {
			return err
		}
		c.file, c.table, c.Rows = f, t, t.Rows
		for i := range t.Columns {
			c.Names = append(c.Names, t.Columns[i].Name)
			c.units[strings.ToLower(t.Columns[i].Name)] = t.Columns[i].Unit
		}
		return nil
	}
	return fmt.Errorf("lens: read %s: %w", filepath.Base(c.Path), catalogue.ErrNoTable)
}

func (c *Catalogue) guess() {
	for _, k := range known {
		for _, want := range k.names {
			for _, name := range c.Names {
				if *k.of(&c.Guess) == "" && plainName(name) == want {
					*k.of(&c.Guess) = name
				}
			}
		}
	}
	g := c.Guess
	c.Findings = append(c.Findings, limpid.Finding{
		Severity: limpid.Info, Code: "shear.columns", Where: filepath.Base(c.Path),
		What:   fmt.Sprintf("RA %s, Dec %s, e1 %s, e2 %s, weight %s, redshift %s", orNone(g.RA), orNone(g.Dec), orNone(g.E1), orNone(g.E2), orNone(g.Weight), orNone(g.Z)),
		Advice: "Name the columns if these are not the right ones",
	})
}

func orNone(s string) string {
	if s == "" {
		return "not found"
	}
	return s
}

// Fill takes the user's names over the guessed ones. "none" leaves Weight or Z out.
func (c *Catalogue) Fill(user Columns) (Columns, error) {
	out := c.Guess
	var missing []string
	for i, k := range known {
		switch name := *k.of(&user); {
		case strings.EqualFold(name, "none") && i >= 4:
			*k.of(&out) = ""
		case name != "":
			*k.of(&out) = name
		}
		what := []string{"RA", "Dec", "e1", "e2", "weight", "redshift"}[i]
		name := *k.of(&out)
		switch {
		case name == "" && i < 4:
			missing = append(missing, what)
		case name != "" && !c.has(name):
			return out, fmt.Errorf("lens: %s: column %q for the %s is not among %s: %w", filepath.Base(c.Path), name, what, strings.Join(c.Names, ", "), fitsio.ErrNoColumn)
		}
	}
	if len(missing) > 0 {
		return out, fmt.Errorf("lens: %s: no column looks like %s among %s; name it: %w", filepath.Base(c.Path), strings.Join(missing, " or "), strings.Join(c.Names, ", "), fitsio.ErrNoColumn)
	}
	return out, nil
}

func (c *Catalogue) has(name string) bool {
	for _, n := range c.Names {
		if strings.EqualFold(n, strings.TrimSpace(name)) {
			return true
		}
	}
	return false
}

// RAUnit is what the unit of the RA column says: Guess where it says nothing.
func (c *Catalogue) RAUnit(col Columns) (binning.Unit, error) {
	switch u := strings.ToLower(strings.TrimSpace(c.units[strings.ToLower(col.RA)])); u {
	case "h", "hr", "hour", "hours", "hourangle":
		return binning.Hours, nil
	case "deg", "degree", "degrees":
		return binning.Degrees, nil
	case "rad", "radian", "radians", "arcsec", "arcmin":
		return "", fmt.Errorf("lens: column %s is in %s: degrees or hours are read: %w", col.RA, u, massmap.ErrSetting)
	}
	return binning.Guess, nil
}

// Source streams the rows of the named columns.
func (c *Catalogue) Source(col Columns) (binning.Source, error) {
	names := []string{col.RA, col.Dec, col.E1, col.E2}
	if col.Weight != "" {
		names = append(names, col.Weight)
	}
	if col.Z != "" {
		names = append(names, col.Z)
	}
	rows := func(v [][]float64) binning.Rows {
		r := binning.Rows{RA: v[0], Dec: v[1], E1: v[2], E2: v[3]}
		next := 4
		if col.Weight != "" {
			r.Weight = v[next]
			next++
		}
		if col.Z != "" {
			r.Z = v[next]
		}
		return r
	}
	if c.table != nil {
		return func(ctx context.Context, use func(binning.Rows) error) error {
			return c.table.Stream(ctx, names, func(_ int, cols [][]float64) error { return use(rows(cols)) })
		}, nil
	}
	all := make([][]float64, len(names))
	for i, n := range names {
		if i < 2 && strings.EqualFold(n, []string{c.text.RAName, c.text.DecName}[i]) && c.text.Find(n).Text != nil {
			all[i] = [][]float64{c.text.RA, c.text.Dec}[i] // 10:02:03 is in degrees already
			continue
		}
		var err error
		if all[i], err = c.text.Float64(n); err != nil {
			return nil, err
		}
	}
	return func(_ context.Context, use func(binning.Rows) error) error {
		if c.Rows == 0 {
			return nil
		}
		return use(rows(all))
	}, nil
}

// Bin maps the catalogue on pixels. Columns not named are guessed; a unit of RA not given
// is that of the column.
func (c *Catalogue) Bin(ctx context.Context, user Columns, o binning.Options) (*massmap.Field, Columns, error) {
	col, err := c.Fill(user)
	if err != nil {
		return nil, col, err
	}
	if o.RAUnit == binning.Guess {
		if o.RAUnit, err = c.RAUnit(col); err != nil {
			return nil, col, err
		}
	}
	if o.ZMax != 0 && col.Z == "" {
		return nil, col, fmt.Errorf("lens: a redshift cut needs a column of redshifts: name it: %w", massmap.ErrSetting)
	}
	if o.ZMax == 0 {
		col.Z = "" // not read
	}
	src, err := c.Source(col)
	if err != nil {
		return nil, col, err
	}
	f, err := binning.Bin(ctx, src, o)
	return f, col, err
}

// Close releases the file.
func (c *Catalogue) Close() error {
	if c.file != nil {
		return c.file.Close()
	}
	return nil
}
