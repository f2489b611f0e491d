// dst[b] from the pairs of its parts.
#include "prelude.cuh"

struct Params {
	uint dst_o, part_o;
	uint parts, op, slices;
};

__shared__ vec2 sh[256];

struct Kernel {
	float *dst, *part;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto b = wg.y * nwg.x + wg.x;
		if (b >= P.slices) {
			return;
		}
		auto s = vec2(0.0f, 0.0f);
		for (auto i = lid; i < P.parts; i += 256u) {
			const auto k = P.part_o + 2u * (b * P.parts + i);
			if (P.op == 2u) {
				s.x = max(s.x, part[k]);
			} else {
				s = two_sum(s, part[k]);
				s.y += part[k + 1u];
			}
		}
		sh[lid] = s;
		__syncthreads();
		for (auto k = 128u; k > 0u; k /= 2u) {
			if (lid < k) {
				const auto o = sh[lid + k];
				if (P.op == 2u) {
					sh[lid].x = max(sh[lid].x, o.x);
				} else {
					auto t = two_sum(sh[lid], o.x);
					t.y += o.y;
					sh[lid] = t;
				}
			}
			__syncthreads();
		}
		if (lid == 0u) {
			dst[P.dst_o + b] = sh[0].x + sh[0].y;
		}
	}
};

KERNEL(reduceend, 256)(float *dst, float *part, Params P) {
	Kernel kernel = {dst, part, P};
	kernel.run();
}
