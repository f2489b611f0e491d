package session

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"limpid"
	"limpid/app/recipe"
	"limpid/fitsio"
	"limpid/fitsio/catalogue"
	"limpid/fitsio/wcs"
	"limpid/solvers"
	"limpid/solvers/deblend"
	"limpid/solvers/observe"
)

// DeblendInput names the data of a deblending run and the sources.
type DeblendInput struct {
	Files     []string // one file of several planes, or one file per band
	Bands     []string // names; nil: of the files
	PSF       []string // recipe.ParsePSF, one for all or one per band; nil: the file's PSF HDU, else measured
	Noise     string   // recipe.ParseNoise; "": auto
	Sky       string   // recipe.ParseSky; "": none, the image is sky-subtracted
	Cutout    string   // recipe.ParseCutout
	Catalogue string   // file of positions; "": the image file's PEAKS table if it has one, else detection
	Origin    float64  // added to nothing: 1 where plain x and y of the catalogue count from 1
	SwapXY    bool
	Positions [][2]float64 // pixels from 0, beside or instead of a catalogue
	Stars     []int        // IDs, from 1, that are points
	Detect    bool         // detect even where positions are given
	Threshold float64      // of the detection; 0: its default
}

// Deblending is a field that has been read: what a window edits and fits again.
type Deblending struct {
	Input    DeblendInput
	Obs      *solvers.Observation
	Sources  []deblend.Source // edit and fit again
	Header   *fitsio.Header   // of the first band
	WCS      *wcs.WCS         // nil: none
	Report   []*observe.Report
	Findings []limpid.Finding

	Result    *deblend.Result
	Posterior *deblend.Posterior // nil: not sampled
}

// plane is one band of the input: a file and, in a cube, which plane of it.
type bandPlane struct {
	file  string
	plane *int
	name  string
}

// LoadDeblend reads the bands, puts them on the grid of the first, and finds the
// sources: given, in a catalogue, in the file's PEAKS table, or detected.
func (s *Session) LoadDeblend(ctx context.Context, in DeblendInput, opt deblend.Options) (*Deblending, error) {
	planes, err := s.planes(ctx, in)
	if err != nil {
		return nil, err
	}
	if len(in.PSF) > 1 && len(in.PSF) != len(planes) {
		return nil, fmt.Errorf("%w: %d PSFs for %d bands: give one for all, or one per band", recipe.ErrInvalid, len(in.PSF), len(planes))
	}
	d := &Deblending{Input: in}
	var bands []*Observed
	for i, p := range planes {
		o, err := s.observeBand(ctx, in, p, i)
		if err != nil && !(errors.Is(err, observe.ErrMasked) && len(planes) > 1) {
			return nil, err
		}
		bands = append(bands, o) // without Obs where everything is masked
	}
	if err := d.stack(planes, bands); err != nil {
		return nil, err
	}
	if err := s.findSources(ctx, d, opt); err != nil {
		return nil, err
	}
	return d, nil
}

// planes lists the bands: the planes of a single file, or one of each.
func (s *Session) planes(ctx context.Context, in DeblendInput) ([]bandPlane, error) {
	if len(in.Files) == 0 {
		return nil, fmt.Errorf("%w: no image", recipe.ErrInvalid)
	}
	var out []bandPlane
	for _, file := range in.Files {
		doc, err := s.Open(ctx, file)
		if err != nil {
			return nil, err
		}
		first, err := doc.FirstImage()
		if err != nil {
			doc.Close()
			return nil, err
		}
		n := doc.HDUs[first].Planes()
		names := bandNames(doc, first, n)
		doc.Close()
		if len(in.Files) > 1 && n > 1 {
			return nil, fmt.Errorf("session: %s has %d planes: give one file of several planes, or several files of one: %w", doc.Name, n, ErrShape)
		}
		if n > maxBands {
			return nil, fmt.Errorf("session: %s has %d planes, more than %d bands: %w", doc.Name, n, maxBands, ErrShape)
		}
		for k := range n {
			p := bandPlane{file: file, name: names[k]}
			if n > 1 {
				p.plane = &k
			}
			out = append(out, p)
		}
	}
	if in.Bands != nil {
		if len(in.Bands) != len(out) {
			return nil, fmt.Errorf("%w: %d band names for %d bands", recipe.ErrInvalid, len(in.Bands), len(out))
		}
		for i := range out {
			out[i].name = in.Bands[i]
		}
	}
	seen := map[string]bool{}
	for i := range out { // names become columns: they must differ
		if out[i].name == "" || seen[out[i].name] {
			out[i].name = fmt.Sprintf("%d", i+1)
		}
		seen[out[i].name] = true
	}
	return out, nil
}

