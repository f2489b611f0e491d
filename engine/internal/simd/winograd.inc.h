// 3×3 convolutions of stride 1 by Winograd's minimal filtering F(4×4, 3×3) (Lavin &
// Gray 2016, arXiv:1509.09308, sec. 4.3): 36 products for 16 results instead of 144.
// Tensors are (image, row, column, channel).

FN void bt6(vf *d) { // Bᵀ d, in place
	const vf two = bc(2), four = bc(4), five = bc(5);
	vf a = fnma(four, d[2], d[4]), b = fnma(four, d[1], d[3]);
	vf c = d[4] - d[2], e = d[3] - d[1];
	vf t0 = fma_(four, d[0], fnma(five, d[2], d[4]));
	vf t5 = fma_(four, d[1], fnma(five, d[3], d[5]));
	d[0] = t0, d[1] = a + b, d[2] = a - b, d[3] = fma_(two, e, c), d[4] = fnma(two, e, c), d[5] = t5;
}

FN void at6(vf *m) { // Aᵀ m: four results in place
	vf p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
	vf o0 = m[0] + (p + r), o3 = fma_(bc(8), s, q) + m[5];
	m[1] = fma_(bc(2), s, q);
	m[2] = fma_(bc(4), r, p);
	m[0] = o0, m[3] = o3;
}

// The geometry, in the order Go writes it.
enum { G_H, G_W, G_C, G_OH, G_OW, G_N, G_TY, G_TX, G_ACT, G_N0, G_N1, G_VF, G_MF };

// The transform of tiles t0 ≤ t < t1: v[f][tile][C], vf floats between the f. rmap
// and cmap say which row and column of the image stands at each place of the padded
// one; −1 is nothing.
static void wininput(const int64_t *g, const float *x, const int32_t *rmap, const int32_t *cmap, int64_t t0, int64_t t1,
                     float *v) {
	const int64_t C = g[G_C], W = g[G_W], per = g[G_TY] * g[G_TX], vfs = g[G_VF];
	for (int64_t t = t0; t < t1; t++) {
		const float *img = x + t / per * g[G_H] * W * C;
		const int32_t *rm = rmap + t % per / g[G_TX] * 4, *cm = cmap + t % per % g[G_TX] * 4;
		int inside = 1;
		for (int i = 0; i < 6; i++) inside &= (rm[i] >= 0) & (cm[i] >= 0);
		for (int64_t c = 0; c < C; c += VW) {
			vf w[36];
			int n = C - c < VW ? (int)(C - c) : VW;
			float *o = v + (t - t0) * C + c;
			UNROLL for (int j = 0; j < 6; j++) {
				vf d[6];
				if (inside && n == VW) {
					UNROLL for (int i = 0; i < 6; i++) d[i] = ld(img + ((int64_t)rm[i] * W + cm[j]) * C + c);
				} else {
					for (int i = 0; i < 6; i++) {
						d[i] = zero();
						if (rm[i] < 0 || cm[j] < 0) continue;
						const float *p = img + ((int64_t)rm[i] * W + cm[j]) * C + c;
						if (n == VW)
							d[i] = ld(p);
						else
							d[i] = ldn(p, n);
					}
				}
				bt6(d);
				UNROLL for (int i = 0; i < 6; i++) w[6 * i + j] = d[i];
			}
			UNROLL for (int i = 0; i < 6; i++) {
				bt6(w + 6 * i);
				UNROLL for (int j = 0; j < 6; j++) {
					if (n == VW)
						st(o + (6 * i + j) * vfs, w[6 * i + j]);
					else
						stn(o + (6 * i + j) * vfs, w[6 * i + j], n);
				}
			}
		}
	}
}

