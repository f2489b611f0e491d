package engine

import "fmt"

// Nets are the operations of convolution networks, a part of Stream. Their tensors
// are channels-last: images (B, H, W, C), kernels (KH, KW, C, N) for C channels in
// and N out, scalars per image and channel (B, C). Where a doc says nil, the
// argument may be nil.
//
// Gradients are operations of their own; a name in …Grad, …Weights or …Adjoint
// writes the vector–Jacobian product its doc names. dst may not be a source unless
// the doc says so.
type Nets interface {
	// ChannelsLast does dst (B, H, W, C) = x (B, C, H, W), ChannelsFirst the reverse.
	ChannelsLast(dst, x *Tensor)
	ChannelsFirst(dst, x *Tensor)
	// CopyChannels does dst[…, at:at+n] = src[…, from:from+n] over the last dimension.
	CopyChannels(dst *Tensor, at int, src *Tensor, from, n int)

	// Conv does dst = act(x ⋆ w + bias + res): a cross-correlation, as in every
	// framework,
	//
	//	dst[b,i,j,n] = Σ x[b, i·s+k−p, j·s+l−p, c] w[k,l,c,n]
	//
	// with stride s and p rows and columns of padding. bias (N) and res (as dst) may be
	// nil.
	Conv(dst, x, w, bias, res *Tensor, c Conv)
	// ConvTransposed is the adjoint of x ↦ x ⋆ w, plus bias (C), which may be nil: y
	// (B, OH, OW, N) to dst (B, H, W, C). c.Act must be Identity.
	ConvTransposed(dst, y, w, bias *Tensor, c Conv)
	// ConvWeights writes the gradient of ⟨g, x ⋆ w⟩ in w to dw.
	ConvWeights(dw, x, g *Tensor, c Conv)

	// Depthwise is a convolution of every channel with a kernel of its own: w is
	// (KH, KW, C). The other two are as for Conv.
	Depthwise(dst, x, w, bias *Tensor, c Conv)
	DepthwiseTransposed(dst, y, w *Tensor, c Conv)
	DepthwiseWeights(dw, x, g *Tensor, c Conv)

	// MatMul does dst (M, N) = scale · a (M, K) b (K, N), or that for every matrix of a
	// batch (B, …). b may have a batch of 1, which is used for all.
	MatMul(dst, a, b *Tensor, m MatMul)
	// Softmax is over the last dimension; dst may be x. SoftmaxGrad writes the gradient
	// from the result y and the gradient g in y; dst may be g.
	Softmax(dst, x *Tensor)
	SoftmaxGrad(dst, y, g *Tensor)

	// Norm does dst = act(γ (x − mean)/√(variance + ε) + β). gamma and beta are (C), or
	// (B, C) for conditioning on the image, or nil (1 and 0). stats receives mean and
	// 1/√(variance + ε), see Norm.Stats. dst may be x.
	Norm(dst, stats, x, gamma, beta *Tensor, n Norm)
	// NormGrad writes the gradients in x (as x; may be g) and, summed over each image,
	// in gamma and beta (B, C), from the gradient g in dst. dgamma and dbeta may be nil.
	NormGrad(dx, dgamma, dbeta, stats, x, gamma, beta, g *Tensor, n Norm)

	// ChannelAffine does dst = x·scale + shift with scale and shift (B, C), either nil.
	// dst may be x.
	ChannelAffine(dst, x, scale, shift *Tensor)
	// ChannelSums does dst[b,c] = Σ_ij x[b,i,j,c] y[b,i,j,c]; y may be nil (1).
	ChannelSums(dst, x, y *Tensor)

	// Upsample repeats every pixel k×k times; SumPool, its adjoint, adds k×k pixels.
	Upsample(dst, x *Tensor, k int)
	SumPool(dst, x *Tensor, k int)

	// Pad surrounds images (…, H, W) with what lies beyond their edges: x stands at
	// (top, left) of dst. PadAdjoint is its adjoint.
	Pad(dst, x *Tensor, top, left int, e Edge)
	PadAdjoint(dst, x *Tensor, top, left int, e Edge)

	// Adam moves the parameters p and the moments m and v by one step along -g.
	Adam(p, m, v, g *Tensor, a Adam)
}

// Edge says what lies beyond an image.
type Edge int

// The edges: nothing, the other side, or the mirror image in the last pixel
// (… 2 1 | 0 1 2 …).
const (
	Zero Edge = iota
	Periodic
	Reflect
)

