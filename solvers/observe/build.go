package observe

import (
	"fmt"
	"math"

	"limpid"
	"limpid/solvers"
)

// Input is what was read from files: physical values, NaN where there are none.
type Input struct {
	Data       solvers.Image // (C, H, W)
	Bands      []string      // C names; nil: "band 0", …
	Unit       string
	PixelScale float64         // arcsec; 0: unknown
	NoiseMap   *solvers.Image  // (C or 1, H, W) weights, variance or std, as Settings.Noise.Kind says
	Mask       *solvers.Image  // (C or 1, H, W), bad where not 0
	PSF        *solvers.Image  // (C or 1, h, w)
	PSFNodes   []solvers.Image // (1, h, w) each, of a PSF that varies: Settings.PSF has their rows and columns
	NoiseOnly  solvers.Image   // (C or 1, h, w) noise without sources, for SpectrumFile; else
	NoiseK     []float64       // cycles per pixel and
	NoiseP     []float64       // power there, in any unit
	Gain       float64         // of the header, electrons per data unit; 0: unknown
	ReadNoise  float64         // of the header, electrons
	Saturation float64         // of the header, data unit; 0: unknown
	Where      string          // the file, for findings
}

// MaskSettings are the user's choice of what to leave out, beside NaN.
type MaskSettings struct {
	HDU        *int     `json:"hdu,omitempty"` // read by app/session
	File       string   `json:"file,omitempty"`
	Saturation *float64 `json:"saturation,omitempty"` // data unit, before the sky is subtracted; ≤ 0: none
}

// Settings say how to make an Observation.
type Settings struct {
	PSF   PSFSettings   `json:"psf"`
	Noise NoiseSettings `json:"noise"`
	Sky   SkySettings   `json:"sky"`
	Mask  MaskSettings  `json:"mask"`
}

// Report is what was found on the way.
type Report struct {
	Findings []limpid.Finding
	Noise    NoiseKind // what auto became
	PSF      []StarPSF // per band, when measured
	FWHM     []float64 // per band, pixels
	SkyLevel []float64 // per band, what was subtracted (median)
	SkySigma []float64 // per band, the sky's scatter
	Masked   []int     // per band
}

// Build makes an Observation, or an error that says what to change.
func Build(in Input, set Settings) (*solvers.Observation, *Report, error) {
	d := in.Data
	if err := checkShapes(in); err != nil {
		return nil, nil, err
	}
	o := &solvers.Observation{
		Data: d.Clone(), Weights: solvers.NewImage(d.C, d.H, d.W), Unit: in.Unit,
		Frame: solvers.Frame{PixelScale: in.PixelScale}, Bands: in.Bands,
	}
	for len(o.Bands) < d.C {
		o.Bands = append(o.Bands, fmt.Sprintf("band %d", len(o.Bands)))
	}
	rep := &Report{}
	if e := set.PSF.Error; e != nil && !(*e >= 0 && *e < 1) {
		return nil, nil, badSetting(fmt.Errorf("observe: the PSF's relative error must be between 0 and 1, is %g", *e))
	}
	set.Noise = resolveNoise(in, set.Noise, rep)
	var psfs []solvers.Image
	for c := range d.C {
		sat := saturationLevel(in, set.Mask)
		if err := buildPlane(in, set, o, rep, c, sat); err != nil {
			return nil, nil, err
		}
		if !set.PSF.varies() {
			p, err := bandPSF(in, set.PSF, o, rep, c, sat)
			if err != nil {
				return nil, rep, err
			}
			psfs = append(psfs, p)
		}
		addPSFError(o, c, psfError(set.PSF))
	}
	var err error
	switch {
	case !set.PSF.varies():
		o.PSF = stackPSFs(psfs)
	case set.PSF.Kind == PSFMeasure:
		err = measuredField(in, set.PSF, o, rep, saturationLevel(in, set.Mask))
	default:
		err = fieldPSF(in, set.PSF, o, rep)
	}
	if err != nil {
		return nil, rep, err
	}
	for c := range d.C {
		rep.FWHM = append(rep.FWHM, FWHM(o.PSF.Plane(c), o.PSF.H, o.PSF.W))
	}
	if in.PixelScale == 0 {
		rep.Findings = append(rep.Findings, limpid.Finding{
			Severity: limpid.Info, Code: "wcs.none", Where: in.Where,
			What: "no world coordinates: positions and scales are in pixels",
		})
	}
	return o, rep, o.Validate()
}

