// What every kernel may use. The kernels need no header of NVIDIA's: clang compiles them
// to PTX without a toolkit, and emulate.cpp runs them on the processor, for tests.
#pragma once

typedef unsigned int uint;

#ifdef LIMPID_EMULATE
#include "../emulate/emulate.h"
#else
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define DEVICE __attribute__((device, always_inline))
#define CALLED static __attribute__((device, noinline)) // where inlining would only make code longer
#define KERNEL(name, threads) extern "C" __global__ __attribute__((launch_bounds(threads))) void limpid_##name
#define INDICES \
	const Index wg = {uint(__nvvm_read_ptx_sreg_ctaid_x()), uint(__nvvm_read_ptx_sreg_ctaid_y()), uint(__nvvm_read_ptx_sreg_ctaid_z())}; \
	const Index nwg = {uint(__nvvm_read_ptx_sreg_nctaid_x()), uint(__nvvm_read_ptx_sreg_nctaid_y()), uint(__nvvm_read_ptx_sreg_nctaid_z())}; \
	const uint lid = uint(__nvvm_read_ptx_sreg_tid_x())

#endif

struct Index {
	uint x, y, z;
};

constexpr uint NONE = 0xffffffffu; // the offset of an absent buffer

struct vec2 {
	float x, y;
	vec2() = default;
	DEVICE vec2(float a, float b) : x(a), y(b) {}
};
DEVICE vec2 operator+(vec2 a, vec2 b) { return vec2(a.x + b.x, a.y + b.y); }
DEVICE vec2 operator-(vec2 a, vec2 b) { return vec2(a.x - b.x, a.y - b.y); }
DEVICE vec2 operator*(vec2 a, float s) { return vec2(a.x * s, a.y * s); }
DEVICE vec2 operator*(float s, vec2 a) { return a * s; }
DEVICE vec2 &operator+=(vec2 &a, vec2 b) { return a = a + b; }

struct vec3 {
	float x, y, z;
	vec3() = default;
	DEVICE vec3(float a, float b, float c) : x(a), y(b), z(c) {}
};

struct vec4 {
	float x, y, z, w;
	vec4() = default;
	DEVICE explicit vec4(float a) : x(a), y(a), z(a), w(a) {}
	DEVICE vec4(float a, float b, float c, float d) : x(a), y(b), z(c), w(d) {}
};

DEVICE float as_float(uint u) { return __builtin_bit_cast(float, u); }
DEVICE uint as_uint(float f) { return __builtin_bit_cast(uint, f); }
DEVICE int as_int(uint u) { return int(u); }
DEVICE float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
DEVICE vec4 fma(vec4 a, vec4 b, vec4 c) { return vec4(fma(a.x, b.x, c.x), fma(a.y, b.y, c.y), fma(a.z, b.z, c.z), fma(a.w, b.w, c.w)); }
DEVICE float abs(float x) { return __builtin_fabsf(x); }
DEVICE float floor(float x) { return __builtin_floorf(x); }
#ifdef LIMPID_EMULATE
DEVICE float sqrt(float x) { return __builtin_sqrtf(x); }
#else
DEVICE float sqrt(float x) { return __nvvm_sqrt_rn_f(x); }
#endif
DEVICE float max(float a, float b) { return __builtin_fmaxf(a, b); }
DEVICE float min(float a, float b) { return __builtin_fminf(a, b); }
DEVICE int max(int a, int b) { return a > b ? a : b; }
DEVICE int min(int a, int b) { return a < b ? a : b; }
DEVICE uint min(uint a, uint b) { return a < b ? a : b; }
DEVICE float clamp(float x, float lo, float hi) { return min(max(x, lo), hi); }
DEVICE float sign(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f; }

template <class T> DEVICE T pick(T no, T yes, bool which) { return which ? yes : no; }

DEVICE uint flat(Index wg, Index nwg, uint lid) { return (wg.y * nwg.x + wg.x) * 256u + lid; }

// two_sum adds v to the sum s.x with its rounding error in s.y (Knuth's TwoSum).
DEVICE vec2 two_sum(vec2 s, float v) {
	const auto t = s.x + v;
	const auto z = t - s.x;
	const auto e = (s.x - (t - z)) + (v - z);
	return vec2(t, s.y + e);
}

// The functions of engine.Unary, as in gpu/webgpu/wgsl/prelude.wgsl: relative errors of
// a few 1e-7.

DEVICE float power2(int n) {
	return as_float(uint(n + 127) << 23u);
}

// Cody & Waite's reduction and a polynomial of degree 6.
DEVICE float exp_(float x) {
	const auto c = clamp(x, -104.0f, 89.0f);
	const auto n = floor(fma(c, 1.44269504f, 0.5f));
	auto r = fma(-n, 0.693359375f, c);
	r = fma(-n, -2.12194440e-4f, r);
	auto p = 1.9875691500e-4f;
	p = fma(p, r, 1.3981999507e-3f);
	p = fma(p, r, 8.3334519073e-3f);
	p = fma(p, r, 4.1665795894e-2f);
	p = fma(p, r, 1.6666665459e-1f);
	p = fma(p, r, 5.0000001201e-1f);
	const auto y = fma(p * r, r, r) + 1.0f;
	const auto i = int(n);
	const auto h = i / 2;
	return pick(y * power2(h) * power2(i - h), x, x != x);
}

