// Philox4x32-10 (Salmon+2011) and Box–Muller, as engine.Philox, Uniforms and Normals:
// the same numbers, the normal ones to a few units in the last place.
#include "prelude.cuh"

struct Params {
	uint dst_o;
	uint n, seedlo, seedhi, ctrlo, ctrhi, normal;
};

DEVICE uint mulhi(uint a, uint b) { return uint((unsigned long long)a * b >> 32); }

// ln((w|1) 2⁻³²)
DEVICE float log_fraction(uint v) {
	const uint w = v | 1u;
	const int lz = __builtin_clz(w);
	float e = -float(lz);
	float f = float((w << lz) >> 8) * 5.9604644775390625e-8f;
	if (f < 0.75f) {
		f = f * 2.0f;
		e = e - 1.0f;
	}
	f = f - 1.0f;
	const float s = f / (2.0f + f);
	const float q = s * s;
	const float l = s * (2.0f + q * (2.0f / 3.0f + q * (2.0f / 5.0f + q * (2.0f / 7.0f + q * (2.0f / 9.0f)))));
	return l + e * 0.69314718f;
}

// r = √(−2 ln u), (z₀, z₁) = r (cos a, sin a) turned by quarters
DEVICE vec2 box_muller(uint w0, uint w1) {
	const float r = sqrt(-2.0f * log_fraction(w0));
	const int t = int(w1 << 2) >> 9;
	const float a = float(2 * t + 1) * 9.36267570730981e-8f;
	const float q = a * a;
	const float s = r * (a * (1.0f + q * (-1.0f / 6.0f + q * (1.0f / 120.0f + q * (-1.0f / 5040.0f + q * (1.0f / 362880.0f))))));
	const float c = r * (1.0f + q * (-0.5f + q * (1.0f / 24.0f + q * (-1.0f / 720.0f + q * (1.0f / 40320.0f)))));
	switch (w1 >> 30) {
	case 1:
		return vec2(-s, c);
	case 2:
		return vec2(-c, -s);
	case 3:
		return vec2(s, -c);
	}
	return vec2(c, s);
}

DEVICE float uniform(uint w) { return float(2u * (w >> 9) + 1u) * 5.9604644775390625e-8f; }

KERNEL(random, 256)(float *dst, Params P) {
	INDICES;
	const uint i = flat(wg, nwg, lid);
	if (i * 4u >= P.n) {
		return;
	}
	uint c0 = i, c1 = 0, c2 = P.ctrlo, c3 = P.ctrhi, k0 = P.seedlo, k1 = P.seedhi;
	for (int r = 0; r < 10; r++) {
		const uint h0 = mulhi(0xD2511F53u, c0), l0 = 0xD2511F53u * c0;
		const uint h1 = mulhi(0xCD9E8D57u, c2), l1 = 0xCD9E8D57u * c2;
		c0 = h1 ^ c1 ^ k0;
		c1 = l1;
		c2 = h0 ^ c3 ^ k1;
		c3 = l0;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	vec2 a(uniform(c0), uniform(c1)), b(uniform(c2), uniform(c3));
	if (P.normal == 1u) {
		a = box_muller(c0, c1);
		b = box_muller(c2, c3);
	}
	float *out = dst + P.dst_o + 4u * i;
	const uint left = P.n - 4u * i;
	out[0] = a.x;
	if (left > 1u) out[1] = a.y;
	if (left > 2u) out[2] = b.x;
	if (left > 3u) out[3] = b.y;
}