// The way back of channels n0 ≤ n < n1: m[f][tile][n1−n0] to y, with bias, residual
// and activation.
static void winoutput(const int64_t *g, float *y, const float *bias, const float *res, int64_t t0, int64_t t1, const float *m) {
	const int64_t N = g[G_N], OH = g[G_OH], OW = g[G_OW], per = g[G_TY] * g[G_TX], mfs = g[G_MF];
	const int64_t n0 = g[G_N0], n1 = g[G_N1];
	const int act = (int)g[G_ACT];
	for (int64_t t = t0; t < t1; t++) {
		const int64_t y0 = t % per / g[G_TX] * 4, x0 = t % per % g[G_TX] * 4;
		const int64_t at = ((t / per * OH + y0) * OW + x0) * N;
		const int rows = OH - y0 < 4 ? (int)(OH - y0) : 4, cols = OW - x0 < 4 ? (int)(OW - x0) : 4;
		for (int64_t c = n0; c < n1; c += VW) {
			const int n = n1 - c < VW ? (int)(n1 - c) : VW;
			const float *p = m + (t - t0) * (n1 - n0) + c - n0;
			vf w[24], b = zero();
			if (bias) b = n == VW ? ld(bias + c) : ldn(bias + c, n);
			UNROLL for (int j = 0; j < 6; j++) {
				vf d[6];
				UNROLL for (int i = 0; i < 6; i++) {
					if (n == VW)
						d[i] = ld(p + (6 * i + j) * mfs);
					else
						d[i] = ldn(p + (6 * i + j) * mfs, n);
				}
				at6(d);
				UNROLL for (int i = 0; i < 4; i++) w[6 * i + j] = d[i];
			}
			for (int i = 0; i < rows; i++) {
				vf d[6];
				UNROLL for (int j = 0; j < 6; j++) d[j] = w[6 * i + j];
				at6(d);
				for (int j = 0; j < cols; j++) {
					int64_t o = at + (i * OW + j) * N + c;
					vf z = d[j] + b;
					if (n == VW) {
						if (res) z = z + ld(res + o);
						st(y + o, activate(z, act));
					} else {
						if (res) z = z + ldn(res + o, n);
						stn(y + o, activate(z, act), n);
					}
				}
			}
		}
	}
}

// One block of tiles from x to y. u holds panels (36, N/16, C, 16); scratch v and m.
static void winograd(const int64_t *g, const float *x, const int32_t *rmap, const int32_t *cmap, const float *u, float *y,
                     const float *bias, const float *res, int64_t t0, int64_t t1, float *scratch) {
	const int64_t C = g[G_C], n0 = g[G_N0], n1 = g[G_N1], panels = (g[G_N] + LANES - 1) / LANES;
	float *v = scratch, *m = scratch + 36 * g[G_VF];
	const int64_t zero_ = 0;
	wininput(g, x, rmap, cmap, t0, t1, v);
	for (int f = 0; f < 36; f++) {
		ukargs a = {v + f * g[G_VF], C, 1, &zero_, 1, C, u + (f * panels + n0 / LANES) * C * LANES, LANES, C * LANES,
		            m + f * g[G_MF], n1 - n0, 0, 0};
		gemm(a, t1 - t0, n1 - n0);
	}
	winoutput(g, y, bias, res, t0, t1, m);
}

// The weights: u = G w Gᵀ as panels. flip takes the adjoint's kernel from w.
FN void g6(vf *w) { // three to six, in place
	vf a = w[0], b = w[1], c = w[2], s = (a + c) * bc(-1.f / 6), t = fma_(bc(1.f / 6), c, a * bc(1.f / 24));
	vf u = b * bc(1.f / 12);
	w[0] = a * bc(0.25f), w[1] = fnma(bc(1.f / 6), b, s), w[2] = fma_(bc(1.f / 6), b, s);
	w[3] = t + u, w[4] = t - u, w[5] = c;
}
FN void gt6(vf *u) { // its transpose: six to three
	vf p = u[1] + u[2], q = u[2] - u[1], r = u[3] + u[4], s = u[3] - u[4];
	vf a = fma_(bc(1.f / 24), r, fma_(bc(-1.f / 6), p, u[0] * bc(0.25f)));
	vf b = fma_(bc(1.f / 12), s, q * bc(1.f / 6));
	vf c = fma_(bc(1.f / 6), r, fma_(bc(-1.f / 6), p, u[5]));
	u[0] = a, u[1] = b, u[2] = c;
}