// bandNames are told by BANDS or FILTER: a letter per plane, or words.
func bandNames(doc *Document, hdu, n int) []string {
	out := make([]string, n)
	for _, i := range []int{hdu, 0} {
		h, err := doc.Header(i)
		if err != nil {
			continue
		}
		for _, key := range []string{"BANDS", "FILTER", "FILTER1", "BAND"} {
			v, ok := h.Str(key)
			v = strings.TrimSpace(v)
			words := strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ' ' || r == ';' })
			switch {
			case !ok || v == "":
			case n == 1:
				return []string{v}
			case len(words) == n:
				return words
			case len([]rune(v)) == n:
				return strings.Split(v, "")
			}
		}
	}
	for k := range out {
		out[k] = fmt.Sprintf("%d", k+1)
	}
	if n == 1 {
		out[0] = Stem(doc.Name)
	}
	return out
}

func (s *Session) observeBand(ctx context.Context, in DeblendInput, p bandPlane, i int) (*Observed, error) {
	r := recipe.Default(p.file)
	r.Input.Plane = p.plane
	var err error
	switch {
	case len(in.PSF) == 0:
		r.PSF, err = DefaultPSF(ctx, p.file)
	case len(in.PSF) == 1:
		r.PSF, err = recipe.ParsePSF(in.PSF[0])
	default:
		r.PSF, err = recipe.ParsePSF(in.PSF[i])
	}
	if err != nil {
		return nil, err
	}
	sky := in.Sky
	if sky == "" {
		sky = "none"
	}
	if r.Sky, err = recipe.ParseSky(sky); err != nil {
		return nil, err
	}
	if in.Noise != "" {
		if r.Noise, err = recipe.ParseNoise(in.Noise); err != nil {
			return nil, err
		}
	}
	if in.Cutout != "" {
		if r.Input.Cutout, err = recipe.ParseCutout(in.Cutout); err != nil {
			return nil, err
		}
	}
	o, err := s.Observe(ctx, r)
	if err != nil && errors.Is(err, observe.ErrPSF) && r.PSF.Kind == observe.PSFFile && !r.PSF.Recenter {
		return s.observeSmall(ctx, r, err)
	}
	return o, err
}

// observeSmall is for cut-outs smaller than their PSF, which Observe cannot take:
// sources are fitted on a grid with room for it. why is the error to give if that
// is not the matter.
func (s *Session) observeSmall(ctx context.Context, r recipe.Recipe, why error) (*Observed, error) {
	set := r.PSF
	var err error
	if r.PSF, err = recipe.ParsePSF("none"); err != nil {
		return nil, err
	}
	o, err := s.Observe(ctx, r)
	if err != nil {
		return o, err
	}
	doc, err := s.Open(ctx, r.Input.File)
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	o.Recipe.PSF = set
	psf, err := o.readPSF(ctx, s, doc)
	if err != nil {
		return nil, err
	}
	var sum float64
	for _, v := range psf.Pix {
		sum += float64(v)
	}
	if psf.C != 1 || psf.H <= o.Obs.Data.H && psf.W <= o.Obs.Data.W || !(sum > 0) || math.IsInf(sum, 0) {
		return nil, why
	}
	for i := range psf.Pix {
		psf.Pix[i] /= float32(sum)
	}
	o.Obs.PSF = *psf
	return o, nil
}

