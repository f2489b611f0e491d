package wcs

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"limpid/fitsio"
)

// pixelDistortion maps offsets from CRPIX (pixels) to corrected ones.
type pixelDistortion interface {
	forward(u, v float64) (float64, float64)
	guess(u, v float64) (float64, float64) // a start for the inverse
}

// FromHDU is FromHeader for an HDU of an open file: it also reads the distortion
// tables that the header refers to (WCS Paper IV draft as the Hubble pipelines
// write it: D2IMDISj and CPDISj = LOOKUP, in extensions D2IMARR and WCSDVARR).
func FromHDU(ctx context.Context, f *fitsio.File, h *fitsio.HDU, alt string) (*WCS, error) {
	w, err := FromHeader(h.Header, alt)
	if err != nil {
		return nil, err
	}
	t := &tables{crpix: w.crpix, base: w.pix}
	found := false
	for _, k := range []struct {
		dis, record, ext string
		to               *[2]*lookup
	}{{"D2IMDIS", "D2IM", "D2IMARR", &t.det}, {"CPDIS", "DP", "WCSDVARR", &t.cp}} {
		for j := range 2 {
			kind, _ := h.Header.Str(k.dis + strconv.Itoa(j+1))
			if !strings.EqualFold(strings.TrimSpace(kind), "LOOKUP") {
				continue
			}
			if k.to[j], err = readLookup(ctx, f, h.Header, k.record+strconv.Itoa(j+1), k.ext, j); err != nil {
				return nil, fmt.Errorf("wcs: %s%d: %w", k.dis, j+1, err)
			}
			found = true
		}
	}
	if found && w.xAxis == 0 && w.yAxis == 1 {
		w.pix = t
		w.Notes = slices.DeleteFunc(w.Notes, func(n string) bool { return strings.Contains(n, lookupNote) })
	}
	return w, nil
}

// tables corrects pixels by lookup tables: first those of the detector, one after
// the other with what follows; then those of the focal plane together with SIP.
type tables struct {
	det, cp [2]*lookup
	crpix   [2]float64 // of the whole image, also in a cut-out
	base    pixelDistortion
}

func (t *tables) forward(u, v float64) (float64, float64) {
	x, y := u+t.crpix[0], v+t.crpix[1]
	x, y = x+t.det[0].at(x, y), y+t.det[1].at(x, y)
	du, dv := t.cp[0].at(x, y), t.cp[1].at(x, y)
	u, v = x-t.crpix[0], y-t.crpix[1]
	if t.base != nil {
		a, b := t.base.forward(u, v)
		return a + du, b + dv
	}
	return u + du, v + dv
}

func (t *tables) guess(u, v float64) (float64, float64) {
	if t.base != nil {
		return t.base.guess(u, v)
	}
	return u, v
}

// lookup is a table of offsets in pixels on a coarse grid, read by bilinear
// interpolation.
type lookup struct {
	nx, ny              int
	data                []float32
	crpix, crval, cdelt [2]float64
}

// lookupNote ends the note of FromHeader that FromHDU takes back.
const lookupNote = "is in another HDU and was not applied (FromHDU does)"

// maxLookup bounds a table: Hubble's have 64 × 32 values, or 4096.
const maxLookup = 1 << 24

func readLookup(ctx context.Context, f *fitsio.File, hd *fitsio.Header, record, ext string, j int) (*lookup, error) {
	rec := records(hd, record)
	ver := 1
	if v, ok := rec["EXTVER"]; ok && v == math.Trunc(v) && math.Abs(v) < 1e6 {
		ver = int(v)
	}
	e := f.Find(ext, ver)
	if e == nil || e.Kind != fitsio.Image || len(e.Shape) == 0 || len(e.Shape) > 2 {
		return nil, fmt.Errorf("no table %s, EXTVER %d: %w", ext, ver, ErrInvalid)
	}
	if n := e.Pixels(); n == 0 || n > maxLookup {
		return nil, fmt.Errorf("a table of %d values: %w", n, ErrInvalid)
	}
	data, err := e.ReadFloat32(ctx)
	if err != nil {
		return nil, err
	}
	t := &lookup{nx: e.Shape[len(e.Shape)-1], ny: len(data) / e.Shape[len(e.Shape)-1], data: data}
	for k := range 2 {
		n := strconv.Itoa(k + 1)
		t.crpix[k], t.crval[k] = e.Header.FloatOr("CRPIX"+n, 0), e.Header.FloatOr("CRVAL"+n, 0)
		t.cdelt[k] = e.Header.FloatOr("CDELT"+n, 1)
		if t.cdelt[k] == 0 {
			return nil, fmt.Errorf("CDELT%s of table %s is 0: %w", n, ext, ErrInvalid)
		}
	}
	// AXIS.j says along which axis of the image the table's first axis runs.
	if a, ok := rec["AXIS."+strconv.Itoa(j+1)]; ok && int(a) != j+1 {
		t.transpose()
	}
	return t, nil
}

func (t *lookup) transpose() {
	out := make([]float32, len(t.data))
	for y := range t.ny {
		for x := range t.nx {
			out[x*t.ny+y] = t.data[y*t.nx+x]
		}
	}
	t.nx, t.ny, t.data = t.ny, t.nx, out
}

// records reads record-valued cards: DP1 = 'EXTVER: 2', or DP1.EXTVER = 2.
func records(h *fitsio.Header, key string) map[string]float64 {
	out := map[string]float64{}
	for _, c := range h.Cards() {
		if field, ok := strings.CutPrefix(c.Key, key+"."); ok {
			if v, ok := h.Float(c.Key); ok {
				out[field] = v
			}
			continue
		}
		s, ok := c.Value.(string)
		if c.Key != key || !ok {
			continue
		}
		field, value, _ := strings.Cut(s, ":")
		if v, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil {
			out[strings.ToUpper(strings.TrimSpace(field))] = v
		}
	}
	return out
}

// at gives the offset at pixel (x, y), counted from 1; 0 for no table.
func (t *lookup) at(x, y float64) float64 {
	if t == nil {
		return 0
	}
	i, fx := t.cell(x, 0, t.nx)
	j, fy := t.cell(y, 1, t.ny)
	get := func(i, j int) float64 { return float64(t.data[min(j, t.ny-1)*t.nx+min(i, t.nx-1)]) }
	return (1-fy)*((1-fx)*get(i, j)+fx*get(i+1, j)) + fy*((1-fx)*get(i, j+1)+fx*get(i+1, j+1))
}

// cell gives the grid point before p along an axis and the fraction beyond it;
// outside, the edge goes on.
func (t *lookup) cell(p float64, k, n int) (int, float64) {
	g := (p-t.crval[k])/t.cdelt[k] + t.crpix[k] - 1
	if !(g > 0) {
		return 0, 0
	}
	if g >= float64(n-1) {
		return n - 1, 0
	}
	i := math.Floor(g)
	return int(i), g - i
}
