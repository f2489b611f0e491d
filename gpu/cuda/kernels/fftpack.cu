// Lines as fftline loads them, written one after another as wide ≥ n complex numbers,
// zeros behind; with a chirp, multiplied by chirp[j] (Bluestein 1970). count = lines · wide.
#include "prelude.cuh"

struct Params {
	uint dst_o, src_o, chirp_o;
	uint n, wide, count, load, so, si, se, inner, half, rows;
	float sgn;
};

struct Kernel {
	float *dst, *src, *chirp;
	Params P;

	DEVICE vec2 complex_at(uint i) {
		return vec2(src[P.src_o + 2u * i], src[P.src_o + 2u * i + 1u]);
	}

	DEVICE vec2 spectrum_at(uint row, uint k) {
		const auto z = complex_at(row * P.so + k);
		if (k == 0u || 2u * k == P.n) {
			return vec2(z.x, 0.0f);
		}
		return z;
	}

	DEVICE vec2 load(uint l, uint j) {
		if (P.load == 0u) {
			return complex_at(l / P.inner * P.so + l % P.inner * P.si + j * P.se);
		}
		const auto two = 2u * l + 1u < P.rows;
		if (P.load == 1u) {
			auto im = 0.0f;
			if (two) {
				im = src[P.src_o + (2u * l + 1u) * P.so + j];
			}
			return vec2(src[P.src_o + 2u * l * P.so + j], im);
		}
		const auto low = j < P.half;
		const auto k = pick(P.n - j, j, low);
		const auto s = pick(-1.0f, 1.0f, low);
		const auto a = spectrum_at(2u * l, k);
		auto b = vec2(0.0f, 0.0f);
		if (two) {
			b = spectrum_at(2u * l + 1u, k);
		}
		return vec2(a.x - s * b.y, s * a.y + b.x);
	}

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.count) {
			return;
		}
		const auto j = i % P.wide;
		auto z = vec2(0.0f, 0.0f);
		if (j < P.n) {
			z = load(i / P.wide, j);
			if (P.chirp_o != NONE) {
				const auto w = vec2(chirp[P.chirp_o + 2u * j], P.sgn * chirp[P.chirp_o + 2u * j + 1u]);
				z = vec2(z.x * w.x - z.y * w.y, z.x * w.y + z.y * w.x);
			}
		}
		dst[P.dst_o + 2u * i] = z.x;
		dst[P.dst_o + 2u * i + 1u] = z.y;
	}
};

KERNEL(fftpack, 256)(float *dst, float *src, float *chirp, Params P) {
	Kernel kernel = {dst, src, chirp, P};
	kernel.run();
}
