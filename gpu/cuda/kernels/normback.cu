// dx = r̂ (γ h − mean(γ h) − x̂ mean(γ h x̂)), h = g act′(z), z = γ x̂ + β. dst may be g.
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o, g_o, stats_o, gamma_o, beta_o, coef_o;
	uint n, c, pixels, groups, gper, bper, act;
};

struct Kernel {
	float *dst, *x, *g, *stats, *gamma, *beta, *coef;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto ch = i % P.c;
		const auto b = i / P.c / P.pixels;
		const auto k = 2u * (b * P.groups + ch / (P.c / P.groups));
		auto ga = 1.0f;
		auto be = 0.0f;
		if (P.gamma_o != NONE) {
			ga = gamma[P.gamma_o + ch + pick(0u, b * P.c, P.gper == 1u)];
		}
		if (P.beta_o != NONE) {
			be = beta[P.beta_o + ch + pick(0u, b * P.c, P.bper == 1u)];
		}
		const auto r = stats[P.stats_o + k + 1u];
		const auto hat = (x[P.x_o + i] - stats[P.stats_o + k]) * r;
		const auto h = g[P.g_o + i] * act_slope_(P.act, fma(ga, hat, be));
		dst[P.dst_o + i] = r * (ga * h - coef[P.coef_o + k] - hat * coef[P.coef_o + k + 1u]);
	}
};

KERNEL(normback, 256)(float *dst, float *x, float *g, float *stats, float *gamma, float *beta, float *coef, Params P) {
	Kernel kernel = {dst, x, g, stats, gamma, beta, coef, P};
	kernel.run();
}
