package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"limpid"
	"limpid/app/recipe"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
	"limpid/solvers"
	"limpid/solvers/observe"
)

// Observed is a recipe's observation, read and measured but not yet run.
type Observed struct {
	Recipe   recipe.Recipe // what was asked, with HDUs and checksum filled in
	Obs      *solvers.Observation
	Report   *observe.Report
	Header   *fitsio.Header // of the image, WCS moved to the cut-out
	WCS      *wcs.WCS       // of the cut-out; nil: none
	Plane    int            // of a cube, −1: all planes are bands
	Findings []limpid.Finding

	// The numerics see data × Scale, a power of two, so that data in 1e-30
	// W/m²/Hz do not leave the range of float32; 1 for ordinary units.
	Scale float64
}

// maxBands bounds the planes of a cube that are taken as bands at once.
const maxBands = 16

// Observe reads what the recipe names and makes the observation: sky, noise,
// mask, PSF, and findings about them.
func (s *Session) Observe(ctx context.Context, r recipe.Recipe) (*Observed, error) {
	if r.Stacked() {
		return s.observeStacked(ctx, r)
	}
	return s.observeOne(ctx, r)
}

// observeOne observes the recipe's first image on its own pixels.
func (s *Session) observeOne(ctx context.Context, r recipe.Recipe) (*Observed, error) {
	doc, err := s.Open(ctx, r.Input.File)
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	o := &Observed{Recipe: r, Scale: 1, Findings: append([]limpid.Finding(nil), doc.Findings...)}
	if o.Recipe.Input.SHA256, err = digest(r.Input.File); err != nil {
		return nil, err
	}
	if want := r.Input.SHA256; want != "" && want != o.Recipe.Input.SHA256 {
		return nil, fmt.Errorf("session: %s has sha256 %.12s…, the recipe was made for %.12s…: %w", doc.Name, o.Recipe.Input.SHA256, want, ErrChanged)
	}
	in := observe.Input{Where: doc.Name}
	region, err := o.readImage(ctx, doc, &in)
	if err != nil {
		return nil, err
	}
	if err := o.readMaps(ctx, s, doc, region, &in); err != nil {
		return nil, err
	}
	o.readKeywords(&in)
	o.rescale(&in)
	o.Obs, o.Report, err = observe.Build(in, o.settings())
	if o.Report != nil {
		o.Findings = append(o.Findings, o.Report.Findings...)
	}
	if err != nil {
		return o, err
	}
	return o, nil
}

func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", wrapf(err, "session")
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", wrapf(err, "session: read %s", path)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// region is the part of an image that is read: rows and columns, of which
// planes.
type region struct {
	h, w           int // of the whole image
	x0, x1, y0, y1 int
}

// readImage reads the data and fills HDU, header and WCS.
func (o *Observed) readImage(ctx context.Context, doc *Document, in *observe.Input) (region, error) {
	in0 := &o.Recipe.Input
	if in0.HDU == nil {
		first, err := doc.FirstImage()
		if err != nil {
			return region{}, err
		}
		in0.HDU = &first
	}
	h, err := doc.image(*in0.HDU)
	if err != nil {
		return region{}, err
	}
	n := len(h.Shape)
	g := region{h: h.Shape[n-2], w: h.Shape[n-1]}
	g.x1, g.y1 = g.w, g.h
	if c := in0.Cutout; c != nil {
		if c[1] > g.w || c[3] > g.h {
			return g, fmt.Errorf("session: %s: cut-out %d:%d,%d:%d reaches beyond the image of %d×%d pixels: %w", doc.Name, c[0], c[1], c[2], c[3], g.w, g.h, ErrShape)
		}
		g.x0, g.x1, g.y0, g.y1 = c[0], c[1], c[2], c[3]
	}
	if g.x1-g.x0 < minSide || g.y1-g.y0 < minSide {
		return g, fmt.Errorf("session: %s: %d×%d pixels are too few: at least %d×%d: %w", doc.Name, g.x1-g.x0, g.y1-g.y0, minSide, minSide, ErrShape)
	}
	o.Plane = -1
	if in0.Plane != nil {
		o.Plane = *in0.Plane
	}
	if in.Data, err = readPlanes(ctx, h, g, o.Plane, doc.Name); err != nil {
		return g, err
	}
	o.Header = wcs.ShiftHeader(h.Header, float64(g.x0), float64(g.y0))
	if o.WCS, err = celestial(o.Header); err != nil {
		o.WCS = nil
		if _, has := h.Header.Str("CTYPE1"); has {
			o.Findings = append(o.Findings, limpid.Finding{
				Severity: limpid.Warning, Code: "wcs.unusable", Where: doc.Name,
				What: err.Error(), Advice: "positions are shown in pixels only",
			})
		}
	} else {
		in.PixelScale = o.WCS.PixelScale()
	}
	in.Unit, _ = h.Header.Str("BUNIT")
	return g, nil
}

