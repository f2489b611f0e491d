package observe

import (
	"fmt"
	"math"
	"slices"

	"limpid"
)

// NoiseKind says where the noise variance comes from.
type NoiseKind string

// NoiseAuto takes what the file has (weights, variance, gain), else measures
// the sky.
const (
	NoiseAuto     NoiseKind = "auto"
	NoiseSky      NoiseKind = "sky"      // the scatter of the sky, per box
	NoiseSigma    NoiseKind = "sigma"    // a given constant standard deviation
	NoiseGain     NoiseKind = "gain"     // read noise and photon noise
	NoiseWeights  NoiseKind = "weights"  // an inverse-variance map
	NoiseVariance NoiseKind = "variance" // a variance map
	NoiseStd      NoiseKind = "std"      // a standard-deviation map
)

// NoiseSettings are the user's choice. The map of the last three kinds comes
// with the Input.
type NoiseSettings struct {
	Kind      NoiseKind `json:"kind"`
	Sigma     float64   `json:"sigma,omitempty"`      // data unit
	Gain      float64   `json:"gain,omitempty"`       // electrons per data unit
	ReadNoise float64   `json:"read_noise,omitempty"` // electrons
	HDU       *int      `json:"hdu,omitempty"`        // where the map is; read by app/session
	File      string    `json:"file,omitempty"`       // default: the image's own file

	// Spectrum says how pixels' noise goes together; its variance per pixel is that of Kind.
	// Of SpectrumFile the file and its HDU are read by app/session.
	Spectrum     NoiseSpectrum `json:"spectrum,omitempty"`
	SpectrumFile string        `json:"spectrum_file,omitempty"`
	SpectrumHDU  *int          `json:"spectrum_hdu,omitempty"`
}

// Smoothing of the signal before its photon noise is taken: a weight made from a
// pixel's own noise would be correlated with it and bias the flux low.
const signalSmoothing = 1.5

// mapToWeights turns a noise map into inverse variance, in place. NaN and
// infinite entries mask the pixel, as does a zero weight or an infinite variance;
// negative entries and zero variances are errors.
func mapToWeights(kind NoiseKind, m []float32, where string) error {
	negative, zero := 0, 0
	for i, v := range m {
		x := float64(v)
		switch {
		case math.IsNaN(x) || math.IsInf(x, 0):
			m[i] = 0
		case x < 0:
			negative++
		case kind == NoiseWeights:
		case x == 0:
			zero++
		case kind == NoiseVariance:
			m[i] = float32(1 / x)
		default:
			m[i] = float32(1 / (x * x))
		}
		if math.IsInf(float64(m[i]), 0) {
			zero++
		}
	}
	if negative > 0 {
		return badMap(fmt.Errorf("observe: %s: %d pixels of the %s map are negative", where, negative, kind))
	}
	if zero > 0 {
		return badMap(fmt.Errorf("observe: %s: %d pixels of the %s map are 0 (infinite weight)", where, zero, kind))
	}
	return nil
}

// noiseWeights makes the weights of one plane; valid is 1 where not masked.
func noiseWeights(set NoiseSettings, data, valid []float32, sky []float64, b background, h, w int) ([]float32, error) {
	out := make([]float32, len(data))
	switch set.Kind {
	case NoiseSigma:
		if !(set.Sigma > 0) {
			return nil, badSetting(fmt.Errorf("observe: noise sigma must be positive, is %g", set.Sigma))
		}
		for i := range out {
			out[i] = float32(1 / (set.Sigma * set.Sigma))
		}
	case NoiseSky:
		for i := range out {
			if b.sigma[i] > 0 {
				out[i] = float32(1 / (b.sigma[i] * b.sigma[i]))
			}
		}
		if set.Gain > 0 {
			addPhotonNoise(out, data, valid, set.Gain, h, w)
		}
	case NoiseGain:
		if !(set.Gain > 0) || set.ReadNoise < 0 {
			return nil, badSetting(fmt.Errorf("observe: noise from gain needs gain > 0 and read noise ≥ 0, has %g and %g", set.Gain, set.ReadNoise))
		}
		read := set.ReadNoise * set.ReadNoise / (set.Gain * set.Gain)
		for i := range out {
			level := read
			if sky != nil {
				level += max(0, sky[i]) / set.Gain
			}
			out[i] = float32(1 / max(level, 1e-30))
		}
		addPhotonNoise(out, data, valid, set.Gain, h, w)
	default:
		return nil, badSetting(fmt.Errorf("observe: noise %q is not one of auto, sky, sigma, gain, weights, variance, std", set.Kind))
	}
	return out, nil
}