static void winoweights(float *u, const float *w, int64_t C, int64_t N, int flip) {
	const int64_t cin = flip ? N : C, nout = flip ? C : N, panels = (nout + LANES - 1) / LANES;
	float t[LANES];
	for (int64_t c = 0; c < cin; c++) {
		for (int64_t n = 0; n < nout; n += VW) {
			vf k[36];
			int m = nout - n < VW ? (int)(nout - n) : VW;
			UNROLL for (int j = 0; j < 3; j++) {
				vf d[6];
				UNROLL for (int i = 0; i < 3; i++) {
					if (flip) { // w[2−i][2−j][n][c]
						const float *p = w + ((8 - 3 * i - j) * C + n) * N + c;
						for (int l = 0; l < VW; l++) t[l] = l < m ? p[l * N] : 0;
						d[i] = ld(t);
					} else {
						const float *p = w + ((3 * i + j) * C + c) * N + n;
						d[i] = m == VW ? ld(p) : ldn(p, m);
					}
				}
				g6(d);
				UNROLL for (int i = 0; i < 6; i++) k[6 * i + j] = d[i];
			}
			UNROLL for (int i = 0; i < 6; i++) {
				g6(k + 6 * i);
				UNROLL for (int j = 0; j < 6; j++)
					st(u + (((6 * i + j) * panels + n / LANES) * cin + c) * LANES + n % LANES, k[6 * i + j]);
			}
		}
		for (int64_t n = (nout + VW - 1) / VW * VW; n < panels * LANES; n += VW)
			for (int f = 0; f < 36; f++) st(u + ((f * panels + n / LANES) * cin + c) * LANES + n % LANES, zero());
	}
}

// The gradient of the weights: dw = Gᵀ du G, du (36, C, N).
static void winogradient(float *dw, const float *du, int64_t C, int64_t N) {
	for (int64_t i0 = 0; i0 < C * N; i0 += VW) {
		int m = C * N - i0 < VW ? (int)(C * N - i0) : VW;
		vf k[36];
		UNROLL for (int j = 0; j < 6; j++) {
			vf d[6];
			UNROLL for (int i = 0; i < 6; i++) {
				const float *p = du + (6 * i + j) * C * N + i0;
				d[i] = m == VW ? ld(p) : ldn(p, m);
			}
			gt6(d);
			UNROLL for (int i = 0; i < 3; i++) k[6 * i + j] = d[i];
		}
		UNROLL for (int i = 0; i < 3; i++) {
			gt6(k + 6 * i);
			UNROLL for (int j = 0; j < 3; j++) {
				float *p = dw + (3 * i + j) * C * N + i0;
				if (m == VW)
					st(p, k[6 * i + j]);
				else
					stn(p, k[6 * i + j], m);
			}
		}
	}
}

FN void a6(vf *y) { // A y: four to six, in place
	vf p = y[0] + y[2], q = y[1] + y[3], r = fma_(bc(4), y[2], y[0]), s = fma_(bc(8), y[3], bc(2) * y[1]);
	y[4] = r - s, y[5] = y[3];
	y[1] = p + q, y[2] = p - q, y[3] = r + s;
}

// The adjoint of the way back: tiles of dy to m[f][tile][N].
static void winoadjoint(const int64_t *g, const float *dy, int64_t t0, int64_t t1, float *m) {
	const int64_t N = g[G_N], OH = g[G_OH], OW = g[G_OW], per = g[G_TY] * g[G_TX], mfs = g[G_MF];
	for (int64_t t = t0; t < t1; t++) {
		const int64_t y0 = t % per / g[G_TX] * 4, x0 = t % per % g[G_TX] * 4;
		const float *p = dy + ((t / per * OH + y0) * OW + x0) * N;
		const int rows = OH - y0 < 4 ? (int)(OH - y0) : 4, cols = OW - x0 < 4 ? (int)(OW - x0) : 4;
		for (int64_t c = 0; c < N; c += VW) {
			const int n = N - c < VW ? (int)(N - c) : VW;
			vf w[36];
			UNROLL for (int j = 0; j < 4; j++) {
				vf d[6];
				for (int i = 0; i < 4; i++) {
					d[i] = zero();
					if (i >= rows || j >= cols) continue;
					const float *q = p + (i * OW + j) * N + c;
					if (n == VW)
						d[i] = ld(q);
					else
						d[i] = ldn(q, n);
				}
				a6(d);
				UNROLL for (int i = 0; i < 6; i++) w[6 * i + j] = d[i];
			}
			UNROLL for (int i = 0; i < 6; i++) {
				a6(w + 6 * i);
				UNROLL for (int j = 0; j < 6; j++) {
					float *o = m + (6 * i + j) * mfs + (t - t0) * N + c;
					if (n == VW)
						st(o, w[6 * i + j]);
					else
						stn(o, w[6 * i + j], n);
				}
			}
		}
	}
}
