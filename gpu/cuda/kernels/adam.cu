// engine.Adam: c1 = (1−β₁) k, c2 = (1−β₂) k², rate and root hold the corrections.
#include "prelude.cuh"

struct Params {
	uint p_o, m_o, v_o, g_o;
	uint n;
	float b1, c1, b2, c2, keep, rate, root, eps;
};

struct Kernel {
	float *p, *m, *v, *g;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.n) {
			return;
		}
		const auto d = g[P.g_o + i];
		const auto m1 = fma(P.b1, m[P.m_o + i], P.c1 * d);
		const auto v1 = fma(P.b2, v[P.v_o + i], P.c2 * d * d);
		m[P.m_o + i] = m1;
		v[P.v_o + i] = v1;
		p[P.p_o + i] = P.keep * p[P.p_o + i] - P.rate * m1 / (sqrt(v1) * P.root + P.eps);
	}
};

KERNEL(adam, 256)(float *p, float *m, float *v, float *g, Params P) {
	Kernel kernel = {p, m, v, g, P};
	kernel.run();
}
