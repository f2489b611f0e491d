// Package kern holds the inner loops of the CPU device: one table of functions per
// instruction set, the portable Go one among them.
//
// Every function works on what it is given, on the calling goroutine. Slices of one
// call have the same length unless the function says otherwise.
package kern

import "limpid/engine"

// Binary names an elementwise function of two sources.
type Binary int

// The binary functions. Those of complex numbers take (…, 2) interleaved, CScale a
// real y of half the length.
const (
	Add Binary = iota
	Sub
	Mul
	Div    // 0 where y is 0
	MulAdd // dst += x y
	CMul
	CMulConj // x conj(y)
	CScale
	NumBinary
)

// Unary names an elementwise function of one source; the order is engine.Unary's.
type Unary int

// NumUnary is the number of unary functions.
const NumUnary = 13

// Table is the set of inner loops for one instruction set.
type Table struct {
	Name string

	// Radices are those there are butterflies for, RadixCost what a pass of each
	// costs per element. TwoLevels is the size from which on a transform is split; 0:
	// never.
	Radices   []int
	RadixCost map[int]float64
	TwoLevels int
	// FFT is the transform of Lanes columns; dst and src may be the same.
	FFT func(p *Program, dst, src View, work []float32)
	// LoadCols reads n rows, stride apart, of lanes complex numbers into lane
	// elements, real parts in part swap; StoreCols is the way back, times scale.
	LoadCols     func(dst, src []float32, n, stride, lanes, swap int)
	StoreCols    func(dst, src []float32, n, stride, lanes, swap int, scale float32)
	RowsForward  func(r Rows, dst []float32, dstride int, src []float32, sstride int, buf []float32)
	RowsBackward func(r Rows, data []float32, stride int, scale float32, buf []float32)

	Binary [NumBinary]func(dst, x, y []float32)
	Unary  [NumUnary]func(dst, x []float32)
	Grad   [NumUnary]func(dst, x, g []float32)  // f′(x) g
	Affine func(dst, x []float32, a, b float32) // a x + b
	Axpy   func(dst, x []float32, a float32)    // dst += a x
	Clamp  func(dst, x []float32, lo, hi float32)

	Dot    func(x, y []float32) float64
	Sum    func(x []float32) float64
	MaxAbs func(x []float32) float32
	// AddTo accumulates x in float64.
	AddTo func(acc []float64, x []float32)

	// Random fills dst from Philox block number block on: normal or uniform numbers.
	Random func(dst []float32, key engine.Key, block uint64, normal bool)

	Gemm   func(g Gemm)
	Finish func(f Finish)
	// Winograd is nil where only direct convolutions pay.
	Winograd *Winograd

	// DepthRow writes one row of a depthwise convolution, DepthWeights adds one row to
	// the gradient dw (taps, C).
	DepthRow     func(d DepthRow)
	DepthWeights func(d DepthRow)

	// ChannelMap does dst = act(x a + b) over pixels of C = len(a) channels.
	ChannelMap func(dst, x, a, b []float32, act int)
	// ChannelSums adds Σ h, Σ h x to s1, s2 (C) over pixels, h = g act′(x a + b). An
	// empty a means act is Identity, an empty x that only s1 is wanted.
	ChannelSums func(s1, s2 []float64, x, g, a, b []float32, act int)
	// ChannelBack does dst = h p + x q + r with h as above and p, q, r (C).
	ChannelBack func(dst, x, g, a, b, p, q, r []float32, act int)
	PixelNorm   func(n PixelNorm)
	// PixelBack is the gradient of PixelNorm: Dst from G, with G's sums added to S1
	// (for β) and S2 (for γ).
	PixelBack func(n PixelNorm)

	Softmax     func(dst, x []float32, n int)
	SoftmaxGrad func(dst, y, g []float32, n int)
	Adam        func(p, m, v, g []float32, a Adam)
}

func random(dst []float32, key engine.Key, block uint64, normal bool) {
	for i := 0; i < len(dst); i += 4 {
		w := engine.Philox(key.Seed, key.Counter, block+uint64(i/4))
		v := engine.Uniforms(w)
		if normal {
			v = engine.Normals(w)
		}
		copy(dst[i:], v[:])
	}
}

// Portable is plain Go.
func Portable() *Table {
	return &Table{
		Name:    "go",
		Radices: []int{2, 3, 4, 5, 7, 11, 13, 17, 19, 23, 29, MaxRadix},
		RadixCost: map[int]float64{
			2: 1, 3: 1.6, 4: 1.4, 5: 2.2, 7: 4, 11: 8, 13: 10, 17: 15, 19: 18, 23: 24, 29: 34,
			MaxRadix: 38,
		},
		FFT: fftPortable, LoadCols: loadCols, StoreCols: storeCols, RowsForward: rowsForward, RowsBackward: rowsBackward,
		Binary: [NumBinary]func(dst, x, y []float32){add, sub, mul, div, mulAdd, cmul, cmulConj, cscale},
		Unary:  [NumUnary]func(dst, x []float32){identity, exp, log, sqrt, square, recip, abs, relu, tanh, sigmoid, silu, gelu, softplus},
		Grad:   grads(),
		Affine: affine, Axpy: axpy, Clamp: clampTo,
		Dot: dot, Sum: sum, MaxAbs: maxAbs, AddTo: addTo,
		Random: random, Gemm: gemm, Finish: finish, DepthRow: depthRow, DepthWeights: depthWeights,
		ChannelMap: channelMap, ChannelSums: channelSums, ChannelBack: channelBack,
		PixelNorm: pixelNorm, PixelBack: pixelBack,
		Softmax: softmax, SoftmaxGrad: softmaxGrad, Adam: adam,
	}
}
