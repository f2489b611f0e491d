package ops

// Kernel is one program of a device: a WGSL file, a .cu file. Its buffers and parameters
// are named at the head of gpu/webgpu/wgsl/NAME.wgsl; every backend takes the same.
type Kernel int

// The kernels.
const (
	Binary Kernel = iota
	Unary
	Complex
	BySlice
	Window
	Pad
	Fold
	Reduce
	ReduceEnd
	SumLead
	Random
	Conv // a product in tiles; …Narrow for few columns, …Direct without tiles
	ConvNarrow
	ConvDirect
	ConvT
	ConvTNarrow
	ConvTDirect
	ConvW
	ConvWNarrow
	ConvWDirect
	MatMul
	MatMulNarrow
	MatMulDirect
	Depthwise
	DepthWeights
	Moments
	MomentsEnd
	PixelMoments
	NormMap
	ChanSums
	NormCoef
	NormBack
	PixelBack
	Rows
	ChanAffine
	Channels
	Pool
	Adam
	FFTLine
	FFTPass
	FFTPack
	FFTUnpack
	Kernels // their number
)

var names = [Kernels]string{
	"binary", "unary", "complex", "byslice", "window", "pad", "fold", "reduce", "reduceend", "sumlead", "random",
	"gemm", "gemm", "direct", "gemm", "gemm", "direct", "gemm", "gemm", "direct", "gemm", "gemm", "direct", "depthwise", "depthweights", "moments", "momentsend",
	"pixelmoments", "normmap", "chansums", "normcoef", "normback", "pixelback", "rows", "chanaffine", "channels", "pool",
	"adam", "fftline", "fftpass", "fftpack", "fftunpack",
}

// Name is the kernel's own name: that of its file, or of what a product is for.
func (k Kernel) Name() string {
	if mode, _, ok := k.Gemm(); ok {
		return []string{"conv", "convt", "convw", "matmul"}[mode] + []string{"", "narrow", "direct"}[int(k-Conv)%3]
	}
	return k.File()
}

// File is the name of the kernel's source without its ending.
func (k Kernel) File() string { return names[k] }

// Gemm says for a product of matrices what it is (0 Conv, 1 ConvT, 2 ConvW, 3 MatMul)
// and whether its tiles are narrow; ok is false for other kernels.
func (k Kernel) Gemm() (mode int, narrow, ok bool) {
	if k < Conv || k > MatMulDirect {
		return 0, false, false
	}
	return int(k-Conv) / 3, (k-Conv)%3 == 1, true
}

// Tiles of a product: rows and columns of a group.
const (
	TileM, TileN             = 64, 64
	NarrowTileM, NarrowTileN = 256, 16
)
