// Fourier transforms over lane buffers; see kern.Pass and kern.Program for the
// layouts. Sixteen transforms advance together; a vector takes VW of them.
#include <stddef.h>
#include <stdint.h>

#define LANES 16

// How an element is kept: lane element (16 real, 16 imaginary parts) or 16
// interleaved complex numbers of memory; real and imaginary parts exchanged or not.
// STREAMED results go past the caches; their places are aligned to 64 bytes.
enum { SWAPPED = 1, INTERLEAVED = 2, STREAMED = 4 };

FN void get(vf *r, vf *i, const float *p, int lane, int mode) {
	vf x, y;
	if (mode & INTERLEAVED) {
		deint(ld(p + 2 * lane), ld(p + 2 * lane + VW), &x, &y);
	} else {
		x = ld(p + lane);
		y = ld(p + LANES + lane);
	}
	*r = mode & SWAPPED ? y : x;
	*i = mode & SWAPPED ? x : y;
}

FN void put(float *p, vf r, vf i, int lane, int mode) {
	vf x = mode & SWAPPED ? i : r, y = mode & SWAPPED ? r : i;
	if (mode & INTERLEAVED) {
		vf a, b;
		inter(x, y, &a, &b);
		if (mode & STREAMED) {
			stpast(p + 2 * lane, a);
			stpast(p + 2 * lane + VW, b);
		} else {
			st(p + 2 * lane, a);
			st(p + 2 * lane + VW, b);
		}
	} else {
		st(p + lane, x);
		st(p + LANES + lane, y);
	}
}

#include "butterfly.inc.h"

// view is where a pass reads or writes: element e starts at p + e·step.
typedef struct {
	float *p;
	ptrdiff_t step;
	int mode;
} view;

typedef struct {
	int64_t m, s;
	const float *tw;   // (m, R−1, 2)
	const float *post; // last pass (m = 1) only: (n, 2), a factor for every result
} passargs;

#define REP2(X) X(0) X(1)
#define REP3(X) REP2(X) X(2)
#define REP4(X) REP3(X) X(3)
#define REP5(X) REP4(X) X(4)
#define REP8(X) REP5(X) X(5) X(6) X(7)
#define REP9(X) REP8(X) X(8)
#define REP16(X) REP9(X) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

// Rows of an image are a page or more apart: without a word from us each would be
// waited for.
#define AHEAD(j)                                               \
	{                                                          \
		const char *next = (const char *)(in + 2 * s.step + (j)*js); \
		__builtin_prefetch(next);                              \
		__builtin_prefetch(next + 64);                         \
		__builtin_prefetch(next + 127);                        \
	}
// Two vectors advance together: they are the halves of a cache line (with vectors of 8),
// which may be gone before a second turn, since the inputs of a butterfly lie powers of
// two apart.
#define GET(j)                                          \
	get(&r[j], &i[j], in + (j)*js, lane, im);           \
	if (LANES > VW) get(&r2[j], &i2[j], in + (j)*js, lane + VW, im);
#define PUT(k)                                          \
	put(out + (k)*ks, r[k], i[k], lane, om);            \
	if (LANES > VW) put(out + (k)*ks, r2[k], i2[k], lane + VW, om);
#define TIMES(k, w)                                     \
	{                                                   \
		vf c = bc((w)[0]), t = bc((w)[1]), x = r[k], y = r2[k]; \
		r[k] = fms(x, c, i[k] * t);                     \
		i[k] = fma_(x, t, i[k] * c);                    \
		if (LANES > VW) {                               \
			r2[k] = fms(y, c, i2[k] * t);               \
			i2[k] = fma_(y, t, i2[k] * c);              \
		}                                               \
	}
#define TWIST(k) \
	if (k) TIMES(k, w + 2 * (k)-2)
#define POST(k) TIMES(k, w + 2 * (k)*a.s)

