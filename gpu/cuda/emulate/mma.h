// mma.sync on the processor: every thread lays down its registers, and each then forms
// the elements of the sum that it holds from those of its warp. The places are those of
// the PTX ISA's tables, written as element → (lane, register), the other way round from
// the kernels. Products are exact, sums rounded to float32 in order of k; a card adds in
// an order and with roundings of its own.
#pragma once
namespace emulate {
static uint32_t regs_a[256][4], regs_b[256][2];

static float number(uint32_t u) {
	float f;
	__builtin_memcpy(&f, &u, 4);
	return f;
}

// lay waits until all threads of the group have come with their registers.
static void lay(const uint32_t *a, const uint32_t *b, uint32_t lid) {
	for (int i = 0; i < 4; i++) regs_a[lid][i] = a[i];
	for (int i = 0; i < 2; i++) regs_b[lid][i] = b[i];
	sync();
}

// A(m, k) and B(k, n) of the warp that starts at thread w.
static float a_tf32(uint32_t w, int m, int k) { return number(regs_a[w + m % 8 * 4 + k % 4][k / 4 * 2 + m / 8]); }
static float b_tf32(uint32_t w, int k, int n) { return number(regs_b[w + n * 4 + k % 4][k / 4]); }
static float half(uint32_t u, int k) { return number(k % 2 ? u & 0xffff0000u : u << 16); }
static float a_bf16(uint32_t w, int m, int k) { return half(regs_a[w + m % 8 * 4 + k % 8 / 2][k / 8 * 2 + m / 8], k); }
static float b_bf16(uint32_t w, int k, int n) { return half(regs_b[w + n * 4 + k % 8 / 2][k / 8], k); }

template <int depth> static void multiply(float *c, float (*a)(uint32_t, int, int), float (*b)(uint32_t, int, int), uint32_t lid) {
	const uint32_t w = lid / 32 * 32, g = lid % 32 / 4, t = lid % 4;
	for (int e = 0; e < 4; e++)
		for (int k = 0; k < depth; k++) c[e] = fma(a(w, g + e / 2 * 8, k), b(w, k, t * 2 + e % 2), c[e]);
	sync();
}
} // namespace emulate

static inline uint tf32(float x) {
	uint u = __builtin_bit_cast(uint, x);
	if ((u & 0x7f800000u) != 0x7f800000u) u = (u + 0x1000u) & 0xffffe000u;
	return u;
}

static inline uint bf16(float x) {
	uint u = __builtin_bit_cast(uint, x);
	if ((u & 0x7f800000u) != 0x7f800000u) u += 0x7fffu + (u >> 16 & 1u);
	return u >> 16;
}

static inline uint bf16x2(float lo, float hi) { return bf16(hi) << 16 | bf16(lo); }

static inline void mma_tf32(Fragment &s, const uint *a, const uint *b, uint lid) {
	emulate::lay(a, b, lid);
	emulate::multiply<8>(s.c, emulate::a_tf32, emulate::b_tf32, lid);
}

static inline void mma_bf16(Fragment &s, const uint *a, const uint *b, uint lid) {
	emulate::lay(a, b, lid);
	emulate::multiply<16>(s.c, emulate::a_bf16, emulate::b_bf16, lid);
}
