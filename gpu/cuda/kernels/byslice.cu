// dst[b] (+)= sgn num[b]/den[b] x[b] for slices of per elements; see Stream.AxpyBy.
#include "prelude.cuh"

struct Params {
	uint dst_o, num_o, den_o, x_o;
	uint n, per, add;
	float sgn;
};

struct Kernel {
	float *dst, *num, *den, *x;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto b = i / P.per;
		auto f = P.sgn * num[P.num_o + b];
		if (P.den_o != NONE) {
			const auto d = den[P.den_o + b];
			if (d == 0.0f) {
				f = 0.0f;
			} else {
				f = f / d;
			}
		}
		const auto o = P.dst_o + i;
		if (P.add == 0u) {
			dst[o] = f * x[P.x_o + i];
		} else if (f != 0.0f) {
			dst[o] = fma(f, x[P.x_o + i], dst[o]);
		}
	}
};

KERNEL(byslice, 256)(float *dst, float *num, float *den, float *x, Params P) {
	Kernel kernel = {dst, num, den, x, P};
	kernel.run();
}
