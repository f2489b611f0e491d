// Products of matrices, the heart of every convolution.
//
// A micro-kernel keeps up to six rows and PV panels of the result in registers and
// adds Σ_t Σ_k a[row][t][k] · b[panel][t][k][column]. a is read as single numbers, b
// as vectors from panels of 16 columns. t counts the taps of a convolution, whose
// places in a are given by offsets; a plain product has one tap at 0.
#include <stdint.h>

typedef struct {
	const float *a;
	int64_t rs, ks;      // steps between rows and between k, in floats
	const int64_t *taps; // offsets in a
	int64_t ntaps, K;
	const float *b;
	int64_t bs, bp;      // steps between k and between panels
	float *c;
	int64_t ldc;         // step between rows of c
	int64_t cols;        // columns of c, at most 16 PV
	int add;             // c += …
} ukargs;

#define PV (LANES / VW) // vectors of a panel

#define ROW(m, e)                                                              \
	if (m < MR) {                                                              \
		vf x = bc(e);                                                          \
		UNROLL for (int v = 0; v < NV; v++) acc[m][v] = fma_(x, bv[v], acc[m][v]); \
	}

// Three rows share a pointer: x86 addresses p, p + rs and p + 2 rs alike.
FN void microkernel(const ukargs *g, const int MR, const int NP) {
	enum { MOST = 6, WIDE = 16 };
	const int NV = NP * PV;
	const int64_t rs = g->rs, ks = g->ks, K = g->K, bs = g->bs, bp = g->bp;
	const float *b = g->b;
	vf acc[MOST][WIDE];
	UNROLL for (int m = 0; m < MR; m++) UNROLL for (int v = 0; v < NV; v++) acc[m][v] = zero();
	for (int64_t t = 0; t < g->ntaps; t++) {
		const float *p = g->a + g->taps[t], *q = p + 3 * rs;
		for (int64_t k = 0; k < K; k++) {
			vf bv[WIDE];
			UNROLL for (int v = 0; v < NV; v++) bv[v] = ld(b + v / PV * bp + v % PV * VW);
			ROW(0, p[0])
			ROW(1, p[rs])
			ROW(2, p[2 * rs])
			ROW(3, q[0])
			ROW(4, q[rs])
			ROW(5, q[2 * rs])
			p += ks, q += ks, b += bs;
		}
	}
	UNROLL for (int m = 0; m < MR; m++) {
		float *c = g->c + m * g->ldc;
		UNROLL for (int v = 0; v < NV; v++) {
			int n = (int)(g->cols - v * VW);
			vf x = acc[m][v];
			if (n >= VW) {
				if (g->add) x = x + ld(c + v * VW);
				st(c + v * VW, x);
			} else if (n > 0) {
				if (g->add) x = x + ldn(c + v * VW, n);
				stn(c + v * VW, x, n);
			}
		}
	}
}

typedef void (*ukfn)(const ukargs *);
#define UK(M, P) \
	static void uk##M##x##P(const ukargs *g) { microkernel(g, M, P); }
#define UKS(P) UK(1, P) UK(2, P) UK(3, P) UK(4, P) UK(5, P) UK(6, P)
#define UKLIST(P) {uk1x##P, uk2x##P, uk3x##P, uk4x##P, uk5x##P, uk6x##P}
UKS(1)
#if VW == 16 // 32 registers of a whole panel each
UKS(2)
UKS(4)
static const ukfn uks[3][6] = {UKLIST(1), UKLIST(2), UKLIST(4)};
#define MOSTPANELS 4
#else
static const ukfn uks[1][6] = {UKLIST(1)};
#define MOSTPANELS 1
#endif

// c (M, N) = or += Σ_t a_t (M, K) b_t (K, N); see kern.Gemm. Rows come in blocks, so
// that a block of a stays in the second-level cache while the panels pass.
static void gemm(ukargs g, int64_t M, int64_t N) {
	enum { BLOCK = 48 };
	const float *a = g.a, *b = g.b;
	float *c = g.c;
	for (int64_t m0 = 0; m0 < M; m0 += BLOCK) {
		int64_t m1 = m0 + BLOCK < M ? m0 + BLOCK : M;
		for (int64_t n = 0; n < N;) {
			int np = MOSTPANELS, kind = MOSTPANELS == 4 ? 2 : 0;
			while (np > 1 && n + LANES * (np - 1) >= N) np /= 2, kind--;
			g.b = b + n / LANES * g.bp;
			g.cols = N - n < np * LANES ? N - n : np * LANES;
			for (int64_t m = m0; m < m1; m += 6) {
				int rows = m1 - m < 6 ? (int)(m1 - m) : 6;
				g.a = a + m * g.rs;
				g.c = c + m * g.ldc + n;
				uks[kind][rows - 1](&g);
			}
			n += np * LANES;
		}
	}
}

static void gemmcall(float *c, int64_t ldc, const float *a, const int64_t *taps, const float *b, const int64_t *g) {
	// g: M, N, K, ntaps, rs, ks, bs, bp, add
	ukargs u = {a, g[4], g[5], taps, g[3], g[2], b, g[6], g[7], c, ldc, 0, (int)g[8]};
	gemm(u, g[0], g[1]);
}

// What comes after a product: c + bias + res through a function, over rows of n.
static void finish(float *c, int64_t rows, int64_t n, int64_t ldc, const float *bias, const float *res, int64_t ldr, int act) {
	for (int64_t r = 0; r < rows; r++, c += ldc) {
		int64_t i = 0;
		for (; i + VW <= n; i += VW) {
			vf x = ld(c + i);
			if (bias) x = x + ld(bias + i);
			if (res) x = x + ld(res + r * ldr + i);
			st(c + i, activate(x, act));
		}
		if (i < n) {
			int k = (int)(n - i);
			vf x = ldn(c + i, k);
			if (bias) x = x + ldn(bias + i, k);
			if (res) x = x + ldn(res + r * ldr + i, k);
			stn(c + i, activate(x, act), k);
		}
	}
}
