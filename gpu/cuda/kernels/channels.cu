// op 0: dst (B, P, C) = x (B, C, P); 1: dst (B, C, P) = x (B, P, C); 2: c channels from
// start of x (pixel, sc) go to channel at of dst (pixel, dc).
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o;
	uint n, c, pixels, op, dc, at, sc, start;
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
		switch (P.op) {
			break; case 0u: {
				const auto p = i / P.c % P.pixels;
				dst[P.dst_o + i] = x[P.x_o + (i / P.c / P.pixels * P.c + i % P.c) * P.pixels + p];
			}
			break; case 1u: {
				const auto ch = i / P.pixels % P.c;
				dst[P.dst_o + i] = x[P.x_o + (i / P.pixels / P.c * P.pixels + i % P.pixels) * P.c + ch];
			}
			break; default: {
				const auto p = i / P.c;
				dst[P.dst_o + p * P.dc + P.at + i % P.c] = x[P.x_o + p * P.sc + P.start + i % P.c];
			}
		}
	}
};

KERNEL(channels, 256)(float *dst, float *x, Params P) {
	Kernel kernel = {dst, x, P};
	kernel.run();
}
