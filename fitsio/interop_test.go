package fitsio

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// interopFiles writes one file of every kind. The values follow formulas that
// testdata/check_written.py knows: v(i) below.
func interopFiles(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	write := func(name string, hdus ...*NewHDU) {
		path := filepath.Join(dir, name)
		if err := WriteFile(path, WriteOptions{Checksum: true}, hdus...); err != nil {
			t.Fatal(err)
		}
		names = append(names, path)
	}
	image := func(h *NewHDU, err error) *NewHDU {
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	head := &Header{}
	head.Set("OBJECT", "NGC 4993 'quoted' "+strings.Repeat("long text ", 12), "a long string")
	head.Set("EXPTIME", 1.5e-7, "[s]")
	head.Set("HIERARCH ESO TEL AIRM END", 1.25, "airmass")
	head.Set("GAIN", float32(0.1), "")
	head.Set("NOTHING", math.NaN(), "undefined")
	head.AddHistory("one line of history that is longer than the seventy-two characters that fit on a card of a header")
	head.AddComment("comment")
	sh := []int{7, 11}
	write("types.fits",
		image(NewImage("U8", sh, series[uint8](77), head)), image(NewImage("I8", sh, series[int8](77), nil)),
		image(NewImage("I16", sh, series[int16](77), nil)), image(NewImage("U16", sh, series[uint16](77), nil)),
		image(NewImage("I32", sh, series[int32](77), nil)), image(NewImage("U32", sh, series[uint32](77), nil)),
		image(NewImage("I64", sh, series[int64](77), nil)), image(NewImage("U64", sh, series[uint64](77), nil)),
		image(NewImage("F32", sh, series[float32](77), nil)), image(NewImage("F64", []int{7, 1, 11}, series[float64](77), head)))
	write("tables.fits", interopTable(t, head), NewEmpty("NOTHING", head))
	packed := func(h *NewHDU, err error) *NewHDU { return image(h, err) }
	noise := noisy()
	write("packed.fits",
		packed(NewCompressedImage("U8", sh, series[uint8](77), head, Compression{})),
		packed(NewCompressedImage("I16", sh, series[int16](77), nil, Compression{})),
		packed(NewCompressedImage("U16", sh, series[uint16](77), nil, Compression{Tile: []int{3, 4}})),
		packed(NewCompressedImage("I32", sh, series[int32](77), nil, Compression{Tile: []int{7, 11}})),
		packed(NewCompressedImage("U32", sh, series[uint32](77), nil, Compression{Method: "GZIP_1"})),
		packed(NewCompressedImage("I64", sh, series[int64](77), nil, Compression{})),
		packed(NewCompressedImage("F32", sh, series[float32](77), nil, Compression{})),
		packed(NewCompressedImage("F64", []int{7, 1, 11}, series[float64](77), nil, Compression{Method: "GZIP_1"})),
		packed(NewCompressedImage("Q32", []int{64, 80}, noise, head, Compression{Quantize: 4})),
		packed(NewCompressedImage("Q32D2", []int{64, 80}, noise, nil, Compression{Quantize: 8, Dither: 2, Method: "RICE_1", Seed: 4321, Tile: []int{20, 30}})),
		packed(NewCompressedImage("Q32ND", []int{64, 80}, noise, nil, Compression{Quantize: 8, Dither: -1, Method: "GZIP_2"})),
		packed(NewCompressedImage("QABS", []int{64, 80}, noise, nil, Compression{Quantize: -0.25, Seed: 77})))
	return names
}

// series is v(i) = (i² · 7919 + i) mod 2⁶⁴ cut to the type, or i/7 − 3 for
// floating point with a NaN at 5 and an infinity at 6.
func series[T Pixel](n int) []T {
	out := make([]T, n)
	for i := range out {
		switch p := any(&out[i]).(type) {
		case *float32:
			*p = float32(i)/7 - 3
		case *float64:
			*p = float64(i)/7 - 3
		default:
			u := uint64(i)*uint64(i)*7919 + uint64(i)
			u *= 0x9e3779b97f4a7c15
			out[i] = T(u)
		}
	}
	switch p := any(out).(type) {
	case []float32:
		p[5], p[6] = float32(math.NaN()), float32(math.Inf(1))
	case []float64:
		p[5], p[6] = math.NaN(), math.Inf(-1)
	}
	return out
}

// noisy is an image with noise 1 on a slope, a NaN and a patch of zeros.
func noisy() []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, 64*80)
	for i := range x {
		x[i] = float32(r.NormFloat64() + float64(i%80)/10 + 100)
	}
	x[100] = float32(math.NaN())
	for i := 3000; i < 3020; i++ {
		x[i] = 0
	}
	return x
}

