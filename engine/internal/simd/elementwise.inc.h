// Elementwise functions and reductions.
#include <stdint.h>

// eˣ, 2 units in the last place: x = n ln 2 + r, the series of eʳ to r⁷. The power
// of two is applied in two halves, so that results overflow to infinity and fade
// through the subnormals to 0 as they should.
FN vf vexp(vf x) {
	vf c = vmin(bc(100), vmax(bc(-110), x)); // NaN stays: min and max give the second
	vf n = vround(c * bc(1.44269504088896341f));
	vf r = fnma(n, bc(0.693359375f), c);
	r = fnma(n, bc(-2.12194440054690583e-4f), r);
	vf p = bc(1.f / 5040);
	p = fma_(p, r, bc(1.f / 720));
	p = fma_(p, r, bc(1.f / 120));
	p = fma_(p, r, bc(1.f / 24));
	p = fma_(p, r, bc(1.f / 6));
	p = fma_(p, r, bc(0.5f));
	p = fma_(p, r * r, r) + bc(1);
	vf half = vround(n * bc(0.5f));
	vi a = toint(half), b = toint(n - half);
	p = p * unbits(SHL(iadd(a, ibc(127)), 23));
	return p * unbits(SHL(iadd(b, ibc(127)), 23));
}

// ln x for x > 0, else 0: as engine.Normals does it, x = m 2ᵉ with m in [¾, 1½).
FN vf vlog(vf x) {
	vm small = gt(bc(1.17549435e-38f), x);
	vf y = sel(small, x * bc(0x1p24f), x);
	vi i = isub(bits(y), ibc(0x3f400000)); // ¾
	vf e = tofloat(isub(SHR(iadd(i, ibc(0x40000000)), 23), ibc(0x80)));
	vf m = unbits(iadd(iand(i, ibc(0x007fffff)), ibc(0x3f400000)));
	e = e - keep(small, bc(24));
	vf f = m - bc(1), s = f / (bc(2) + f), s2 = s * s;
	vf p = fma_(s2, bc(2.f / 9), bc(2.f / 7));
	p = fma_(s2, p, bc(2.f / 5));
	p = fma_(s2, p, bc(2.f / 3));
	p = fma_(s2, p, bc(2));
	p = fma_(e, bc(0.693147180559945309f), s * p);
	p = sel(gt(x, bc(3.4e38f)), x, p); // infinity
	return keep(gt(x, zero()), p);
}

// tanh x: the series below ¼, (1−t)/(1+t) with t = e^(−2|x|) above.
FN vf vtanh(vf x) {
	vf a = vabs(x), x2 = x * x;
	vf t = vexp(bc(-2) * a);
	vf big = (bc(1) - t) / (bc(1) + t);
	big = sel(gt(zero(), x), zero() - big, big);
	vf p = fma_(x2, bc(62.f / 2835), bc(-17.f / 315));
	p = fma_(x2, p, bc(2.f / 15));
	p = fma_(x2, p, bc(-1.f / 3));
	p = fma_(x * x2, p, x);
	return sel(gt(bc(0.25f), a), p, big);
}

FN vf vsigmoid(vf x) { return bc(1) / (bc(1) + vexp(zero() - x)); }

// The standard normal distribution function, absolute error 1e-7 (Abramowitz &
// Stegun 1964, 7.1.26).
FN vf vphi(vf x) {
	vf a = vabs(x) * bc(0.707106781186547524f);
	vf t = bc(1) / fma_(bc(0.3275911f), a, bc(1));
	vf p = fma_(t, bc(1.061405429f), bc(-1.453152027f));
	p = fma_(t, p, bc(1.421413741f));
	p = fma_(t, p, bc(-0.284496736f));
	p = fma_(t, p, bc(0.254829592f));
	vf q = bc(0.5f) * (p * t) * vexp(zero() - a * a); // Φ(−|x|)
	return sel(gt(zero(), x), q, bc(1) - q);
}
FN vf vdensity(vf x) { return bc(0.398942280401432678f) * vexp(bc(-0.5f) * x * x); }

FN vf vsoftplus(vf x) { // ln(1 + eˣ) = max(x, 0) + ln(1 + e^(−|x|)), and t where 1 + t is 1
	vf t = vexp(zero() - vabs(x)), u = bc(1) + t;
	vf l = vlog(u) + (t - (u - bc(1))) / u;
	return vmax(zero(), x) + l;
}