// At is the pixel of 0…n−1 that lies at place i of the extended image, or −1 for
// nothing. Any i is allowed.
func (e Edge) At(i, n int) int {
	if i >= 0 && i < n {
		return i
	}
	switch {
	case e == Periodic:
		return ((i % n) + n) % n
	case e == Reflect && n > 1:
		i = ((i % (2*n - 2)) + 2*n - 2) % (2*n - 2)
		return min(i, 2*n-2-i)
	case e == Reflect:
		return 0
	}
	return -1
}

// Conv is the geometry of a convolution. The zero value has stride 1, no padding and
// no activation.
type Conv struct {
	Stride int // 0 means 1
	Pad    int // on every side
	Edge   Edge
	Act    Unary // Identity, ReLU, Tanh, Sigmoid, SiLU, GELU or Softplus
}

// Step is the stride.
func (c Conv) Step() int { return max(c.Stride, 1) }

// Out is the size of the result along a side of n pixels with a kernel of k.
func (c Conv) Out(n, k int) int { return (n+2*c.Pad-k)/c.Step() + 1 }

// MatMul says how matrices are multiplied. TransA reads a as (K, M), TransB b as
// (N, K). Scale 0 means 1. Add adds to dst.
type MatMul struct {
	TransA, TransB bool
	Scale          float32
	Add            bool
}

// Norm is a normalisation: over the C/Groups channels of a group and all pixels of an
// image (group normalisation, Wu & He 2018), or with PerPixel over the channels of
// each pixel (layer normalisation, Ba+2016), which keeps a network local.
type Norm struct {
	Groups   int // must divide C; 0 means 1. PerPixel has one group.
	PerPixel bool
	Eps      float32
	Act      Unary // as Conv.Act
}

// Stats is the shape of the statistics of x (B, H, W, C): (B, Groups, 2) or
// (B, H, W, 2).
func (n Norm) Stats(x Shape) Shape {
	if n.PerPixel {
		return Shape{x[0], x[1], x[2], 2}
	}
	return Shape{x[0], max(n.Groups, 1), 2}
}

// Adam is one step of Adam (Kingma & Ba 2015) with decoupled weight decay
// (Loshchilov & Hutter 2019):
//
//	m = β₁ m + (1−β₁) k g,  v = β₂ v + (1−β₂) (k g)²
//	p −= rate · (m̂ / (√v̂ + ε) + decay · p)
//
// m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ), t = Step from 1 on, k = GradScale.
type Adam struct {
	Step                           int
	Rate, Beta1, Beta2, Eps, Decay float32
	GradScale                      float32 // 0 means 1
}

func image(op string, t *Tensor) (b, h, w, c int) {
	if len(t.shape) != 4 {
		panic(fmt.Sprintf("engine: %s: shape %v is not (B, H, W, C)", op, t.shape))
	}
	return t.shape[0], t.shape[1], t.shape[2], t.shape[3]
}

// CheckConv asks that y (B, OH, OW, N), x (B, H, W, C) and w (KH, KW, C, N) belong to
// a convolution x ⋆ w = y; depthwise, w is (KH, KW, C) and N = C.
func CheckConv(op string, y, x, w *Tensor, c Conv, depthwise bool) {
	b, h, wd, ch := image(op, x)
	b2, oh, ow, n := image(op, y)
	k := w.shape
	ok := len(k) == 4 && k[2] == ch && k[3] == n
	if depthwise {
		ok = len(k) == 3 && k[2] == ch && n == ch
	}
	if !ok || b != b2 || h+2*c.Pad < k[0] || wd+2*c.Pad < k[1] || oh != c.Out(h, k[0]) || ow != c.Out(wd, k[1]) {
		panic(fmt.Sprintf("engine: %s: image %v, kernel %v, result %v, %+v do not fit", op, x.shape, w.shape, y.shape, c))
	}
	CheckAct(op, c.Act)
}

// CheckAct asks for an activation.
func CheckAct(op string, f Unary) {
	switch f {
	case Identity, ReLU, Tanh, Sigmoid, SiLU, GELU, Softplus:
	default:
		panic(fmt.Sprintf("engine: %s: function %d is no activation", op, f))
	}
}

// CheckVector asks that v, where it is not nil, has n elements.
func CheckVector(op string, v *Tensor, n int) {
	if v != nil && v.Len() != n {
		panic(fmt.Sprintf("engine: %s: %v where %d numbers belong", op, v.shape, n))
	}
}