// stack puts the bands into one observation on the grid of the first that has
// data.
func (d *Deblending) stack(planes []bandPlane, bands []*Observed) error {
	var ref *Observed
	for _, b := range bands {
		if b != nil && b.Obs != nil && ref == nil {
			ref = b
		}
	}
	if ref == nil {
		return fmt.Errorf("session: every pixel of every band is masked: %w", observe.ErrMasked)
	}
	d.Header, d.WCS = ref.Header, ref.WCS
	h, w := ref.Obs.Data.H, ref.Obs.Data.W
	obs := &solvers.Observation{
		Data: solvers.NewImage(len(bands), h, w), Weights: solvers.NewImage(len(bands), h, w),
		Unit: ref.Obs.Unit, Frame: ref.Obs.Frame,
	}
	var psfs []solvers.Image
	seen := map[limpid.Finding]bool{}
	for c, b := range bands {
		obs.Bands = append(obs.Bands, planes[c].name)
		if b == nil || b.Obs == nil {
			psfs = append(psfs, ref.Obs.PSF)
			d.Report = append(d.Report, nil)
			continue
		}
		data, weights, err := d.onGrid(ref, b, planes[c].name)
		if err != nil {
			return err
		}
		// scales are powers of two and differ between bands
		scale := float32(1 / b.Scale)
		for i, v := range data {
			obs.Data.Plane(c)[i], obs.Weights.Plane(c)[i] = v*scale, weights[i]/(scale*scale)
		}
		psfs = append(psfs, b.Obs.PSF)
		d.Report = append(d.Report, b.Report)
		for _, f := range b.Findings {
			if !seen[f] {
				seen[f] = true
				d.Findings = append(d.Findings, f)
			}
		}
	}
	obs.PSF = samePSFSize(psfs)
	d.Obs = obs
	return nil
}

// samePSFSize pads PSFs about their centres to one odd size.
func samePSFSize(psfs []solvers.Image) solvers.Image {
	h, w := 0, 0
	for _, p := range psfs {
		h, w = max(h, p.H|1), max(w, p.W|1)
	}
	out := solvers.NewImage(len(psfs), h, w)
	for c, p := range psfs {
		dy, dx := (h-1)/2-(p.H-1)/2, (w-1)/2-(p.W-1)/2
		for y := range p.H {
			copy(out.Plane(c)[(y+dy)*w+dx:], p.Plane(0)[y*p.W:(y+1)*p.W])
		}
	}
	return out
}

// Bands whose pixels lie within this of the first band's need no resampling.
const sameGrid = 0.05 // px

