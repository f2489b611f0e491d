// dst (…, dh, dw) is x (…, sh, sw) at (top, left), extended over its edges.
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o;
	uint n, dh, dw, sh, sw;
	int top, left;
	uint edge;
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
		const auto c = edge_(int(i % P.dw) - P.left, int(P.sw), P.edge);
		const auto r = edge_(int(i / P.dw % P.dh) - P.top, int(P.sh), P.edge);
		auto v = 0.0f;
		if (r >= 0 && c >= 0) {
			v = x[P.x_o + (i / P.dw / P.dh * P.sh + uint(r)) * P.sw + uint(c)];
		}
		dst[P.dst_o + i] = v;
	}
};

KERNEL(pad, 256)(float *dst, float *x, Params P) {
	Kernel kernel = {dst, x, P};
	kernel.run();
}
