// A convolution of every channel with a kernel of its own, dst (b, oh, ow, c); or its
// adjoint, dst (b, h, w, c) from x (b, oh, ow, c).
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o, k_o, bias_o;
	uint n, h, w, c, oh, ow, kh, kw, stride, pad, edge, act, transposed;
};

struct Kernel {
	float *dst, *x, *k, *bias;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto ch = i % P.c;
		const auto width = pick(P.ow, P.w, P.transposed == 1u);
		const auto height = pick(P.oh, P.h, P.transposed == 1u);
		const auto j = int(i / P.c % width);
		const auto r = int(i / P.c / width % height);
		const auto b = i / P.c / width / height;
		const auto s = int(P.stride);
		const auto pad = int(P.pad);
		auto sum = 0.0f;
		for (auto p = 0; p < int(P.kh); p++) {
			for (auto q = 0; q < int(P.kw); q++) {
				auto v = 0.0f;
				if (P.transposed == 1u) {
					const auto y = r + pad - p;
					const auto z = j + pad - q;
					if (y >= 0 && z >= 0 && y % s == 0 && z % s == 0 && y / s < int(P.oh) && z / s < int(P.ow)) {
						v = x[P.x_o + ((b * P.oh + uint(y / s)) * P.ow + uint(z / s)) * P.c + ch];
					}
				} else {
					const auto y = edge_(r * s + p - pad, int(P.h), P.edge);
					const auto z = edge_(j * s + q - pad, int(P.w), P.edge);
					if (y >= 0 && z >= 0) {
						v = x[P.x_o + ((b * P.h + uint(y)) * P.w + uint(z)) * P.c + ch];
					}
				}
				sum = fma(v, k[P.k_o + (uint(p) * P.kw + uint(q)) * P.c + ch], sum);
			}
		}
		if (P.bias_o != NONE) {
			sum += bias[P.bias_o + ch];
		}
		dst[P.dst_o + i] = act_(P.act, sum);
	}
};

KERNEL(depthwise, 256)(float *dst, float *x, float *k, float *bias, Params P) {
	Kernel kernel = {dst, x, k, bias, P};
	kernel.run();
}
