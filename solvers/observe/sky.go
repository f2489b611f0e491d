package observe

import (
	"fmt"
	"math"
	"slices"

	"limpid"
)

// SkyKind says how the sky level is found.
type SkyKind string

// SkyAuto subtracts what it measures unless the image looks sky-subtracted.
const (
	SkyAuto     SkyKind = "auto"
	SkyNone     SkyKind = "none"
	SkyConstant SkyKind = "constant" // Value if given, else the clipped level
	SkyMesh     SkyKind = "mesh"     // varies over the field
)

// SkySettings are the user's choice.
type SkySettings struct {
	Kind  SkyKind  `json:"kind"`
	Value *float64 `json:"value,omitempty"` // constant, in the data's unit
	Mesh  int      `json:"mesh,omitempty"`  // box of the mesh in pixels; default 64
	// Free leaves a pedestal free beside what is subtracted, sampled with the scene: of
	// deconvolution, see deconv.Settings. Build passes it over.
	Free bool `json:"free,omitempty"`
}

const defaultMesh = 64

// background is the sky of one plane and its noise: per-pixel maps made from
// clipped levels in boxes.
type background struct {
	sky, sigma []float64 // (h·w)
	level      Level     // of the whole plane, sources masked
	free       float64   // share of valid pixels that are free of sources
	boxes      int
}

// measureBackground finds sky and σ in boxes of mesh pixels, sources masked: a
// first mesh, a detection mask on the smoothed difference, a second mesh (the
// method of Bertin & Arnouts 1996 and of photutils' Background2D).
func measureBackground(data, weights []float32, h, w, mesh int) background {
	valid := make([]bool, h*w)
	for i := range valid {
		valid[i] = weights[i] > 0
	}
	first := meshBackground(data, valid, h, w, mesh)
	free := sourceFree(data, weights, h, w, first)
	n, total := 0, 0
	for i := range free {
		if valid[i] {
			total++
			if free[i] {
				n++
			}
		}
	}
	const enoughSky = 0.1 // with less the mask hides more than it helps
	share := float64(n) / math.Max(1, float64(total))
	if share < enoughSky {
		first.free = share
		return first
	}
	second := meshBackground(data, free, h, w, mesh)
	second.free = share
	return second
}

// sourceFree marks valid pixels that lie in no source: those where the image
// smoothed by 2 px stays below sky + 2 σ of its noise, that of white noise or, where
// noise is correlated, what the smoothed image scatters by below its mode.
func sourceFree(data, weights []float32, h, w int, b background) []bool {
	const sigma = 2.0
	residual := make([]float32, len(data))
	for i, v := range data {
		residual[i] = v - float32(b.sky[i])
	}
	sm := smooth(residual, weights, h, w, sigma)
	// white noise through the kernel shrinks by 1/(2σ√π)
	shrink := 1 / (2 * sigma * math.Sqrt(math.Pi))
	var relative []float64
	for i := 0; i < len(sm); i += stride(len(sm)) {
		if weights[i] > 0 && b.sigma[i] > 0 {
			relative = append(relative, sm[i]/(shrink*b.sigma[i]))
		}
	}
	cut := 2.0
	if len(relative) > 0 {
		_, scatter := lowerHalf(relative)
		cut *= math.Max(1, scatter)
	}
	free := make([]bool, len(data))
	for i := range free {
		free[i] = weights[i] > 0 && sm[i] < cut*shrink*b.sigma[i]
	}
	return free
}

func meshBackground(data []float32, use []bool, h, w, mesh int) background {
	ny, nx := max(1, (h+mesh/2)/mesh), max(1, (w+mesh/2)/mesh)
	sky, sig := make([]float64, ny*nx), make([]float64, ny*nx)
	var all, v []float64
	step := stride(h * w)
	for j := range ny {
		for i := range nx {
			v = v[:0]
			for y := j * h / ny; y < (j+1)*h/ny; y++ {
				for x := i * w / nx; x < (i+1)*w/nx; x++ {
					if use[y*w+x] {
						v = append(v, float64(data[y*w+x]))
					}
				}
			}
			for k := (j*nx + i) % step; k < len(v); k += step {
				all = append(all, v[k])
			}
			l := ClippedLevel(v, 3)
			sky[j*nx+i], sig[j*nx+i] = l.Mode(), l.Sigma
			if l.Kept < mesh*mesh/20 {
				sky[j*nx+i] = math.NaN()
			}
		}
	}
	b := background{level: ClippedLevel(all, 3), boxes: ny * nx}
	repairMesh(sky, sig, b.level)
	b.sky = interpolateMesh(medianMesh(sky, ny, nx), ny, nx, h, w)
	sig = medianMesh(sig, ny, nx)
	b.sigma = interpolateMesh(sig, ny, nx, h, w)
	floor := slices.Min(sig) // the extrapolation must not make noise vanish
	for i, v := range b.sigma {
		b.sigma[i] = math.Max(v, 0.5*floor)
	}
	b.level.Sigma = b.scatter(data, use)
	return b
}

