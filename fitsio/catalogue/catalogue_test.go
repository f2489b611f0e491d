package catalogue

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/fitsio"
	"limpid/fitsio/wcs"
)

// tolAngle: positions pass through one multiplication or one sum.
const tolAngle = 1e-9

func read(t *testing.T, text string, o Options) *Catalogue {
	t.Helper()
	c, err := ReadText(context.Background(), strings.NewReader(text), "test", o)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return c
}

func TestReadText_UsualLayouts_FindPositions(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		ra, dec float64
		frame   wcs.Frame
	}{
		"csv":            {"id,ra,dec,mag\n1,150.5,2.25,20\n", 150.5, 2.25, wcs.ICRS},
		"bom and crlf":   {"\ufeffname;RA_J2000;DE_J2000\r\nx;150.5;2.25\r\n", 150.5, 2.25, wcs.ICRS},
		"quoted":         {"name,\"ra [deg]\",dec\n\"a, \"\"b\"\"\",150.5,2.25\n", 150.5, 2.25, wcs.ICRS},
		"sexagesimal":    {"ra\tdec\n10:02:00\t+02:15:00\n\t\n", 150.5, 2.25, wcs.ICRS},
		"letters":        {"ALPHA_J2000|DELTA_J2000\n10h02m00s|+02d15m00s\n", 150.5, 2.25, wcs.ICRS},
		"sextractor":     {"# NUMBER X_IMAGE Y_IMAGE ALPHA_J2000 DELTA_J2000\n 1 10 20 150.5 2.25\n", 150.5, 2.25, wcs.ICRS},
		"radians":        {"coord_ra,coord_dec\n2.626720524251168,0.039269908169872414\n", 150.5, 2.25, wcs.ICRS},
		"hours":          {"ra (h),dec\n10.033333333333333,2.25\n", 150.5, 2.25, wcs.ICRS},
		"galactic":       {"l b flux\n150.5 2.25 3\n", 150.5, 2.25, wcs.Galactic},
		"rule of dashes": {"| ra | dec |\n|----|-----|\n", math.NaN(), math.NaN(), wcs.ICRS},
		"framed":         {"| name | ra    | dec  |\n|------|-------|------|\n| a b | 150.5 | 2.25 |\n", 150.5, 2.25, wcs.ICRS},
		"vizier":         {"#RESOURCE=x\n#Column RAJ2000\n\nrecno\tRAJ2000\tDEJ2000\n \tdeg\tdeg\n-----\t-------\t-------\n1\t150.5\t2.25\n", 150.5, 2.25, wcs.ICRS},
		"vizier hms":     {"recno\tRAJ2000\tDEJ2000\n \t\"h:m:s\"\t\"d:m:s\"\n-----\t-------\t-------\n1\t10 02 00\t+02 15 00\n", 150.5, 2.25, wcs.ICRS},
		"ascii head": {"#   1 NUMBER          Running object number\n#   2 FLUX_APER       Flux vector [count]\n" +
			"#   4 ALPHA_J2000     Right ascension [deg]\n#   5 DELTA_J2000     Declination [deg]\n 1 3.5 4.5 150.5 2.25\n", 150.5, 2.25, wcs.ICRS},
		"ipac": {"\\fixlen = T\n\\ a comment\n|  ra      |  dec    | name      |\n|  double  |  double | char      |\n|  deg     |  deg    |           |\n" +
			"|  null    |  null   | null      |\n   150.5      2.25     NGC 1 | x  \n   150.5      2.25     b         \n", 150.5, 2.25, wcs.ICRS},
		"degrees called coord": {"coord_ra,coord_dec\n150.5,2.25\n", 150.5, 2.25, wcs.ICRS},
	} {
		c2 := read(t, c.text, Options{})
		if math.IsNaN(c.ra) {
			continue // only that it reads
		}
		if len(c2.RA) == 0 || math.Abs(c2.RA[0]-c.ra) > tolAngle || math.Abs(c2.Dec[0]-c.dec) > tolAngle || c2.Frame != c.frame {
			t.Errorf("%s: %v %v %v, want %v %v %v", name, c2.RA, c2.Dec, c2.Frame, c.ra, c.dec, c.frame)
		}
	}
}

