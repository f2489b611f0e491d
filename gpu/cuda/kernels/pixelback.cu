// As normback for a normalisation over the channels of each of n pixels. dst may be g.
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o, g_o, stats_o, gamma_o, beta_o;
	uint n, c, pixels, gper, bper, act;
};

struct Kernel {
	float *dst, *x, *g, *stats, *gamma, *beta;
	Params P;

	DEVICE float gamma_(uint b, uint ch) {
		if (P.gamma_o == NONE) {
			return 1.0f;
		}
		return gamma[P.gamma_o + ch + pick(0u, b * P.c, P.gper == 1u)];
	}

	DEVICE float beta_(uint b, uint ch) {
		if (P.beta_o == NONE) {
			return 0.0f;
		}
		return beta[P.beta_o + ch + pick(0u, b * P.c, P.bper == 1u)];
	}

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto b = i / P.pixels;
		const auto mean = stats[P.stats_o + 2u * i];
		const auto r = stats[P.stats_o + 2u * i + 1u];
		auto m1 = 0.0f;
		auto m2 = 0.0f;
		for (auto c = 0u; c < P.c; c++) {
			const auto o = i * P.c + c;
			const auto ga = gamma_(b, c);
			const auto hat = (x[P.x_o + o] - mean) * r;
			const auto h = ga * g[P.g_o + o] * act_slope_(P.act, fma(ga, hat, beta_(b, c)));
			m1 += h;
			m2 = fma(h, hat, m2);
		}
		m1 /= float(P.c);
		m2 /= float(P.c);
		for (auto c = 0u; c < P.c; c++) {
			const auto o = i * P.c + c;
			const auto ga = gamma_(b, c);
			const auto hat = (x[P.x_o + o] - mean) * r;
			const auto h = ga * g[P.g_o + o] * act_slope_(P.act, fma(ga, hat, beta_(b, c)));
			dst[P.dst_o + o] = r * (h - m1 - hat * m2);
		}
	}
};

KERNEL(pixelback, 256)(float *dst, float *x, float *g, float *stats, float *gamma, float *beta, Params P) {
	Kernel kernel = {dst, x, g, stats, gamma, beta, P};
	kernel.run();
}
