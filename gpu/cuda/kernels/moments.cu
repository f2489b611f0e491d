// Mean and M₂ = Σ (x − mean)² of one part (ppp pixels) of one group of channels of one
// image, by Welford's recurrence and the merging of Chan, Golub & LeVeque (1983):
// triples (count, mean, M₂).
#include "prelude.cuh"

struct Params {
	uint part_o, x_o;
	uint pixels, c, groups, parts, ppp, total;
};

__shared__ vec3 sh[256];

struct Kernel {
	float *part, *x;
	Params P;

	DEVICE vec3 merge(vec3 a, vec3 b) {
		if (b.x == 0.0f) {
			return a;
		}
		const auto n = a.x + b.x;
		const auto d = b.y - a.y;
		const auto f = b.x / n;
		return vec3(n, a.y + d * f, a.z + b.z + d * d * a.x * f);
	}

	DEVICE void run() {
		INDICES;
		const auto g = wg.y * nwg.x + wg.x;
		if (g >= P.total) {
			return;
		}
		const auto per = P.c / P.groups;
		const auto p0 = g % P.parts * P.ppp;
		const auto count = (min(p0 + P.ppp, P.pixels) - p0) * per;
		const auto bg = g / P.parts;
		const auto base = P.x_o + (bg / P.groups * P.pixels + p0) * P.c + bg % P.groups * per;
		auto s = vec3(0.0f, 0.0f, 0.0f);
		for (auto e = lid; e < count; e += 256u) {
			const auto v = x[base + e / per * P.c + e % per];
			s.x += 1.0f;
			const auto d = v - s.y;
			s.y += d / s.x;
			s.z += d * (v - s.y);
		}
		sh[lid] = s;
		__syncthreads();
		for (auto k = 128u; k > 0u; k /= 2u) {
			if (lid < k) {
				sh[lid] = merge(sh[lid], sh[lid + k]);
			}
			__syncthreads();
		}
		if (lid == 0u) {
			part[P.part_o + 3u * g] = sh[0].x;
			part[P.part_o + 3u * g + 1u] = sh[0].y;
			part[P.part_o + 3u * g + 2u] = sh[0].z;
		}
	}
};

KERNEL(moments, 256)(float *part, float *x, Params P) {
	Kernel kernel = {part, x, P};
	kernel.run();
}
