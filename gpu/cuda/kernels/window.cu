// add 0: dst[r,c] = src[r+row,c+col] or 0, over the n elements of dst;
// add 1: dst[r+row,c+col] += src[r,c] inside dst, over those of src.
#include "prelude.cuh"

struct Params {
	uint dst_o, src_o;
	uint n, dh, dw, sh, sw;
	int row, col;
	uint add;
};

struct Kernel {
	float *dst, *src;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto w = pick(P.dw, P.sw, P.add == 1u);
		const auto h = pick(P.dh, P.sh, P.add == 1u);
		const auto c = int(i % w) + P.col;
		const auto r = int(i / w % h) + P.row;
		const auto plane = i / w / h;
		if (P.add == 1u) {
			if (r >= 0 && c >= 0 && r < int(P.dh) && c < int(P.dw)) {
				const auto o = P.dst_o + (plane * P.dh + uint(r)) * P.dw + uint(c);
				dst[o] = dst[o] + src[P.src_o + i];
			}
			return;
		}
		auto v = 0.0f;
		if (r >= 0 && c >= 0 && r < int(P.sh) && c < int(P.sw)) {
			v = src[P.src_o + (plane * P.sh + uint(r)) * P.sw + uint(c)];
		}
		dst[P.dst_o + i] = v;
	}
};

KERNEL(window, 256)(float *dst, float *src, Params P) {
	Kernel kernel = {dst, src, P};
	kernel.run();
}
