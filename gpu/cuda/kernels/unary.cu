// op: 0 copy, 1 fill with a, 2 a x + b, 3 dst + a x, 4 clamp to a…b, 5 f(x).
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o;
	uint n, op, f;
	float a, b;
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
		const auto o = P.dst_o + i;
		if (P.op == 1u) {
			dst[o] = P.a;
			return;
		}
		const auto u = x[P.x_o + i];
		float r;
		switch (P.op) {
			break; case 2u: { r = fma(P.a, u, P.b); }
			break; case 3u: { r = fma(P.a, u, dst[o]); }
			break; case 4u: { r = min(max(u, P.a), P.b); }
			break; case 5u: { r = map_(P.f, u); }
			break; default: { r = u; }
		}
		dst[o] = r;
	}
};

KERNEL(unary, 256)(float *dst, float *x, Params P) {
	Kernel kernel = {dst, x, P};
	kernel.run();
}
