// Fragments of mma.sync as the PTX ISA lays them out over a warp (9.7.14.5, m16n8k8 with
// .tf32 and m16n8k16 with .bf16): lane = 4 g + t holds of A rows g and g + 8, of B column
// g, of the sum C(g, 2t), C(g, 2t+1), C(g+8, 2t), C(g+8, 2t+1).
#pragma once

struct Fragment {
	float c[4];
	DEVICE void clear() { c[0] = c[1] = c[2] = c[3] = 0.0f; }
};

#ifdef LIMPID_EMULATE
#include "../emulate/mma.h"
#else
// The nearest number of 10 fraction bits, halves away from 0.
DEVICE uint tf32(float x) {
	uint r;
	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
	return r;
}

// Two numbers of 7 fraction bits, halves to even; lo in the lower half.
DEVICE uint bf16x2(float lo, float hi) {
	uint r;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
	return r;
}

DEVICE void mma_tf32(Fragment &s, const uint *a, const uint *b, uint) {
	asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
		: "+f"(s.c[0]), "+f"(s.c[1]), "+f"(s.c[2]), "+f"(s.c[3])
		: "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

DEVICE void mma_bf16(Fragment &s, const uint *a, const uint *b, uint) {
	asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
		: "+f"(s.c[0]), "+f"(s.c[1]), "+f"(s.c[2]), "+f"(s.c[3])
		: "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// Step is one depth of k: two fragments of A (rows of k, as apart) and of B (rows of n).
template <uint prec> struct Step;

template <> struct Step<0u> {
	static constexpr uint depth = 8u;
	uint a[2][4], b[2][2];
	DEVICE void load_a(uint i, const float *p, uint as, uint lane) {
		const auto q = p + lane / 4u * as + lane % 4u;
		a[i][0] = tf32(q[0]);
		a[i][1] = tf32(q[8u * as]);
		a[i][2] = tf32(q[4u]);
		a[i][3] = tf32(q[8u * as + 4u]);
	}
	DEVICE void load_b(uint i, const float *p, uint bs, uint lane) {
		const auto q = p + lane % 4u * bs + lane / 4u;
		b[i][0] = tf32(q[0]);
		b[i][1] = tf32(q[4u * bs]);
	}
	DEVICE void multiply(Fragment &s, uint i, uint j, uint lid) { mma_tf32(s, a[i], b[j], lid); }
};

template <> struct Step<1u> {
	static constexpr uint depth = 16u;
	uint a[2][4], b[2][2];
	DEVICE void load_a(uint i, const float *p, uint as, uint lane) {
		const auto q = p + lane / 4u * as + lane % 4u * 2u;
		a[i][0] = bf16x2(q[0], q[1]);
		a[i][1] = bf16x2(q[8u * as], q[8u * as + 1u]);
		a[i][2] = bf16x2(q[8u], q[9u]);
		a[i][3] = bf16x2(q[8u * as + 8u], q[8u * as + 9u]);
	}
	DEVICE void load_b(uint i, const float *p, uint bs, uint lane) {
		const auto q = p + lane % 4u * 2u * bs + lane / 4u;
		b[i][0] = bf16x2(q[0], q[bs]);
		b[i][1] = bf16x2(q[8u * bs], q[9u * bs]);
	}
	DEVICE void multiply(Fragment &s, uint i, uint j, uint lid) { mma_bf16(s, a[i], b[j], lid); }
};

template <> struct Step<2u> {
	static constexpr uint depth = 8u;
	uint a[2][4], b[2][2], al[2][4], bl[2][2];
	DEVICE void split(float x, uint &hi, uint &lo) {
		hi = tf32(x);
		lo = tf32(x - as_float(hi));
	}
	DEVICE void load_a(uint i, const float *p, uint as, uint lane) {
		const auto q = p + lane / 4u * as + lane % 4u;
		split(q[0], a[i][0], al[i][0]);
		split(q[8u * as], a[i][1], al[i][1]);
		split(q[4u], a[i][2], al[i][2]);
		split(q[8u * as + 4u], a[i][3], al[i][3]);
	}
	DEVICE void load_b(uint i, const float *p, uint bs, uint lane) {
		const auto q = p + lane % 4u * bs + lane / 4u;
		split(q[0], b[i][0], bl[i][0]);
		split(q[4u * bs], b[i][1], bl[i][1]);
	}
	DEVICE void multiply(Fragment &s, uint i, uint j, uint lid) {
		mma_tf32(s, al[i], b[j], lid);
		mma_tf32(s, a[i], bl[j], lid);
		mma_tf32(s, a[i], b[j], lid);
	}
};