func checkShapes(in Input) error {
	d := in.Data
	if d.Empty() {
		return kinded{ErrMasked, fmt.Errorf("observe: %s: the image has no pixels", in.Where)}
	}
	for _, m := range []struct {
		name string
		im   *solvers.Image
	}{{"noise map", in.NoiseMap}, {"mask", in.Mask}} {
		if m.im != nil && (m.im.H != d.H || m.im.W != d.W || (m.im.C != d.C && m.im.C != 1)) {
			return kinded{ErrMismatch, fmt.Errorf("observe: %s: the %s is %d×%d×%d, the image %d×%d×%d (planes × rows × columns)",
				in.Where, m.name, m.im.C, m.im.H, m.im.W, d.C, d.H, d.W)}
		}
	}
	if in.PSF != nil && in.PSF.C != d.C && in.PSF.C != 1 {
		return kinded{ErrMismatch, fmt.Errorf("observe: %s: the PSF has %d planes, the image %d: choose one plane of each, or give one PSF for all", in.Where, in.PSF.C, d.C)}
	}
	return nil
}

// resolveNoise turns auto into what the input allows and says so.
func resolveNoise(in Input, set NoiseSettings, rep *Report) NoiseSettings {
	if set.Kind != NoiseAuto && set.Kind != "" {
		if set.Kind == NoiseGain || set.Kind == NoiseSky {
			if set.Gain == 0 && set.Kind == NoiseGain {
				set.Gain, set.ReadNoise = in.Gain, in.ReadNoise
			}
		}
		rep.Noise = set.Kind
		return set
	}
	set.Kind = NoiseSky
	if set.Gain == 0 {
		set.Gain = in.Gain
	}
	rep.Noise = set.Kind
	f := limpid.Finding{
		Severity: limpid.Warning, Code: "noise.guessed", Where: in.Where,
		What:   "the noise was measured from the sky; the photon noise of sources is not in it",
		Advice: "the error bars of bright pixels are too small: give the gain, or a weight or variance map",
	}
	if set.Gain > 0 {
		f.Severity, f.Code = limpid.Info, "noise.sky"
		f.What = fmt.Sprintf("the noise was measured from the sky; photon noise added with a gain of %.4g e⁻ per unit", set.Gain)
		f.Advice = "check the gain if the image was rescaled"
	}
	rep.Findings = append(rep.Findings, f)
	return set
}

func saturationLevel(in Input, set MaskSettings) float64 {
	level := in.Saturation
	if set.Saturation != nil {
		level = *set.Saturation
	}
	if level <= 0 {
		return math.Inf(1)
	}
	return level
}

// buildPlane masks, subtracts the sky from, and weights one band.
func buildPlane(in Input, set Settings, o *solvers.Observation, rep *Report, c int, sat float64) error {
	h, w := in.Data.H, in.Data.W
	data, where := o.Data.Plane(c), bandWhere(in, o, c)
	valid := o.Weights.Plane(c) // holds 1/0 until the weights are known
	masked, err := maskPlane(in, data, valid, c, sat, where, rep)
	if err != nil {
		return err
	}
	mesh := set.Sky.Mesh
	if mesh <= 0 {
		mesh = defaultMesh
	}
	b := measureBackground(data, valid, h, w, mesh)
	sky, f, err := chooseSky(set.Sky, b, data, valid, where)
	if err != nil {
		return badSetting(err)
	}
	if f.Code != "" {
		rep.Findings = append(rep.Findings, f)
	}
	subtractSky(o, &b, sky, data, valid, c)
	weights, kind, err := planeWeights(in, set.Noise, data, valid, sky, &b, c, where)
	if err != nil {
		return err
	}
	usable := 0
	for i := range weights {
		if !(valid[i] > 0) {
			weights[i] = 0
		} else if weights[i] > 0 {
			usable++
		}
	}
	if usable == 0 {
		return kinded{ErrMasked, fmt.Errorf("observe: %s: no pixel is left: %d are masked and the rest have weight 0", where, masked)}
	}
	copy(o.Weights.Plane(c), weights)
	weights = o.Weights.Plane(c)
	for i, wt := range weights {
		if wt == 0 {
			data[i] = 0
		}
	}
	if err := colour(in, set.Noise, o, rep, c, where); err != nil {
		return err
	}
	rep.Findings = append(rep.Findings, checkNoise(kind, data, weights, b, h, w, where)...)
	if f, few := fewElectrons(set.Noise, weights, where); few {
		rep.Findings = append(rep.Findings, f)
	}
	rep.SkySigma = append(rep.SkySigma, b.level.Sigma)
	rep.Masked = append(rep.Masked, len(weights)-usable)
	level := 0.0
	if sky != nil {
		thin := make([]float64, 0, 2*enough)
		for i := 0; i < len(sky); i += stride(len(sky)) {
			thin = append(thin, sky[i])
		}
		level = ClippedLevel(thin, 3).Median
	}
	rep.SkyLevel = append(rep.SkyLevel, level)
	return nil
}

