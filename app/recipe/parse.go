package recipe

import (
	"math"
	"os"
	"strconv"
	"strings"

	"limpid/solvers/observe"
)

// ParsePSF reads what a user types: "measure", "none", "gaussian:2.5px",
// "moffat:0.8arcsec,3", "airy:3px", or a file, optionally with an HDU: "psf.fits",
// "psf.fits[2]"; "[2]" is HDU 2 of the image's own file.
func ParsePSF(s string) (PSF, error) {
	name, arg, hasArg := strings.Cut(s, ":")
	kind := observe.PSFKind(strings.ToLower(name))
	switch kind {
	case observe.PSFMeasure, observe.PSFNone:
		if hasArg {
			return PSF{}, bad("PSF %q takes no argument", s)
		}
		return PSF{Kind: kind}, nil
	case observe.PSFGaussian, observe.PSFMoffat, observe.PSFAiry:
		return parseProfile(kind, arg)
	}
	p := PSF{Kind: observe.PSFFile}
	var err error
	p.File, p.HDU, err = ParseFile(s)
	return p, err
}

// ParsePSFGrid reads "3x3:psfs.fits" or "2x4:psfs.fits[1]": rows and columns of nodes, and
// the file of their PSFs; "3x3" measures them from stars.
func ParsePSFGrid(s string) (PSF, error) {
	size, file, ok := strings.Cut(s, ":")
	p := PSF{Kind: observe.PSFFile}
	var err error
	if p.Rows, p.Cols, err = ParseNodes(size); err != nil {
		return PSF{}, bad("PSF grid %q: expected ROWSxCOLS:FILE, as 3x3:psfs.fits, or ROWSxCOLS to measure it from stars", s)
	}
	if !ok {
		p.Kind = observe.PSFMeasure
		return p, nil
	}
	p.File, p.HDU, err = ParseFile(file)
	return p, err
}

// ParseNodes reads "3x4": rows and columns of a PSF's nodes.
func ParseNodes(s string) (rows, cols int, err error) {
	r, c, ok := strings.Cut(strings.ToLower(s), "x")
	rows, errRows := strconv.Atoi(r)
	cols, errCols := strconv.Atoi(c)
	if !ok || errRows != nil || errCols != nil || rows < 1 || cols < 1 || rows > observe.MostNodes/cols {
		return 0, 0, bad("PSF nodes %q: expected ROWSxCOLS, as 3x3, at most %d in all", s, observe.MostNodes)
	}
	return rows, cols, nil
}

// ParseFile splits "file.fits[2]" into its parts; "[2]" is HDU 2 of the image's
// own file.
func ParseFile(s string) (file string, hdu *int, err error) {
	if s == "" {
		return "", nil, bad("empty file name")
	}
	if _, statErr := os.Stat(s); statErr == nil { // a file whose name ends in ]
		return s, nil, nil
	}
	open := strings.LastIndexByte(s, '[')
	if open < 0 || !strings.HasSuffix(s, "]") {
		return s, nil, nil
	}
	n, convErr := strconv.Atoi(s[open+1 : len(s)-1])
	if convErr != nil || n < 0 {
		return "", nil, bad("%q: the HDU in brackets must be a number from 0", s)
	}
	return s[:open], &n, nil
}

func parseProfile(kind observe.PSFKind, arg string) (PSF, error) {
	p := PSF{Kind: kind, Unit: "px"}
	width, beta, hasBeta := strings.Cut(arg, ",")
	width = strings.TrimSpace(width)
	for _, u := range []struct{ suffix, unit string }{{"arcsec", "arcsec"}, {"\"", "arcsec"}, {"″", "arcsec"}, {"px", "px"}, {"pix", "px"}} {
		if rest, ok := strings.CutSuffix(width, u.suffix); ok {
			width, p.Unit = strings.TrimSpace(rest), u.unit
			break
		}
	}
	var err error
	if p.FWHM, err = parsePositive(width); err != nil {
		return PSF{}, bad("PSF %s:%s: the FWHM must be a positive number with px or arcsec, as in %s:2.5px", kind, arg, kind)
	}
	if hasBeta {
		if kind != observe.PSFMoffat {
			return PSF{}, bad("PSF %s takes a FWHM only", kind)
		}
		if p.Beta, err = parsePositive(strings.TrimSpace(beta)); err != nil || p.Beta <= 1 {
			return PSF{}, bad("PSF moffat: β must be a number above 1, as in moffat:3.1px,3")
		}
	}
	return p, nil
}

func parsePositive(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, err
	}
	if !(v > 0) || math.IsInf(v, 0) {
		return 0, strconv.ErrRange
	}
	return v, nil
}

