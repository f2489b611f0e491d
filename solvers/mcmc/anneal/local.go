package anneal

import (
	"context"
	"math"

	"limpid/engine"
	"limpid/priors/gaussian"
)

// rings bins the modes of a scene by |k|, evenly in log k.
type rings struct {
	member []int // of every mode of one plane
	weight []float64
	log    []float64 // ln |k| of every mode
	center []float64 // mean ln |k| of every ring, NaN: empty
	planes int
}

const ringCount = 14

func newRings(dom engine.Shape) *rings {
	h, w := dom[1], dom[2]
	r := &rings{planes: dom[0], center: make([]float64, ringCount)}
	lo := math.Log(0.7 / float64(max(h, w)))
	scale := ringCount / (math.Log(0.72) - lo)
	total := make([]float64, ringCount)
	for y := range h {
		for x := range w/2 + 1 {
			k := math.Hypot(gaussian.Frequency(y, h), float64(x)/float64(w))
			l := math.Log(math.Max(k, 0.71/float64(max(h, w))))
			b := min(max(int((l-lo)*scale), 0), ringCount-1)
			m := gaussian.ModeWeight(x, w)
			r.member, r.log, r.weight = append(r.member, b), append(r.log, l), append(r.weight, m)
			r.center[b] += m * l
			total[b] += m
		}
	}
	for b := range r.center {
		r.center[b] /= total[b]
	}
	return r
}

// average is the mean of num over the rings divided by that of den, per plane.
func (r *rings) average(num, den []float64) []float64 {
	a, b := make([]float64, ringCount), make([]float64, ringCount)
	for i, m := range r.member {
		a[m] += r.weight[i] * num[i]
		b[m] += r.weight[i] * den[i]
	}
	for m := range a {
		a[m] /= b[m]
	}
	return a
}

// fill interpolates ring values over the modes, in log k, at least floor, and divides
// by the mean over all modes. It writes the square root.
func (r *rings) fill(dst []float32, value []float64, floor float64) {
	var xs, ys []float64
	for b, v := range value {
		if !math.IsNaN(v) && !math.IsNaN(r.center[b]) {
			xs, ys = append(xs, r.center[b]), append(ys, math.Max(v, floor))
		}
	}
	var mean, total float64
	out := make([]float64, len(r.log))
	for i, l := range r.log {
		j := 0
		for j+2 < len(xs) && l > xs[j+1] {
			j++
		}
		v := ys[0]
		if len(xs) > 1 {
			t := math.Min(1, math.Max(0, (l-xs[j])/(xs[j+1]-xs[j])))
			v = ys[j] + t*(ys[j+1]-ys[j])
		}
		out[i] = v
		mean, total = mean+r.weight[i]*v, total+r.weight[i]
	}
	mean /= total
	for i, v := range out {
		dst[i] = float32(math.Sqrt(v / mean))
	}
}

// local measures the covariance of the scene given x, σ² ∂D/∂x (Efron 2011), as
//
//	C = T Tᵀ,  T = σ S F^½,
//
// S the local standard deviation in units of σ, F an isotropic power spectrum of mean
// 1. Both come from products J ε of the denoiser's Jacobian with white noise, taken by
// a difference, on a few draws of the batch: S² is the local mean of ε·Jε (Hutchinson
// 1990), F the power of J within a window S. A scene of bright galaxies on empty sky is
// known to σ in the galaxies and far better on the sky; one power spectrum for all of
// it cannot say so.
type local struct {
	eps, je     *engine.Tensor // (probes, domain)
	xp          *engine.Tensor
	spec, spec2 *engine.Tensor
	smooth      *engine.Tensor // (modes) of one plane's shape, repeated
	patches     *patches       // nil: one spectrum for all of the scene
	hostA       []float32
	hostB       []float32
}

const (
	smoothing = 1.7  // px, σ of the Gaussian that averages S²
	probeStep = 0.1  // of σ
	leastS2   = 1e-4 // of σ²
	leastF    = 1e-3 // of the mean
)

func (k *core) newLocal() (*local, error) {
	var err error
	p := k.cfg.Probes
	scenes := append(engine.Shape{p}, k.dom...)
	l := &local{eps: k.alloc(&err, scenes), je: k.alloc(&err, scenes), xp: k.alloc(&err, scenes)}
	l.spec, l.spec2 = k.alloc(&err, scenes.Spectrum()), k.alloc(&err, scenes.Spectrum())
	half := engine.Shape{k.dom[0], k.dom[1], k.dom[2]/2 + 1}
	l.smooth = k.alloc(&err, half)
	if err != nil {
		return nil, err
	}
	k.setGaussian(l.smooth, smoothing)
	l.hostA, l.hostB = make([]float32, scenes.Spectrum().Len()), make([]float32, scenes.Spectrum().Len())
	if k.cfg.Patches {
		if l.patches, err = k.newPatches(); err != nil {
			return nil, err
		}
	}
	return l, k.s.Err()
}

