package deblend

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"limpid/solvers"
)

// npy is an array of a NumPy archive: plain numbers, or records by field.
type npy struct {
	shape  []int
	values []float64            // of a plain array
	fields map[string][]float64 // of records, every field flattened
	sizes  map[string]int       // numbers per record
}

// readNPZ reads scarlet's example files, enough of the format for them.
func readNPZ(t testing.TB, path string) map[string]npy {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := map[string]npy{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		a, err := parseNPY(raw)
		if err != nil {
			t.Logf("%s: %s: %v", path, f.Name, err)
			continue
		}
		out[strings.TrimSuffix(f.Name, ".npy")] = a
	}
	return out
}

var (
	npyDescr = regexp.MustCompile(`'descr': ('([^']+)'|\[(.*)\]), 'fortran`)
	npyShape = regexp.MustCompile(`'shape': \(([^)]*)\)`)
	npyField = regexp.MustCompile(`\('([^']+)', '([^']+)'(?:, \(([^)]*)\))?\)`)
)

func parseNPY(raw []byte) (npy, error) {
	if len(raw) < 12 || string(raw[:6]) != "\x93NUMPY" {
		return npy{}, fmt.Errorf("not an npy file")
	}
	start, n := 10, int(binary.LittleEndian.Uint16(raw[8:]))
	if raw[6] > 1 {
		start, n = 12, int(binary.LittleEndian.Uint32(raw[8:]))
	}
	head, body := string(raw[start:start+n]), raw[start+n:]
	a := npy{fields: map[string][]float64{}, sizes: map[string]int{}}
	count := 1
	for _, s := range strings.Split(npyShape.FindStringSubmatch(head)[1], ",") {
		if s = strings.TrimSpace(s); s != "" {
			v, _ := strconv.Atoi(s)
			a.shape, count = append(a.shape, v), count*v
		}
	}
	d := npyDescr.FindStringSubmatch(head)
	if d == nil {
		return a, fmt.Errorf("no descr in %s", head)
	}
	if d[2] != "" {
		var err error
		a.values, err = numbers(d[2], body, count)
		return a, err
	}
	type field struct {
		name, kind string
		n, size    int
	}
	var list []field
	record := 0
	for _, m := range npyField.FindAllStringSubmatch(d[3], -1) {
		n := 1
		for _, s := range strings.Split(m[3], ",") {
			if s = strings.TrimSpace(s); s != "" {
				v, _ := strconv.Atoi(s)
				n *= v
			}
		}
		size, _ := strconv.Atoi(m[2][2:])
		list = append(list, field{m[1], m[2], n, n * size})
		record += n * size
	}
	for i := range count {
		at := i * record
		for _, f := range list {
			v, err := numbers(f.kind, body[at:at+f.size], f.n)
			if err == nil {
				a.fields[f.name], a.sizes[f.name] = append(a.fields[f.name], v...), f.n
			}
			at += f.size
		}
	}
	return a, nil
}

func numbers(kind string, body []byte, n int) ([]float64, error) {
	var order binary.ByteOrder = binary.LittleEndian
	if kind[0] == '>' {
		order = binary.BigEndian
	}
	out := make([]float64, n)
	r := bytes.NewReader(body)
	var err error
	read := func(v any) { err = binary.Read(r, order, v) }
	switch kind[1:] {
	case "f4":
		v := make([]float32, n)
		read(v)
		for i, x := range v {
			out[i] = float64(x)
		}
	case "f8":
		read(out)
	case "i4":
		v := make([]int32, n)
		read(v)
		for i, x := range v {
			out[i] = float64(x)
		}
	case "i8":
		v := make([]int64, n)
		read(v)
		for i, x := range v {
			out[i] = float64(x)
		}
	case "b1":
		v := make([]bool, n)
		read(v)
		for i, x := range v {
			if x {
				out[i] = 1
			}
		}
	default:
		return nil, fmt.Errorf("type %s is not read", kind)
	}
	return out, err
}

// image is an (C, H, W) array as an Image.
func (a npy) image() solvers.Image {
	im := solvers.NewImage(a.shape[0], a.shape[1], a.shape[2])
	for i, v := range a.values {
		im.Pix[i] = float32(v)
	}
	return im
}

// readHSC35 is scarlet's example: images, variance, mask, PSFs, peaks.
func readHSC35(t testing.TB, path string) (*solvers.Observation, []Source) {
	t.Helper()
	z := readNPZ(t, path)
	o := &solvers.Observation{
		Data: z["images"].image(), PSF: normalisePSF(z["psfs"].image()),
		Bands: []string{"g", "r", "i", "z", "y"}, Frame: solvers.Frame{PixelScale: 0.168},
	}
	o.Weights = solvers.NewImage(o.Data.C, o.Data.H, o.Data.W)
	mask := z["mask"]
	for i, v := range z["variance"].values {
		if v > 0 && !math.IsInf(v, 0) && (mask.values == nil || int(mask.values[i])&hscBad == 0) {
			o.Weights.Pix[i] = float32(1 / v)
		} else {
			o.Data.Pix[i] = 0
		}
	}
	var src []Source
	c := z["catalog"]
	for i, x := range c.fields["x"] {
		src = append(src, Source{ID: i + 1, X: x, Y: c.fields["y"][i], Kind: Galaxy})
	}
	return o, src
}

// hscBad are the LSST mask planes BAD, SAT, CR, NO_DATA of the default dictionary;
// DETECTED, INTRP, EDGE do not make a pixel unusable.
const hscBad = 1<<0 | 1<<1 | 1<<8