// CheckPerChannel asks that v, where it is not nil, is (C) or (B, C) for x
// (B, H, W, C), and says whether it is (B, C).
func CheckPerChannel(op string, x, v *Tensor) bool {
	b, _, _, c := image(op, x)
	if v == nil || v.Len() == c && len(v.shape) == 1 {
		return false
	}
	if !v.shape.Equal(Shape{b, c}) {
		panic(fmt.Sprintf("engine: %s: %v for the channels of %v", op, v.shape, x.shape))
	}
	return true
}

// CheckMatMul asks that the matrices fit and returns their sizes and batches.
func CheckMatMul(dst, a, b *Tensor, m MatMul) (batch, bbatch, rows, cols, inner int) {
	mat := func(t *Tensor, trans bool) (n, r, c int) {
		s := t.shape
		switch len(s) {
		case 2:
			n, r, c = 1, s[0], s[1]
		case 3:
			n, r, c = s[0], s[1], s[2]
		default:
			panic(fmt.Sprintf("engine: MatMul: shape %v is no matrix", s))
		}
		if trans {
			r, c = c, r
		}
		return
	}
	n, r, c := mat(dst, false)
	na, ra, ka := mat(a, m.TransA)
	nb, kb, cb := mat(b, m.TransB)
	if na != n || nb != n && nb != 1 || ra != r || cb != c || ka != kb {
		panic(fmt.Sprintf("engine: MatMul: %v = %v %v, %+v do not fit", dst.shape, a.shape, b.shape, m))
	}
	return n, nb, r, c, ka
}

// CheckNorm asks that a normalisation's tensors fit.
func CheckNorm(op string, dst, stats, x, gamma, beta *Tensor, n Norm) {
	_, _, _, c := image(op, x)
	CheckSame(op, dst, x)
	g := max(n.Groups, 1)
	count := 2 * x.shape[0] * g
	if n.PerPixel {
		count = 2 * x.shape[0] * x.shape[1] * x.shape[2]
	}
	if c%g != 0 || n.PerPixel && g != 1 || stats.Len() != count {
		panic(fmt.Sprintf("engine: %s: %+v of %v with statistics %v", op, n, x.shape, stats.shape))
	}
	CheckPerChannel(op, x, gamma)
	CheckPerChannel(op, x, beta)
	CheckAct(op, n.Act)
}

// CheckPool asks that big is small with every side k times as long.
func CheckPool(op string, big, small *Tensor, k int) {
	b, h, w, c := image(op, small)
	if k < 1 || !big.shape.Equal(Shape{b, h * k, w * k, c}) {
		panic(fmt.Sprintf("engine: %s: %v and %v by %d", op, big.shape, small.shape, k))
	}
}

// CheckPad asks that small fits into big at (top, left).
func CheckPad(op string, big, small *Tensor, top, left int) int {
	n := CheckPlanes(op, big, small)
	b, s := big.shape[len(big.shape)-2:], small.shape[len(small.shape)-2:]
	if top < 0 || left < 0 || top+s[0] > b[0] || left+s[1] > b[1] || s.Len() == 0 {
		panic(fmt.Sprintf("engine: %s: %v in %v at (%d, %d)", op, small.shape, big.shape, top, left))
	}
	return n
}

// CheckChannels asks that n channels from each position exist in two tensors of as
// many pixels, and returns the pixels.
func CheckChannels(op string, dst *Tensor, at int, src *Tensor, from, n int) int {
	d, s := dst.shape, src.shape
	if len(d) == 0 || len(s) == 0 || n < 0 || at < 0 || from < 0 || at+n > d[len(d)-1] || from+n > s[len(s)-1] ||
		d[:len(d)-1].Len() != s[:len(s)-1].Len() {
		panic(fmt.Sprintf("engine: %s: %d channels from %d of %v to %d of %v", op, n, from, s, at, d))
	}
	return d[:len(d)-1].Len()
}

// CheckTransposed asks that last is (B, H, W, C) and first (B, C, H, W).
func CheckTransposed(op string, last, first *Tensor) {
	b, h, w, c := image(op, last)
	if !first.shape.Equal(Shape{b, c, h, w}) {
		panic(fmt.Sprintf("engine: %s: %v and %v", op, last.shape, first.shape))
	}
}