#define UNARY(name, expr)                                            \
	static void un_##name(float *d, const float *x, int64_t n) {     \
		int64_t i = 0;                                               \
		for (; i + VW <= n; i += VW) {                               \
			vf v = ld(x + i);                                        \
			st(d + i, expr);                                         \
		}                                                            \
		if (i < n) {                                                 \
			vf v = ldn(x + i, (int)(n - i));                         \
			stn(d + i, expr, (int)(n - i));                          \
		}                                                            \
	}
UNARY(identity, v)
UNARY(exp, vexp(v))
UNARY(log, vlog(v))
UNARY(sqrt, keep(gt(v, zero()), vsqrt(v)))
UNARY(square, v *v)
UNARY(recip, keep(ne(v, zero()), bc(1) / v))
UNARY(abs, vabs(v))
UNARY(relu, vmax(zero(), v))
UNARY(tanh, vtanh(v))
UNARY(sigmoid, vsigmoid(v))
UNARY(silu, v *vsigmoid(v))
UNARY(gelu, v *vphi(v))
UNARY(softplus, vsoftplus(v))

// Derivatives: d = f′(x) g.
#define GRAD(name, expr)                                                           \
	static void gr_##name(float *d, const float *x, const float *g, int64_t n) {   \
		int64_t i = 0;                                                             \
		for (; i + VW <= n; i += VW) {                                             \
			vf v = ld(x + i), w = ld(g + i);                                       \
			(void)v;                                                               \
			st(d + i, w * (expr));                                                 \
		}                                                                          \
		if (i < n) {                                                               \
			vf v = ldn(x + i, (int)(n - i)), w = ldn(g + i, (int)(n - i));         \
			(void)v;                                                               \
			stn(d + i, w * (expr), (int)(n - i));                                  \
		}                                                                          \
	}
FN vf dsilu(vf x) {
	vf s = vsigmoid(x);
	return s * fma_(x, bc(1) - s, bc(1));
}
FN vf dtanh_(vf x) {
	vf t = vtanh(x);
	return fnma(t, t, bc(1));
}
FN vf dsigmoid(vf x) {
	vf s = vsigmoid(x);
	return s * (bc(1) - s);
}
FN vf sign(vf x) { return keep(gt(x, zero()), bc(1)) - keep(gt(zero(), x), bc(1)); }
FN vf drecip(vf x) {
	vf r = keep(ne(x, zero()), bc(1) / x);
	return zero() - r * r;
}
GRAD(identity, bc(1))
GRAD(exp, vexp(v))
GRAD(log, keep(gt(v, zero()), bc(1) / v))
GRAD(sqrt, keep(gt(v, zero()), bc(0.5f) / vsqrt(v)))
GRAD(square, v + v)
GRAD(recip, drecip(v))
GRAD(abs, sign(v))
GRAD(relu, keep(gt(v, zero()), bc(1)))
GRAD(tanh, dtanh_(v))
GRAD(sigmoid, dsigmoid(v))
GRAD(silu, dsilu(v))
GRAD(gelu, fma_(v, vdensity(v), vphi(v)))
GRAD(softplus, vsigmoid(v))

// The functions an operation may end with, and their slopes; the numbers are
// engine.Unary's.
FN vf activate(vf x, int act) {
	switch (act) {
	case 7: return vmax(zero(), x);
	case 8: return vtanh(x);
	case 9: return vsigmoid(x);
	case 10: return x * vsigmoid(x);
	case 11: return x * vphi(x);
	case 12: return vsoftplus(x);
	}
	return x;
}
FN vf slope(vf x, int act) {
	switch (act) {
	case 7: return keep(gt(x, zero()), bc(1));
	case 8: return dtanh_(x);
	case 9: return dsigmoid(x);
	case 10: return dsilu(x);
	case 11: return fma_(x, vdensity(x), vphi(x));
	case 12: return vsigmoid(x);
	}
	return bc(1);
}

#define BINARY(name, expr)                                                         \
	static void bi_##name(float *d, const float *x, const float *y, int64_t n) {   \
		int64_t i = 0;                                                             \
		for (; i + VW <= n; i += VW) {                                             \
			vf a = ld(x + i), b = ld(y + i);                                       \
			st(d + i, expr(d + i, ld));                                            \
		}                                                                          \
		if (i < n) {                                                               \
			int k = (int)(n - i);                                                  \
			vf a = ldn(x + i, k), b = ldn(y + i, k);                               \
			stn(d + i, expr(d + i, TAIL), k);                                      \
		}                                                                          \
	}
