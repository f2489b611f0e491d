// Package catalogue reads lists of sources: FITS tables, CSV, and text tables with
// tabs, semicolons, bars or blanks between columns. It guesses which columns hold
// the position and says what it guessed.
//
//	c, err := catalogue.Open(ctx, "stars.csv", catalogue.Options{})
//	c.RA, c.Dec          // degrees, c.Frame
//	mag, err := c.Float64("mag_i")
//	c.Findings           // "RA from column alpha_j2000, in degrees"
package catalogue

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"limpid"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
)

// ErrNoTable is returned where nothing in the file is a table.
var ErrNoTable = errors.New("no table of sources")

// Options choose what guessing would get wrong. The zero value guesses.
type Options struct {
	HDU     int    // FITS: the table; 0: the first with a position, or else the first
	RA, Dec string // names of the position columns
	MaxRows int    // 0: 50 million
}

// maxText bounds a text table in memory.
const maxText = 1 << 30

// Catalogue is a table in memory.
type Catalogue struct {
	Columns []Column
	Rows    int
	// RA and Dec are in degrees, NaN where missing; nil where no columns were
	// recognised. Frame is what they are in: ICRS unless the names say otherwise.
	RA, Dec         []float64
	RAName, DecName string
	Frame           wcs.Frame
	// X and Y are pixel coordinates counted from 0, where the table has them.
	X, Y         []float64
	XName, YName string
	Findings     []limpid.Finding
}

// Column is numbers or text, one value per row.
type Column struct {
	Name, Unit string
	Numbers    []float64 // NaN where empty; nil for text
	Text       []string  // nil for numbers
	// Ints are the exact values of a column of whole numbers, such as identifiers,
	// of which Numbers cannot hold all digits; nil otherwise.
	Ints []int64
}

// exactFloat is where float64 stops holding every integer.
const exactFloat = 1 << 53

// Find gives the column of that name, case ignored; nil where absent.
func (c *Catalogue) Find(name string) *Column {
	for i := range c.Columns {
		if strings.EqualFold(c.Columns[i].Name, strings.TrimSpace(name)) {
			return &c.Columns[i]
		}
	}
	return nil
}

// Float64 gives the numbers of a column.
func (c *Catalogue) Float64(name string) ([]float64, error) {
	col := c.Find(name)
	switch {
	case col == nil:
		return nil, fmt.Errorf("catalogue: no column %q among %s: %w", name, strings.Join(c.names(), ", "), fitsio.ErrNoColumn)
	case col.Numbers == nil:
		return nil, fmt.Errorf("catalogue: column %q is text", name)
	}
	return col.Numbers, nil
}

func (c *Catalogue) names() []string {
	out := make([]string, len(c.Columns))
	for i := range c.Columns {
		out[i] = c.Columns[i].Name
	}
	return out
}

func (c *Catalogue) note(sev limpid.Severity, code, where, advice, format string, args ...any) {
	c.Findings = append(c.Findings, limpid.Finding{Severity: sev, Code: code, What: fmt.Sprintf(format, args...), Where: where, Advice: advice})
}

// Open reads a file; FITS is told by content.
func Open(ctx context.Context, path string, o Options) (*Catalogue, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("catalogue: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.IsDir() {
		return nil, fmt.Errorf("catalogue: %s is a folder: %w", filepath.Base(path), ErrNoTable)
	}
	fitsFile, err := fitsio.OpenWith(ctx, path, fitsio.Options{})
	if err == nil {
		defer fitsFile.Close()
		return fromFITS(ctx, fitsFile, o)
	}
	if !errors.Is(err, fitsio.ErrNotFITS) {
		return nil, err
	}
	c, err := ReadText(ctx, f, filepath.Base(path), o)
	if err != nil {
		return nil, fmt.Errorf("catalogue: read %s: %w", filepath.Base(path), err)
	}
	return c, nil
}

func (o Options) maxRows() int {
	if o.MaxRows > 0 {
		return o.MaxRows
	}
	return 50_000_000
}

// fromFITS takes the asked table, or the first one with a position.
func fromFITS(ctx context.Context, f *fitsio.File, o Options) (*Catalogue, error) {
	var first *Catalogue
	for _, h := range f.HDUs {
		if h.Kind != fitsio.BinaryTable && h.Kind != fitsio.ASCIITable || (o.HDU > 0 && h.Index != o.HDU) {
			continue
		}
		c, err := fromHDU(ctx, h, o)
		if err != nil {
			return nil, err
		}
		if c.RA != nil || o.HDU > 0 {
			return c, nil
		}
		if first == nil {
			first = c
		}
	}
	if first == nil {
		return nil, fmt.Errorf("catalogue: read %s: %w", filepath.Base(f.Path), ErrNoTable)
	}
	return first, nil
}

