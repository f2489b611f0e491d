// The gradient of depthwise in the kernel, summed over every parts-th of the rows of
// all images: dst (parts, kh, kw, c).
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o, g_o;
	uint rows, h, w, c, oh, ow, kh, kw, stride, pad, edge, parts;
};

struct Kernel {
	float *dst, *x, *g;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto t = flat(wg, nwg, lid);
		const auto per = P.kh * P.kw * P.c;
		if (t >= per * P.parts) {
			return;
		}
		const auto ch = t % P.c;
		const auto q = int(t / P.c % P.kw);
		const auto p = int(t / P.c / P.kw % P.kh);
		auto sum = 0.0f;
		for (auto r = t / per; r < P.rows; r += P.parts) {
			const auto y = edge_(int(r % P.oh * P.stride) + p - int(P.pad), int(P.h), P.edge);
			if (y < 0) {
				continue;
			}
			const auto row = (r / P.oh * P.h + uint(y)) * P.w;
			for (auto j = 0u; j < P.ow; j++) {
				const auto z = edge_(int(j * P.stride) + q - int(P.pad), int(P.w), P.edge);
				if (z >= 0) {
					sum = fma(x[P.x_o + (row + uint(z)) * P.c + ch], g[P.g_o + (r * P.ow + j) * P.c + ch], sum);
				}
			}
		}
		dst[P.dst_o + t] = sum;
	}
};

KERNEL(depthweights, 256)(float *dst, float *x, float *g, Params P) {
	Kernel kernel = {dst, x, g, P};
	kernel.run();
}
