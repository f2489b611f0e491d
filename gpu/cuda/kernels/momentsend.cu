// stats (n, 2) = (mean, 1/√(variance + ε)) from the triples of the parts.
#include "prelude.cuh"

struct Params {
	uint stats_o, part_o;
	uint n, parts;
	float eps;
};

struct Kernel {
	float *stats, *part;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		auto n = 0.0f;
		auto mean = 0.0f;
		auto m2 = 0.0f;
		for (auto k = 0u; k < P.parts; k++) {
			const auto o = P.part_o + 3u * (i * P.parts + k);
			const auto c = part[o];
			const auto d = part[o + 1u] - mean;
			const auto f = c / (n + c);
			mean += d * f;
			m2 += part[o + 2u] + d * d * n * f;
			n += c;
		}
		stats[P.stats_o + 2u * i] = mean;
		stats[P.stats_o + 2u * i + 1u] = 1.0f / sqrt(m2 / n + P.eps);
	}
};

KERNEL(momentsend, 256)(float *stats, float *part, Params P) {
	Kernel kernel = {stats, part, P};
	kernel.run();
}
