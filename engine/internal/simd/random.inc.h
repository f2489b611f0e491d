// Random numbers: Philox4x32-10 and what engine.Uniforms and engine.Normals make of
// its words, VW blocks at a time.

FN void philox(uint64_t key, uint64_t hi, uint64_t lo, vi *w) {
	float lanes[VW];
	for (int l = 0; l < VW; l++) {
		int32_t n = (int32_t)(uint32_t)(lo + (uint64_t)l);
		__builtin_memcpy(lanes + l, &n, 4);
	}
	vi c0 = bits(ld(lanes));
	for (int l = 0; l < VW; l++) {
		int32_t n = (int32_t)(uint32_t)((lo + (uint64_t)l) >> 32);
		__builtin_memcpy(lanes + l, &n, 4);
	}
	vi c1 = bits(ld(lanes)), c2 = ibc((int)(uint32_t)hi), c3 = ibc((int)(uint32_t)(hi >> 32));
	uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
	for (int r = 0; r < 10; r++) {
		vi h0, l0, h1, l1;
		mulwide(c0, 0xD2511F53u, &h0, &l0);
		mulwide(c2, 0xCD9E8D57u, &h1, &l1);
		c0 = ixor(ixor(h1, c1), ibc((int)k0));
		c1 = l1;
		c2 = ixor(ixor(h0, c3), ibc((int)k1));
		c3 = l0;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	w[0] = c0, w[1] = c1, w[2] = c2, w[3] = c3;
}

FN vf uniform1(vi w) {
	vi n = ior(SHL(SHR(w, 9), 1), ibc(1)); // 24 bits: exact
	return tofloat(n) * bc(0x1p-24f);
}

// See engine.logFraction.
FN vf logfraction(vi w) {
	w = ior(w, ibc(1));
	vi lz = leadingzeros(w);
	vf f = tofloat(SHR(shiftleft(w, lz), 8)) * bc(0x1p-24f);
	vf e = zero() - tofloat(lz);
	vm low = gt(bc(0.75f), f);
	f = sel(low, f + f, f);
	e = e - keep(low, bc(1));
	f = f - bc(1);
	vf s = f / (bc(2) + f), s2 = s * s;
	vf p = fma_(s2, bc(2.f / 9), bc(2.f / 7));
	p = fma_(s2, p, bc(2.f / 5));
	p = fma_(s2, p, bc(2.f / 3));
	p = fma_(s2, p, bc(2));
	return fma_(e, bc(0.693147180559945309f), s * p);
}

// See engine.boxMuller.
FN void boxmuller(vi w0, vi w1, vf *z0, vf *z1) {
	vf r = vsqrt(bc(-2) * logfraction(w0));
	vi t = SAR(SHL(w1, 2), 9);
	vf a = tofloat(iadd(iadd(t, t), ibc(1))) * bc((float)(0x1p-24 * 1.57079632679489661923));
	vf a2 = a * a;
	vf s = fma_(a2, bc(1.f / 362880), bc(-1.f / 5040));
	s = fma_(a2, s, bc(1.f / 120));
	s = fma_(a2, s, bc(-1.f / 6));
	s = fma_(a * a2, s, a);
	vf c = fma_(a2, bc(1.f / 40320), bc(-1.f / 720));
	c = fma_(a2, c, bc(1.f / 24));
	c = fma_(a2, c, bc(-1.f / 2));
	c = fma_(a2, c, bc(1));
	vm odd = bitset(w1, 1 << 30), back = bitset(w1, (int)(1u << 31));
	vf x = sel(odd, zero() - s, c), y = sel(odd, c, s); // a quarter turn, and two
	x = sel(back, zero() - x, x);
	y = sel(back, zero() - y, y);
	*z0 = r * x;
	*z1 = r * y;
}

// n numbers from block number block on.
static void randomfill(float *d, int64_t n, uint64_t key, uint64_t counter, uint64_t block, int normal) {
	for (int64_t i = 0; i < n; i += 4 * VW, block += VW) {
		vi w[4];
		vf z[4], a, b, c, e;
		float t[4 * VW];
		philox(key, counter, block, w);
		if (normal) {
			boxmuller(w[0], w[1], &z[0], &z[1]);
			boxmuller(w[2], w[3], &z[2], &z[3]);
		} else {
			UNROLL for (int k = 0; k < 4; k++) z[k] = uniform1(w[k]);
		}
		float *o = n - i >= 4 * VW ? d + i : t;
		inter(z[0], z[2], &a, &b);
		inter(z[1], z[3], &c, &e);
		vf p, q;
		inter(a, c, &p, &q);
		st(o, p);
		st(o + VW, q);
		inter(b, e, &p, &q);
		st(o + 2 * VW, p);
		st(o + 3 * VW, q);
		if (o == t)
			for (int64_t k = 0; k < n - i; k++) d[i + k] = t[k];
	}
}
