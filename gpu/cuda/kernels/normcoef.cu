// coef (image·group, 2) = the means of γ h and γ h x̂ over a group, from the sums
// (2, images, c) of chansums.
#include "prelude.cuh"

struct Params {
	uint coef_o, sums_o, gamma_o;
	uint n, c, pixels, groups, images, gper;
};

struct Kernel {
	float *coef, *sums, *gamma;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto per = P.c / P.groups;
		const auto b = i / P.groups;
		const auto c0 = i % P.groups * per;
		auto m1 = 0.0f;
		auto m2 = 0.0f;
		for (auto c = c0; c < c0 + per; c++) {
			auto ga = 1.0f;
			if (P.gamma_o != NONE) {
				ga = gamma[P.gamma_o + c + pick(0u, b * P.c, P.gper == 1u)];
			}
			m1 = fma(ga, sums[P.sums_o + b * P.c + c], m1);
			m2 = fma(ga, sums[P.sums_o + (P.images + b) * P.c + c], m2);
		}
		const auto n = float(per) * float(P.pixels);
		coef[P.coef_o + 2u * i] = m1 / n;
		coef[P.coef_o + 2u * i + 1u] = m2 / n;
	}
};

KERNEL(normcoef, 256)(float *coef, float *sums, float *gamma, Params P) {
	Kernel kernel = {coef, sums, gamma, P};
	kernel.run();
}