// onGrid gives a band's data and weights on the reference's pixels: as they are,
// or interpolated between the four nearest by the coordinates.
func (d *Deblending) onGrid(ref, b *Observed, name string) (data, weights []float32, err error) {
	r, o := ref.Obs.Data, b.Obs.Data
	if b.WCS == nil || ref.WCS == nil {
		if r.H != o.H || r.W != o.W {
			return nil, nil, fmt.Errorf("%w: band %s is %d×%d pixels, the first %d×%d, and there are no coordinates to align them by", observe.ErrMismatch, name, o.W, o.H, r.W, r.H)
		}
		return o.Plane(0), b.Obs.Weights.Plane(0), nil
	}
	at := func(x, y int) (u, v float64, ok bool) {
		lon, lat, ok := ref.WCS.PixelToSky(float64(x), float64(y))
		if !ok {
			return 0, 0, false
		}
		return b.WCS.SkyToPixel(lon, lat)
	}
	same := r.H == o.H && r.W == o.W
	for _, p := range [][2]int{{0, 0}, {r.W - 1, 0}, {0, r.H - 1}, {r.W - 1, r.H - 1}} {
		u, v, ok := at(p[0], p[1])
		same = same && ok && math.Hypot(u-float64(p[0]), v-float64(p[1])) < sameGrid
	}
	if same {
		return o.Plane(0), b.Obs.Weights.Plane(0), nil
	}
	if ratio := b.WCS.PixelScale() / ref.WCS.PixelScale(); math.Abs(ratio-1) > 0.02 {
		return nil, nil, fmt.Errorf("%w: band %s has pixels of %.4g″, the first %.4g″: resample one of them (swarp, reproject) with its PSF", observe.ErrMismatch, name, b.WCS.PixelScale(), ref.WCS.PixelScale())
	}
	data, weights = make([]float32, r.H*r.W), make([]float32, r.H*r.W)
	covered := 0
	for i := range data {
		u, v, ok := at(i%r.W, i/r.W)
		if !ok {
			continue
		}
		if data[i], weights[i] = interpolate(b.Obs, u, v); weights[i] > 0 {
			covered++
		}
	}
	if covered == 0 {
		return nil, nil, fmt.Errorf("%w: band %s does not overlap the first", observe.ErrMismatch, name)
	}
	d.Findings = append(d.Findings, limpid.Finding{
		Severity: limpid.Warning, Code: "deblend.resampled", Where: "band " + name,
		What:   fmt.Sprintf("resampled to the first band's pixels by bilinear interpolation; it covers %.0f %% of them", 100*float64(covered)/float64(len(data))),
		Advice: "its noise is now correlated and a little smoother than its weights say: error bars of that band come out too small; give aligned images to avoid it",
	})
	return data, weights, nil
}

// interpolate is bilinear; the weight is that of the nearest pixel, 0 where any of
// the four is masked.
func interpolate(o *solvers.Observation, u, v float64) (data, weight float32) {
	x, y := int(math.Floor(u)), int(math.Floor(v))
	if x < 0 || y < 0 || x+1 >= o.Data.W || y+1 >= o.Data.H {
		return 0, 0
	}
	fx, fy := float32(u-float64(x)), float32(v-float64(y))
	for j := range 2 {
		for i := range 2 {
			p := (y+j)*o.Data.W + x + i
			if o.Weights.Pix[p] == 0 {
				return 0, 0
			}
			share := (fx*float32(i) + (1-fx)*float32(1-i)) * (fy*float32(j) + (1-fy)*float32(1-j))
			data += share * o.Data.Pix[p]
			if share >= 0.25 {
				weight = max(weight, o.Weights.Pix[p])
			}
		}
	}
	return data, weight
}

// findSources fills Sources.
func (s *Session) findSources(ctx context.Context, d *Deblending, opt deblend.Options) error {
	in := d.Input
	for _, p := range in.Positions {
		d.Sources = append(d.Sources, deblend.Source{X: p[0], Y: p[1], Kind: deblend.Galaxy})
	}
	if in.Catalogue != "" {
		if err := d.readCatalogue(ctx, in.Catalogue, 0); err != nil {
			return err
		}
	} else if len(d.Sources) == 0 && !in.Detect && len(in.Files) == 1 {
		if err := s.readPeaks(ctx, d); err != nil {
			return err
		}
	}
	if len(d.Sources) == 0 || in.Detect {
		found, err := deblend.Detect(ctx, s.dev, d.Obs, deblend.DetectOptions{Threshold: in.Threshold}, opt)
		if err != nil {
			return err
		}
		d.merge(found)
		if len(d.Sources) == 0 {
			return fmt.Errorf("session: no source reaches the detection threshold: %w", deblend.ErrSource)
		}
		d.Findings = append(d.Findings, limpid.Finding{Severity: limpid.Info, Code: "deblend.detected", Where: fileName(in.Files[0]), What: fmt.Sprintf("%d sources detected", len(found))})
	}
	for i := range d.Sources {
		d.Sources[i].ID = i + 1
		if in.SwapXY {
			d.Sources[i].X, d.Sources[i].Y = d.Sources[i].Y, d.Sources[i].X
		}
	}
	for _, id := range in.Stars {
		if id < 1 || id > len(d.Sources) {
			return fmt.Errorf("%w: star %d: there are sources 1 to %d", recipe.ErrInvalid, id, len(d.Sources))
		}
		d.Sources[id-1].Kind = deblend.Star
	}
	return nil
}