// ln(1+f) = 2 atanh(s), s = f/(2+f).
DEVICE float log_series(float s) {
	const auto q = s * s;
	return s * (2.0f + q * (2.0f / 3.0f + q * (2.0f / 5.0f + q * (2.0f / 7.0f + q * (2.0f / 9.0f + q * (2.0f / 11.0f + q * (2.0f / 13.0f + q * (2.0f / 15.0f))))))));
}

DEVICE float log_(float x) {
	if (!(x > 0.0f)) {
		return pick(0.0f, x, x != x);
	}
	auto v = x;
	auto e = 0;
	if (v < 1.17549435e-38f) {
		v = v * 8388608.0f;
		e = -23;
	}
	const auto u = as_uint(v);
	if (u >= 0x7f800000u) {
		return x;
	}
	e = e + int(u >> 23u) - 127;
	auto m = as_float((u & 0x7fffffu) | 0x3f800000u);
	if (m > 1.41421356f) {
		m = m * 0.5f;
		e = e + 1;
	}
	const auto f = m - 1.0f;
	const auto k = float(e);
	return k * 0.693359375f + (log_series(f / (2.0f + f)) + k * -2.12194440e-4f);
}

DEVICE float tanh_(float x) {
	const auto a = abs(x);
	if (a < 0.1f) {
		const auto q = x * x;
		return x + x * q * (-1.0f / 3.0f + q * (2.0f / 15.0f + q * (-17.0f / 315.0f)));
	}
	const auto e = exp_(-2.0f * a);
	const auto t = (1.0f - e) / (1.0f + e);
	return pick(t, -t, x < 0.0f);
}

DEVICE float sigmoid_(float x) {
	const auto e = exp_(-abs(x));
	return pick(1.0f, e, x < 0.0f) / (1.0f + e);
}

// Φ by Abramowitz & Stegun (1964), eq. 7.1.26, error below 8e-8.
DEVICE float phi_(float x) {
	const auto z = abs(x) * 0.70710678f;
	const auto t = 1.0f / (1.0f + 0.3275911f * z);
	const auto p = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
	const auto q = 0.5f * p * exp_(-z * z);
	return pick(1.0f - q, q, x < 0.0f);
}

DEVICE float softplus_(float x) {
	const auto e = exp_(-abs(x));
	return max(x, 0.0f) + log_series(e / (2.0f + e));
}

// map_ is engine.Unary number f of x; act_ the activations among them.
CALLED float act_(uint f, float x) {
	switch (f) {
		break; case 7u: { return max(x, 0.0f); }
		break; case 8u: { return tanh_(x); }
		break; case 9u: { return sigmoid_(x); }
		break; case 10u: { return x * sigmoid_(x); }
		break; case 11u: { return x * phi_(x); }
		break; case 12u: { return softplus_(x); }
		break; default: { return x; }
	}
}

DEVICE float act_slope_(uint f, float x) {
	switch (f) {
		break; case 7u: { return pick(0.0f, 1.0f, x > 0.0f); }
		break; case 8u: {
			const auto t = tanh_(x);
			return 1.0f - t * t;
		}
		break; case 9u: {
			const auto s = sigmoid_(x);
			return s * (1.0f - s);
		}
		break; case 10u: {
			const auto s = sigmoid_(x);
			return s * (1.0f + x * (1.0f - s));
		}
		break; case 11u: { return phi_(x) + x * 0.39894228f * exp_(-0.5f * x * x); }
		break; case 12u: { return sigmoid_(x); }
		break; default: { return 1.0f; }
	}
}

DEVICE float map_(uint f, float x) {
	switch (f) {
		break; case 1u: { return exp_(x); }
		break; case 2u: { return log_(x); }
		break; case 3u: { return pick(0.0f, sqrt(max(x, 0.0f)), x > 0.0f); }
		break; case 4u: { return x * x; }
		break; case 5u: {
			if (x == 0.0f) { return 0.0f; }
			return 1.0f / x;
		}
		break; case 6u: { return abs(x); }
		break; default: { return act_(f, x); }
	}
}

DEVICE float slope_(uint f, float x) {
	switch (f) {
		break; case 1u: { return exp_(x); }
		break; case 2u: {
			if (x <= 0.0f) { return 0.0f; }
			return 1.0f / x;
		}
		break; case 3u: {
			if (x <= 0.0f) { return 0.0f; }
			return 0.5f / sqrt(x);
		}
		break; case 4u: { return 2.0f * x; }
		break; case 5u: {
			if (x == 0.0f) { return 0.0f; }
			const auto r = 1.0f / x;
			return -r * r;
		}
		break; case 6u: { return sign(x); }
		break; default: { return act_slope_(f, x); }
	}
}

// edge_ is engine.Edge.At: the pixel of 0…n−1 at place i of the extended image, or −1.
DEVICE int edge_(int i, int n, uint e) {
	if (i >= 0 && i < n) {
		return i;
	}
	if (e == 1u) {
		return ((i % n) + n) % n;
	}
	if (e == 2u) {
		if (n == 1) {
			return 0;
		}
		const auto p = 2 * n - 2;
		const auto k = ((i % p) + p) % p;
		return min(k, p - k);
	}
	return -1;
}
