// Vectors of 16 floats: AVX-512 F, CD, VL, DQ and BW, with FMA.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512cd,avx512vl,avx512dq,avx512bw,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512cd,avx512vl,avx512dq,avx512bw,fma,prefer-vector-width=512")
#endif
#include <immintrin.h>

#define VW 16
typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;
#define FN static inline __attribute__((always_inline, unused))

FN vf ld(const float *p) { return _mm512_loadu_ps(p); }
FN void st(float *p, vf v) { _mm512_storeu_ps(p, v); }
FN vf ldn(const float *p, int n) { return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
FN void stn(float *p, vf v, int n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v); }
// Past the caches, for what is too large to stay there; p is aligned to a vector.
FN void stpast(float *p, vf v) { _mm512_stream_ps(p, v); }
FN void fence(void) { _mm_sfence(); }
FN vf bc(float a) { return _mm512_set1_ps(a); }
FN vf zero(void) { return _mm512_setzero_ps(); }
FN vf fma_(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }   // ab + c
FN vf fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }  // c − ab
FN vf fms(vf a, vf b, vf c) { return _mm512_fmsub_ps(a, b, c); }    // ab − c
FN vf vmin(vf a, vf b) { return _mm512_min_ps(a, b); }
FN vf vmax(vf a, vf b) { return _mm512_max_ps(a, b); }
FN vf vabs(vf a) { return _mm512_abs_ps(a); }
FN vf vsqrt(vf a) { return _mm512_sqrt_ps(a); }
FN float root(float a) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(a))); }
FN float vtotal(vf a) { return _mm512_reduce_add_ps(a); }
FN vf vround(vf a) { return _mm512_roundscale_ps(a, 8); }
FN vm gt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
FN vm ne(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_NEQ_UQ); }
FN vf keep(vm m, vf a) { return _mm512_maskz_mov_ps(m, a); }              // a where m, else 0
FN vf sel(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }     // a where m, else b
FN vi toint(vf a) { return _mm512_cvtps_epi32(a); }
FN vf tofloat(vi a) { return _mm512_cvtepi32_ps(a); }
FN vi bits(vf a) { return _mm512_castps_si512(a); }
FN vf unbits(vi a) { return _mm512_castsi512_ps(a); }
FN vi ibc(int a) { return _mm512_set1_epi32(a); }
FN vi iadd(vi a, vi b) { return _mm512_add_epi32(a, b); }
FN vi isub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
FN vi imax(vi a, vi b) { return _mm512_max_epi32(a, b); }
FN vi iand(vi a, vi b) { return _mm512_and_si512(a, b); }
FN vi ior(vi a, vi b) { return _mm512_or_si512(a, b); }
#define SHL(a, n) _mm512_slli_epi32(a, n)
#define SHR(a, n) _mm512_srli_epi32(a, n)

// The 64-bit products of 32-bit words with m.
FN void mulwide(vi a, unsigned m, vi *hi, vi *lo) {
	const vi k = _mm512_set1_epi32((int)m);
	vi e = _mm512_mul_epu32(a, k), o = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), k);
	*lo = _mm512_mask_mov_epi32(e, 0xAAAA, _mm512_slli_epi64(o, 32));
	*hi = _mm512_mask_mov_epi32(_mm512_srli_epi64(e, 32), 0xAAAA, o);
}
FN vi ixor(vi a, vi b) { return _mm512_xor_si512(a, b); }
FN vi leadingzeros(vi a) { return _mm512_lzcnt_epi32(a); }
FN vi shiftleft(vi a, vi n) { return _mm512_sllv_epi32(a, n); }
FN vm bitset(vi a, int bit) { return _mm512_test_epi32_mask(a, _mm512_set1_epi32(bit)); }
#define SAR(a, n) _mm512_srai_epi32(a, n)

// Two vectors of interleaved complex numbers to real and imaginary parts and back.
FN void deint(vf a, vf b, vf *re, vf *im) {
	const vi e = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
	const vi o = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
	*re = _mm512_permutex2var_ps(a, e, b);
	*im = _mm512_permutex2var_ps(a, o, b);
}
FN void inter(vf re, vf im, vf *a, vf *b) {
	const vi l = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
	const vi h = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
	*a = _mm512_permutex2var_ps(re, l, im);
	*b = _mm512_permutex2var_ps(re, h, im);
}
FN vf swappairs(vf a) { return _mm512_permute_ps(a, 0xB1); }
FN vf evens(vf a) { return _mm512_moveldup_ps(a); }
FN vf odds(vf a) { return _mm512_movehdup_ps(a); }
FN vf fmaddsub(vf a, vf b, vf c) { return _mm512_fmaddsub_ps(a, b, c); } // even: ab − c, odd: ab + c
FN vf fmsubadd(vf a, vf b, vf c) { return _mm512_fmsubadd_ps(a, b, c); } // even: ab + c, odd: ab − c
// VW numbers, each twice: half 0 gives the first VW/2.
FN vf twice(vf a, int half) {
	const vi l = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
	const vi h = _mm512_setr_epi32(8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15);
	return _mm512_permutexvar_ps(half ? h : l, a);
}

// Sums in float64: VD doubles at a time.
typedef __m512d vd;
#define VD 8
FN vd dzero(void) { return _mm512_setzero_pd(); }
FN vd dadd(vd a, vd b) { return _mm512_add_pd(a, b); }
FN vd dfma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }
FN vd dld(const double *p) { return _mm512_loadu_pd(p); }
FN void dst_(double *p, vd v) { _mm512_storeu_pd(p, v); }
FN vd wide(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
FN double dsum(vd a) {
	double t[8];
	_mm512_storeu_pd(t, a);
	return ((t[0] + t[1]) + (t[2] + t[3])) + ((t[4] + t[5]) + (t[6] + t[7]));
}
FN vd dwide_lo(vf a) { return _mm512_cvtps_pd(_mm512_castps512_ps256(a)); }
FN vd dwide_hi(vf a) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)); }

// Transposes the VW×VW block of rows r[0…VW−1].
FN void transpose(vf *r) {
	vf t[16];
	UNROLL for (int i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
	}
	UNROLL for (int i = 0; i < 16; i += 4) {
		r[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
		r[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xEE);
		r[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
		r[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
	}
	UNROLL for (int i = 0; i < 4; i++) {
		t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
		t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xDD);
		t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
		t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xDD);
	}
	UNROLL for (int i = 0; i < 8; i++) {
		r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
		r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xDD);
	}
}