// merge adds detections that no given source explains.
func (d *Deblending) merge(found []deblend.Source) {
	given := len(d.Sources)
	for _, f := range found {
		near := false
		for _, s := range d.Sources[:given] {
			near = near || math.Hypot(s.X-f.X, s.Y-f.Y) < 2
		}
		if !near {
			d.Sources = append(d.Sources, f)
		}
	}
}

// readPeaks takes the positions of the image file's PEAKS or SOURCES table.
func (s *Session) readPeaks(ctx context.Context, d *Deblending) error {
	file := d.Input.Files[0]
	doc, err := s.Open(ctx, file)
	if err != nil {
		return err
	}
	defer doc.Close()
	for _, h := range doc.HDUs {
		if name := strings.ToUpper(h.Name); h.Role == RoleTable && (name == "PEAKS" || name == "SOURCES") {
			return d.readCatalogue(ctx, file, h.Index)
		}
	}
	return nil
}

// readCatalogue adds positions by sky coordinates where image and table have
// them, else by pixels.
func (d *Deblending) readCatalogue(ctx context.Context, file string, hdu int) error {
	c, err := catalogue.Open(ctx, file, catalogue.Options{HDU: hdu})
	if err != nil {
		return wrapf(err, "session: catalogue")
	}
	x0, y0 := 0.0, 0.0
	if d.Input.Cutout != "" {
		cut, err := recipe.ParseCutout(d.Input.Cutout)
		if err != nil {
			return err
		}
		x0, y0 = float64(cut[0]), float64(cut[2])
	}
	outside := 0
	add := func(x, y float64) {
		if x < -0.5 || y < -0.5 || x > float64(d.Obs.Data.W)-0.5 || y > float64(d.Obs.Data.H)-0.5 {
			outside++
			if c.RA != nil && d.WCS != nil || d.Input.Cutout != "" {
				return // a catalogue of a larger field
			}
		}
		d.Sources = append(d.Sources, deblend.Source{X: x, Y: y, Kind: deblend.Galaxy})
	}
	switch {
	case c.X != nil:
		for i := range c.X {
			add(c.X[i]-d.Input.Origin-x0, c.Y[i]-d.Input.Origin-y0)
		}
	case c.RA != nil && d.WCS != nil:
		for i := range c.RA {
			if x, y, ok := d.WCS.SkyToPixel(c.RA[i], c.Dec[i]); ok {
				add(x, y)
			} else {
				outside++
			}
		}
	default:
		return fmt.Errorf("%w: %s has no pixel positions, and image and table have no common sky coordinates", deblend.ErrSource, fileName(file))
	}
	if outside > 0 && len(d.Sources) > 0 {
		d.Findings = append(d.Findings, limpid.Finding{Severity: limpid.Info, Code: "deblend.outside", Where: fileName(file), What: fmt.Sprintf("%d sources of the catalogue lie outside the image", outside)})
	}
	return nil
}

// FitDeblend fits the sources as they are now; samples > 0 draws from the
// posterior too. It may be called again after Sources was edited.
func (s *Session) FitDeblend(ctx context.Context, d *Deblending, opt deblend.Options, sample *deblend.SampleOptions) error {
	r, err := deblend.Fit(ctx, s.dev, d.Obs, d.Sources, opt)
	if err != nil {
		return err
	}
	d.Result, d.Posterior = r, nil
	if sample == nil {
		return nil
	}
	d.Posterior, err = r.Sample(ctx, s.dev, *sample)
	return err
}

// AllFindings are those of reading, fitting and sampling.
func (d *Deblending) AllFindings() []limpid.Finding {
	out := append([]limpid.Finding(nil), d.Findings...)
	if d.Result != nil {
		out = append(out, d.Result.Findings...)
	}
	if d.Posterior != nil {
		out = append(out, d.Posterior.Findings...)
	}
	return out
}
