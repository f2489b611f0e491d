package fitsio

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"limpid/fitsio/header"
)

func pad80(s string) string { return (s + strings.Repeat(" ", 80))[:80] }

func cards(lines ...string) []byte {
	var b bytes.Buffer
	for _, l := range append(lines, "END") {
		b.WriteString(pad80(l))
	}
	for b.Len()%header.BlockSize != 0 {
		b.WriteByte(' ')
	}
	return b.Bytes()
}

func imageCards(extra ...string) []byte {
	return cards(append([]string{"SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 2", "NAXIS1  = 10", "NAXIS2  = 20"}, extra...)...)
}

func readFirst(data []byte, o Options) error {
	f, err := NewFile(bytes.NewReader(data), int64(len(data)), "bad.fits", o)
	if err != nil {
		return err
	}
	h, err := f.FirstImage()
	if err != nil {
		return err
	}
	_, err = h.ReadFloat32(context.Background())
	return err
}

func gz(b []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

func TestOpen_BadInput_IsAClearError(t *testing.T) {
	full := append(imageCards(), make([]byte, header.BlockSize)...)
	for name, c := range map[string]struct {
		data []byte
		want error
		text string
	}{
		"empty":              {nil, ErrNotFITS, "empty"},
		"html":               {[]byte("<!DOCTYPE html><html>404"), ErrNotFITS, "web page"},
		"png":                {[]byte("\x89PNG\r\n\x1a\n0000"), ErrNotFITS, "picture"},
		"text":               {[]byte("hello"), ErrNotFITS, "SIMPLE"},
		"zip":                {[]byte("PK\x03\x04aaaa"), ErrNotFITS, "zip"},
		"half a header":      {full[:400], ErrTruncated, "END"},
		"no END":             {bytes.Replace(full, []byte("END "), []byte("XXX "), 1), ErrHeader, "END"},
		"truncated":          {full[:header.BlockSize+399], ErrTruncated, "400 bytes"},
		"no NAXIS2":          {cards("SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 2", "NAXIS1  = 10"), ErrHeader, `card "NAXIS2": missing`},
		"text NAXIS1":        {cards("SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 1", "NAXIS1  = 'abc'"), ErrHeader, `card "NAXIS1"`},
		"negative NAXIS1":    {cards("SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 1", "NAXIS1  = -3"), ErrHeader, "negative"},
		"overflowing axes":   {cards("SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 2", "NAXIS1  = 9000000000000000000", "NAXIS2  = 9"), ErrTooLarge, "too large"},
		"huge NAXIS":         {cards("SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 1000"), ErrHeader, "NAXIS"},
		"BITPIX 24":          {cards("SIMPLE  = T", "BITPIX  = 24", "NAXIS   = 0"), ErrHeader, "BITPIX"},
		"no image":           {cards("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"), ErrNoImage, "no image"},
		"large but absent":   {cards("SIMPLE  = T", "BITPIX  = -32", "NAXIS   = 2", "NAXIS1  = 30000", "NAXIS2  = 30000"), ErrTruncated, "download"},
		"gzip cut short":     {gz(full)[:30], ErrTruncated, "truncated"},
		"gzip of nothing":    {gz(nil), ErrNotFITS, "empty"},
		"damaged gzip":       {append([]byte{0x1f, 0x8b}, 0xff, 1, 2, 3), ErrCorrupt, "gzip"},
		"damaged bzip2":      {[]byte("BZh9xxxxxxxxxxxxxxxxxx"), nil, "bzip2"},
		"damaged compress":   {[]byte{0x1f, 0x9d, 0xff, 0}, ErrCorrupt, "compress"},
		"HTML inside a gzip": {gz([]byte("<html>")), nil, ""},
	} {
		err := readFirst(c.data, Options{})
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
			continue
		}
		f := AsFinding(err)
		if !strings.HasPrefix(err.Error(), "fitsio: read bad.fits: ") || !strings.Contains(err.Error()+f.Advice, c.text) {
			t.Errorf("%s: %v", name, err)
		}
		if f.Advice == "" && c.want != nil {
			t.Errorf("%s: no advice for %v", name, err)
		}
	}
}

func TestOpen_MissingOrFolder_IsAClearError(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "no.fits")); !errors.Is(err, fs.ErrNotExist) || AsFinding(err).Advice == "" {
		t.Errorf("missing: %v", err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrNotFITS) {
		t.Errorf("folder: %v", err)
	}
}

