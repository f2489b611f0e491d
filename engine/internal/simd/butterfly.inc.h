// The butterflies transform r + i i in place; X(k) leaves in place k.

FN void bf2(vf *r, vf *i) {
	vf a = r[0], b = i[0];
	r[0] = a + r[1], i[0] = b + i[1];
	r[1] = a - r[1], i[1] = b - i[1];
}

FN void bf3(vf *r, vf *i) {
	const vf h = bc(0.5f), s = bc(0.866025403784438647f);
	vf tr = r[1] + r[2], ti = i[1] + i[2], ur = r[1] - r[2], ui = i[1] - i[2];
	vf ar = fnma(h, tr, r[0]), ai = fnma(h, ti, i[0]);
	r[0] = r[0] + tr, i[0] = i[0] + ti;
	r[1] = fma_(s, ui, ar), i[1] = fnma(s, ur, ai);
	r[2] = fnma(s, ui, ar), i[2] = fma_(s, ur, ai);
}

FN void bf4(vf *r, vf *i) {
	vf sr = r[0] + r[2], si = i[0] + i[2], dr = r[0] - r[2], di = i[0] - i[2];
	vf tr = r[1] + r[3], ti = i[1] + i[3], er = r[1] - r[3], ei = i[1] - i[3];
	r[0] = sr + tr, i[0] = si + ti;
	r[2] = sr - tr, i[2] = si - ti;
	r[1] = dr + ei, i[1] = di - er;
	r[3] = dr - ei, i[3] = di + er;
}

FN void bf5(vf *r, vf *i) {
	const vf c1 = bc(0.309016994374947424f), c2 = bc(0.809016994374947424f);
	const vf s1 = bc(0.951056516295153572f), s2 = bc(0.587785252292473129f);
	vf tr = r[1] + r[4], ti = i[1] + i[4], ur = r[1] - r[4], ui = i[1] - i[4];
	vf pr = r[2] + r[3], pi = i[2] + i[3], qr = r[2] - r[3], qi = i[2] - i[3];
	vf ar = fnma(c2, pr, fma_(c1, tr, r[0])), ai = fnma(c2, pi, fma_(c1, ti, i[0]));
	vf br = fma_(c1, pr, fnma(c2, tr, r[0])), bi = fma_(c1, pi, fnma(c2, ti, i[0]));
	vf vr = fma_(s1, ur, s2 * qr), vi_ = fma_(s1, ui, s2 * qi);
	vf wr = fms(s2, ur, s1 * qr), wi = fms(s2, ui, s1 * qi);
	r[0] = r[0] + (tr + pr), i[0] = i[0] + (ti + pi);
	r[1] = ar + vi_, i[1] = ai - vr;
	r[4] = ar - vi_, i[4] = ai + vr;
	r[2] = br + wi, i[2] = bi - wr;
	r[3] = br - wi, i[3] = bi + wr;
}

FN void bf8(vf *r, vf *i) {
	const vf h = bc(0.707106781186547524f);
	vf s0r = r[0] + r[4], s0i = i[0] + i[4], d0r = r[0] - r[4], d0i = i[0] - i[4];
	vf s2r = r[2] + r[6], s2i = i[2] + i[6], d2r = r[2] - r[6], d2i = i[2] - i[6];
	vf s1r = r[1] + r[5], s1i = i[1] + i[5], d1r = r[1] - r[5], d1i = i[1] - i[5];
	vf s3r = r[3] + r[7], s3i = i[3] + i[7], d3r = r[3] - r[7], d3i = i[3] - i[7];
	vf t0r = s0r + s2r, t0i = s0i + s2i, t1r = s0r - s2r, t1i = s0i - s2i;
	vf t2r = s1r + s3r, t2i = s1i + s3i, t3r = s1r - s3r, t3i = s1i - s3i;
	r[0] = t0r + t2r, i[0] = t0i + t2i;
	r[4] = t0r - t2r, i[4] = t0i - t2i;
	r[2] = t1r + t3i, i[2] = t1i - t3r;
	r[6] = t1r - t3i, i[6] = t1i + t3r;
	// Times e^(−iπ/4) and e^(−3iπ/4), but for the factor h.
	vf pr = d1r + d1i, pi = d1i - d1r, qr = d3i - d3r, qi = d3r + d3i;
	vf u0r = d0r + d2i, u0i = d0i - d2r, u1r = d0r - d2i, u1i = d0i + d2r;
	vf u2r = pr + qr, u2i = pi - qi, u3r = pr - qr, u3i = pi + qi;
	r[1] = fma_(h, u2r, u0r), i[1] = fma_(h, u2i, u0i);
	r[5] = fnma(h, u2r, u0r), i[5] = fnma(h, u2i, u0i);
	r[3] = fma_(h, u3i, u1r), i[3] = fnma(h, u3r, u1i);
	r[7] = fnma(h, u3i, u1r), i[7] = fma_(h, u3r, u1i);
}

