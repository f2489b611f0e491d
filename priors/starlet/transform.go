// Package starlet is the isotropic undecimated wavelet transform and the sparse prior
// built on it.
package starlet

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/priors/internal/room"
)

// Transform is the starlet transform (Starck, Fadili & Murtagh 2007; Starck, Murtagh &
// Fadili 2015, sec. 3.5): with h the B3 spline (1, 4, 6, 4, 1)/16 ⊗ itself, spread by
// 2ʲ pixels at scale j,
//
//	c₀ = x,  c_{j+1} = h_j ∗ c_j,  w_{j+1} = c_j − c_{j+1},  x = c_J + Σ w_j.
//
// Coefficients are (J+1, …, C, H, W): the J wavelet scales, finest first, then the
// smooth c_J. The convolutions are exact products in Fourier space, so that the smooth
// of all scales costs one transform and one inverse each, and every scale is a
// symmetric operator on a periodic image.
type Transform struct {
	Scales int // J
	domain engine.Shape
	edge   engine.Edge
	batch  int

	margin  int // of padding, Reflect only
	gh, gw  int // the transform's grid
	room    *room.Room
	smooth  []*engine.Tensor // Ĥ_j (gh, gw/2+1), j = 1 … J
	detail  []*engine.Tensor // Ĝ_j = Ĥ_{j−1} − Ĥ_j
	host    [][]float64      // Ĝ_1 … Ĝ_J, Ĥ_J
	spec    *engine.Tensor   // (batch, C, gh, gw/2+1, 2)
	sum     *engine.Tensor
	padded  *engine.Tensor // (batch, C, gh, gw), Reflect only
	padded2 *engine.Tensor
	norm2   float64
	views   map[int]*views
}

type views struct{ spec, sum, padded, padded2 *engine.Tensor }

// MaxScales is the largest J for an image of h × w: the widest wavelet, 2·(2ᴶ−1)+1
// pixels to either side, must fit.
func MaxScales(h, w int) int {
	j := 0
	for 4*(1<<(j+1)-1) < min(h, w) {
		j++
	}
	return j
}

// NewTransform makes a transform of J = scales wavelet scales for images of domain
// (C, H, W), at most batch scenes at a time. edge is engine.Periodic or
// engine.Reflect; 0 scales mean as many as make sense (log₂ of the side, less 3).
func NewTransform(dev engine.Device, s engine.Stream, scales int, domain engine.Shape, edge engine.Edge, batch int) (*Transform, error) {
	c, h, w := domain[0], domain[1], domain[2]
	most := MaxScales(h, w)
	if scales == 0 {
		scales = max(1, min(most, int(math.Log2(float64(min(h, w))))-3))
	}
	if scales < 1 || scales > most {
		return nil, fmt.Errorf("starlet: %d scales for an image of %d×%d pixels: 1 to %d fit", scales, h, w, most)
	}
	if edge != engine.Periodic && edge != engine.Reflect {
		return nil, fmt.Errorf("starlet: edge %d: only periodic and reflecting borders are defined", edge)
	}
	t := &Transform{Scales: scales, domain: domain, edge: edge, batch: batch, gh: h, gw: w, room: room.New(dev), views: map[int]*views{}, norm2: 1}
	if edge == engine.Reflect {
		t.margin = 2 * (1<<scales - 1)
		t.gh, t.gw = fast(h+2*t.margin), fast(w+2*t.margin)
		t.padded, t.padded2 = t.room.Tensor(batch, c, t.gh, t.gw), t.room.Tensor(batch, c, t.gh, t.gw)
	}
	spectrum := engine.Shape{batch, c, t.gh, t.gw}.Spectrum()
	t.spec, t.sum = t.room.Tensor(spectrum...), t.room.Tensor(spectrum...)
	for range scales {
		t.smooth = append(t.smooth, t.room.Tensor(t.gh, t.gw/2+1))
		t.detail = append(t.detail, t.room.Tensor(t.gh, t.gw/2+1))
	}
	if err := t.room.Err(); err != nil {
		t.Close()
		return nil, fmt.Errorf("starlet: transform of %d scales on %v: %w", scales, domain, err)
	}
	t.fill(s)
	if edge == engine.Reflect {
		t.norm2 = reflectNorm2
	}
	return t, s.Err()
}

// reflectNorm2 bounds ‖W‖² with reflecting borders. Mirrored convolutions are
// symmetric with eigenvalues in [0, 1] in the product that counts pixels of the border
// half, those of the corners a quarter, so that ‖W‖² ≤ 4 in the plain one; power
// iterations over shapes and scales find 1.12 to 1.35 (TestNorm2), the most for small
// images and one scale.
const reflectNorm2 = 1.5

// fast is the next length that is a product of small primes.
func fast(n int) int {
	for ; ; n++ {
		m := n
		for _, p := range []int{2, 3, 5} {
			for m%p == 0 {
				m /= p
			}
		}
		if m == 1 && n%2 == 0 {
			return n
		}
	}
}

// fill computes the transfer functions: ĥ_j(k) = cos⁴(π 2ʲ k), k in cycles per pixel.
func (t *Transform) fill(s engine.Stream) {
	n := t.gh * (t.gw/2 + 1)
	before, now := make([]float64, n), make([]float64, n)
	up := make([]float32, n)
	for i := range before {
		before[i] = 1
	}
	cos4 := func(j int, k float64) float64 {
		c := math.Cos(math.Pi * float64(int(1)<<j) * k)
		return c * c * c * c
	}
	for j := range t.Scales {
		g := make([]float64, n)
		for y := range t.gh {
			fy := cos4(j, float64(y)/float64(t.gh))
			for x := range t.gw/2 + 1 {
				i := y*(t.gw/2+1) + x
				now[i] = before[i] * fy * cos4(j, float64(x)/float64(t.gw))
				g[i] = before[i] - now[i]
			}
		}
		t.host = append(t.host, g)
		s.Upload(t.detail[j], single(up, g))
		s.Upload(t.smooth[j], single(up, now))
		copy(before, now)
	}
	t.host = append(t.host, before)
}