// minSide is the smallest image that is worth a run.
const minSide = 8

// readPlanes reads the region of one plane, or of all planes as bands.
func readPlanes(ctx context.Context, h *fitsio.HDU, g region, plane int, name string) (solvers.Image, error) {
	n := len(h.Shape)
	planes := HDUInfo{Shape: h.Shape}.Planes()
	list := []int{plane}
	switch {
	case plane >= planes:
		return solvers.Image{}, fmt.Errorf("session: %s: plane %d of HDU %d does not exist: it has planes 0 to %d: %w", name, plane, h.Index, planes-1, ErrShape)
	case plane < 0 && planes > maxBands:
		return solvers.Image{}, fmt.Errorf("session: %s: HDU %d is a cube of %d planes, more than %d bands: choose one with --plane: %w", name, h.Index, planes, maxBands, ErrShape)
	case plane < 0:
		list = list[:0]
		for k := range planes {
			list = append(list, k)
		}
	}
	if bytes := int64(len(list)) * int64(g.x1-g.x0) * int64(g.y1-g.y0) * 4; bytes > freeMemory()/4 {
		return solvers.Image{}, fmt.Errorf("session: %s: %d planes of %d×%d pixels do not fit: %w", name, len(list), g.x1-g.x0, g.y1-g.y0, ErrMemory)
	}
	im := solvers.NewImage(len(list), g.y1-g.y0, g.x1-g.x0)
	lo, hi := make([]int, n), make([]int, n)
	for c, k := range list {
		for i, v := range planeIndex(h.Shape, k) {
			lo[i], hi[i] = v, v+1
		}
		lo[n-2], hi[n-2], lo[n-1], hi[n-1] = g.y0, g.y1, g.x0, g.x1
		pix, err := h.Section(ctx, lo, hi)
		if err != nil {
			return solvers.Image{}, err
		}
		copy(im.Plane(c), pix)
	}
	return im, nil
}

// readMaps reads noise map, mask and PSF as far as the recipe or the file has
// them.
func (o *Observed) readMaps(ctx context.Context, s *Session, doc *Document, g region, in *observe.Input) error {
	r := &o.Recipe
	if err := o.resolveNoise(doc, g); err != nil {
		return err
	}
	var err error
	if k := r.Noise.Kind; k == observe.NoiseWeights || k == observe.NoiseVariance || k == observe.NoiseStd {
		if in.NoiseMap, err = o.readMap(ctx, s, doc, r.Noise.File, r.Noise.HDU, g, string(k)+" map"); err != nil {
			return err
		}
	}
	if r.Noise.Spectrum == observe.SpectrumFile {
		if err := o.readNoiseSpectrum(ctx, s, doc, in); err != nil {
			return err
		}
	}
	if r.Mask.File == "" && r.Mask.HDU == nil {
		if i := doc.WithRole(RoleMask, g.h, g.w); i >= 0 && i != *r.Input.HDU {
			r.Mask.HDU = &i
		}
	}
	if r.Mask.File != "" || r.Mask.HDU != nil {
		if in.Mask, err = o.readMap(ctx, s, doc, r.Mask.File, r.Mask.HDU, g, "mask"); err != nil {
			return err
		}
	}
	if r.PSF.Kind == observe.PSFFile || r.PSF.Kind == "" {
		in.PSF, err = o.readPSF(ctx, s, doc)
	}
	if set := r.PSF; err == nil && set.Rows > 0 && set.Kind == observe.PSFFile {
		err = o.readNodes(ctx, s, doc, g, in)
	}
	return err
}

