// The reverse of fftpack: lines of wide numbers, of which n count, stored as fftline
// stores them. count = lines · n.
#include "prelude.cuh"

struct Params {
	uint dst_o, src_o, chirp_o;
	uint n, wide, count, store, dio, dii, die, inner, half, rows;
	float sgn, scale;
};

struct Kernel {
	float *dst, *src, *chirp;
	Params P;

	DEVICE vec2 value(uint l, uint j) {
		const auto i = P.src_o + 2u * (l * P.wide + j);
		const auto z = vec2(src[i], src[i + 1u]) * P.scale;
		if (P.chirp_o == NONE) {
			return z;
		}
		const auto w = vec2(chirp[P.chirp_o + 2u * j], P.sgn * chirp[P.chirp_o + 2u * j + 1u]);
		return vec2(z.x * w.x - z.y * w.y, z.x * w.y + z.y * w.x);
	}

	DEVICE void write(uint i, vec2 z) {
		dst[P.dst_o + 2u * i] = z.x;
		dst[P.dst_o + 2u * i + 1u] = z.y;
	}

	DEVICE void run() {
		INDICES;
		const auto i = flat(wg, nwg, lid);
		if (i >= P.count) {
			return;
		}
		const auto l = i / P.n;
		const auto j = i % P.n;
		const auto z = value(l, j);
		if (P.store == 0u) {
			write(l / P.inner * P.dio + l % P.inner * P.dii + j * P.die, z);
			return;
		}
		const auto two = 2u * l + 1u < P.rows;
		if (P.store == 2u) {
			dst[P.dst_o + 2u * l * P.dio + j] = z.x;
			if (two) {
				dst[P.dst_o + (2u * l + 1u) * P.dio + j] = z.y;
			}
			return;
		}
		if (j >= P.half) {
			return;
		}
		const auto c = value(l, pick(P.n - j, 0u, j == 0u));
		write(2u * l * P.dio + j, 0.5f * vec2(z.x + c.x, z.y - c.y));
		if (two) {
			write((2u * l + 1u) * P.dio + j, 0.5f * vec2(z.y + c.y, c.x - z.x));
		}
	}
};

KERNEL(fftunpack, 256)(float *dst, float *src, float *chirp, Params P) {
	Kernel kernel = {dst, src, chirp, P};
	kernel.run();
}