func bandWhere(in Input, o *solvers.Observation, c int) string {
	if in.Data.C == 1 {
		return in.Where
	}
	return in.Where + ", " + o.Bands[c]
}

// maskPlane writes 1 where a pixel can be used: finite, not in the mask, not
// saturated or beside a saturated pixel. Masked data become 0.
func maskPlane(in Input, data, valid []float32, c int, sat float64, where string, rep *Report) (int, error) {
	h, w := in.Data.H, in.Data.W
	nan, flagged, saturated := 0, 0, 0
	var mask []float32
	if in.Mask != nil {
		mask = in.Mask.Plane(min(c, in.Mask.C-1))
	}
	for i := range valid {
		valid[i] = 1
	}
	for i, v := range data {
		x := float64(v)
		switch {
		case math.IsNaN(x) || math.IsInf(x, 0):
			valid[i] = 0
			nan++
		case mask != nil && mask[i] != 0: // NaN in a mask counts as bad
			valid[i] = 0
			flagged++
		case x >= sat:
			saturated++
			for y := max(0, i/w-1); y <= min(h-1, i/w+1); y++ {
				for k := max(0, i%w-1); k <= min(w-1, i%w+1); k++ {
					valid[y*w+k] = 0
				}
			}
		}
	}
	left := 0
	for i := range data {
		if valid[i] > 0 {
			left++
		} else {
			data[i] = 0
		}
	}
	if left == 0 {
		return len(data), kinded{ErrMasked, fmt.Errorf("observe: %s: every pixel is NaN, masked or saturated (%d NaN, %d masked, %d saturated)", where, nan, flagged, saturated)}
	}
	if n := nan + flagged + saturated; n > 0 {
		rep.Findings = append(rep.Findings, limpid.Finding{
			Severity: limpid.Info, Code: "mask", Where: where,
			What: fmt.Sprintf("%d of %d pixels are masked (%d not finite, %d flagged, %d saturated and their neighbours)", len(data)-left, len(data), nan, flagged, saturated),
		})
	}
	return len(data) - left, nil
}

// subtractSky takes the sky off data and off the background's own maps.
func subtractSky(o *solvers.Observation, b *background, sky []float64, data, valid []float32, c int) {
	if sky == nil {
		return
	}
	if len(o.Sky) == 0 {
		o.Sky = make([]solvers.Image, o.Data.C)
	}
	kept := solvers.NewImage(1, o.Data.H, o.Data.W)
	for i, v := range sky {
		kept.Pix[i] = float32(v)
		if valid[i] > 0 {
			data[i] = float32(float64(data[i]) - v)
		}
		b.sky[i] -= v
	}
	o.Sky[c] = kept
}

// planeWeights makes the inverse variance of a band.
func planeWeights(in Input, set NoiseSettings, data, valid []float32, sky []float64, b *background, c int, where string) ([]float32, NoiseKind, error) {
	h, w := in.Data.H, in.Data.W
	switch set.Kind {
	case NoiseWeights, NoiseVariance, NoiseStd:
		if in.NoiseMap == nil {
			return nil, set.Kind, badMap(fmt.Errorf("observe: %s: noise %q needs a map: name its HDU", where, set.Kind))
		}
		m := append([]float32(nil), in.NoiseMap.Plane(min(c, in.NoiseMap.C-1))...)
		for i, v := range valid { // what is masked anyway may hold anything
			if !(v > 0) {
				m[i] = float32(math.NaN())
			}
		}
		return m, set.Kind, mapToWeights(set.Kind, m, where)
	case NoiseSky:
		if b.free < 0.25 {
			lap := LaplacianNoise(data, valid, h, w)
			if lap > 0 {
				for i := range b.sigma {
					b.sigma[i] = lap
				}
			}
		}
		if !(b.level.Sigma > 0) {
			return nil, set.Kind, badMap(fmt.Errorf("observe: %s: the image has no scatter to measure its noise from: give the noise", where))
		}
	}
	out, err := noiseWeights(set, data, valid, sky, *b, h, w)
	return out, set.Kind, err
}

