// Vectors of 4 floats: Advanced SIMD of every 64-bit ARM.
#include <arm_neon.h>

#define VW 4
typedef float32x4_t vf;
typedef int32x4_t vi;
typedef uint32x4_t vm;
#define FN static inline __attribute__((always_inline, unused))

FN vf ld(const float *p) { return vld1q_f32(p); }
FN void st(float *p, vf v) { vst1q_f32(p, v); }
FN vf ldn(const float *p, int n) {
	float t[4] = {0};
	for (int i = 0; i < n; i++) t[i] = p[i];
	return vld1q_f32(t);
}
FN void stn(float *p, vf v, int n) {
	float t[4];
	vst1q_f32(t, v);
	for (int i = 0; i < n; i++) p[i] = t[i];
}
// Past the caches where an instruction set can; this one has no need to be told.
FN void stpast(float *p, vf v) { st(p, v); }
FN void fence(void) {}
FN vf bc(float a) { return vdupq_n_f32(a); }
FN vf zero(void) { return vdupq_n_f32(0); }
FN vf fma_(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
FN vf fnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); }
FN vf fms(vf a, vf b, vf c) { return vnegq_f32(vfmsq_f32(c, a, b)); }
// As x86's: the second where one is not a number.
FN vf vmin(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
FN vf vmax(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
FN vf vabs(vf a) { return vabsq_f32(a); }
FN vf vsqrt(vf a) { return vsqrtq_f32(a); }
FN float root(float a) { return vget_lane_f32(vsqrt_f32(vdup_n_f32(a)), 0); }
FN float vtotal(vf a) { return vaddvq_f32(a); }
FN vf vround(vf a) { return vrndnq_f32(a); }
FN vm gt(vf a, vf b) { return vcgtq_f32(a, b); }
FN vm ne(vf a, vf b) { return vmvnq_u32(vceqq_f32(a, b)); }
FN vf sel(vm m, vf a, vf b) { return vbslq_f32(m, a, b); }
FN vf keep(vm m, vf a) { return vbslq_f32(m, a, vdupq_n_f32(0)); }
FN vi toint(vf a) { return vcvtnq_s32_f32(a); }
FN vf tofloat(vi a) { return vcvtq_f32_s32(a); }
FN vi bits(vf a) { return vreinterpretq_s32_f32(a); }
FN vf unbits(vi a) { return vreinterpretq_f32_s32(a); }
FN vi ibc(int a) { return vdupq_n_s32(a); }
FN vi iadd(vi a, vi b) { return vaddq_s32(a, b); }
FN vi isub(vi a, vi b) { return vsubq_s32(a, b); }
FN vi imax(vi a, vi b) { return vmaxq_s32(a, b); }
FN vi iand(vi a, vi b) { return vandq_s32(a, b); }
FN vi ior(vi a, vi b) { return vorrq_s32(a, b); }
#define SHL(a, n) vshlq_n_s32(a, n)
#define SHR(a, n) vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), n))

FN void mulwide(vi a, unsigned m, vi *hi, vi *lo) {
	uint32x4_t u = vreinterpretq_u32_s32(a);
	uint64x2_t e = vmull_n_u32(vget_low_u32(u), m), o = vmull_n_u32(vget_high_u32(u), m);
	*lo = vreinterpretq_s32_u32(vuzp1q_u32(vreinterpretq_u32_u64(e), vreinterpretq_u32_u64(o)));
	*hi = vreinterpretq_s32_u32(vuzp2q_u32(vreinterpretq_u32_u64(e), vreinterpretq_u32_u64(o)));
}
FN vi ixor(vi a, vi b) { return veorq_s32(a, b); }
FN vi leadingzeros(vi a) { return vclzq_s32(a); }
FN vi shiftleft(vi a, vi n) { return vshlq_s32(a, n); }
FN vm bitset(vi a, int bit) { return vtstq_s32(a, vdupq_n_s32(bit)); }
#define SAR(a, n) vshrq_n_s32(a, n)

FN void deint(vf a, vf b, vf *re, vf *im) {
	*re = vuzp1q_f32(a, b);
	*im = vuzp2q_f32(a, b);
}
FN void inter(vf re, vf im, vf *a, vf *b) {
	*a = vzip1q_f32(re, im);
	*b = vzip2q_f32(re, im);
}
FN vf swappairs(vf a) { return vrev64q_f32(a); }
FN vf evens(vf a) { return vtrn1q_f32(a, a); }
FN vf odds(vf a) { return vtrn2q_f32(a, a); }
FN vf pairsign(vf c) { // −, +, −, +
	const uint32x4_t s = {0x80000000u, 0, 0x80000000u, 0};
	return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(c), s));
}
FN vf fmaddsub(vf a, vf b, vf c) { return vfmaq_f32(pairsign(c), a, b); }
FN vf fmsubadd(vf a, vf b, vf c) { return vfmaq_f32(vnegq_f32(pairsign(c)), a, b); }
FN vf twice(vf a, int half) { return half ? vzip2q_f32(a, a) : vzip1q_f32(a, a); }

typedef float64x2_t vd;
#define VD 2
FN vd dzero(void) { return vdupq_n_f64(0); }
FN vd dadd(vd a, vd b) { return vaddq_f64(a, b); }
FN vd dfma(vd a, vd b, vd c) { return vfmaq_f64(c, a, b); }
FN vd dld(const double *p) { return vld1q_f64(p); }
FN void dst_(double *p, vd v) { vst1q_f64(p, v); }
FN vd wide(const float *p) { return vcvt_f64_f32(vld1_f32(p)); }
FN double dsum(vd a) { return vgetq_lane_f64(a, 0) + vgetq_lane_f64(a, 1); }
FN vd dwide_lo(vf a) { return vcvt_f64_f32(vget_low_f32(a)); }
FN vd dwide_hi(vf a) { return vcvt_high_f64_f32(a); }

FN void transpose(vf *r) {
	vf a = vtrn1q_f32(r[0], r[1]), b = vtrn2q_f32(r[0], r[1]);
	vf c = vtrn1q_f32(r[2], r[3]), d = vtrn2q_f32(r[2], r[3]);
	r[0] = vcombine_f32(vget_low_f32(a), vget_low_f32(c));
	r[1] = vcombine_f32(vget_low_f32(b), vget_low_f32(d));
	r[2] = vcombine_f32(vget_high_f32(a), vget_high_f32(c));
	r[3] = vcombine_f32(vget_high_f32(b), vget_high_f32(d));
}