// setGaussian makes f, (C, H, W/2+1), the transfer of a Gaussian of σ pixels.
func (k *core) setGaussian(f *engine.Tensor, sigma float64) {
	modes := len(k.rings.log)
	host := make([]float32, f.Len())
	for i := range host {
		q := 2 * math.Pi * sigma * math.Exp(k.rings.log[i%modes])
		host[i] = float32(math.Exp(-q * q / 2))
		if i%modes == 0 {
			host[i] = 1
		}
	}
	k.s.Upload(f, host)
}

// measure sets T from x at σ; sc holds the score there and m the denoised scenes.
func (k *core) measure(ctx context.Context, l *local, x, m *engine.Tensor, sigma float64, key engine.Key) error {
	if err := k.jacobian(ctx, l, x, sigma, key); err != nil {
		return err
	}
	s, p := k.s, k.cfg.Probes
	if l.patches != nil {
		return l.patches.measure(k, l, m, key.Fold(1))
	}
	s.Mul(l.xp, l.eps, l.je)
	k.setScale(l, l.xp, p)
	s.Mul(l.xp, l.eps, k.scale)
	s.Mul(l.je, l.je, k.scale)
	s.RFFT2(l.spec, l.xp)
	s.RFFT2(l.spec2, l.je)
	s.Download(l.hostA, l.spec)
	s.Download(l.hostB, l.spec2)
	k.ringRoot(k.modes, l.hostA, l.hostB)
	k.s.Upload(k.root, k.modes)
	return s.Err()
}

// jacobian leaves ε and J ε in l; sc holds the score at x.
func (k *core) jacobian(ctx context.Context, l *local, x *engine.Tensor, sigma float64, key engine.Key) error {
	s, p := k.s, k.cfg.Probes
	k.normals(l.eps, p, key)
	s.Scale(l.xp, float32(probeStep*sigma), l.eps)
	s.Add(l.xp, l.xp, k.part(x, 0, p))
	if err := k.score(ctx, l.je, l.xp, p, sigma); err != nil {
		return err
	}
	// J ε = ε + σ² (score(x + δ ε) − score(x))/δ, δ = probeStep·σ
	s.Sub(l.je, l.je, k.part(k.sc, 0, p))
	s.Scale(l.je, float32(sigma/probeStep), l.je)
	s.Add(l.je, l.je, l.eps)
	k.sigma = sigma
	return s.Err()
}

// setScale sets S from squares (p, domain): the square root of their smoothed mean.
func (k *core) setScale(l *local, squares *engine.Tensor, p int) {
	s := k.s
	s.SumLeading(k.scale, squares)
	s.Scale(k.scale, 1/float32(p), k.scale)
	plane := k.scale.Reshape(append(engine.Shape{1}, k.dom...)...)
	k.filter(plane, plane, l.smooth)
	s.Clamp(k.scale, k.scale, leastS2, math.MaxFloat32)
	s.Map(k.scale, engine.Sqrt, k.scale)
}

// ringRoot writes F^½ from two spectra of (p, C, H, W/2+1, 2): the real part of their
// product over the square of the first, in rings.
func (k *core) ringRoot(dst, a, b []float32) {
	modes := len(k.rings.log)
	scenes := len(a) / (2 * modes * k.rings.planes)
	for c := range k.rings.planes {
		num, den := make([]float64, modes), make([]float64, modes)
		for i := range scenes {
			at := 2 * modes * (i*k.rings.planes + c)
			for j := range modes {
				ar, ai := float64(a[at+2*j]), float64(a[at+2*j+1])
				num[j] += ar*float64(b[at+2*j]) + ai*float64(b[at+2*j+1])
				den[j] += ar*ar + ai*ai
			}
		}
		ring := k.rings.average(num, den)
		top := 0.0
		for _, v := range ring {
			if !math.IsNaN(v) {
				top = math.Max(top, v)
			}
		}
		k.rings.fill(dst[c*modes:(c+1)*modes], ring, math.Max(top*leastF, 1e-30))
	}
}

// stationary sets T Tᵀ = σ² P/(P + σ²).
func (k *core) stationary(sigma float64) {
	for i, p := range k.cfg.Power {
		k.modes[i] = float32(math.Sqrt(p / (p + sigma*sigma)))
	}
	k.s.Upload(k.root, k.modes)
	k.s.Fill(k.scale, 1)
	k.sigma = sigma
}

func sqrt(v float64) float64 { return math.Sqrt(math.Max(0, v)) }
