// A group for each row of n numbers. op 0: softmax of x; 1: its gradient g̃ =
// x (g − Σ x g) from the result x. dst may be x, or g.
#include "prelude.cuh"

struct Params {
	uint dst_o, x_o, g_o;
	uint rows, n, op;
};

__shared__ float sh[64];

struct Kernel {
	float *dst, *x, *g;
	Params P;

	DEVICE void run() {
		INDICES;
		const auto r = wg.y * nwg.x + wg.x;
		if (r >= P.rows) {
			return;
		}
		const auto base = P.x_o + r * P.n;
		auto acc = 0.0f;
		if (P.op == 0u) {
			acc = -3.0e38f;
			for (auto i = lid; i < P.n; i += 64u) {
				acc = max(acc, x[base + i]);
			}
			sh[lid] = acc;
			__syncthreads();
			for (auto k = 32u; k > 0u; k /= 2u) {
				if (lid < k) {
					sh[lid] = max(sh[lid], sh[lid + k]);
				}
				__syncthreads();
			}
		}
		const auto top = sh[0];
		__syncthreads();
		acc = 0.0f;
		for (auto i = lid; i < P.n; i += 64u) {
			if (P.op == 0u) {
				acc += exp_(x[base + i] - top);
			} else {
				acc = fma(x[base + i], g[P.g_o + r * P.n + i], acc);
			}
		}
		sh[lid] = acc;
		__syncthreads();
		for (auto k = 32u; k > 0u; k /= 2u) {
			if (lid < k) {
				sh[lid] += sh[lid + k];
			}
			__syncthreads();
		}
		const auto sum = sh[0];
		for (auto i = lid; i < P.n; i += 64u) {
			float v;
			if (P.op == 0u) {
				v = exp_(x[base + i] - top) / sum;
			} else {
				v = x[base + i] * (g[P.g_o + r * P.n + i] - sum);
			}
			dst[P.dst_o + r * P.n + i] = v;
		}
	}
};

KERNEL(rows, 64)(float *dst, float *x, float *g, Params P) {
	Kernel kernel = {dst, x, g, P};
	kernel.run();
}
