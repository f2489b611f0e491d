// dst (…, h, w, c): sum 0 repeats the pixels of x k×k times, sum 1 adds k×k of them.
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o;
	uint n, h, w, c, k, sum;
};

struct Kernel {
	float *dst, *x;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto ch = i % P.c;
		const auto j = i / P.c % P.w;
		const auto r = i / P.c / P.w; // of all images
		if (P.sum == 0u) {
			const auto b = r / P.h;
			dst[P.dst_o + i] = x[P.x_o + ((b * (P.h / P.k) + r % P.h / P.k) * (P.w / P.k) + j / P.k) * P.c + ch];
			return;
		}
		auto s = 0.0f;
		for (auto p = 0u; p < P.k; p++) {
			for (auto q = 0u; q < P.k; q++) {
				s += x[P.x_o + ((r * P.k + p) * P.w * P.k + j * P.k + q) * P.c + ch];
			}
		}
		dst[P.dst_o + i] = s;
	}
};

KERNEL(pool, 256)(float *dst, float *x, Params P) {
	Kernel kernel = {dst, x, P};
	kernel.run();
}
