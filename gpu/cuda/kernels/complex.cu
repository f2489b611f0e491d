// dst = x y, or x conj(y) with conj −1, for n complex numbers; y has m.
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o, y_o;
	uint n, m;
	float conj;
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
		const auto k = P.y_o + 2u * pick(i % P.m, i, P.m == P.n);
		const auto a = vec2(x[P.x_o + 2u * i], x[P.x_o + 2u * i + 1u]);
		const auto b = vec2(y[k], P.conj * y[k + 1u]);
		const auto o = P.dst_o + 2u * i;
		dst[o] = a.x * b.x - a.y * b.y;
		dst[o + 1u] = a.x * b.y + a.y * b.x;
	}
};

KERNEL(complex, 256)(float *dst, float *x, float *y, Params P) {
	Kernel kernel = {dst, x, y, P};
	kernel.run();
}
