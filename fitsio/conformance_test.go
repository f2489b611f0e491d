package fitsio

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
)

// dataDir finds the test data beside the repository; tests skip without it.
func dataDir(t testing.TB) string {
	dir := os.Getenv("LIMPID_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(dir, "fits", "expected.json")); err != nil {
		t.Skip("no test data: set LIMPID_DATA to the folder that holds fits/expected.json")
	}
	return filepath.Join(dir, "fits")
}

type expectHDU struct {
	I         int
	Name      string
	Type      string
	Shape     []int
	Bitpix    int
	NaN       *int
	SHA       string `json:"sha256_f64le"`
	CfitsioOK *bool  `json:"cfitsio_same"`
	Cfitsio   *struct {
		SHA string `json:"sha256_f64le"`
	}
	AstropyError string `json:"astropy_error"`
	Rows         *int
	Cols         []string
}

type expectFile struct {
	HDUs         []expectHDU
	AstropyError string `json:"astropy_error"`
}

func loadExpected(t testing.TB, dir string) map[string]expectFile {
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]expectFile
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// pixelSums gives the digest of the physical values as expected.json has it,
// read the two ways: float32 rules of astropy, and float64 throughout.
func pixelSums(h *HDU) (narrow, wide string, err error) {
	ctx := context.Background()
	w, err := h.ReadFloat64(ctx)
	if err != nil {
		return "", "", err
	}
	wide = digest(w)
	if h.Bitpix > 16 || h.Bitpix == -64 {
		return wide, wide, nil // astropy gives float64 for these
	}
	n, err := h.ReadFloat32(ctx)
	if err != nil {
		return "", "", err
	}
	for i, v := range n {
		w[i] = float64(v)
	}
	return digest(w), wide, nil
}

func digest(x []float64) string {
	d := sha256.New()
	buf := make([]byte, 0, 8<<10)
	for i, v := range x {
		buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(v))
		if len(buf) == cap(buf) || i == len(x)-1 {
			d.Write(buf)
			buf = buf[:0]
		}
	}
	return hex.EncodeToString(d.Sum(nil))[:16]
}

func TestOpen_ConformanceFiles_NoneWrong(t *testing.T) {
	dir := dataDir(t)
	want := loadExpected(t, dir)
	names := make([]string, 0, len(want))
	for n := range want {
		names = append(names, n)
	}
	sort.Strings(names)
	var right, refused, wrong int
	for _, name := range names {
		refusal, bad := checkFile(filepath.Join(dir, name), want[name])
		switch {
		case len(bad) > 0:
			wrong++
			t.Errorf("%s: %s", name, strings.Join(bad, "; "))
		case refusal != "":
			refused++
			t.Logf("refused %-40s %s", name, refusal)
		default:
			right++
		}
	}
	t.Logf("%d files: right %d, refused %d, wrong %d", len(names), right, refused, wrong)
}

// checkFile compares one file. It gives the reason of a refusal, and what is
// wrong.
func checkFile(path string, want expectFile) (refusal string, bad []string) {
	f, err := Open(path)
	if err != nil {
		if !strings.HasPrefix(filepath.Base(path), "bad_") {
			bad = append(bad, err.Error())
		}
		return err.Error(), bad
	}
	defer f.Close()
	if want.AstropyError == "" && len(f.HDUs) != len(want.HDUs) {
		bad = append(bad, fmt.Sprintf("%d HDUs, want %d", len(f.HDUs), len(want.HDUs)))
	}
	for i, h := range f.HDUs {
		var e expectHDU
		if i < len(want.HDUs) {
			e = want.HDUs[i]
		}
		if h.Kind != Image || h.Pixels() == 0 && e.SHA == "" {
			continue
		}
		narrow, wide, err := pixelSums(h)
		if err != nil {
			if e.SHA != "" || !strings.HasPrefix(filepath.Base(path), "bad_") {
				bad = append(bad, err.Error())
			}
			refusal = err.Error()
			continue
		}
		if e.Shape != nil && !slices.Equal(e.Shape, h.Shape) || e.SHA != "" && e.Bitpix != h.Bitpix {
			bad = append(bad, fmt.Sprintf("HDU %d: shape %v BITPIX %d, want %v %d", i, h.Shape, h.Bitpix, e.Shape, e.Bitpix))
		}
		if e.SHA != "" && e.SHA != narrow && e.SHA != wide && !nullsAgree(h, e.SHA) {
			bad = append(bad, fmt.Sprintf("HDU %d (%s): pixels differ (NaN wanted %d)", i, h.Compression, *e.NaN))
		}
	}
	return refusal, bad
}

// nullsAgree settles the four quantised images with undefined pixels
// (f32_nan_*, compressed_with_nan): the programs behind expected.json did not ask
// for null checking and got the integer of ZBLANK as if it were a value. We give
// NaN; without the check we must give their numbers.
func nullsAgree(h *HDU, want string) bool {
	if h.tiles == nil || !h.tiles.quantised || !h.tiles.hasBlank {
		return false
	}
	h.tiles.hasBlank = false
	defer func() { h.tiles.hasBlank = true }()
	narrow, wide, err := pixelSums(h)
	return err == nil && (want == narrow || want == wide)
}

func TestOpen_CompressFiles_EqualGzip(t *testing.T) {
	dir := dataDir(t)
	tool, err := exec.LookPath("gzip")
	if err != nil {
		t.Skip("gzip, which reads .Z too, is not installed")
	}
	for _, n := range []string{"astropy/lzw.fits.Z", "nom_tam/rp600245n00_im1.fits.Z", "nom_tam/test.fits.Z"} {
		path := filepath.Join(dir, n)
		want, err := exec.Command(tool, "-dc", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		f := openTemp(t, path)
		got := make([]byte, f.src.Size())
		if _, err := f.src.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, gzip has %d (%v)", n, len(got), len(want), err)
		}
	}
}

// astropy 5.2 reads no NOCOMPRESS tiles, so expected.json has no digest for them.
func TestReadFloat64_NoCompressTiles_EqualThePlainImage(t *testing.T) {
	dir := dataDir(t)
	a, b := openTemp(t, filepath.Join(dir, "generated/i16.fits")), openTemp(t, filepath.Join(dir, "generated/i16_nocomp.fits.fz"))
	want, _, err := pixelSums(a.HDUs[0])
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := pixelSums(b.HDUs[1]); err != nil || got != want {
		t.Errorf("pixels differ (%v)", err)
	}
}

func TestVerifyChecksums_TrueAndFalse_AreTold(t *testing.T) {
	dir := dataDir(t)
	for name, want := range map[string]string{
		"astropy/checksum.fits": "", "nom_tam/checksum.fits": "", "generated/f32_rice_dither2.fits.fz": "",
		"astropy/checksum_false.fits": "checksum_false.fits, HDU 0: the data; checksum_false.fits, HDU 1: the data",
	} {
		f := openTemp(t, filepath.Join(dir, name))
		findings, err := f.VerifyChecksums(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, x := range findings {
			head, _, _ := strings.Cut(x.What, " do")
			got = append(got, x.Where+": "+head)
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
