// dst = act(γ (x − mean) r̂ + β). γ and β have a row for each image where gper, bper.
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o, stats_o, gamma_o, beta_o;
	uint n, c, pixels, groups, perpixel, gper, bper, act;
};

struct Kernel {
	float *dst, *x, *stats, *gamma, *beta;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto ch = i % P.c;
		const auto pixel = i / P.c;
		const auto b = pixel / P.pixels;
		const auto st = P.stats_o + 2u * pick(b * P.groups + ch / (P.c / P.groups), pixel, P.perpixel == 1u);
		auto ga = 1.0f;
		auto be = 0.0f;
		if (P.gamma_o != NONE) {
			ga = gamma[P.gamma_o + ch + pick(0u, b * P.c, P.gper == 1u)];
		}
		if (P.beta_o != NONE) {
			be = beta[P.beta_o + ch + pick(0u, b * P.c, P.bper == 1u)];
		}
		dst[P.dst_o + i] = act_(P.act, fma(ga, (x[P.x_o + i] - stats[st]) * stats[st + 1u], be));
	}
};

KERNEL(normmap, 256)(float *dst, float *x, float *stats, float *gamma, float *beta, Params P) {
	Kernel kernel = {dst, x, stats, gamma, beta, P};
	kernel.run();
}
