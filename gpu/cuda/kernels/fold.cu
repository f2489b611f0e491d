// The adjoint of pad over images with c channels last: dst (…, h, w, c) gathers from
// x (…, sh, sw, c) every place that stands for its pixel. The places of pixel i are one
// or two arithmetic progressions: first(k), first(k) + step, …
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o;
	uint n, h, w, c, sh, sw;
	int top, left;
	uint edge;
};

struct Kernel {
	float *dst, *x;
	Params P;

	DEVICE int step_(int n, uint e, int size) {
		if (e == 1u) {
			return n;
		}
		if (e == 2u) {
			return max(2 * n - 2, 1);
		}
		return size;
	}

	DEVICE int first_(int i, int n, int at, uint e, int size, int k) {
		if (e == 0u) {
			return pick(i + at, size, k == 1);
		}
		const auto s = step_(n, e, size);
		if (k == 1) {
			if (e != 2u || i == 0 || i == n - 1) {
				return size;
			}
			return (((at - i) % s) + s) % s;
		}
		return (((at + i) % s) + s) % s;
	}

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto ch = i % P.c;
		const auto pc = int(i / P.c % P.w);
		const auto pr = int(i / P.c / P.w % P.h);
		const auto plane = i / P.c / P.w / P.h;
		const auto h = int(P.h);
		const auto w = int(P.w);
		const auto sh = int(P.sh);
		const auto sw = int(P.sw);
		auto sum = 0.0f;
		for (auto a = 0; a < 2; a++) {
			for (auto r = first_(pr, h, P.top, P.edge, sh, a); r < sh; r += step_(h, P.edge, sh)) {
				for (auto b = 0; b < 2; b++) {
					for (auto q = first_(pc, w, P.left, P.edge, sw, b); q < sw; q += step_(w, P.edge, sw)) {
						sum += x[P.x_o + ((plane * P.sh + uint(r)) * P.sw + uint(q)) * P.c + ch];
					}
				}
			}
		}
		dst[P.dst_o + i] = sum;
	}
};

KERNEL(fold, 256)(float *dst, float *x, Params P) {
	Kernel kernel = {dst, x, P};
	kernel.run();
}