#define TAIL(p) ldn(p, k)
#define E_ADD(p, l) a + b
#define E_SUB(p, l) a - b
#define E_MUL(p, l) a *b
#define E_DIV(p, l) keep(ne(b, zero()), a / b)
#define E_MULADD(p, l) fma_(a, b, l(p))
#define E_CMUL(p, l) fmaddsub(a, evens(b), swappairs(a) * odds(b))
#define E_CMULC(p, l) fmsubadd(a, evens(b), swappairs(a) * odds(b))
BINARY(add, E_ADD)
BINARY(sub, E_SUB)
BINARY(mul, E_MUL)
BINARY(div, E_DIV)
BINARY(muladd, E_MULADD)
BINARY(cmul, E_CMUL)
BINARY(cmulconj, E_CMULC)

// n is the number of complex elements' parts, as of the others.
static void bi_cscale(float *d, const float *x, const float *y, int64_t n) {
	int64_t i = 0;
	for (; i + 2 * VW <= n; i += 2 * VW) {
		vf b = ld(y + i / 2);
		vf lo = ld(x + i) * twice(b, 0), hi = ld(x + i + VW) * twice(b, 1);
		st(d + i, lo);
		st(d + i + VW, hi);
	}
	for (; i < n; i++) d[i] = x[i] * y[i / 2];
}

static void affine(float *d, const float *x, float a, float b, int64_t n) {
	const vf va = bc(a), vb = bc(b);
	int64_t i = 0;
	for (; i + VW <= n; i += VW) st(d + i, fma_(va, ld(x + i), vb));
	if (i < n) stn(d + i, fma_(va, ldn(x + i, (int)(n - i)), vb), (int)(n - i));
}

static void axpy(float *d, const float *x, float a, int64_t n) {
	const vf va = bc(a);
	int64_t i = 0;
	for (; i + VW <= n; i += VW) st(d + i, fma_(va, ld(x + i), ld(d + i)));
	if (i < n) stn(d + i, fma_(va, ldn(x + i, (int)(n - i)), ldn(d + i, (int)(n - i))), (int)(n - i));
}

static void clamp(float *d, const float *x, float lo, float hi, int64_t n) {
	const vf l = bc(lo), h = bc(hi);
	int64_t i = 0;
	for (; i + VW <= n; i += VW) st(d + i, vmin(h, vmax(l, ld(x + i))));
	if (i < n) stn(d + i, vmin(h, vmax(l, ldn(x + i, (int)(n - i)))), (int)(n - i));
}

static double dot(const float *x, const float *y, int64_t n) {
	vd a = dzero(), b = dzero(), c = dzero(), e = dzero();
	int64_t i = 0;
	for (; i + 4 * VD <= n; i += 4 * VD) {
		a = dfma(wide(x + i), wide(y + i), a);
		b = dfma(wide(x + i + VD), wide(y + i + VD), b);
		c = dfma(wide(x + i + 2 * VD), wide(y + i + 2 * VD), c);
		e = dfma(wide(x + i + 3 * VD), wide(y + i + 3 * VD), e);
	}
	double s = dsum(dadd(dadd(a, b), dadd(c, e)));
	for (; i < n; i++) s += (double)x[i] * y[i];
	return s;
}

static double sum(const float *x, int64_t n) {
	vd a = dzero(), b = dzero(), c = dzero(), e = dzero();
	int64_t i = 0;
	for (; i + 4 * VD <= n; i += 4 * VD) {
		a = dadd(wide(x + i), a);
		b = dadd(wide(x + i + VD), b);
		c = dadd(wide(x + i + 2 * VD), c);
		e = dadd(wide(x + i + 3 * VD), e);
	}
	double s = dsum(dadd(dadd(a, b), dadd(c, e)));
	for (; i < n; i++) s += x[i];
	return s;
}

// Absolute values are ordered as their bits are, and NaN lies above them all.
static float maxabs(const float *x, int64_t n) {
	vi m = ibc(0);
	int64_t i = 0;
	for (; i + VW <= n; i += VW) m = imax(m, bits(vabs(ld(x + i))));
	if (i < n) m = imax(m, bits(vabs(ldn(x + i, (int)(n - i)))));
	float t[VW];
	int32_t top = 0, v;
	st(t, unbits(m));
	for (int j = 0; j < VW; j++) {
		__builtin_memcpy(&v, t + j, 4);
		if (v > top) top = v;
	}
	__builtin_memcpy(t, &top, 4);
	return t[0];
}

static void addto(double *acc, const float *x, int64_t n) {
	int64_t i = 0;
	for (; i + VD <= n; i += VD) dst_(acc + i, dadd(dld(acc + i), wide(x + i)));
	for (; i < n; i++) acc[i] += x[i];
}
