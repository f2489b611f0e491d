// stats (n, 2) = (mean, 1/√(variance + ε)) over the c channels of each of n pixels.
#include "prelude.cuh"

struct Params {
	uint stats_o, x_o;
	uint n, c;
	float eps;
};

struct Kernel {
	float *stats, *x;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto base = P.x_o + i * P.c;
		auto sum = 0.0f;
		for (auto k = 0u; k < P.c; k++) {
			sum += x[base + k];
		}
		const auto mean = sum / float(P.c);
		auto m2 = 0.0f;
		for (auto k = 0u; k < P.c; k++) {
			const auto d = x[base + k] - mean;
			m2 = fma(d, d, m2);
		}
		stats[P.stats_o + 2u * i] = mean;
		stats[P.stats_o + 2u * i + 1u] = 1.0f / sqrt(m2 / float(P.c) + P.eps);
	}
};

KERNEL(pixelmoments, 256)(float *stats, float *x, Params P) {
	Kernel kernel = {stats, x, P};
	kernel.run();
}