// A pass with the modes known when compiling.
#define PASS(R)                                                                      \
	FN void pass##R##_(view d, view s, passargs a, const int im, const int om) {     \
		const ptrdiff_t js = a.m * a.s * s.step, ks = a.s * d.step;                  \
		for (int64_t p = 0; p < a.m; p++) {                                          \
			const float *w = a.post ? a.post : a.tw + 2 * (R - 1) * p;               \
			for (int64_t q = 0; q < a.s; q++) {                                      \
				const float *in = s.p + (q + a.s * p) * s.step;                      \
				float *out = d.p + (q + a.s * R * p) * d.step;                       \
				if (im & INTERLEAVED) {                                              \
					REP##R(AHEAD)                                                    \
				}                                                                    \
				for (int lane = 0; lane < LANES; lane += 2 * VW) {                   \
					vf r[R], i[R], r2[R], i2[R];                                     \
					REP##R(GET) bf##R(r, i);                                         \
					if (LANES > VW)                                                  \
						bf##R(r2, i2);                                               \
					else                                                             \
						r2[R - 1] = zero();                                          \
					if (p) {                                                         \
						REP##R(TWIST)                                                \
					} else if (a.post) {                                             \
						REP##R(POST)                                                 \
					}                                                                \
					REP##R(PUT)                                                      \
				}                                                                    \
				if (a.post) w += 2;                                                  \
			}                                                                        \
		}                                                                            \
	}                                                                                \
	__attribute__((noinline)) static void pass##R(view d, view s, passargs a) {                                \
		if (s.mode == 0 && d.mode == 0)                                              \
			pass##R##_(d, s, a, 0, 0);                                               \
		else                                                                         \
			pass##R##_(d, s, a, s.mode, d.mode);                                     \
	}
PASS(2)
PASS(3)
PASS(4)
PASS(5)
PASS(8)
PASS(9)
PASS(16)

// Any odd radix by its definition; see kern.passOdd.
static void passodd(int R, view d, view s, passargs a, const float *root) {
	const int H = (R - 1) / 2;
	for (int64_t p = 0; p < a.m; p++)
		for (int64_t q = 0; q < a.s; q++)
			for (int lane = 0; lane < LANES; lane += VW) {
				vf sr[16], si[16], dr[16], di[16], x, y;
				get(&x, &y, s.p + (q + a.s * p) * s.step, lane, s.mode);
				vf tr = x, ti = y;
				for (int j = 1; j <= H; j++) {
					vf br, bi, cr, ci;
					get(&br, &bi, s.p + (q + a.s * (p + a.m * j)) * s.step, lane, s.mode);
					get(&cr, &ci, s.p + (q + a.s * (p + a.m * (R - j))) * s.step, lane, s.mode);
					sr[j] = br + cr, si[j] = bi + ci, dr[j] = br - cr, di[j] = bi - ci;
					tr = tr + sr[j], ti = ti + si[j];
				}
				for (int k = 0; k <= H; k++) {
					vf er = x, ei = y, fr = zero(), fi = zero();
					if (k == 0) er = tr, ei = ti;
					for (int j = 1, jk = k; k && j <= H; j++) {
						vf c = bc(root[2 * jk]), t = bc(root[2 * jk + 1]);
						er = fma_(c, sr[j], er), ei = fma_(c, si[j], ei);
						fr = fnma(t, di[j], fr), fi = fma_(t, dr[j], fi);
						if ((jk += k) >= R) jk -= R;
					}
					for (int side = 0; side < (k ? 2 : 1); side++) {
						int o = side ? R - k : k;
						vf r = side ? er - fr : er + fr, i = side ? ei - fi : ei + fi;
						const float *w = 0;
						if (a.post)
							w = a.post + 2 * (q + o * a.s);
						else if (o)
							w = a.tw + 2 * ((R - 1) * p + o - 1);
						if (w) {
							vf c = bc(w[0]), t = bc(w[1]), z = r;
							r = fms(z, c, i * t);
							i = fma_(z, t, i * c);
						}
						put(d.p + (q + a.s * (R * p + o)) * d.step, r, i, lane, d.mode);
					}
				}
			}
}

// A list of passes: count, then {radix, m, s, offset of twiddles, of roots} each.
static void passes(const int32_t *list, const float *tab, view d, view s, const float *post, float *t0, float *t1) {
	int n = list[0];
	if (n == 0) { // one element
		for (int lane = 0; lane < LANES; lane += VW) {
			vf r, i;
			get(&r, &i, s.p, lane, s.mode);
			put(d.p, r, i, lane, d.mode);
		}
	}
	for (int k = 0; k < n; k++) {
		const int32_t *l = list + 1 + 5 * k;
		view to = {t0, 2 * LANES, 0};
		if (k == n - 1) to = d;
		passargs a = {l[1], l[2], tab + l[3], k == n - 1 ? post : 0};
		switch (l[0]) {
		case 2: pass2(to, s, a); break;
		case 3: pass3(to, s, a); break;
		case 4: pass4(to, s, a); break;
		case 5: pass5(to, s, a); break;
		case 8: pass8(to, s, a); break;
		case 9: pass9(to, s, a); break;
		case 16: pass16(to, s, a); break;
		default: passodd(l[0], to, s, a, tab + l[4]);
		}
		float *t = t0;
		t0 = t1, t1 = t;
		s = to;
	}
}