func single(dst []float32, src []float64) []float32 {
	for i, v := range src {
		dst[i] = float32(v)
	}
	return dst
}

// Close frees the transform's tensors.
func (t *Transform) Close() { t.room.Close() }

// Coefficients is the shape of the coefficients of n scenes: (J+1, n, C, H, W).
func (t *Transform) Coefficients(n int) engine.Shape {
	return append(engine.Shape{t.Scales + 1, n}, t.domain...)
}

// Norm2 is an upper bound of ‖W‖², W the transform to all J+1 scales.
func (t *Transform) Norm2() float64 { return t.norm2 }

func (t *Transform) cut(n int) *views {
	v := t.views[n]
	if v == nil {
		v = &views{spec: t.spec.Slice(0, n), sum: t.sum.Slice(0, n)}
		if t.margin > 0 {
			v.padded, v.padded2 = t.padded.Slice(0, n), t.padded2.Slice(0, n)
		}
		t.views[n] = v
	}
	return v
}

// scales are the coefficients of each scale as scenes (n, C, H, W).
func (t *Transform) scales(coef *engine.Tensor, n int) []*engine.Tensor {
	d := t.domain
	out := make([]*engine.Tensor, coef.Shape()[0])
	for j := range out {
		out[j] = coef.Slice(j, j+1).Reshape(n, d[0], d[1], d[2])
	}
	return out
}

func (t *Transform) scenes(x *engine.Tensor) (*engine.Tensor, int) {
	n := room.Scenes("starlet", x, t.domain, t.batch)
	d := t.domain
	return x.Reshape(n, d[0], d[1], d[2]), n
}

// Forward writes the coefficients of x (…, C, H, W) to coef (J+1, …, C, H, W).
func (t *Transform) Forward(s engine.Stream, coef, x *engine.Tensor) {
	x, n := t.scenes(x)
	v, c := t.cut(n), t.scales(coef, n)
	t.toSpectrum(s, v, x)
	before := x
	for j := range t.Scales {
		s.CScale(v.sum, v.spec, t.smooth[j])
		t.fromSpectrum(s, v, c[j+1], v.sum)
		// c[j] holds the smooth c_j by now; it becomes w_{j+1} = c_j − c_{j+1}
		s.Sub(c[j], before, c[j+1])
		before = c[j+1]
	}
}

// Reconstruct does x = c_J + Σ w_j: the exact inverse of Forward, whatever the border.
func (t *Transform) Reconstruct(s engine.Stream, x, coef *engine.Tensor) {
	x, n := t.scenes(x)
	c := t.scales(coef, n)
	s.Copy(x, c[t.Scales])
	for j := t.Scales - 1; j >= 0; j-- {
		s.Add(x, x, c[j])
	}
}

// Adjoint does x = Wᵀ coef.
func (t *Transform) Adjoint(s engine.Stream, x, coef *engine.Tensor) {
	x, n := t.scenes(x)
	t.adjoint(s, t.cut(n), x, t.scales(coef, n))
}

// adjoint takes the J wavelet scales, and the smooth too where c has J+1 elements.
func (t *Transform) adjoint(s engine.Stream, v *views, x *engine.Tensor, c []*engine.Tensor) {
	for j, w := range c {
		t.embed(s, v, w)
		filter := t.smooth[t.Scales-1]
		if j < t.Scales {
			filter = t.detail[j]
		}
		if j == 0 {
			s.CScale(v.sum, v.spec, filter)
			continue
		}
		s.CScale(v.spec, v.spec, filter)
		s.Add(v.sum, v.sum, v.spec)
	}
	if t.margin == 0 {
		s.IRFFT2(x, v.sum)
		return
	}
	s.IRFFT2(v.padded, v.sum)
	s.PadAdjoint(x, v.padded, t.margin, t.margin, engine.Reflect)
}

// details writes the J wavelet scales alone, each from the spectrum: for the dual
// iterations, which have no use for the smooth.
func (t *Transform) details(s engine.Stream, v *views, c []*engine.Tensor, x *engine.Tensor) {
	t.toSpectrum(s, v, x)
	for j, w := range c {
		s.CScale(v.sum, v.spec, t.detail[j])
		t.fromSpectrum(s, v, w, v.sum)
	}
}

func (t *Transform) toSpectrum(s engine.Stream, v *views, x *engine.Tensor) {
	if t.margin == 0 {
		s.RFFT2(v.spec, x)
		return
	}
	s.Pad(v.padded, x, t.margin, t.margin, engine.Reflect)
	s.RFFT2(v.spec, v.padded)
}

func (t *Transform) fromSpectrum(s engine.Stream, v *views, x, spec *engine.Tensor) {
	if t.margin == 0 {
		s.IRFFT2(x, spec)
		return
	}
	s.IRFFT2(v.padded2, spec)
	s.Window(x, v.padded2, t.margin, t.margin)
}

// embed is the adjoint of fromSpectrum's crop, then a transform.
func (t *Transform) embed(s engine.Stream, v *views, x *engine.Tensor) {
	if t.margin == 0 {
		s.RFFT2(v.spec, x)
		return
	}
	s.Window(v.padded2, x, -t.margin, -t.margin)
	s.RFFT2(v.spec, v.padded2)
}