func fromHDU(ctx context.Context, h *fitsio.HDU, o Options) (*Catalogue, error) {
	t, err := h.Table()
	if err != nil {
		return nil, err
	}
	if t.Rows > o.maxRows() {
		return nil, fmt.Errorf("catalogue: %d rows are more than the limit of %d: %w", t.Rows, o.maxRows(), fitsio.ErrTooLarge)
	}
	c := &Catalogue{Rows: t.Rows}
	skipped := 0
	for i := range t.Columns {
		col := &t.Columns[i]
		if col.Len() != 1 && col.Type != 'A' || col.Var != 0 || col.Type == 'C' || col.Type == 'M' || t.Find(col.Name) != i {
			skipped++
			continue
		}
		out := Column{Name: col.Name, Unit: col.Unit}
		if col.Type == 'A' {
			out.Text, err = t.Strings(ctx, col.Name)
		} else {
			out.Numbers, err = t.Float64(ctx, col.Name)
			if v, null, ierr := t.Int64(ctx, col.Name); ierr == nil && null == nil && slices.ContainsFunc(v, tooLarge) {
				out.Ints = v
			}
		}
		if err != nil {
			return nil, err
		}
		c.Columns = append(c.Columns, out)
	}
	if skipped > 0 {
		c.note(limpid.Info, "catalogue.columns", h.String(), "", "%d columns that hold arrays were left out", skipped)
	}
	return c, c.guess(o)
}

// ReadText reads a text table whose first line that is not a comment names the
// columns; name is used in messages. A first line of numbers alone is data, and
// the columns are called col1, col2 ….
func ReadText(ctx context.Context, r io.Reader, name string, o Options) (*Catalogue, error) {
	lim := &io.LimitedReader{R: r, N: maxText}
	sc := bufio.NewScanner(lim)
	sc.Buffer(make([]byte, 0, 1<<16), 1<<22)
	t := &textTable{max: o.maxRows()}
	for line := 1; sc.Scan(); line++ {
		if line%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := t.add(sc.Text(), line); err != nil {
			return nil, err
		}
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	if lim.N == 0 {
		return nil, fmt.Errorf("more than %d bytes: %w", int64(maxText), fitsio.ErrTooLarge)
	}
	if len(t.names) < 2 {
		return nil, fmt.Errorf("no line with two columns: %w", ErrNoTable)
	}
	c := t.catalogue(name)
	return c, c.guess(o)
}

func tooLarge(v int64) bool { return v > exactFloat || v < -exactFloat }

type textTable struct {
	sep     byte // 0: blanks
	names   []string
	cells   [][]string // by column
	rows    int
	max     int
	ragged  int
	comment []string // words of the last comment before the data
	listed  []string // columns that comments describe one by one, as SExtractor does
	units   []string
	framed  bool  // lines begin and end with a bar
	headers int   // lines after the names that begin with a bar
	bars    []int // columns of fixed width (IPAC): where the bars of the names stand
}

// add takes one line.
func (t *textTable) add(line string, number int) error {
	line = strings.TrimRight(strings.TrimPrefix(line, "\ufeff"), "\r")
	s := strings.TrimSpace(line)
	switch {
	case s == "":
		return nil
	case s[0] == '\\' && (t.names == nil || t.bars != nil):
		return nil // a comment of IPAC tables
	case s[0] == '#':
		if t.names == nil {
			t.list(strings.Fields(s[1:]))
			t.comment = strings.FieldsFunc(strings.TrimLeft(s, "# "), func(r rune) bool { return strings.ContainsRune(", \t;|", r) })
		}
		return nil
	case strings.ContainsRune(s, 0) || s[0] == '<':
		return fmt.Errorf("line %d is not text of a table: %w", number, ErrNoTable)
	case strings.Trim(s, "-=+| \t") == "" && t.rows == 0:
		return nil // a rule under the names
	case strings.Trim(s, "-=+| \t") == "" && t.rows == 1 && t.firstIsUnits():
		return nil // VizieR: names, units, rule
	case s[0] == '|' && t.bars != nil && t.rows == 0 && !hasNumber(t.split(strings.ReplaceAll(line, "|", " "))):
		if t.headers++; t.headers == 2 { // IPAC: names, types, units, nulls
			t.units = t.split(strings.ReplaceAll(line, "|", " "))
		}
		return nil
	case s[0] == '|' && t.bars != nil && t.rows == 0: // a frame of bars around every line
		t.bars, t.sep, t.framed = nil, '|', true
	}
	if t.names == nil && s[0] == '|' && strings.HasSuffix(s, "|") {
		return t.ipac(line)
	}
	if t.names == nil {
		t.sep = separator(s)
		first := t.split(line)
		if allNumbers(first) {
			t.names = t.comment
			if len(t.listed) > 0 {
				t.spread(len(first))
			}
			if len(t.names) != len(first) {
				t.names = make([]string, len(first))
				for i := range first {
					t.names[i] = fmt.Sprintf("col%d", i+1)
				}
			}
		} else {
			t.names = first
		}
		if len(t.names) > 10000 {
			return fmt.Errorf("%d columns: %w", len(t.names), ErrNoTable)
		}
		t.cells = make([][]string, len(t.names))
		if !allNumbers(first) {
			return nil
		}
	}
	f := t.split(line)
	if len(f) != len(t.names) {
		t.ragged++
	}
	if t.rows++; t.rows > t.max {
		return fmt.Errorf("more than %d rows: %w", t.max, fitsio.ErrTooLarge)
	}
	for i := range t.cells {
		v := ""
		if i < len(f) {
			v = f[i]
		}
		t.cells[i] = append(t.cells[i], v)
	}
	return nil
}

// separator looks for the usual ones in the first line.
func separator(s string) byte {
	for _, b := range []byte{'\t', ',', ';', '|'} {
		if strings.IndexByte(s, b) >= 0 {
			return b
		}
	}
	return 0
}

// split cuts a line; fields may be quoted with "", quotes doubled inside.
func (t *textTable) split(s string) []string {
	if t.bars != nil {
		return t.fixed(s)
	}
	if t.sep == 0 {
		return strings.Fields(s)
	}
	if t.framed {
		s = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "|"), "|")
	}
	var out []string
	for {
		u := strings.TrimLeft(s, " ")
		if !strings.HasPrefix(u, `"`) {
			cell, rest, more := strings.Cut(s, string(t.sep))
			out = append(out, strings.TrimSpace(cell))
			if !more {
				return out
			}
			s = rest
			continue
		}
		var b strings.Builder
		i := 1
		for ; i < len(u); i++ {
			if u[i] == '"' {
				if i+1 < len(u) && u[i+1] == '"' {
					i++
				} else {
					break
				}
			}
			b.WriteByte(u[i])
		}
		out = append(out, b.String())
		_, rest, more := strings.Cut(u[min(i+1, len(u)):], string(t.sep))
		if !more {
			return out
		}
		s = rest
	}
}