// addPhotonNoise adds signal/gain to the variance, the signal (sky subtracted)
// smoothed and clipped at 0.
func addPhotonNoise(weights, data, valid []float32, gain float64, h, w int) {
	signal := smooth(data, valid, h, w, signalSmoothing)
	for i, wt := range weights {
		if wt > 0 {
			weights[i] = float32(1 / (1/float64(wt) + max(0, signal[i])/gain))
		}
	}
}

// FewElectrons is the variance of a pixel, in electrons squared, below which photon noise is
// too skew to be taken as normal: fluxes of sources at S/N 15 came out low by .6 to 1.3 of their
// error at 1 to 10, and by .2 at 20 to 200 (tests/physics, Poisson).
const FewElectrons = 20

// fewElectrons says so where half of a band's pixels hold fewer, and their noise is not that
// of the read-out.
func fewElectrons(set NoiseSettings, weights []float32, where string) (limpid.Finding, bool) {
	if !(set.Gain > 0) || set.Kind != NoiseGain && set.Kind != NoiseSky {
		return limpid.Finding{}, false
	}
	var v []float64
	for i := 0; i < len(weights); i += stride(len(weights)) {
		if weights[i] > 0 {
			v = append(v, set.Gain*set.Gain/float64(weights[i]))
		}
	}
	if len(v) == 0 {
		return limpid.Finding{}, false
	}
	slices.Sort(v)
	middle := v[len(v)/2]
	if middle >= FewElectrons || set.ReadNoise*set.ReadNoise > middle/2 {
		return limpid.Finding{}, false
	}
	return limpid.Finding{
		Severity: limpid.Warning, Code: "noise.few", Where: where,
		What:   fmt.Sprintf("a pixel holds about %.2g electrons: photon noise is taken as normal, with the variance of the smoothed image, which is good above %d", middle, FewElectrons),
		Advice: "add exposures or bin pixels; until then take fluxes of faint sources as too small by half to one and a half of their error",
	}, true
}

// checkNoise compares what the weights say with what the sky shows.
func checkNoise(kind NoiseKind, data, weights []float32, b background, h, w int, where string) []limpid.Finding {
	var out []limpid.Finding
	lap := LaplacianNoise(data, weights, h, w)
	if kind != NoiseSky {
		if f, ok := compareWithSky(data, weights, b, h, w, where); ok {
			out = append(out, f)
		}
		return out
	}
	if b.free < 0.25 && !math.IsNaN(lap) {
		out = append(out, limpid.Finding{
			Severity: limpid.Warning, Code: "noise.crowded", Where: where,
			What:   fmt.Sprintf("only %.0f %% of the image is free of sources, so the sky's scatter says little about the noise; σ = %.4g was taken from pixel-to-pixel differences", 100*b.free, lap),
			Advice: "give the noise by a weight or variance map, or by gain and read noise",
		})
	}
	return out
}

// compareWithSky checks a noise map against the scatter of source-free pixels.
func compareWithSky(data, weights []float32, b background, h, w int, where string) (limpid.Finding, bool) {
	if b.free < 0.25 || b.sky == nil {
		return limpid.Finding{}, false
	}
	var z []float64
	free := sourceFree(data, weights, h, w, b)
	for i := 0; i < len(free); i += stride(len(free)) {
		if free[i] {
			z = append(z, (float64(data[i])-b.sky[i])*math.Sqrt(float64(weights[i])))
		}
	}
	l := ClippedLevel(z, 3)
	const lo, hi = 0.75, 1.33
	if len(z) < 100 || (l.Sigma > lo && l.Sigma < hi) {
		return limpid.Finding{}, false
	}
	return limpid.Finding{
		Severity: limpid.Warning, Code: "noise.scale", Where: where,
		What:   fmt.Sprintf("the sky scatters by %.2f of what the noise setting says", l.Sigma),
		Advice: fmt.Sprintf("error bars will be off by about this factor: check gain and units, or multiply the weights by %.3g", 1/(l.Sigma*l.Sigma)),
	}, true
}
