// One pass over lines of n points in memory, for lines that workgroup memory cannot
// hold: count butterflies in all.
#include "prelude.cuh"

struct Params {
	uint dst_o, src_o, tw_o;
	uint n, count, ns, r;
	float sgn;
};

struct Kernel {
	float *dst, *src, *tw;
	Params P;

#include "butterfly.cuh"

	DEVICE vec2 fetch(uint i) {
		return vec2(src[P.src_o + 2u * i], src[P.src_o + 2u * i + 1u]);
	}

	DEVICE void put(uint i, vec2 z) {
		dst[P.dst_o + 2u * i] = z.x;
		dst[P.dst_o + 2u * i + 1u] = z.y;
	}

	DEVICE void run() {
		INDICES;
		const auto t = flat(wg, nwg, lid);
		if (t >= P.count) {
			return;
		}
		const auto m = P.n / P.r;
		butterfly(P.n, P.ns, P.r, t % m, t / m * P.n, t / m * P.n);
	}
};

KERNEL(fftpass, 256)(float *dst, float *src, float *tw, Params P) {
	Kernel kernel = {dst, src, tw, P};
	kernel.run();
}