// ParseNoise reads "auto", "sky", "sigma:0.02", "gain:2.1,ron:5",
// "weights[:FILE][[2]]", "variance[:…]", "std[:…]", or a number: the HDU of the
// image's own file that holds the map, its kind told by the HDU's name.
func ParseNoise(s string) (Noise, error) {
	name, arg, hasArg := strings.Cut(s, ":")
	kind := observe.NoiseKind(strings.ToLower(name))
	if n, err := strconv.Atoi(s); err == nil {
		if n < 0 {
			return Noise{}, bad("noise: HDU %d does not exist", n)
		}
		return Noise{Kind: observe.NoiseAuto, HDU: &n}, nil
	}
	switch kind {
	case observe.NoiseAuto, observe.NoiseSky:
		if hasArg {
			return Noise{}, bad("noise %q takes no argument", s)
		}
		return Noise{Kind: kind}, nil
	case observe.NoiseSigma:
		v, err := parsePositive(arg)
		if err != nil {
			return Noise{}, bad("noise sigma:%s: must be a positive number in the image's unit", arg)
		}
		return Noise{Kind: kind, Sigma: v}, nil
	case observe.NoiseGain:
		return parseGain(s)
	case observe.NoiseWeights, observe.NoiseVariance, observe.NoiseStd:
		n := Noise{Kind: kind}
		if !hasArg {
			return n, nil
		}
		if hdu, err := strconv.Atoi(arg); err == nil && hdu >= 0 {
			n.HDU = &hdu
			return n, nil
		}
		var err error
		n.File, n.HDU, err = ParseFile(arg)
		return n, err
	}
	return Noise{}, bad("noise %q is not one of auto, sky, sigma:…, gain:…,ron:…, weights:…, variance:…, std:…, or the number of an HDU", s)
}

// ParseNoiseSpectrum reads how pixels' noise goes together into n: "white", "measure" (from
// the image's empty sky), or a file, optionally with an HDU, of an image of noise alone, or a
// text file of k and P.
func ParseNoiseSpectrum(n *Noise, s string) error {
	n.Spectrum, n.SpectrumFile, n.SpectrumHDU = observe.SpectrumWhite, "", nil
	switch strings.ToLower(s) {
	case "", "white":
		return nil
	case "measure", "measured":
		n.Spectrum = observe.SpectrumMeasured
		return nil
	}
	n.Spectrum = observe.SpectrumFile
	var err error
	n.SpectrumFile, n.SpectrumHDU, err = ParseFile(s)
	return err
}

func parseGain(s string) (Noise, error) {
	n := Noise{Kind: observe.NoiseGain}
	for part := range strings.SplitSeq(s, ",") {
		key, val, _ := strings.Cut(part, ":")
		v, err := strconv.ParseFloat(val, 64)
		switch {
		case err != nil || math.IsInf(v, 0) || math.IsNaN(v):
			return n, bad("noise %q: %q is not a number", s, val)
		case key == "gain" && v > 0:
			n.Gain = v
		case key == "ron" && v >= 0:
			n.ReadNoise = v
		default:
			return n, bad("noise %q: expected gain:G,ron:R with G > 0 e⁻ per unit and R ≥ 0 e⁻", s)
		}
	}
	return n, nil
}

// ParseCutout reads "x0:x1,y0:y1", pixels from 0, upper ends excluded.
func ParseCutout(s string) (*[4]int, error) {
	var c [4]int
	fields := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == ',' })
	columns, rows, _ := strings.Cut(s, ",")
	if len(fields) != 4 || strings.Count(columns, ":") != 1 || strings.Count(rows, ":") != 1 {
		return nil, bad("cut-out %q: expected x0:x1,y0:y1", s)
	}
	for i, f := range fields {
		v, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil {
			return nil, bad("cut-out %q: %q is not a whole number", s, f)
		}
		c[i] = v
	}
	if c[0] < 0 || c[2] < 0 || c[1] <= c[0] || c[3] <= c[2] {
		return nil, bad("cut-out %q is empty or starts below 0", s)
	}
	return &c, nil
}

// ParseSky reads "auto", "none", "constant", "constant:12.5", "mesh", "mesh:64".
func ParseSky(s string) (Sky, error) {
	name, arg, hasArg := strings.Cut(s, ":")
	sky := Sky{Kind: observe.SkyKind(strings.ToLower(name))}
	switch sky.Kind {
	case observe.SkyAuto, observe.SkyNone:
		if hasArg {
			return sky, bad("sky %q takes no argument", s)
		}
	case observe.SkyConstant:
		if hasArg {
			v, err := strconv.ParseFloat(arg, 64)
			if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
				return sky, bad("sky %q: %q is not a number", s, arg)
			}
			sky.Value = &v
		}
	case observe.SkyMesh:
		if hasArg {
			v, err := strconv.Atoi(strings.TrimSuffix(arg, "px"))
			if err != nil || v < 8 {
				return sky, bad("sky %q: the mesh must be a whole number of pixels, at least 8", s)
			}
			sky.Mesh = v
		}
	default:
		return sky, bad("sky %q is not one of auto, none, constant[:value], mesh[:pixels]", s)
	}
	return sky, nil
}

// ParsePositions reads "x,y" or several, separated by semicolons: "12,30.5; 40,8".
func ParsePositions(s string) ([][2]float64, error) {
	var out [][2]float64
	for part := range strings.SplitSeq(s, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		x, y, _ := strings.Cut(part, ",")
		var at [2]float64
		for i, text := range []string{x, y} {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
				return nil, bad("position %q: expected x,y, several separated by semicolons", strings.TrimSpace(part))
			}
			at[i] = v
		}
		out = append(out, at)
	}
	return out, nil
}
