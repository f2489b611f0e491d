// Normalisation, softmax, depthwise convolution, Adam: see package kern for what each
// computes.

#define EACH(n, body)                                         \
	{                                                         \
		int64_t i = 0;                                        \
		for (; i + VW <= (n); i += VW) body(ld, st, )         \
		if (i < (n)) {                                        \
			const int k = (int)((n) - i);                     \
			body(LDN, STN, )                                  \
		}                                                     \
	}
#define LDN(p) ldn(p, k)
#define STN(p, v) stn(p, v, k)

static void channelmap(float *d, const float *x, const float *a, const float *b, int64_t pixels, int64_t C, int act) {
	for (int64_t p = 0; p < pixels; p++, d += C, x += C) {
#define BODY(L, S, _) { S(d + i, activate(fma_(L(x + i), L(a + i), L(b + i)), act)); }
		EACH(C, BODY)
#undef BODY
	}
}

// Sums run over 64 pixels in float32 and are then added in float64.
static void channelsums(double *s1, double *s2, const float *x, const float *g, const float *a, const float *b,
                        int64_t pixels, int64_t C, int act) {
	for (int64_t p0 = 0; p0 < pixels; p0 += 64) {
		const int64_t p1 = p0 + 64 < pixels ? p0 + 64 : pixels;
		for (int64_t c = 0; c < C; c += VW) {
			const int n = C - c < VW ? (int)(C - c) : VW;
			vf u = zero(), w = zero(), va = zero(), vb = zero();
			if (a) va = n == VW ? ld(a + c) : ldn(a + c, n), vb = n == VW ? ld(b + c) : ldn(b + c, n);
			for (int64_t p = p0; p < p1; p++) {
				vf h = n == VW ? ld(g + p * C + c) : ldn(g + p * C + c, n);
				if (x) {
					vf v = n == VW ? ld(x + p * C + c) : ldn(x + p * C + c, n);
					if (a) h = h * slope(fma_(v, va, vb), act);
					w = fma_(h, v, w);
				}
				u = u + h;
			}
			float t[VW];
			st(t, u);
			for (int l = 0; l < n; l++) s1[c + l] += t[l];
			if (x) {
				st(t, w);
				for (int l = 0; l < n; l++) s2[c + l] += t[l];
			}
		}
	}
}

static void channelback(float *d, const float *x, const float *g, const float *a, const float *b, const float *p,
                        const float *q, const float *r, int64_t pixels, int64_t C, int act) {
	for (int64_t j = 0; j < pixels; j++, d += C, x += C, g += C) {
#define BODY(L, S, _)                                               \
	{                                                               \
		vf v = L(x + i), h = L(g + i);                              \
		if (act) h = h * slope(fma_(v, L(a + i), L(b + i)), act);   \
		S(d + i, fma_(h, L(p + i), fma_(v, L(q + i), L(r + i))));   \
	}
		EACH(C, BODY)
#undef BODY
	}
}

// Not more than a few thousand numbers of like size are added, in VW sums.
static void pixelnorm(float *d, const float *x, float *stats, const float *gamma, const float *beta, int64_t pixels,
                      int64_t C, float eps, int act) {
	for (int64_t p = 0; p < pixels; p++, d += C, x += C, stats += 2) {
		vf s = zero(), q = zero();
		int64_t i = 0;
		for (; i + VW <= C; i += VW) s = s + ld(x + i);
		if (i < C) s = s + ldn(x + i, (int)(C - i));
		const float mean = vtotal(s) / C;
		const vf m = bc(mean);
		for (i = 0; i + VW <= C; i += VW) {
			vf e = ld(x + i) - m;
			q = fma_(e, e, q);
		}
		float rest = 0;
		for (; i < C; i++) rest += (x[i] - mean) * (x[i] - mean);
		const float rstd = 1 / root((vtotal(q) + rest) / C + eps);
		stats[0] = mean, stats[1] = rstd;
		const vf f = bc(rstd);
#define BODY(L, S, _) { S(d + i, activate(fma_((L(x + i) - m) * f, L(gamma + i), L(beta + i)), act)); }
		EACH(C, BODY)
#undef BODY
	}
}