// readNoiseSpectrum reads an image of noise alone, of any size, or a table of k and P.
func (o *Observed) readNoiseSpectrum(ctx context.Context, s *Session, doc *Document, in *observe.Input) error {
	set := &o.Recipe.Noise
	from := doc
	if set.SpectrumFile != "" {
		var err error
		if from, err = s.Open(ctx, set.SpectrumFile); err != nil {
			var textErr error
			if in.NoiseK, in.NoiseP, textErr = readSpectrum(ctx, set.SpectrumFile); textErr == nil {
				return nil
			}
			return wrapf(err, "session: noise spectrum")
		}
		defer from.Close()
	}
	if set.SpectrumHDU == nil {
		first, err := from.FirstImage()
		if err != nil {
			return wrapf(err, "session: noise spectrum")
		}
		set.SpectrumHDU = &first
	}
	h, err := from.image(*set.SpectrumHDU)
	if err != nil {
		return wrapf(err, "session: noise spectrum")
	}
	n := len(h.Shape)
	plane := -1
	if (HDUInfo{Shape: h.Shape}).Planes() > 1 {
		plane = o.Plane
	}
	in.NoiseOnly, err = readPlanes(ctx, h, region{h: h.Shape[n-2], w: h.Shape[n-1], x1: h.Shape[n-1], y1: h.Shape[n-2]}, plane, from.Name)
	if err != nil {
		return wrapf(err, "session: noise spectrum")
	}
	if c := in.NoiseOnly.C; c != 1 && c != in.Data.C {
		return fmt.Errorf("%w: %s: the image of noise has %d planes, the image %d", observe.ErrMismatch, from.Name, c, in.Data.C)
	}
	return nil
}

// readNodes reads the PSF's nodes: the planes of the HDU that readPSF found, or single
// planes of so many HDUs from it on. A cut-out gets nodes of its own.
func (o *Observed) readNodes(ctx context.Context, s *Session, doc *Document, g region, in *observe.Input) error {
	set := o.Recipe.PSF
	from := doc
	if set.File != "" {
		var err error
		if from, err = s.Open(ctx, set.File); err != nil {
			return wrapf(err, "session: PSF")
		}
		defer from.Close()
	}
	count := set.Rows * set.Cols
	planes := from.HDUs[*set.HDU].Planes()
	var nodes []solvers.Image
	for i := range count {
		index, plane := *set.HDU, i
		if planes == 1 {
			index, plane = *set.HDU+i, 0
		} else if planes != count {
			return fmt.Errorf("%w: HDU %d of %s has %d planes, %d × %d nodes need %d", observe.ErrPSF, index, from.Name, planes, set.Rows, set.Cols, count)
		}
		if index >= len(from.HDUs) {
			return fmt.Errorf("%w: %s has %d HDUs from %d on, %d × %d nodes need %d, or as many planes of one", observe.ErrPSF, from.Name, len(from.HDUs)-*set.HDU, *set.HDU, set.Rows, set.Cols, count)
		}
		h, err := from.image(index)
		if err != nil {
			return wrapf(err, "session: PSF")
		}
		n := len(h.Shape)
		im, err := readPlanes(ctx, h, region{h: h.Shape[n-2], w: h.Shape[n-1], x1: h.Shape[n-1], y1: h.Shape[n-2]}, plane, from.Name)
		if err != nil {
			return wrapf(err, "session: PSF")
		}
		if len(nodes) > 0 && !im.Shape().Equal(nodes[0].Shape()) {
			return fmt.Errorf("%w: the PSF in HDU %d of %s is %d×%d pixels, the first %d×%d: all must have one size", observe.ErrPSF, index, from.Name, im.W, im.H, nodes[0].W, nodes[0].H)
		}
		nodes = append(nodes, im)
	}
	in.PSF, in.PSFNodes = nil, observe.NodesOf(nodes, set.Rows, set.Cols, g.h, g.w, g.y0, g.y1, g.x0, g.x1)
	return nil
}

// resolveNoise finds out which map "auto" or a bare HDU number means.
func (o *Observed) resolveNoise(doc *Document, g region) error {
	n := &o.Recipe.Noise
	kinds := map[Role]observe.NoiseKind{
		RoleWeights: observe.NoiseWeights, RoleVariance: observe.NoiseVariance, RoleStd: observe.NoiseStd,
	}
	auto := n.Kind == observe.NoiseAuto || n.Kind == ""
	switch {
	case auto && n.HDU != nil:
		if *n.HDU < 0 || *n.HDU >= len(doc.HDUs) {
			return fmt.Errorf("session: %s: noise: HDU %d does not exist: there are %d: %w", doc.Name, *n.HDU, len(doc.HDUs), fitsio.ErrNoHDU)
		}
		info := doc.HDUs[*n.HDU]
		kind, ok := kinds[info.Role]
		if !ok {
			return fmt.Errorf("%w: HDU %d (%s) of %s does not say what it is: write weights:%d, variance:%d or std:%d",
				observe.ErrSetting, *n.HDU, info.Name, doc.Name, *n.HDU, *n.HDU, *n.HDU)
		}
		n.Kind = kind
	case auto:
		for _, role := range []Role{RoleWeights, RoleVariance, RoleStd} {
			if i := doc.WithRole(role, g.h, g.w); i >= 0 && i != *o.Recipe.Input.HDU {
				n.Kind, n.HDU = kinds[role], &i
				o.Findings = append(o.Findings, limpid.Finding{
					Severity: limpid.Info, Code: "noise.map", Where: doc.Name,
					What: fmt.Sprintf("the noise is taken from HDU %d (%s) as %s", i, doc.HDUs[i].Name, n.Kind),
				})
				return nil
			}
		}
	case n.HDU == nil && n.File == "":
		for role, kind := range kinds {
			if i := doc.WithRole(role, g.h, g.w); kind == n.Kind && i >= 0 {
				n.HDU = &i
			}
		}
	}
	return nil
}