// The transform of program pr = {n, A, B, offset of post, list A, list B at pr[5]}.
// B = 1: one list. Otherwise n = A·B: A-point transforms at stride B, factors
// e^(−2πi b k/n), B-point transforms, each within the first-level cache. work holds
// 2n elements, or n + A + 2 max(A, B).
static void transform(const int32_t *pr, const float *tab, view d, view s, float *work) {
	const int64_t n = pr[0], A = pr[1], B = pr[2];
	const int32_t *la = pr + 6, *lb = pr + pr[5];
	if (B == 1) {
		passes(la, tab, d, s, 0, work, work + n * 2 * LANES);
		return;
	}
	// The rows of the intermediate (A, B) are one element apart, lest a power of two
	// sends a whole column to one set of the cache.
	const int64_t big = A > B ? A : B, pitch = (B + 1) * 2 * LANES;
	float *t0 = work + A * pitch, *t1 = t0 + big * 2 * LANES;
	for (int64_t b = 0; b < B; b++) {
		view si = {s.p + b * s.step, s.step * B, s.mode}, so = {work + b * 2 * LANES, pitch, 0};
		if (s.mode & INTERLEAVED && b + 1 < B)
			for (int64_t a = 0; a < A; a++) {
				const char *next = (const char *)(si.p + s.step + a * si.step);
				__builtin_prefetch(next);
				__builtin_prefetch(next + 64);
				__builtin_prefetch(next + 127);
			}
		passes(la, tab, so, si, tab + pr[3] + 2 * A * b, t0, t1);
	}
	for (int64_t k = 0; k < A; k++) {
		view si = {work + k * pitch, 2 * LANES, 0}, so = {d.p + k * d.step, d.step * A, d.mode};
		passes(lb, tab, so, si, 0, t0, t1);
	}
}

// Rows to lanes and back; see kern.LoadRows and kern.StoreRows. Lines of rows a power of
// two apart share one set of the cache, so that each is used whole before the next. Of
// rows FAR apart or more, STAGE columns at a time pass through a block whose rows are
// not, and memory sees runs.
#define STAGE 128
#define STAGEPITCH (STAGE + 16)
#define FAR 1536
#define LINE 16

FN void runcopy(float *d, const float *s, int64_t n) {
	int64_t i = 0;
	for (; i + VW <= n; i += VW) st(d + i, ld(s + i));
	if (i < n) stn(d + i, ldn(s + i, (int)(n - i)), (int)(n - i));
}

// Columns c to c + VW of VW rows to lanes from l on, k of these columns.
FN void lanetile(float *dst, const float *src, int64_t c, int k, int64_t stride, int l, int lanes) {
	vf r[VW];
	UNROLL for (int j = 0; j < VW; j++) {
		r[j] = zero();
		if (l + j >= lanes) continue;
		if (k == VW)
			r[j] = ld(src + (l + j) * stride + c);
		else
			r[j] = ldn(src + (l + j) * stride + c, k);
	}
	transpose(r);
	UNROLL for (int j = 0; j < VW; j++) if (j < k) st(dst + (c + j) * LANES + l, r[j]);
}

// m columns of rows.
FN void lanesof(float *dst, const float *src, int64_t m, int64_t stride, int lanes) {
	int64_t c = 0;
	for (; c + LINE <= m; c += LINE)
		for (int l = 0; l < LANES; l += VW) {
			UNROLL for (int j = 0; j < VW; j++)
				if (l + j < lanes) __builtin_prefetch(src + (l + j) * stride + c + 2 * LINE, 0, 2);
			UNROLL for (int i = 0; i < LINE; i += VW) lanetile(dst, src, c + i, VW, stride, l, lanes);
		}
	for (; c < m; c += VW)
		for (int l = 0; l < LANES; l += VW) lanetile(dst, src, c, m - c < VW ? (int)(m - c) : VW, stride, l, lanes);
}

