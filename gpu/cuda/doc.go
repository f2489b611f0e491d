// Package cuda is the device for NVIDIA's cards, in builds with the tag cuda: the
// kernels of kernels/*.cu, compiled to ptx/*.ptx by packaging/cuda.sh, on the driver's
// interface (gorgonia.org/cu). What operations launch is in gpu/internal/ops, as for
// WebGPU.
//
// variants.txt names every kernel of ops, its source and the definitions it is compiled
// with. Without a card the kernels can still be run, on the processor: see
// gpu/cuda/emulate.
package cuda