func number(s string) (float64, bool) {
	switch strings.ToLower(s) {
	case "", "null", "none", "n/a", "na", "--", "-", "masked", "...":
		return math.NaN(), true
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// numbers gives the values of a column, and the whole ones where float64 would lose
// digits; nil where a cell is neither number nor empty.
func numbers(cells []string) (v []float64, ints []int64) {
	v = make([]float64, 0, len(cells))
	whole, large := true, false
	for _, s := range cells {
		x, ok := number(s)
		if !ok {
			return nil, nil
		}
		v = append(v, x)
		if math.Abs(x) > exactFloat {
			large = true
		}
	}
	if !large {
		return v, nil
	}
	for _, s := range cells {
		i, err := strconv.ParseInt(s, 10, 64)
		whole = whole && err == nil
		ints = append(ints, i)
	}
	if !whole {
		return v, nil
	}
	return v, ints
}

func hasNumber(f []string) bool {
	return slices.ContainsFunc(f, func(s string) bool { v, ok := number(s); return ok && v == v })
}

func allNumbers(f []string) bool {
	for _, s := range f {
		if _, ok := number(s); !ok || s == "" {
			return false
		}
	}
	return len(f) > 0
}

// catalogue turns cells into columns: numbers where every cell is one.
func (t *textTable) catalogue(name string) *Catalogue {
	c := &Catalogue{Rows: t.rows}
	for i, n := range t.names {
		col := Column{Name: n}
		if l := strings.LastIndexAny(n, "[("); l > 0 && strings.HasSuffix(n, map[byte]string{'[': "]", '(': ")"}[n[l]]) {
			col.Name, col.Unit = strings.TrimSpace(n[:l]), n[l+1:len(n)-1] // "ra [deg]"
		}
		if i < len(t.units) && col.Unit == "" {
			col.Unit = t.units[i]
		}
		if col.Numbers, col.Ints = numbers(t.cells[i]); col.Numbers == nil {
			col.Text = t.cells[i]
		}
		t.cells[i] = nil
		c.Columns = append(c.Columns, col)
	}
	if t.ragged > 0 {
		c.note(limpid.Warning, "catalogue.ragged", name, "Missing values are empty, surplus ones were dropped",
			"%d of %d lines do not have %d columns", t.ragged, t.rows, len(t.names))
	}
	return c
}