static void loadrows(float *dst, const float *src, int64_t n, int64_t stride, int lanes) {
	if (stride < FAR) {
		lanesof(dst, src, n, stride, lanes);
		return;
	}
	float stage[LANES * STAGEPITCH];
	for (int64_t c0 = 0; c0 < n; c0 += STAGE) {
		const int64_t m = n - c0 < STAGE ? n - c0 : STAGE;
		for (int j = 0; j < lanes; j++) {
			const float *p = src + j * stride + c0;
			if (n - c0 > STAGE)
				for (int64_t i = 0; i < STAGE; i += 16) __builtin_prefetch(p + STAGE + i, 0, 2);
			runcopy(stage + j * STAGEPITCH, p, m);
		}
		lanesof(dst + c0 * LANES, stage, m, STAGEPITCH, lanes);
	}
}

// A run past the caches but for the lines at its ends, which others share.
FN void runpast(float *d, const float *s, int64_t n) {
	int64_t i = -(int64_t)((uintptr_t)d / 4) & 15;
	if (i > n) i = n;
	runcopy(d, s, i);
	for (; i + 16 <= n; i += 16)
		UNROLL for (int v = 0; v < 16; v += VW) stpast(d + i + v, ld(s + i + v));
	runcopy(d + i, s + i, n - i);
}

// The way back of lanetile.
FN void rowtile(float *dst, const float *src, int64_t c, int k, int64_t stride, int l, int lanes, int flip, vf f) {
	vf r[VW];
	UNROLL for (int j = 0; j < VW; j++) {
		r[j] = zero();
		if (j < k) r[j] = f * ld(src + ((c + j) ^ flip) * LANES + l);
	}
	transpose(r);
	UNROLL for (int j = 0; j < VW; j++) {
		if (l + j >= lanes) continue;
		if (k == VW)
			st(dst + (l + j) * stride + c, r[j]);
		else
			stn(dst + (l + j) * stride + c, r[j], k);
	}
}

// m columns of lanes.
FN void rowsof(float *dst, const float *src, int64_t m, int64_t stride, int lanes, int flip, float scale) {
	const vf f = bc(scale);
	int64_t c = 0;
	for (; c + LINE <= m; c += LINE)
		for (int l = 0; l < lanes; l += VW)
			UNROLL for (int i = 0; i < LINE; i += VW) rowtile(dst, src, c + i, VW, stride, l, lanes, flip, f);
	for (; c < m; c += VW)
		for (int l = 0; l < lanes; l += VW) rowtile(dst, src, c, m - c < VW ? (int)(m - c) : VW, stride, l, lanes, flip, f);
}

static void storerows(float *dst, const float *src, int64_t n, int64_t stride, int lanes, int flip, float scale, int past) {
	if (stride < FAR) {
		rowsof(dst, src, n, stride, lanes, flip, scale);
		return;
	}
	float stage[LANES * STAGEPITCH];
	for (int64_t c0 = 0; c0 < n; c0 += STAGE) {
		const int64_t m = n - c0 < STAGE ? n - c0 : STAGE;
		rowsof(stage, src + c0 * LANES, m, STAGEPITCH, lanes, flip, scale);
		for (int j = 0; j < lanes; j++) {
			if (past)
				runpast(dst + j * stride + c0, stage + j * STAGEPITCH, m);
			else
				runcopy(dst + j * stride + c0, stage + j * STAGEPITCH, m);
		}
	}
	if (past) fence();
}

// See kern.SplitReal and kern.JoinReal.
static void splitreal(float *z, const float *rot, int64_t h) {
	const vf half = bc(0.5f);
	for (int l = 0; l < LANES; l += VW) {
		vf a = ld(z + l), b = ld(z + LANES + l);
		st(z + l, a + b);
		st(z + LANES + l, a - b);
	}
	for (int64_t k = 1; k <= h / 2; k++) {
		float *a = z + k * 2 * LANES, *b = z + (h - k) * 2 * LANES;
		const vf c = bc(0.5f * rot[2 * k]), s = bc(0.5f * rot[2 * k + 1]);
		for (int l = 0; l < LANES; l += VW) {
			vf ar = ld(a + l), ai = ld(a + LANES + l), br = ld(b + l), bi = ld(b + LANES + l);
			vf er = half * (ar + br), ei = half * (ai - bi), or_ = ai + bi, oi = br - ar;
			vf tr = fms(or_, c, oi * s), ti = fma_(or_, s, oi * c);
			st(a + l, er + tr), st(a + LANES + l, ei + ti);
			st(b + l, er - tr), st(b + LANES + l, ti - ei);
		}
	}
}

