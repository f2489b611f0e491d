// For each image and channel, over every parts-th pixel: mode 0 Σ x, 1 Σ x g, to part
// (parts, images, c); 2, the gradients of a normalisation, h = g act′(z): Σ h and
// Σ h x̂, to part (parts, 2, images, c).
#include "prelude.cuh"

struct Params {
	uint part_o, x_o, g_o, stats_o, gamma_o, beta_o;
	uint images, c, pixels, groups, perpixel, gper, bper, act, parts, mode;
};

struct Kernel {
	float *part, *x, *g, *stats, *gamma, *beta;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto t = flat(wg, nwg, lid);
		const auto all = P.images * P.c;
		if (t >= all * P.parts) {
			return;
		}
		const auto ch = t % P.c;
		const auto q = t / P.c % P.parts;
		const auto b = t / P.c / P.parts;
		auto ga = 1.0f;
		auto be = 0.0f;
		if (P.mode == 2u) {
			if (P.gamma_o != NONE) {
				ga = gamma[P.gamma_o + ch + pick(0u, b * P.c, P.gper == 1u)];
			}
			if (P.beta_o != NONE) {
				be = beta[P.beta_o + ch + pick(0u, b * P.c, P.bper == 1u)];
			}
		}
		auto s = vec2(0.0f, 0.0f);
		auto u = vec2(0.0f, 0.0f);
		for (auto p = q; p < P.pixels; p += P.parts) {
			const auto pixel = b * P.pixels + p;
			const auto i = pixel * P.c + ch;
			const auto v = x[P.x_o + i];
			if (P.mode == 0u) {
				s = two_sum(s, v);
			} else if (P.mode == 1u) {
				s = two_sum(s, v * g[P.g_o + i]);
			} else {
				const auto st = P.stats_o + 2u * pick(b * P.groups + ch / (P.c / P.groups), pixel, P.perpixel == 1u);
				const auto hat = (v - stats[st]) * stats[st + 1u];
				const auto h = g[P.g_o + i] * act_slope_(P.act, fma(ga, hat, be));
				s = two_sum(s, h);
				u = two_sum(u, h * hat);
			}
		}
		const auto o = b * P.c + ch;
		if (P.mode == 2u) {
			part[P.part_o + q * 2u * all + o] = s.x + s.y;
			part[P.part_o + (q * 2u + 1u) * all + o] = u.x + u.y;
		} else {
			part[P.part_o + q * all + o] = s.x + s.y;
		}
	}
};

KERNEL(chansums, 256)(float *part, float *x, float *g, float *stats, float *gamma, float *beta, Params P) {
	Kernel kernel = {part, x, g, stats, gamma, beta, P};
	kernel.run();
}
