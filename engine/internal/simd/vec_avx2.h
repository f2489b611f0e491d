// Vectors of 8 floats: AVX2 and FMA.
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#include <immintrin.h>

#define VW 8
typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm;
#define FN static inline __attribute__((always_inline, unused))

FN __m256i tailmask(int n) {
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
FN vf ld(const float *p) { return _mm256_loadu_ps(p); }
FN void st(float *p, vf v) { _mm256_storeu_ps(p, v); }
FN vf ldn(const float *p, int n) { return _mm256_maskload_ps(p, tailmask(n)); }
FN void stn(float *p, vf v, int n) { _mm256_maskstore_ps(p, tailmask(n), v); }
// Past the caches, for what is too large to stay there; p is aligned to a vector.
FN void stpast(float *p, vf v) { _mm256_stream_ps(p, v); }
FN void fence(void) { _mm_sfence(); }
FN vf bc(float a) { return _mm256_set1_ps(a); }
FN vf zero(void) { return _mm256_setzero_ps(); }
FN vf fma_(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
FN vf fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
FN vf fms(vf a, vf b, vf c) { return _mm256_fmsub_ps(a, b, c); }
FN vf vmin(vf a, vf b) { return _mm256_min_ps(a, b); }
FN vf vmax(vf a, vf b) { return _mm256_max_ps(a, b); }
FN vf vabs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
FN vf vsqrt(vf a) { return _mm256_sqrt_ps(a); }
FN float root(float a) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(a))); }
FN float vtotal(vf a) {
	__m128 t = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	t = _mm_add_ps(t, _mm_movehl_ps(t, t));
	return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
}
FN vf vround(vf a) { return _mm256_round_ps(a, 8); }
FN vm gt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
FN vm ne(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_NEQ_UQ); }
FN vf keep(vm m, vf a) { return _mm256_and_ps(m, a); }
FN vf sel(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
FN vi toint(vf a) { return _mm256_cvtps_epi32(a); }
FN vf tofloat(vi a) { return _mm256_cvtepi32_ps(a); }
FN vi bits(vf a) { return _mm256_castps_si256(a); }
FN vf unbits(vi a) { return _mm256_castsi256_ps(a); }
FN vi ibc(int a) { return _mm256_set1_epi32(a); }
FN vi iadd(vi a, vi b) { return _mm256_add_epi32(a, b); }
FN vi isub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
FN vi imax(vi a, vi b) { return _mm256_max_epi32(a, b); }
FN vi iand(vi a, vi b) { return _mm256_and_si256(a, b); }
FN vi ior(vi a, vi b) { return _mm256_or_si256(a, b); }
#define SHL(a, n) _mm256_slli_epi32(a, n)
#define SHR(a, n) _mm256_srli_epi32(a, n)

FN void mulwide(vi a, unsigned m, vi *hi, vi *lo) {
	const vi k = _mm256_set1_epi32((int)m);
	vi e = _mm256_mul_epu32(a, k), o = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), k);
	*lo = _mm256_blend_epi32(e, _mm256_slli_epi64(o, 32), 0xAA);
	*hi = _mm256_blend_epi32(_mm256_srli_epi64(e, 32), o, 0xAA);
}
FN vi ixor(vi a, vi b) { return _mm256_xor_si256(a, b); }
// From the exponent of the number, whose lower bits are cleared lest it be rounded up.
FN vi leadingzeros(vi a) {
	vi high = _mm256_andnot_si256(_mm256_srli_epi32(a, 1), a); // the highest bit stays, others may
	vi top = _mm256_cmpgt_epi32(_mm256_setzero_si256(), a);    // bit 31: no float holds it as positive
	vi e = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(high)), 23);
	return _mm256_andnot_si256(top, _mm256_sub_epi32(_mm256_set1_epi32(158), e));
}
FN vi shiftleft(vi a, vi n) { return _mm256_sllv_epi32(a, n); }
FN vm bitset(vi a, int bit) {
	return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(a, _mm256_set1_epi32(bit)), _mm256_set1_epi32(bit)));
}
#define SAR(a, n) _mm256_srai_epi32(a, n)

FN void deint(vf a, vf b, vf *re, vf *im) {
	vf l = _mm256_permute2f128_ps(a, b, 0x20), h = _mm256_permute2f128_ps(a, b, 0x31);
	*re = _mm256_shuffle_ps(l, h, 0x88);
	*im = _mm256_shuffle_ps(l, h, 0xDD);
}
FN void inter(vf re, vf im, vf *a, vf *b) {
	vf l = _mm256_unpacklo_ps(re, im), h = _mm256_unpackhi_ps(re, im);
	*a = _mm256_permute2f128_ps(l, h, 0x20);
	*b = _mm256_permute2f128_ps(l, h, 0x31);
}
FN vf swappairs(vf a) { return _mm256_permute_ps(a, 0xB1); }
FN vf evens(vf a) { return _mm256_moveldup_ps(a); }
FN vf odds(vf a) { return _mm256_movehdup_ps(a); }
FN vf fmaddsub(vf a, vf b, vf c) { return _mm256_fmaddsub_ps(a, b, c); }
FN vf fmsubadd(vf a, vf b, vf c) { return _mm256_fmsubadd_ps(a, b, c); }
FN vf twice(vf a, int half) {
	const vi l = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3), h = _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7);
	return _mm256_permutevar8x32_ps(a, half ? h : l);
}

typedef __m256d vd;
#define VD 4
FN vd dzero(void) { return _mm256_setzero_pd(); }
FN vd dadd(vd a, vd b) { return _mm256_add_pd(a, b); }
FN vd dfma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
FN vd dld(const double *p) { return _mm256_loadu_pd(p); }
FN void dst_(double *p, vd v) { _mm256_storeu_pd(p, v); }
FN vd wide(const float *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
FN double dsum(vd a) {
	double t[4];
	_mm256_storeu_pd(t, a);
	return (t[0] + t[1]) + (t[2] + t[3]);
}
FN vd dwide_lo(vf a) { return _mm256_cvtps_pd(_mm256_castps256_ps128(a)); }
FN vd dwide_hi(vf a) { return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)); }

FN void transpose(vf *r) {
	vf t[8];
	UNROLL for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
	}
	UNROLL for (int i = 0; i < 8; i += 4) {
		r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
		r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
		r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
		r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
	}
	UNROLL for (int i = 0; i < 4; i++) {
		t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
		t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
	}
	UNROLL for (int i = 0; i < 8; i++) r[i] = t[i];
}
