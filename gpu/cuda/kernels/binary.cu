// dst = x ∘ y with y repeated; op: 0 add, 1 sub, 2 mul, 3 div (0 by 0), 4 muladd,
// 5 f′(x) y, 6 x y for complex x.
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o, y_o;
	uint n, m, op, f;
};

struct Kernel {
	float *dst, *x, *y;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		auto k = i;
		if (P.op == 6u) {
			k = i / 2u;
		}
		const auto v = y[P.y_o + pick(k % P.m, k, P.m == P.n)];
		const auto u = x[P.x_o + i];
		float r;
		switch (P.op) {
			break; case 0u: { r = u + v; }
			break; case 1u: { r = u - v; }
			break; case 3u: {
				r = 0.0f;
				if (v != 0.0f) { r = u / v; }
			}
			break; case 4u: { r = fma(u, v, dst[P.dst_o + i]); }
			break; case 5u: { r = slope_(P.f, u) * v; }
			break; default: { r = u * v; }
		}
		dst[P.dst_o + i] = r;
	}
};

KERNEL(binary, 256)(float *dst, float *x, float *y, Params P) {
	Kernel kernel = {dst, x, y, P};
	kernel.run();
}
