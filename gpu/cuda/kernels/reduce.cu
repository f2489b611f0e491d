// A group reduces one of the parts of a slice of n elements: op 0 Σ x y, 1 Σ x,
// 2 max |x|. part receives pairs: the sum and its rounding error.
#include "prelude.cuh"

struct Params {
	uint part_o, x_o, y_o;
	uint n, per, parts, m, all, op, slices;
};

__shared__ vec2 sh[256];

struct Kernel {
	float *part, *x, *y;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto w = wg.y * nwg.x + wg.x;
		const auto b = w / P.parts;
		if (b >= P.slices) {
			return;
		}
		const auto lo = w % P.parts * P.per;
		const auto hi = min(lo + P.per, P.n);
		auto s = vec2(0.0f, 0.0f);
		for (auto i = lo + lid; i < hi; i += 256u) {
			const auto k = b * P.n + i;
			const auto v = x[P.x_o + k];
			if (P.op == 2u) {
				s.x = max(s.x, abs(v));
			} else if (P.op == 1u) {
				s = two_sum(s, v);
			} else {
				const auto u = y[P.y_o + pick(k % P.m, k, P.m == P.all)];
				const auto p = v * u;
				s = two_sum(s, p);
				s.y += fma(v, u, -p);
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
			part[P.part_o + 2u * w] = sh[0].x;
			part[P.part_o + 2u * w + 1u] = sh[0].y;
		}
	}
};

KERNEL(reduce, 256)(float *part, float *x, float *y, Params P) {
	Kernel kernel = {part, x, y, P};
	kernel.run();
}