static void pixelback(float *d, const float *x, const float *g, const float *stats, const float *gamma, const float *beta,
                      double *s1, double *s2, int64_t pixels, int64_t C, int act, float *sums) {
	// sums (3, C), multiples of a vector apart: two collect 64 pixels in float32, the
	// third keeps h of a pixel, whose slope is dear.
	const int64_t CP = (C + VW - 1) / VW * VW;
	float *keep_ = sums + 2 * CP;
	for (int64_t p0 = 0; p0 < pixels; p0 += 64) {
		for (int64_t c = 0; c < 2 * CP; c += VW) st(sums + c, zero());
		const int64_t p1 = p0 + 64 < pixels ? p0 + 64 : pixels;
		for (int64_t p = p0; p < p1; p++, d += C, x += C, g += C, stats += 2) {
			const vf m = bc(stats[0]), f = bc(stats[1]);
			vf m1 = zero(), m2 = zero();
#define BODY(L, S, _)                                     \
	{                                                     \
		vf hat = (L(x + i) - m) * f, ga = L(gamma + i);   \
		vf h = L(g + i);                                  \
		if (act) h = h * slope(fma_(hat, ga, L(beta + i)), act); \
		st(keep_ + i, h * ga);                            \
		st(sums + i, ld(sums + i) + h);                   \
		st(sums + CP + i, fma_(h, hat, ld(sums + CP + i))); \
		m1 = fma_(h, ga, m1);                             \
		m2 = fma_(h * ga, hat, m2);                       \
	}
			EACH(C, BODY)
#undef BODY
			const vf f1 = bc(vtotal(m1) / C), f2 = bc(vtotal(m2) / C);
#define BODY(L, S, _)                                     \
	{                                                     \
		vf hat = (L(x + i) - m) * f;                      \
		S(d + i, f * (fnma(hat, f2, ld(keep_ + i)) - f1)); \
	}
			EACH(C, BODY)
#undef BODY
		}
		for (int64_t c = 0; c < C; c++) s1[c] += sums[c], s2[c] += sums[CP + c];
	}
}

static void softmax(float *d, const float *x, int64_t rows, int64_t n) {
	for (int64_t r = 0; r < rows; r++, d += n, x += n) {
		float top = x[0];
		for (int64_t i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
		const vf t = bc(top);
		vf s = zero();
		int64_t i = 0;
		for (; i + VW <= n; i += VW) {
			vf e = vexp(ld(x + i) - t);
			s = s + e;
			st(d + i, e);
		}
		double sum = vtotal(s);
		if (i < n) {
			stn(d + i, vexp(ldn(x + i, (int)(n - i)) - t), (int)(n - i));
			for (int64_t j = i; j < n; j++) sum += d[j];
		}
		const vf f = bc((float)(1 / sum));
#define BODY(L, S, _) { S(d + i, L(d + i) * f); }
		EACH(n, BODY)
#undef BODY
	}
}

static void softmaxgrad(float *d, const float *y, const float *g, int64_t rows, int64_t n) {
	for (int64_t r = 0; r < rows; r++, d += n, y += n, g += n) {
		vf s = zero();
#define BODY(L, S, _) { s = fma_(L(y + i), L(g + i), s); }
		EACH(n, BODY)
#undef BODY
		const vf t = bc(vtotal(s));
#define BODY(L, S, _) { S(d + i, L(y + i) * (L(g + i) - t)); }
		EACH(n, BODY)
#undef BODY
	}
}

static void adam(float *p, float *m, float *v, const float *g, int64_t n, const float *a) {
	const vf b1 = bc(a[0]), c1 = bc(a[1]), b2 = bc(a[2]), c2 = bc(a[3]), hold = bc(a[4]), rate = bc(a[5]);
	const vf root = bc(a[6]), eps = bc(a[7]);
#define BODY(L, S, _)                                     \
	{                                                     \
		vf x = L(g + i);                                  \
		vf mm = fma_(c1, x, b1 * L(m + i));               \
		vf vv = fma_(c2, x * x, b2 * L(v + i));           \
		S(m + i, mm);                                     \
		S(v + i, vv);                                     \
		S(p + i, fnma(rate, mm / fma_(root, vsqrt(vv), eps), hold * L(p + i))); \
	}
	EACH(n, BODY)
#undef BODY
}

static void depthrow(float *d, const float *x, const float *w, const float *bias, const int64_t *taps, int64_t ntaps,
                     int64_t pixels, int64_t C, int64_t step) {
	for (int64_t p = 0; p < pixels; p++, d += C, x += step) {
#define BODY(L, S, _)                                                              \
	{                                                                              \
		vf acc = zero();                                                           \
		if (bias) acc = L(bias + i);                                               \
		for (int64_t t = 0; t < ntaps; t++) acc = fma_(L(w + t * C + i), L(x + taps[t] + i), acc); \
		S(d + i, acc);                                                             \
	}
		EACH(C, BODY)
#undef BODY
	}
}

static void depthweights(const float *g, const float *x, float *w, const int64_t *taps, int64_t ntaps, int64_t pixels,
                         int64_t C, int64_t step) {
	for (int64_t t = 0; t < ntaps; t++) {
#define BODY(L, S, _)                                                              \
	{                                                                              \
		vf acc = L(w + t * C + i);                                                 \
		for (int64_t p = 0; p < pixels; p++) acc = fma_(L(g + p * C + i), L(x + taps[t] + p * step + i), acc); \
		S(w + t * C + i, acc);                                                     \
	}
		EACH(C, BODY)
#undef BODY
	}
}
