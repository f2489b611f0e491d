package fitsio

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func writeTemp(t *testing.T, o WriteOptions, hdus ...*NewHDU) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out.fits")
	if err := WriteFile(path, o, hdus...); err != nil {
		t.Fatal(err)
	}
	return path
}

func openTemp(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func roundTrip[T Pixel](t *testing.T, bitpix int, data []T) {
	t.Helper()
	h, err := NewImage("SCI", []int{2, len(data) / 2}, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := openTemp(t, writeTemp(t, WriteOptions{Checksum: true}, h))
	if len(f.Findings) > 0 {
		t.Errorf("%T: findings %v", data, f.Findings)
	}
	got, err := f.HDUs[0].ReadFloat64(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if f.HDUs[0].Bitpix != bitpix {
		t.Errorf("%T: BITPIX %d, want %d", data, f.HDUs[0].Bitpix, bitpix)
	}
	for i, v := range data {
		if got[i] != float64(v) {
			t.Errorf("%T pixel %d: %v, want %v", data, i, got[i], v)
		}
	}
	c, err := f.HDUs[0].VerifyChecksum()
	if err != nil || !c.DataOK || !c.WholeOK {
		t.Errorf("%T: checksum %+v %v", data, c, err)
	}
}

func TestWriteFile_EveryPixelType_ReadsBackEqual(t *testing.T) {
	roundTrip(t, 8, []uint8{0, 1, 254, 255})
	roundTrip(t, 8, []int8{-128, -1, 0, 127})
	roundTrip(t, 16, []int16{math.MinInt16, -1, 0, math.MaxInt16})
	roundTrip(t, 16, []uint16{0, 1, 32768, math.MaxUint16})
	roundTrip(t, 32, []int32{math.MinInt32, -1, 0, math.MaxInt32})
	roundTrip(t, 32, []uint32{0, 1, 1 << 31, math.MaxUint32})
	roundTrip(t, 64, []int64{math.MinInt64, -1, 0, math.MaxInt64})
	roundTrip(t, 64, []uint64{0, 1, 1 << 63, math.MaxUint64})
	roundTrip(t, -32, []float32{0, -1.5, math.MaxFloat32, 1e-45})
	roundTrip(t, -64, []float64{0, -1.5, math.MaxFloat64, 5e-324})
}

func TestWriteFile_HeaderOfSource_KeepsCardsAndOrder(t *testing.T) {
	src, _ := ParseHeader([]byte(
		pad80("SIMPLE  =                    T / x") + pad80("BITPIX  =                   16") +
			pad80("NAXIS   =                    2") + pad80("NAXIS1  =                    9") + pad80("NAXIS2  =                    9") +
			pad80("BSCALE  =                  2.0") +
			pad80("OBJECT  = 'M 31    '   / odd    spacing") + pad80("COMMENT   kept  as it is") +
			pad80("EXPTIME =          1.50000E+01 / [s]") + pad80("HISTORY one") + pad80("        blank key text") +
			pad80("HIERARCH ESO TEL AIRM = 1.25 / airmass") + pad80("HISTORY two") + pad80("END")))
	h, err := NewImage("", []int{1, 2}, []float32{1, 2}, src)
	if err != nil {
		t.Fatal(err)
	}
	f := openTemp(t, writeTemp(t, WriteOptions{}, h))
	var got []string
	for _, c := range f.HDUs[0].Header.Cards()[5:] {
		got = append(got, c.Text())
	}
	want := []string{}
	for _, c := range src.Cards()[6:] {
		want = append(want, c.Text())
	}
	if !slices.Equal(got, want) {
		t.Errorf("cards\n%q\nwant\n%q", got, want)
	}
	if a, ok := f.HDUs[0].Header.Float("HIERARCH ESO TEL AIRM"); !ok || a != 1.25 {
		t.Errorf("HIERARCH value %v %v", a, ok)
	}
}

func TestWriteFile_TargetFolderMissing_LeavesNothing(t *testing.T) {
	dir := t.TempDir()
	h, _ := NewImage("", []int{1}, []float32{1}, nil)
	err := WriteFile(filepath.Join(dir, "no", "out.fits"), WriteOptions{}, h)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteFile_FailsHalfWay_OldFileStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.fits")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("disk full")
	h, _ := NewImage("", []int{1}, []float32{1}, nil)
	h.body = func(io.Writer) error { return boom }
	if err := WriteFile(path, WriteOptions{}, h); !errors.Is(err, boom) {
		t.Errorf("error %v", err)
	}
	left, _ := os.ReadDir(dir)
	old, _ := os.ReadFile(path)
	if len(left) != 1 || string(old) != "old" {
		t.Errorf("folder %v, file %q", left, old)
	}
}

func TestWriteFile_OverALink_ReplacesTheTarget(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.fits"), filepath.Join(dir, "link.fits")
	if err := os.WriteFile(target, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("no symbolic links here")
	}
	head := &Header{}
	head.Set("EXPTIME", 30.0, "")
	a, _ := NewImage("", []int{1}, []float32{1}, head)
	b, _ := NewImage("SCI", []int{1}, []float32{2}, nil)
	if err := WriteFile(link, WriteOptions{}, a, b); err != nil {
		t.Fatal(err)
	}
	st, err := os.Lstat(link)
	if err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v %v", st, err)
	}
	f := openTemp(t, target)
	if c, ok := f.HDUs[1].Keyword("EXPTIME"); !ok || c.Value != 30.0 {
		t.Errorf("EXPTIME of the primary HDU: %v %v", c.Value, ok)
	}
	if st, _ := os.Stat(target); st.Mode().Perm() != 0o640 {
		t.Errorf("permissions became %v", st.Mode())
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
}
