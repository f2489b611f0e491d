// A product of matrices, dst (m, n) = Σ_k A(m, k) B(k, n), in tiles of BM × BN through
// workgroup memory, a 4 × 4 block for each thread. MODE says what A and B are:
//
//	0 convolution: row m is the pixel (b, i, j), k is (tap, c): A gathers the padded
//	  image a, B is the kernel b; then bias, res, activation
//	1 its adjoint: row m is the pixel of the image, k is (tap, n)
//	2 its gradient in the kernel: row m is (tap, c), k is the pixel; part z of k
//	3 matrices of a batch: matrix z
#include "prelude.cuh"

struct Params {
	uint dst_o, a_o, b_o, bias_o, res_o;
	uint m, n, k, tilesn, h, w, c, oh, ow, kh, kw, stride, pad, edge, act, ta, tb, add, bbatch, kper;
	float scale;
};

constexpr uint SA = BM + 1u;
constexpr uint SB = BN + 1u;
constexpr uint NA = BK * SA;
constexpr uint NB = BK * SB;
__shared__ float sa[NA];
__shared__ float sb[NB];
__shared__ uint pixb[BM]; // first element of the image
__shared__ int pixh[BM];
__shared__ int pixw[BM];

struct Kernel {
	float *dst, *a, *b, *bias, *res;
	Params P;

#include "gather.cuh"

	// decode finds the image and the place of the first tap for pixel m of the result.
	DEVICE void decode(uint i, uint m) {
		const auto ow = pick(P.ow, P.w, MODE == 1u);
		const auto oh = pick(P.oh, P.h, MODE == 1u);
		const auto j = int(m % ow);
		const auto r = int(m / ow % oh);
		const auto b = m / ow / oh;
		if (MODE == 1u) {
			pixb[i] = b * P.oh * P.ow;
			pixh[i] = r + int(P.pad);
			pixw[i] = j + int(P.pad);
		} else {
			pixb[i] = b * P.h * P.w;
			pixh[i] = r * int(P.stride) - int(P.pad);
			pixw[i] = j * int(P.stride) - int(P.pad);
		}
	}

	DEVICE float load_a(uint m0, uint mm, uint k, uint hi, uint z) {
		const auto m = m0 + mm;
		if (m >= P.m || k >= hi) {
			return 0.0f;
		}
		if (MODE == 3u) {
			return a[P.a_o + z * P.m * P.k + pick(m * P.k + k, k * P.m + m, P.ta == 1u)];
		}
		if (MODE == 2u) {
			const auto j = k % P.ow;
			const auto i = k / P.ow % P.oh;
			const auto b = k / P.ow / P.oh;
			return image(b * P.h * P.w, int(i * P.stride) - int(P.pad), int(j * P.stride) - int(P.pad), m / P.c, m % P.c);
		}
		return image(pixb[mm], pixh[mm], pixw[mm], k / P.c, k % P.c);
	}

	DEVICE void put4(uint m, uint n, vec4 v, uint z) {
		put(m, n, v.x, z);
		put(m, n + 1u, v.y, z);
		put(m, n + 2u, v.z, z);
		put(m, n + 3u, v.w, z);
	}

	DEVICE void run() {
		INDICES;
		const auto tile = wg.y * nwg.x + wg.x;
		const auto m0 = tile / P.tilesn * BM;
		const auto n0 = tile % P.tilesn * BN;
		if (m0 >= P.m) {
			return;
		}
		auto lo = 0u;
		auto hi = P.k;
		if (MODE == 2u) {
			lo = wg.z * P.kper;
			hi = min(lo + P.kper, P.k);
		}
		if (MODE < 2u) {
			if (lid < BM) {
				decode(lid, m0 + lid);
			}
			__syncthreads();
		}
		// Neighbouring threads load neighbours in memory.
		const auto amajor = MODE == 2u || (MODE == 3u && P.ta == 1u);
		const auto bmajor = MODE == 1u || (MODE == 3u && P.tb == 1u);
		const auto tm = lid / (BN / 4u) * 4u;
		const auto tn = lid % (BN / 4u) * 4u;
		auto c0 = vec4();
		auto c1 = vec4();
		auto c2 = vec4();
		auto c3 = vec4();
		for (auto k0 = lo; k0 < hi; k0 += BK) {
			for (auto i = lid; i < BM * BK; i += 256u) {
				const auto mm = pick(i / BK, i % BM, amajor);
				const auto kk = pick(i % BK, i / BM, amajor);
				sa[kk * SA + mm] = load_a(m0, mm, k0 + kk, hi, wg.z);
			}
			for (auto i = lid; i < BN * BK; i += 256u) {
				const auto nn = pick(i % BN, i / BK, bmajor);
				const auto kk = pick(i / BN, i % BK, bmajor);
				sb[kk * SB + nn] = load_b(k0 + kk, n0 + nn, hi, wg.z);
			}
			__syncthreads();
			for (auto kk = 0u; kk < BK; kk++) {
				const auto p = kk * SA + tm;
				const auto q = kk * SB + tn;
				const auto v = vec4(sb[q], sb[q + 1u], sb[q + 2u], sb[q + 3u]);
				c0 = fma(vec4(sa[p]), v, c0);
				c1 = fma(vec4(sa[p + 1u]), v, c1);
				c2 = fma(vec4(sa[p + 2u]), v, c2);
				c3 = fma(vec4(sa[p + 3u]), v, c3);
			}
			__syncthreads();
		}
		put4(m0 + tm, n0 + tn, c0, wg.z);
		put4(m0 + tm + 1u, n0 + tn, c1, wg.z);
		put4(m0 + tm + 2u, n0 + tn, c2, wg.z);
		put4(m0 + tm + 3u, n0 + tn, c3, wg.z);
	}
};

KERNEL(gemm, 256)(float *dst, float *a, float *b, float *bias, float *res, Params P) {
	Kernel kernel = {dst, a, b, bias, res, P};
	kernel.run();
}
