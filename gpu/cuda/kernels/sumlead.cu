// dst[p,i] = Σ_k x[k,i] over k = p, p+parts, … < reps, for n columns.
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o;
	uint n, reps, parts;
};

struct Kernel {
	float *dst, *x;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto t = flat(wg, nwg, lid);
		if (t >= P.n * P.parts) {
			return;
		}
		const auto col = t % P.n;
		auto s = vec2(0.0f, 0.0f);
		for (auto k = t / P.n; k < P.reps; k += P.parts) {
			s = two_sum(s, x[P.x_o + k * P.n + col]);
		}
		dst[P.dst_o + t] = s.x + s.y;
	}
};

KERNEL(sumlead, 256)(float *dst, float *x, Params P) {
	Kernel kernel = {dst, x, P};
	kernel.run();
}