static void joinreal(float *z, const float *rot, int64_t h) {
	for (int l = 0; l < LANES; l += VW) {
		vf a = ld(z + l), b = ld(z + LANES + l);
		st(z + l, a - b);
		st(z + LANES + l, a + b);
	}
	for (int64_t k = 1; k <= h / 2; k++) {
		float *a = z + k * 2 * LANES, *b = z + (h - k) * 2 * LANES;
		const vf c = bc(rot[2 * k]), s = bc(-rot[2 * k + 1]);
		for (int l = 0; l < LANES; l += VW) {
			vf ar = ld(a + l), ai = ld(a + LANES + l), br = ld(b + l), bi = ld(b + LANES + l);
			vf er = ar + br, ei = ai - bi, fr = ar - br, fi = ai + bi;
			vf or_ = fms(fr, c, fi * s), oi = fma_(fr, s, fi * c);
			st(a + l, ei + or_), st(a + LANES + l, er - oi);
			st(b + l, or_ - ei), st(b + LANES + l, er + oi);
		}
	}
}

// One group of up to 16 real rows of even length w = 2n, forward: n elements of buf,
// then the transform's work.
static void rowsforward(const int32_t *pr, const float *tab, const float *rot, float *dst, int64_t dstride,
                        const float *src, int64_t sstride, int lanes, int past, float *buf) {
	const int64_t n = pr[0];
	view v = {buf, 2 * LANES, 0};
	loadrows(buf, src, 2 * n, sstride, lanes);
	transform(pr, tab, v, v, buf + n * 2 * LANES);
	splitreal(buf, rot, n);
	storerows(dst, buf, 2 * n, dstride, lanes, 0, 1, past);
}

static void rowsbackward(const int32_t *pr, const float *tab, const float *rot, float *data, int64_t stride,
                         int lanes, float scale, float *buf) {
	const int64_t n = pr[0];
	view v = {buf, 2 * LANES, 0};
	loadrows(buf, data, 2 * n, stride, lanes);
	joinreal(buf, rot, n);
	transform(pr, tab, v, v, buf + n * 2 * LANES);
	storerows(data, buf, 2 * n, stride, lanes, 1, scale, 0);
}

// See kern.LoadCols and kern.StoreCols.
static void loadcols(float *dst, const float *src, int64_t n, int64_t stride, int lanes, int swap) {
	for (int64_t k = 0; k < n; k++) {
		const float *p = src + k * stride;
		float *d = dst + k * 2 * LANES;
		for (int l = 0; l < LANES; l += VW) {
			vf a = zero(), b = zero(), re, im;
			int left = 2 * (lanes - l);
			if (left >= 2 * VW) {
				a = ld(p + 2 * l), b = ld(p + 2 * l + VW);
			} else if (left > VW) {
				a = ld(p + 2 * l), b = ldn(p + 2 * l + VW, left - VW);
			} else if (left > 0) {
				a = left == VW ? ld(p + 2 * l) : ldn(p + 2 * l, left);
			}
			deint(a, b, &re, &im);
			st(d + (swap ? LANES : 0) + l, re);
			st(d + (swap ? 0 : LANES) + l, im);
		}
	}
}

static void storecols(float *dst, const float *src, int64_t n, int64_t stride, int lanes, int swap, float scale) {
	const vf f = bc(scale);
	for (int64_t k = 0; k < n; k++) {
		float *p = dst + k * stride;
		const float *s = src + k * 2 * LANES;
		for (int l = 0; l < lanes; l += VW) {
			vf a, b;
			int left = 2 * (lanes - l);
			inter(f * ld(s + (swap ? LANES : 0) + l), f * ld(s + (swap ? 0 : LANES) + l), &a, &b);
			if (left >= VW)
				st(p + 2 * l, a);
			else
				stn(p + 2 * l, a, left);
			if (left >= 2 * VW)
				st(p + 2 * l + VW, b);
			else if (left > VW)
				stn(p + 2 * l + VW, b, left - VW);
		}
	}
}

static void fft(const int32_t *pr, const float *tab, float *d, int64_t dstep, int dmode, const float *s,
                int64_t sstep, int smode, float *work) {
	view vd_ = {d, dstep, dmode}, vs = {(float *)s, sstep, smode};
	transform(pr, tab, vd_, vs, work);
	if (dmode & STREAMED) fence();
}