// bandPSF makes or measures the PSF of a band, not yet padded to the others'.
func bandPSF(in Input, set PSFSettings, o *solvers.Observation, rep *Report, c int, sat float64) (solvers.Image, error) {
	h, w, where := in.Data.H, in.Data.W, bandWhere(in, o, c)
	switch set.Kind {
	case PSFNone:
		return solvers.Image{C: 1, H: 1, W: 1, Pix: []float32{1}}, nil
	case PSFMeasure:
		if sky := rep.SkyLevel[c]; !math.IsInf(sat, 0) {
			sat -= sky
		}
		m, found, err := MeasurePSF(o.Data.Plane(c), o.Weights.Plane(c), h, w, nearSaturation(o.Data.Plane(c), sat), where)
		rep.PSF = append(rep.PSF, m)
		rep.Findings = append(rep.Findings, found...)
		return m.PSF, err
	case PSFFile, "":
		if in.PSF == nil {
			return solvers.Image{}, badPSF(fmt.Errorf("observe: %s: no PSF was given: name a file or HDU, a profile (gaussian, moffat, airy), or measure it from stars", where))
		}
		plane := in.PSF.Plane(min(c, in.PSF.C-1))
		im := solvers.Image{C: 1, H: in.PSF.H, W: in.PSF.W, Pix: append([]float32(nil), plane...)}
		p, found, err := Normalise(im, set.Recenter, h, w, where)
		rep.Findings = append(rep.Findings, found...)
		return p, err
	}
	fwhm := set.FWHM
	switch set.Unit {
	case "", "px":
	case "arcsec":
		if in.PixelScale == 0 {
			return solvers.Image{}, kinded{ErrScale, fmt.Errorf("observe: %s: the PSF is given in arcsec but the image has no WCS to tell the pixel scale: give it in px", where)}
		}
		fwhm /= in.PixelScale
	default:
		return solvers.Image{}, badSetting(fmt.Errorf("observe: PSF unit %q is not px or arcsec", set.Unit))
	}
	beta := set.Beta
	if beta == 0 {
		beta = 3
	}
	return AnalyticPSF(set.Kind, fwhm, beta, min(h, w))
}

// psfError is the relative error of the PSF that the user gave.
func psfError(set PSFSettings) float64 {
	if set.Error == nil {
		return 0
	}
	return *set.Error
}

// addPSFError adds (e × signal)² to the variance of band c.
func addPSFError(o *solvers.Observation, c int, e float64) {
	if !(e > 0) {
		return
	}
	const smoothing = 0.8 // pixels: a star's peak must keep its height
	data, weights := o.Data.Plane(c), o.Weights.Plane(c)
	signal := smooth(data, weights, o.Data.H, o.Data.W, smoothing)
	for i, w := range weights {
		if w > 0 {
			v := e * math.Max(0, signal[i])
			weights[i] = float32(1 / (1/float64(w) + v*v))
		}
	}
}

// nearSaturation is the level above which a star is not trusted: 95 % of a known
// saturation, else the level at which several pixels share the maximum (a
// plateau), else +Inf.
func nearSaturation(data []float32, sat float64) float64 {
	if !math.IsInf(sat, 0) {
		return 0.95 * sat
	}
	top := float32(math.Inf(-1))
	for _, v := range data {
		top = max(top, v)
	}
	n := 0
	for _, v := range data {
		if v >= top-0.002*float32(math.Abs(float64(top))) {
			n++
		}
	}
	if n >= 4 {
		return float64(top) * 0.98
	}
	return math.Inf(1)
}

// stackPSFs centres PSFs of odd sizes in the largest of them.
func stackPSFs(psfs []solvers.Image) solvers.Image {
	h, w := 0, 0
	for _, p := range psfs {
		h, w = max(h, p.H), max(w, p.W)
	}
	out := solvers.NewImage(len(psfs), h, w)
	for c, p := range psfs {
		y0, x0 := (h-p.H)/2, (w-p.W)/2
		for y := range p.H {
			copy(out.Plane(c)[(y+y0)*w+x0:], p.Pix[y*p.W:(y+1)*p.W])
		}
	}
	return out
}