// scatter is the clipped σ of the pixels in use about the sky map, so that a
// gradient does not count as noise.
func (b *background) scatter(data []float32, use []bool) float64 {
	var v []float64
	for i := 0; i < len(use); i += stride(len(use)) {
		if use[i] {
			v = append(v, float64(data[i])-b.sky[i])
		}
	}
	return ClippedLevel(v, 3).Sigma
}

// repairMesh gives boxes without enough sky the median of the others.
func repairMesh(sky, sig []float64, level Level) {
	var good, goodSig []float64
	for i, v := range sky {
		if !math.IsNaN(v) && sig[i] > 0 {
			good, goodSig = append(good, v), append(goodSig, sig[i])
		}
	}
	s, g := level.Mode(), level.Sigma
	if len(good) > 0 {
		slices.Sort(good)
		slices.Sort(goodSig)
		s, g = sortedMedian(good), sortedMedian(goodSig)
	}
	for i, v := range sky {
		if math.IsNaN(v) || !(sig[i] > 0) {
			sky[i], sig[i] = s, g
		}
	}
}

// medianMesh is the 3×3 median of a mesh, which removes boxes spoilt by a large
// source. At the edges the window shrinks to stay symmetric: a one-sided median
// would flatten a gradient.
func medianMesh(m []float64, ny, nx int) []float64 {
	out := make([]float64, len(m))
	var v []float64
	for j := range ny {
		for i := range nx {
			v = v[:0]
			dy, dx := min(1, j, ny-1-j), min(1, i, nx-1-i)
			for y := j - dy; y <= j+dy; y++ {
				for x := i - dx; x <= i+dx; x++ {
					v = append(v, m[y*nx+x])
				}
			}
			slices.Sort(v)
			out[j*nx+i] = sortedMedian(v)
		}
	}
	return out
}

// interpolateMesh is bilinear between box centres and goes on linearly for the
// half box beyond them.
func interpolateMesh(m []float64, ny, nx, h, w int) []float64 {
	out := make([]float64, h*w)
	locate := func(p, n, boxes int) (i int, t float64) {
		u := (float64(p)+0.5)*float64(boxes)/float64(n) - 0.5
		i = min(max(int(math.Floor(u)), 0), max(boxes-2, 0))
		if boxes == 1 {
			return 0, 0
		}
		return i, u - float64(i)
	}
	for y := range h {
		j, ty := locate(y, h, ny)
		j1 := min(j+1, ny-1)
		for x := range w {
			i, tx := locate(x, w, nx)
			i1 := min(i+1, nx-1)
			out[y*w+x] = (1-ty)*((1-tx)*m[j*nx+i]+tx*m[j*nx+i1]) + ty*((1-tx)*m[j1*nx+i]+tx*m[j1*nx+i1])
		}
	}
	return out
}

// chooseSky returns the sky to subtract from a plane (nil: none) and a finding.
func chooseSky(set SkySettings, b background, data, weights []float32, where string) ([]float64, limpid.Finding, error) {
	constant := func(v float64) []float64 {
		out := make([]float64, len(data))
		for i := range out {
			out[i] = v
		}
		return out
	}
	level, sigma := b.level.Mode(), b.level.Sigma
	note := func(code, what, advice string) limpid.Finding {
		return limpid.Finding{Severity: limpid.Info, Code: code, What: what, Where: where, Advice: advice}
	}
	switch set.Kind {
	case SkyNone:
		return nil, limpid.Finding{}, nil
	case SkyConstant:
		if set.Value != nil {
			return constant(*set.Value), limpid.Finding{}, nil
		}
		return constant(level), note("sky.constant", fmt.Sprintf("a sky level of %.5g was subtracted", level), ""), nil
	case SkyMesh:
		return b.sky, note("sky.mesh", fmt.Sprintf("a sky of %.5g (median) was measured in %d boxes and subtracted", level, b.boxes), ""), nil
	case SkyAuto, "":
	default:
		return nil, limpid.Finding{}, fmt.Errorf("observe: sky %q is not one of auto, none, constant, mesh", set.Kind)
	}
	if subtracted(data, weights, level, sigma) {
		return nil, note("sky.subtracted", fmt.Sprintf("the sky looks subtracted already (level %.3g, σ %.3g)", level, sigma),
			"if it is not, choose a constant or a mesh sky"), nil
	}
	lo, hi := slices.Min(b.sky), slices.Max(b.sky)
	if b.boxes >= 9 && hi-lo > 0.5*sigma {
		return b.sky, note("sky.mesh", fmt.Sprintf("a sky between %.5g and %.5g was measured in %d boxes and subtracted", lo, hi, b.boxes),
			"objects larger than a box lose light to it: choose a constant sky for those"), nil
	}
	return constant(level), note("sky.constant", fmt.Sprintf("a sky level of %.5g was subtracted", level), ""), nil
}

// subtracted guesses whether the sky was taken out before: the level is within
// three σ of 0 and some pixels are negative.
func subtracted(data, weights []float32, level, sigma float64) bool {
	negative, valid := 0, 0
	for i, v := range data {
		if weights[i] > 0 {
			valid++
			if v < 0 {
				negative++
			}
		}
	}
	return math.Abs(level) < 3*sigma && float64(negative) > 0.02*float64(valid)
}