// readMap reads a map of the image's size, cut like it.
func (o *Observed) readMap(ctx context.Context, s *Session, doc *Document, file string, hdu *int, g region, what string) (*solvers.Image, error) {
	from := doc
	if file != "" {
		var err error
		if from, err = s.Open(ctx, file); err != nil {
			return nil, wrapf(err, "session: %s", what)
		}
		defer from.Close()
	}
	index := 0
	switch {
	case hdu != nil:
		index = *hdu
	case file == "":
		return nil, fmt.Errorf("%w: %s: no HDU holds a %s of the image's size: name one", observe.ErrMismatch, doc.Name, what)
	default:
		first, err := from.FirstImage()
		if err != nil {
			return nil, wrapf(err, "session: %s", what)
		}
		index = first
	}
	h, err := from.image(index)
	if err != nil {
		return nil, wrapf(err, "session: %s", what)
	}
	n := len(h.Shape)
	at := g
	if h.Shape[n-2] != g.h || h.Shape[n-1] != g.w {
		if h.Shape[n-2] != g.y1-g.y0 || h.Shape[n-1] != g.x1-g.x0 {
			return nil, fmt.Errorf("%w: %s: the %s (HDU %d) is %d×%d pixels, the image %d×%d", observe.ErrMismatch, from.Name, what, index, h.Shape[n-1], h.Shape[n-2], g.w, g.h)
		}
		at = region{h: h.Shape[n-2], w: h.Shape[n-1], x1: h.Shape[n-1], y1: h.Shape[n-2]} // cut already
	}
	plane := -1
	if (HDUInfo{Shape: h.Shape}).Planes() > 1 {
		plane = o.Plane
	}
	im, err := readPlanes(ctx, h, at, plane, from.Name)
	if err != nil {
		return nil, wrapf(err, "session: %s", what)
	}
	return &im, nil
}

// readPSF reads the PSF's planes from its file and HDU.
func (o *Observed) readPSF(ctx context.Context, s *Session, doc *Document) (*solvers.Image, error) {
	set := &o.Recipe.PSF
	set.Kind = observe.PSFFile
	from := doc
	if set.File != "" {
		var err error
		if from, err = s.Open(ctx, set.File); err != nil {
			return nil, wrapf(err, "session: PSF")
		}
		defer from.Close()
	}
	if set.HDU == nil {
		i := from.WithRole(RolePSF, 0, 0)
		if i < 0 && set.File != "" {
			var err error
			if i, err = from.FirstImage(); err != nil {
				return nil, wrapf(err, "session: PSF")
			}
		}
		if i < 0 {
			return nil, fmt.Errorf("%w: %s has no PSF HDU: name a file, a profile, or measure it from stars", observe.ErrPSF, from.Name)
		}
		set.HDU = &i
	}
	h, err := from.image(*set.HDU)
	if err != nil {
		return nil, wrapf(err, "session: PSF")
	}
	n := len(h.Shape)
	g := region{h: h.Shape[n-2], w: h.Shape[n-1], x1: h.Shape[n-1], y1: h.Shape[n-2]}
	plane := -1
	if (HDUInfo{Shape: h.Shape}).Planes() > 1 {
		plane = o.Plane
		if set.Rows > 0 { // readNodes reads them all
			plane = 0
		}
	}
	im, err := readPlanes(ctx, h, g, plane, from.Name)
	if err != nil {
		return nil, wrapf(err, "session: PSF")
	}
	return &im, nil
}

// readKeywords takes gain, read noise and saturation from the header.
func (o *Observed) readKeywords(in *observe.Input) {
	k := KeywordsOf(o.Header)
	in.Gain, in.ReadNoise, in.Saturation = k.Gain, k.ReadNoise, k.Saturation
}

// fileName is what results say about an input: its base name, so that they do
// not depend on where it lay.
func fileName(path string) string {
	if path == "" {
		return ""
	}
	return filepath.Base(path)
}