func interopTable(t *testing.T, head *Header) *NewHDU {
	t.Helper()
	h, err := NewTable("CAT", []NewColumn{
		{Name: "ID", Data: []int64{1, -2, 1 << 60}},
		{Name: "RA", Unit: "deg", Data: []float64{10.5, 20.25, math.NaN()}},
		{Name: "NAME", Data: []string{"a", "longer name", ""}},
		{Name: "FLAG", Data: []bool{true, false, true}},
		{Name: "U2", Data: []uint16{0, 65535, 32768}},
		{Name: "B1", Data: []int8{-128, 0, 127}},
		{Name: "STAMP", Data: series[float32](36), Dim: []int{3, 4}},
		{Name: "CPLX", Data: []complex128{1 + 2i, 3, -4i}},
		{Name: "LIST", Data: [][]float32{{1, 2, 3}, {}, {4}}},
		{Name: "FLAGS", Data: [][]bool{{true}, {false, true}, {}}},
	}, head)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWriteFile_EveryKind_PassesFitsverifyAndEqualsAstropy(t *testing.T) {
	dir := t.TempDir()
	names := interopFiles(t, dir)
	if tool, err := exec.LookPath("fitsverify"); err == nil {
		for _, n := range names {
			out, err := exec.Command(tool, "-l", n).CombinedOutput()
			t.Logf("%s: %s", filepath.Base(n), lastLine(string(out)))
			if !strings.Contains(string(out), " and 0 error(s)") || err != nil && !strings.Contains(string(out), "warning(s)") {
				t.Errorf("%s", out)
			}
		}
	} else {
		t.Log("fitsverify is not installed")
	}
	python := os.Getenv("LIMPID_PYTHON")
	if python == "" {
		t.Log("set LIMPID_PYTHON to a Python with astropy to compare with it")
		return
	}
	out, err := exec.Command(python, filepath.Join("testdata", "check_written.py"), dir).CombinedOutput()
	t.Logf("astropy:\n%s", out)
	if err != nil {
		t.Error(err)
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.Contains(lines[i], "warnings") {
			return strings.Trim(lines[i], "* ")
		}
	}
	return lines[len(lines)-1]
}

func TestNewCompressedImage_Lossless_ReadsBackEqual(t *testing.T) {
	dir := t.TempDir()
	interopFiles(t, dir)
	a, b := openTemp(t, filepath.Join(dir, "types.fits")), openTemp(t, filepath.Join(dir, "packed.fits"))
	for _, h := range a.HDUs {
		p := b.Find(h.Name, 0)
		if p == nil {
			continue
		}
		x, err := h.ReadFloat64(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		y, err := p.ReadFloat64(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if digest(x) != digest(y) {
			t.Errorf("%s: %s differs from plain", h.Name, p.Compression)
		}
	}
}

func TestNewCompressedImage_Quantised_StaysWithinHalfAStep(t *testing.T) {
	dir := t.TempDir()
	interopFiles(t, dir)
	f := openTemp(t, filepath.Join(dir, "packed.fits"))
	want := noisy()
	// Half a step: noise 1, known to a factor 2 from 80 pixels, over the number of levels.
	for name, half := range map[string]float64{"Q32": 0.5 / 4 * 2, "Q32D2": 0.5 / 8 * 2, "Q32ND": 0.5 / 8 * 2, "QABS": 0.126} {
		got, err := f.Find(name, 0).ReadFloat64(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			w := float64(want[i])
			if math.IsNaN(w) != math.IsNaN(v) || math.Abs(v-w) > half {
				t.Fatalf("%s pixel %d: %v, want %v", name, i, v, w)
			}
			if name == "Q32D2" && w == 0 && v != 0 {
				t.Fatalf("%s pixel %d: zero became %v", name, i, v)
			}
		}
	}
}

func TestNewTable_EveryType_ReadsBack(t *testing.T) {
	f := openTemp(t, writeTemp(t, WriteOptions{}, interopTable(t, nil)))
	tab, err := f.HDUs[1].Table()
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	ids, null, err := tab.Int64(ctx, "id")
	if err != nil || null != nil || ids[2] != 1<<60 {
		t.Errorf("ID %v %v %v", ids, null, err)
	}
	names, err := tab.Strings(ctx, "NAME")
	if err != nil || names[1] != "longer name" || names[2] != "" {
		t.Errorf("NAME %q %v", names, err)
	}
	flags, _, err := tab.Bools(ctx, "FLAG")
	if err != nil || !flags[0] || flags[1] {
		t.Errorf("FLAG %v %v", flags, err)
	}
	u, _, err := tab.Int64(ctx, "U2")
	if err != nil || u[1] != 65535 {
		t.Errorf("U2 %v %v", u, err)
	}
	lists, err := tab.Arrays(ctx, "LIST")
	if err != nil || len(lists[0]) != 3 || len(lists[1]) != 0 || lists[2][0] != 4 {
		t.Errorf("LIST %v %v", lists, err)
	}
	if c := tab.Columns[tab.Find("STAMP")]; len(c.Dim) != 2 || c.Dim[0] != 3 || c.Dim[1] != 4 {
		t.Errorf("STAMP has shape %v", c.Dim)
	}
	if _, err := tab.Float64(ctx, "nope"); err == nil || !strings.Contains(err.Error(), "STAMP") {
		t.Errorf("missing column: %v", err)
	}
}

func TestWrite_Twice_GivesTheSameBytes(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	interopFiles(t, b)
	for _, p := range interopFiles(t, a) {
		name := filepath.Base(p)
		x, _ := os.ReadFile(p)
		y, _ := os.ReadFile(filepath.Join(b, name))
		if len(x) == 0 || string(x) != string(y) {
			t.Errorf("%s differs from run to run", name)
		}
	}
}

func TestUpperMedian_AnyOrder_EqualsSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for n := 1; n < 200; n++ {
		d := make([]float64, n)
		for i := range d {
			switch n % 3 {
			case 0:
				d[i] = r.Float64()
			case 1:
				d[i] = float64(r.IntN(4)) // many equal
			default:
				d[i] = float64(-i)
			}
		}
		want := slices.Clone(d)
		slices.Sort(want)
		if got := upperMedian(d); got != want[n/2] {
			t.Fatalf("%d values: %v, want %v", n, got, want[n/2])
		}
	}
}
