// dst = x·scale + shift with scale and shift (image, c), either absent.
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o, scale_o, shift_o;
	uint n, c, pixels;
};

struct Kernel {
	float *dst, *x, *scale, *shift;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto k = i / P.c / P.pixels * P.c + i % P.c;
		auto a = 1.0f;
		auto s = 0.0f;
		if (P.scale_o != NONE) {
			a = scale[P.scale_o + k];
		}
		if (P.shift_o != NONE) {
			s = shift[P.shift_o + k];
		}
		dst[P.dst_o + i] = fma(x[P.x_o + i], a, s);
	}
};

KERNEL(chanaffine, 256)(float *dst, float *x, float *scale, float *shift, Params P) {
	Kernel kernel = {dst, x, scale, shift, P};
	kernel.run();
}