func TestReadFloat32_LimitAndCancel_StopBeforeMemory(t *testing.T) {
	data := append(imageCards(), make([]byte, header.BlockSize)...)
	if err := readFirst(data, Options{MaxBytes: 799}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("limit: %v", err)
	}
	if err := readFirst(gz(append(data, make([]byte, 1<<20)...)), Options{MaxBytes: 1000}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("limit of unpacking: %v", err)
	}
	f, err := NewFile(bytes.NewReader(data), int64(len(data)), "x.fits", Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.HDUs[0].ReadFloat32(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancel: %v", err)
	}
	path := filepath.Join(t.TempDir(), "x.fits.gz")
	if err := os.WriteFile(path, gz(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenWith(ctx, path, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancel while unpacking: %v", err)
	}
}

func TestSection_OutOfRange_IsAnError(t *testing.T) {
	data := append(imageCards(), make([]byte, header.BlockSize)...)
	f, err := NewFile(bytes.NewReader(data), int64(len(data)), "x.fits", Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, s := range [][2][]int{{{0}, {1}}, {{0, 0}, {21, 1}}, {{-1, 0}, {1, 1}}, {{5, 0}, {4, 1}}} {
		if _, err := f.HDUs[0].Section(ctx, s[0], s[1]); !errors.Is(err, ErrRange) {
			t.Errorf("%v: %v", s, err)
		}
	}
	if p, err := f.HDUs[0].Section(ctx, []int{3, 3}, []int{3, 9}); err != nil || len(p) != 0 {
		t.Errorf("empty section: %v %v", p, err)
	}
	if _, err := f.HDUs[0].ReadPlane(ctx, 1); !errors.Is(err, ErrRange) {
		t.Errorf("plane of an image: %v", err)
	}
	if _, err := f.HDU(3); !errors.Is(err, ErrNoHDU) {
		t.Errorf("HDU 3: %v", err)
	}
}

func TestSection_TruncatedFile_GivesWhatIsThere(t *testing.T) {
	data := append(imageCards(), make([]byte, 200)...) // half of the pixels
	f, err := NewFile(bytes.NewReader(data), int64(len(data)), "x.fits", Options{})
	if err != nil || len(f.Findings) != 1 || f.Findings[0].Code != "fits.truncated" {
		t.Fatalf("%v %v", err, f.Findings)
	}
	if _, err := f.HDUs[0].Section(context.Background(), []int{0, 0}, []int{10, 10}); err != nil {
		t.Errorf("the half that is there: %v", err)
	}
	if _, err := f.HDUs[0].Section(context.Background(), []int{0, 0}, []int{11, 10}); !errors.Is(err, ErrTruncated) {
		t.Errorf("beyond: %v", err)
	}
}

func TestOpen_OddFiles_AreReadWithFindings(t *testing.T) {
	data := append(imageCards("BLANK   = 0", "BSCALE  = 0.0"), make([]byte, header.BlockSize)...)
	ext := cards("XTENSION= 'FOREIGN '", "BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = 5", "PCOUNT  = 0", "GCOUNT  = 1")
	data = append(append(data, ext...), make([]byte, header.BlockSize)...)
	data = append(data, []byte("XTENSION= 'IMAGE' but broken")...)
	f, err := NewFile(bytes.NewReader(data), int64(len(data)), "odd.fits", Options{})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, x := range f.Findings {
		codes = append(codes, x.Code)
	}
	if got := strings.Join(codes, " "); got != "fits.bscale fits.extension fits.truncated" {
		t.Errorf("findings %s", got)
	}
	if len(f.HDUs) != 2 || f.HDUs[1].Kind != Unknown {
		t.Errorf("HDUs %v", f.HDUs)
	}
}

func TestOpen_GzipBrokenOffInTheData_KeepsWhatIsThere(t *testing.T) {
	data := cards("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 1000", "NAXIS2  = 1000")
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 * 1000 {
		data = append(data, byte(r.Uint32()))
	}
	packed := gz(data)
	packed = packed[:len(packed)/2]
	f, err := NewFile(bytes.NewReader(packed), int64(len(packed)), "half.fits.gz", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Findings) != 2 || f.Findings[0].Code != "fits.unpack" || f.Findings[1].Code != "fits.truncated" {
		t.Errorf("findings %v", f.Findings)
	}
	if _, err := f.HDUs[0].ReadFloat32(context.Background()); !errors.Is(err, ErrTruncated) {
		t.Errorf("the whole: %v", err)
	}
	got, err := f.HDUs[0].Section(context.Background(), []int{100, 0}, []int{101, 1000})
	if err != nil || got[7] != float32(data[header.BlockSize+100*1000+7]) {
		t.Errorf("the part that is there: %v", err)
	}
}

func TestOpen_GzipOfSomethingElse_StopsAtTheStart(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bomb.fits.gz")
	if err := os.WriteFile(path, gz(make([]byte, 64<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", filepath.Join(dir, "nowhere")) // more than 32 MiB would go there
	if _, err := Open(path); !errors.Is(err, ErrNotFITS) {
		t.Errorf("%v", err)
	}
}

// What is wrong with one extension must not hide the others.
func TestOpen_DamagedExtensions_KeepTheRest(t *testing.T) {
	primary := cards("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0")
	table := func(more ...string) []byte {
		return append(cards(append([]string{
			"XTENSION= 'BINTABLE'", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 8", "NAXIS2  = 1",
			"PCOUNT  = 10", "GCOUNT  = 1", "TFIELDS = 1", "TFORM1  = '1PB(10)'", "TTYPE1  = 'COMPRESSED_DATA'",
		}, more...)...),
			append([]byte{0, 0, 0, 4, 0, 0, 0, 2, 0, 1, 2, 3, 4, 5}, make([]byte, header.BlockSize-14)...)...)
	}
	data := slices.Concat(primary,
		table("ZIMAGE  = T", "ZBITPIX = 16", "ZNAXIS  = 1", "ZNAXIS1 = 4", "ZTILE1  = 0", "ZCMPTYPE= 'RICE_1'"),
		table("THEAP   = 9999"),
		cards("XTENSION= 'IMAGE'", "BITPIX  = 8", "NAXIS   = 1", "NAXIS1  = 3", "PCOUNT  = 0", "GCOUNT  = 1"), []byte{7, 8, 9})
	f, err := NewFile(bytes.NewReader(data), int64(len(data)), "x.fits", Options{})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, x := range f.Findings {
		codes = append(codes, x.Code)
	}
	if got := strings.Join(codes, " "); got != "fits.header fits.theap fits.padding" || len(f.HDUs) != 4 {
		t.Fatalf("%d HDUs, findings %s", len(f.HDUs), got)
	}
	for _, i := range []int{1, 2} {
		tab, err := f.HDUs[i].Table()
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := tab.Arrays(context.Background(), "COMPRESSED_DATA"); err != nil || len(rows) != 1 || !slices.Equal(rows[0], []float64{2, 3, 4, 5}) {
			t.Errorf("HDU %d: %v %v", i, rows, err)
		}
	}
	if p, err := f.HDUs[3].ReadFloat32(context.Background()); err != nil || !slices.Equal(p, []float32{7, 8, 9}) {
		t.Errorf("the image after them: %v %v", p, err)
	}
}

func TestReadFloat32_MoreThanPackedBytesCanHold_TakesNoMemory(t *testing.T) {
	for _, method := range []string{"RICE_1", "GZIP_1", "GZIP_2", "NOCOMPRESS"} {
		data := append(cards("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 0"), cards("XTENSION= 'BINTABLE'", "BITPIX  = 8", "NAXIS   = 2",
			"NAXIS1  = 8", "NAXIS2  = 1", "PCOUNT  = 100", "GCOUNT  = 1", "TFIELDS = 1", "TFORM1  = '1PB(10)'", "TTYPE1  = 'COMPRESSED_DATA'",
			"ZIMAGE  = T", "ZBITPIX = 32", "ZNAXIS  = 2", "ZNAXIS1 = 20000", "ZNAXIS2 = 20000", "ZTILE1  = 20000", "ZTILE2  = 20000",
			"ZCMPTYPE= '"+method+"'")...)
		data = append(data, make([]byte, header.BlockSize)...)
		data[len(data)-header.BlockSize+3] = 50
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := readFirst(data, Options{}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", method, err)
		}
		f := openBytes(t, data)
		if _, err := f.HDUs[1].Section(context.Background(), []int{5, 5}, []int{6, 6}); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s, one pixel: %v", method, err)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Errorf("%s: %d bytes for a file of %d", method, took, len(data))
		}
	}
}