func TestReadText_ColumnsAsked_AreUsed(t *testing.T) {
	text := "ra,dec,ra2,dec2\n1,2,3,4\n"
	c := read(t, text, Options{RA: "RA2", Dec: "dec2"})
	if c.RA[0] != 3 || c.Dec[0] != 4 || c.RAName != "ra2" {
		t.Errorf("%v %v %q", c.RA, c.Dec, c.RAName)
	}
	for _, o := range []Options{{RA: "ra"}, {RA: "ra", Dec: "nope"}} {
		if _, err := ReadText(context.Background(), strings.NewReader(text), "test", o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestReadText_PixelsAndMissing_AreKept(t *testing.T) {
	c := read(t, "x_image,y_image,note\n1,5,a\n,7\n", Options{})
	if c.X[0] != 0 || c.Y[0] != 4 || !math.IsNaN(c.X[1]) || c.RA != nil {
		t.Errorf("%v %v %v", c.X, c.Y, c.RA)
	}
	if len(c.Findings) != 1 || c.Findings[0].Code != "catalogue.ragged" {
		t.Errorf("findings %v", c.Findings)
	}
	if _, err := c.Float64("note"); err == nil {
		t.Error("text read as numbers")
	}
	if _, err := c.Float64("nope"); !errors.Is(err, fitsio.ErrNoColumn) {
		t.Errorf("missing column: %v", err)
	}
}

func TestReadText_NotATable_IsAnError(t *testing.T) {
	for _, s := range []string{"", "one\ntwo\n", "<html>\n<body>\n", "a,b\x00\n"} {
		if _, err := ReadText(context.Background(), strings.NewReader(s), "test", Options{}); !errors.Is(err, ErrNoTable) {
			t.Errorf("%q: %v", s, err)
		}
	}
	if _, err := ReadText(context.Background(), strings.NewReader("a,b\n1,2\n3,4\n"), "test", Options{MaxRows: 1}); !errors.Is(err, fitsio.ErrTooLarge) {
		t.Errorf("too many rows: %v", err)
	}
}

func TestReadText_ImpossibleLatitudes_AreNotPositions(t *testing.T) {
	c := read(t, "ra,dec\n150,200\n", Options{})
	if c.RA != nil || len(c.Findings) != 1 {
		t.Errorf("%v %v", c.RA, c.Findings)
	}
}

func TestOpen_FITSTable_FindsPositions(t *testing.T) {
	h, err := fitsio.NewTable("STARS", []fitsio.NewColumn{
		{Name: "ID", Data: []string{"a", "b"}},
		{Name: "RAJ2000", Unit: "deg", Data: []float64{10, 20}},
		{Name: "DEJ2000", Unit: "deg", Data: []float64{-5, 5}},
		{Name: "SPECTRUM", Data: []float32{1, 2, 3, 4}, Dim: []int{2}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cat.fits")
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, h); err != nil {
		t.Fatal(err)
	}
	c, err := Open(context.Background(), path, Options{})
	if err != nil || c.RA[1] != 20 || c.Dec[0] != -5 || len(c.Columns) != 3 {
		t.Fatalf("%+v %v", c, err)
	}
	text := filepath.Join(t.TempDir(), "cat.txt")
	if err := os.WriteFile(text, []byte("ra dec\n1 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = Open(context.Background(), text, Options{}); err != nil || c.RA[0] != 1 {
		t.Errorf("%+v %v", c, err)
	}
}

func TestReadText_LongIdentifiers_KeepEveryDigit(t *testing.T) {
	c := read(t, "source_id,ra,dec\n4295806720,44.9,0.005\n6917528997577384321,45,0.02\n", Options{})
	if id := c.Find("source_id"); id.Ints == nil || id.Ints[1] != 6917528997577384321 || id.Numbers[0] != 4295806720 {
		t.Errorf("%v", id)
	}
	h, err := fitsio.NewTable("T", []fitsio.NewColumn{{Name: "ID", Data: []int64{1<<60 + 1, 7}}, {Name: "N", Data: []int64{1, 2}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cat.fits")
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{}, h); err != nil {
		t.Fatal(err)
	}
	if c, err = Open(context.Background(), path, Options{}); err != nil || c.Find("ID").Ints[0] != 1<<60+1 || c.Find("N").Ints != nil {
		t.Errorf("%+v %v", c, err)
	}
}

func TestReadText_UnitsAndNames_OfEveryLayout(t *testing.T) {
	c := read(t, "#   1 A  first\n#   2 B  vector [mag]\n#   4 C  last [pix]\n1 2 3 4\n", Options{})
	var got []string
	for _, col := range c.Columns {
		got = append(got, col.Name+":"+col.Unit)
	}
	if s := strings.Join(got, " "); s != "A: B:mag B_1: C:pix" {
		t.Errorf("%s", s)
	}
	c = read(t, "|a    |b       |\n|int  |char    |\n|mag  |        |\n 5     x y z\n", Options{})
	if a, b := c.Find("a"), c.Find("b"); a.Unit != "mag" || a.Numbers[0] != 5 || b.Text[0] != "x y z" {
		t.Errorf("%+v %+v", a, b)
	}
}
