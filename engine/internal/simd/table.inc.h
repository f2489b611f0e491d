// The table itself; TABLE is its name.
#include "kernels.h"

const kernels TABLE = {
	.fft = fft,
	.rowsforward = rowsforward,
	.rowsbackward = rowsbackward,
	.loadcols = loadcols,
	.storecols = storecols,
	.unary = {un_exp, un_log, un_sqrt, un_square, un_recip, un_abs, un_relu, un_tanh, un_sigmoid, un_silu, un_gelu,
	          un_softplus},
	.grad = {gr_exp, gr_log, gr_sqrt, gr_square, gr_recip, gr_abs, gr_relu, gr_tanh, gr_sigmoid, gr_silu, gr_gelu,
	         gr_softplus},
	.binary = {bi_add, bi_sub, bi_mul, bi_div, bi_muladd, bi_cmul, bi_cmulconj, bi_cscale},
	.affine = affine,
	.axpy = axpy,
	.clamp = clamp,
	.dot = dot,
	.sum = sum,
	.maxabs = maxabs,
	.addto = addto,
};