FN void turn(vf *r, vf *i, vf c, vf s) { // times c − i s
	vf a = *r, b = *i;
	*r = fma_(a, c, b * s);
	*i = fms(b, c, a * s);
}

FN void bf9(vf *r, vf *i) {
	vf ar[3], ai[3], br[3], bi[3], cr[3], ci[3];
	ar[0] = r[0], ar[1] = r[3], ar[2] = r[6], ai[0] = i[0], ai[1] = i[3], ai[2] = i[6];
	br[0] = r[1], br[1] = r[4], br[2] = r[7], bi[0] = i[1], bi[1] = i[4], bi[2] = i[7];
	cr[0] = r[2], cr[1] = r[5], cr[2] = r[8], ci[0] = i[2], ci[1] = i[5], ci[2] = i[8];
	bf3(ar, ai);
	bf3(br, bi);
	bf3(cr, ci);
	turn(&br[1], &bi[1], bc(0.766044443118978035f), bc(0.642787609686539326f));
	turn(&br[2], &bi[2], bc(0.173648177666930349f), bc(0.984807753012208059f));
	turn(&cr[1], &ci[1], bc(0.173648177666930349f), bc(0.984807753012208059f));
	turn(&cr[2], &ci[2], bc(-0.939692620785908384f), bc(0.342020143325668733f));
#define ROW9(k)                                                     \
	{                                                               \
		vf xr[3] = {ar[k], br[k], cr[k]}, xi[3] = {ai[k], bi[k], ci[k]}; \
		bf3(xr, xi);                                                \
		r[k] = xr[0], r[k + 3] = xr[1], r[k + 6] = xr[2];           \
		i[k] = xi[0], i[k + 3] = xi[1], i[k + 6] = xi[2];           \
	}
	ROW9(0) ROW9(1) ROW9(2)
#undef ROW9
}

FN void bf16(vf *r, vf *i) {
	const vf c1 = bc(0.923879532511286756f), s1 = bc(0.382683432365089772f), h = bc(0.707106781186547524f);
#define COL16(j)                                                                \
	vf r##j[4] = {r[j], r[j + 4], r[j + 8], r[j + 12]};                         \
	vf i##j[4] = {i[j], i[j + 4], i[j + 8], i[j + 12]};                         \
	bf4(r##j, i##j);
	COL16(0) COL16(1) COL16(2) COL16(3)
#undef COL16
	turn(&r1[1], &i1[1], c1, s1);
	turn(&r1[2], &i1[2], h, h);
	turn(&r1[3], &i1[3], s1, c1);
	turn(&r2[1], &i2[1], h, h);
	{ // −i
		vf a = r2[2];
		r2[2] = i2[2], i2[2] = zero() - a;
	}
	turn(&r2[3], &i2[3], zero() - h, h);
	turn(&r3[1], &i3[1], s1, c1);
	turn(&r3[2], &i3[2], zero() - h, h);
	turn(&r3[3], &i3[3], zero() - c1, zero() - s1);
#define ROW16(k)                                                                \
	{                                                                           \
		vf xr[4] = {r0[k], r1[k], r2[k], r3[k]}, xi[4] = {i0[k], i1[k], i2[k], i3[k]}; \
		bf4(xr, xi);                                                            \
		r[k] = xr[0], r[k + 4] = xr[1], r[k + 8] = xr[2], r[k + 12] = xr[3];    \
		i[k] = xi[0], i[k + 4] = xi[1], i[k + 8] = xi[2], i[k + 12] = xi[3];    \
	}
	ROW16(0) ROW16(1) ROW16(2) ROW16(3)
#undef ROW16
}
