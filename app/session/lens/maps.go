package lens

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"limpid"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
	"limpid/solvers/massmap"
)

// MapFiles names gridded shear: images as FILE, FILE[2] or FILE[NAME]. G1 alone may hold
// both components as a cube (2, H, W), and so may Std1. The noise is that of Std1 and
// Std2, or SigmaE over √Count.
type MapFiles struct {
	G1     string  `json:"g1"`
	G2     string  `json:"g2,omitempty"`
	Std1   string  `json:"std1,omitempty"`
	Std2   string  `json:"std2,omitempty"`
	Mask   string  `json:"mask,omitempty"` // 0: masked
	Count  string  `json:"count,omitempty"`
	SigmaE float64 `json:"sigma_e,omitempty"`
	Arcmin float64 `json:"arcmin,omitempty"` // 0: the header's pixel
}

// image is one file's planes.
type image struct {
	planes [][]float32
	h, w   int
	header *fitsio.Header
}

// readImage reads FILE, FILE[N] or FILE[NAME].
func readImage(ctx context.Context, spec string) (*image, error) {
	path, part := spec, ""
	if _, err := os.Stat(spec); err != nil {
		if i := strings.LastIndexByte(spec, '['); i > 0 && strings.HasSuffix(spec, "]") {
			path, part = spec[:i], spec[i+1:len(spec)-1]
		}
	}
	f, err := fitsio.OpenWith(ctx, path, fitsio.Options{})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for _, h := range f.HDUs {
		if h.Kind != fitsio.Image || h.Pixels() == 0 {
			continue
		}
		if part != "" && !strings.EqualFold(part, h.Name) && part != fmt.Sprint(h.Index) {
			continue
		}
		n := len(h.Shape)
		if n < 2 {
			return nil, fmt.Errorf("lens: %s: HDU %d has %d axis: %w", filepath.Base(path), h.Index, n, massmap.ErrField)
		}
		out := &image{h: h.Shape[n-2], w: h.Shape[n-1], header: h.Header}
		pix, err := h.ReadFloat32(ctx)
		if err != nil {
			return nil, err
		}
		for at := 0; at < len(pix); at += out.h * out.w {
			out.planes = append(out.planes, pix[at:at+out.h*out.w])
		}
		return out, nil
	}
	if part != "" {
		return nil, fmt.Errorf("lens: %s has no image %q: %w", filepath.Base(path), part, massmap.ErrField)
	}
	return nil, fmt.Errorf("lens: %s has no image: %w", filepath.Base(path), massmap.ErrField)
}

// ImagesIn is how many planes the first image of a FITS file has; 0: it is none.
func ImagesIn(ctx context.Context, path string) int {
	im, err := readImage(ctx, path)
	if err != nil {
		return 0
	}
	return len(im.planes)
}

// two gives the planes of two files, or of one that holds both; the second of none is nil.
func two(ctx context.Context, first, second string) (a *image, p, q []float32, err error) {
	if first == "" {
		return nil, nil, nil, nil
	}
	if a, err = readImage(ctx, first); err != nil {
		return nil, nil, nil, err
	}
	p = a.planes[0]
	if second == "" {
		if len(a.planes) > 1 {
			q = a.planes[1]
		}
		return a, p, q, nil
	}
	b, err := readImage(ctx, second)
	if err != nil {
		return nil, nil, nil, err
	}
	if b.h != a.h || b.w != a.w {
		return nil, nil, nil, fmt.Errorf("lens: %s has %d × %d pixels, %s %d × %d: %w", second, b.w, b.h, first, a.w, a.h, massmap.ErrField)
	}
	return a, p, b.planes[0], nil
}

// OpenMaps reads gridded shear. Where the header has a tangent plane with north up about
// the middle, or can be read as one, positions on the sky are known; else in pixels only.
func OpenMaps(ctx context.Context, m MapFiles) (*massmap.Field, error) {
	g, g1, g2, err := two(ctx, m.G1, m.G2)
	if err != nil {
		return nil, err
	}
	if g == nil || g2 == nil {
		return nil, fmt.Errorf("lens: %q holds one plane: a cube (2, H, W) or two files are needed for g1 and g2: %w", m.G1, massmap.ErrField)
	}
	in := massmap.Gridded{H: g.h, W: g.w, G1: g1, G2: g2, Arcmin: m.Arcmin, SigmaE: m.SigmaE}
	std, s1, s2, err := two(ctx, m.Std1, m.Std2)
	if err != nil {
		return nil, err
	}
	in.Std1, in.Std2 = s1, s2
	list := []*image{std}
	for _, q := range []struct {
		spec string
		dst  *[]float32
	}{{m.Mask, &in.Mask}, {m.Count, &in.Count}} {
		if q.spec == "" {
			continue
		}
		im, err := readImage(ctx, q.spec)
		if err != nil {
			return nil, err
		}
		list = append(list, im)
		*q.dst = im.planes[0]
	}
	for _, im := range list {
		if im != nil && (im.h != g.h || im.w != g.w) {
			return nil, fmt.Errorf("lens: a map of noise, mask or counts has %d × %d pixels, the shear %d × %d: %w", im.w, im.h, g.w, g.h, massmap.ErrField)
		}
	}
	p, notes := skyOf(g)
	if in.Arcmin == 0 {
		in.Arcmin = p.Arcmin
	}
	if in.Arcmin == 0 {
		return nil, fmt.Errorf("lens: %s says nothing of its pixel: give its side (--pixel): %w", m.G1, massmap.ErrSetting)
	}
	f, err := massmap.NewField(in)
	if err != nil {
		return nil, err
	}
	if p.Kind != massmap.Pixels && math.Abs(p.Arcmin/in.Arcmin-1) < 1e-3 {
		f.Projection = p
	}
	f.Findings = append(f.Findings, notes...)
	return f, nil
}

// skyTolerance is how far, in pixels, a header may be from the projection that a field
// can have.
const skyTolerance = 0.1

// skyOf is the projection of an image's header: one of a Field's where it comes close.
func skyOf(g *image) (massmap.Projection, []limpid.Finding) {
	p := massmap.Projection{Kind: massmap.Pixels, H: g.h, W: g.w}
	w, err := wcs.FromHeader(g.header, "")
	if err != nil || w == nil {
		return p, nil
	}
	p.Arcmin = w.PixelScale() / 60
	midX, midY := float64(g.w-1)/2, float64(g.h-1)/2
	q := p
	var ok bool
	q.Kind = massmap.Gnomonic
	if q.RA0, q.Dec0, ok = w.PixelToSky(midX, midY); !ok {
		return p, nil
	}
	var off float64
	for _, c := range [][2]float64{{0, 0}, {2 * midX, 0}, {0, 2 * midY}, {2 * midX, 2 * midY}} {
		ra, dec, ok1 := w.PixelToSky(c[0], c[1])
		x, y, ok2 := q.ToPixel(ra, dec)
		if !ok1 || !ok2 {
			return p, nil
		}
		off = math.Max(off, math.Hypot(x-c[0], y-c[1]))
	}
	if off < skyTolerance {
		return q, nil
	}
	return p, []limpid.Finding{{
		Severity: limpid.Info, Code: "shear.sky", Where: "header",
		What:   fmt.Sprintf("the header's sky is not a tangent plane with north up about the middle (corners are %.1f pixels off): positions are given in pixels", off),
		Advice: "columns and rows of the maps are taken as the axes of g1 and g2",
	}}
}
