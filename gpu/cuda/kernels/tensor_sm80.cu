// The product of gemm on tensor cores (mma.sync, PTX ISA 7.0, compute capability 8.0 and
// later): dst (m, n) = Σ_k A(m, k) B(k, n) in tiles of 64 × 64. Eight warps hold 32 × 16
// of a tile each, as 2 × 2 fragments of 16 × 8. MODE is that of gemm (0, 1 or 3). PREC
// says what is multiplied; sums are float32:
//
//	0 tf32: 11 significant bits, relative error of a product up to 2^−11
//	1 bf16: 8 significant bits, 2^−8
//	2 tf32 three times: x = hi + lo, A B ≈ lo hi + hi lo + hi hi; error about 2^−22
#include "prelude.cuh"
#include "mma.cuh"

struct Params {
	uint dst_o, a_o, b_o, bias_o, res_o;
	uint m, n, k, tilesn, h, w, c, oh, ow, kh, kw, stride, pad, edge, act, ta, tb, add, bbatch, kper;
	float scale;
};

constexpr uint BM = 64u, BN = 64u, BK = 16u;
constexpr uint SA = BK + 4u; // rows whose fragments lie in different banks
constexpr uint SB = BN + 8u;
__shared__ __attribute__((aligned(16))) float sa[BM * SA]; // (m, k)
__shared__ __attribute__((aligned(16))) float sb[BK * SB]; // (k, n)

typedef float quad __attribute__((vector_size(16))); // loaded and stored at once

struct Kernel {
	float *dst, *a, *b, *bias, *res;
	Params P;

#include "gather.cuh"

	// The row of A that this thread loads: the first pixel of its image, the first tap.
	uint row, image0;
	int h0, w0;

	DEVICE void decode(uint m) {
		row = m;
		const auto ow = pick(P.ow, P.w, MODE == 1u);
		const auto oh = pick(P.oh, P.h, MODE == 1u);
		const auto j = int(m % ow);
		const auto i = int(m / ow % oh);
		const auto pic = m / ow / oh;
		image0 = pic * pick(P.h * P.w, P.oh * P.ow, MODE == 1u);
		h0 = MODE == 1u ? i + int(P.pad) : i * int(P.stride) - int(P.pad);
		w0 = MODE == 1u ? j + int(P.pad) : j * int(P.stride) - int(P.pad);
	}

	DEVICE float load_a(uint k, uint z) {
		if (row >= P.m || k >= P.k) {
			return 0.0f;
		}
		if (MODE == 3u) {
			return a[P.a_o + z * P.m * P.k + pick(row * P.k + k, k * P.m + row, P.ta == 1u)];
		}
		return image(image0, h0, w0, k / P.c, k % P.c);
	}

	// Four neighbours in k: of one tap where the channels are a multiple of four.
	DEVICE quad load_a4(uint k, uint z, bool whole) {
		if (!whole || row >= P.m || k >= P.k) {
			return quad{load_a(k, z), load_a(k + 1u, z), load_a(k + 2u, z), load_a(k + 3u, z)};
		}
		if (MODE == 3u) {
			return *(const quad *)(a + P.a_o + z * P.m * P.k + row * P.k + k);
		}
		const auto tap = k / P.c;
		auto i = h0;
		auto j = w0;
		auto width = P.w;
		if (MODE == 1u) {
			const auto s = int(P.stride);
			i -= int(tap / P.kw);
			j -= int(tap % P.kw);
			if (i < 0 || j < 0 || i % s != 0 || j % s != 0 || i / s >= int(P.oh) || j / s >= int(P.ow)) {
				return quad{};
			}
			i /= s;
			j /= s;
			width = P.ow;
		} else {
			i = edge_(i + int(tap / P.kw), int(P.h), P.edge);
			j = edge_(j + int(tap % P.kw), int(P.w), P.edge);
			if (i < 0 || j < 0) {
				return quad{};
			}
		}
		return *(const quad *)(a + P.a_o + (image0 + uint(i) * width + uint(j)) * P.c + k % P.c);
	}

	DEVICE quad load_b4(uint k, uint n, uint z, bool whole) {
		if (!whole || n >= P.n || k >= P.k) {
			return quad{load_b(k, n, P.k, z), load_b(k, n + 1u, P.k, z), load_b(k, n + 2u, P.k, z), load_b(k, n + 3u, P.k, z)};
		}
		const auto from = MODE == 3u ? z % P.bbatch * P.k * P.n : 0u;
		return *(const quad *)(b + P.b_o + from + k * P.n + n);
	}

	DEVICE void run() {
		INDICES;
		const auto tile = wg.y * nwg.x + wg.x;
		const auto m0 = tile / P.tilesn * BM;
		const auto n0 = tile % P.tilesn * BN;
		if (m0 >= P.m) {
			return;
		}
		const auto z = wg.z;
		// Thread: four neighbours in k of one row of A, four in n of one row of B.
		const auto am = lid / 4u;
		const auto ak = lid % 4u * 4u;
		const auto bk = lid / 16u;
		const auto bn = lid % 16u * 4u;
		decode(m0 + am);
		const auto awhole = P.a_o % 4u == 0u && (MODE == 3u ? P.ta == 0u && P.k % 4u == 0u : P.c % 4u == 0u);
		const auto bwhole = P.b_o % 4u == 0u && P.n % 4u == 0u && (MODE == 0u || (MODE == 3u && P.tb == 0u));
		const auto warp = lid / 32u;
		const auto lane = lid % 32u;
		const auto wm = warp / 4u * 32u;
		const auto wn = warp % 4u * 16u;
		Fragment sum[2][2];
#pragma unroll
		for (auto i = 0u; i < 2u; i++) {
#pragma unroll
			for (auto j = 0u; j < 2u; j++) {
				sum[i][j].clear();
			}
		}
		auto ra = load_a4(ak, z, awhole);
		auto rb = load_b4(bk, n0 + bn, z, bwhole);
		for (auto k0 = 0u; k0 < P.k; k0 += BK) {
			*(quad *)(sa + am * SA + ak) = ra;
			*(quad *)(sb + bk * SB + bn) = rb;
			__syncthreads();
			if (k0 + BK < P.k) { // memory works while the cores do
				ra = load_a4(k0 + BK + ak, z, awhole);
				rb = load_b4(k0 + BK + bk, n0 + bn, z, bwhole);
			}
#pragma unroll
			for (auto kk = 0u; kk < BK; kk += Step<PREC>::depth) {
				Step<PREC> s;
#pragma unroll
				for (auto i = 0u; i < 2u; i++) {
					s.load_a(i, sa + (wm + i * 16u) * SA + kk, SA, lane);
					s.load_b(i, sb + kk * SB + wn + i * 8u, SB, lane);
				}
#pragma unroll
				for (auto i = 0u; i < 2u; i++) {
#pragma unroll
					for (auto j = 0u; j < 2u; j++) {
						s.multiply(sum[i][j], i, j, lid);
					}
				}
			}
			__syncthreads();
		}
#pragma unroll
		for (auto i = 0u; i < 2u; i++) {
#pragma unroll
			for (auto j = 0u; j < 2u; j++) {
#pragma unroll
				for (auto e = 0u; e < 4u; e++) {
					put(m0 + wm + i * 16u + lane / 4u + e / 2u * 8u, n0 + wn + j * 8u + lane % 4u * 2u + e % 2u, sum[i][j].c[e], z);
				}
			}
		}
	}
};

KERNEL(tensor_sm80, 256)(float *dst, float *a, float *b, float *bias, float *res, Params P) {
	Kernel kernel = {dst, a, b, bias, res, P};
	kernel.run();
}
