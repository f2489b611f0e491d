// As gemm, a thread for every element: for products so small that tiles would be mostly
// empty.
#include "prelude.cuh"

struct Params {
	uint dst_o, a_o, b_o, bias_o, res_o;
	uint m, n, k, tilesn, h, w, c, oh, ow, kh, kw, stride, pad, edge, act, ta, tb, add, bbatch, kper;
	float scale;
};

struct Kernel {
	float *dst, *a, *b, *bias, *res;
	Params P;

#include "gather.cuh"

	DEVICE void run() {
		INDICES;
		const auto t = flat(wg, nwg, lid);
		if (t >= P.m * P.n) {
			return;
		}
		const auto m = t / P.n;
		const auto n = t % P.n;
		auto s = 0.0f;
		if (MODE == 3u) {
			const auto ms = pick(P.k, 1u, P.ta == 1u);
			const auto ks = pick(1u, P.m, P.ta == 1u);
			const auto o = P.a_o + wg.z * P.m * P.k + m * ms;
			for (auto k = 0u; k < P.k; k++) {
				s = fma(a[o + k * ks], load_b(k, n, P.k, wg.z), s);
			}
		} else if (MODE == 2u) {
			const auto lo = wg.z * P.kper;
			const auto hi = min(lo + P.kper, P.k);
			for (auto k = lo; k < hi; k++) {
				const auto j = k % P.ow;
				const auto i = k / P.ow % P.oh;
				const auto at = k / P.ow / P.oh * P.h * P.w;
				s = fma(image(at, int(i * P.stride) - int(P.pad), int(j * P.stride) - int(P.pad), m / P.c, m % P.c), load_b(k, n, hi, wg.z), s);
			}
		} else {
			const auto ow = pick(P.ow, P.w, MODE == 1u);
			const auto oh = pick(P.oh, P.h, MODE == 1u);
			auto h0 = int(m / ow % oh);
			auto w0 = int(m % ow);
			auto at = m / ow / oh * P.h * P.w;
			if (MODE == 1u) {
				h0 += int(P.pad);
				w0 += int(P.pad);
				at = m / ow / oh * P.oh * P.ow;
			} else {
				h0 = h0 * int(P.stride) - int(P.pad);
				w0 = w0 * int(P.stride) - int(P.pad);
			}
			for (auto k = 0u; k < P.k; k++) {
				s = fma(image(at, h0, w0, k / P.c, k % P.c), load_b(k, n, P.k, 0u), s);
			}
		}
		put(m, n, s, wg.z);
	}
};

KERNEL(direct, 256)(float *dst, float *a, float *b, float *bias, float *res, Params P) {
	Kernel kernel = {dst, a, b, bias, res, P};
	kernel.run();
}
