// The transforms of per lines of n points in workgroup memory. Line l of complex
// numbers begins at (l / inner) so + (l % inner) si, its points are se apart (dio, dii,
// die in dst). load and store 0: complex lines. Real lines go in pairs, as real and
// imaginary part: load 1 reads rows 2l and 2l+1 (of rows, so apart) of real numbers and
// store 1 writes their half spectra (half numbers, dio apart); load 2 reads half spectra
// and store 2 writes real rows. columns: neighbouring lines are neighbours in memory.
#include "prelude.cuh"

struct Params {
	uint dst_o, src_o, tw_o;
	uint n, lines, per, load, store, so, si, se, dio, dii, die, inner, columns, half, rows, stages, rad0, rad1, rad2;
	float sgn, scale;
};

constexpr uint BOTH = 2u * CAP;
__shared__ vec2 sh[BOTH];

struct Kernel {
	float *dst, *src, *tw;
	Params P;

#include "butterfly.cuh"

	DEVICE vec2 fetch(uint i) {
		return sh[i];
	}

	DEVICE void put(uint i, vec2 z) {
		sh[i] = z;
	}

	DEVICE vec2 complex_at(uint i) {
		return vec2(src[P.src_o + 2u * i], src[P.src_o + 2u * i + 1u]);
	}

	// spectrum_at is number k of the half spectrum of a row; the imaginary parts that a real
	// row cannot have do not count.
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

	DEVICE void write(uint i, vec2 z) {
		dst[P.dst_o + 2u * i] = z.x;
		dst[P.dst_o + 2u * i + 1u] = z.y;
	}

	DEVICE void store(uint l, uint j, uint at) {
		const auto z = sh[at + j] * P.scale;
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
		const auto c = sh[at + pick(P.n - j, 0u, j == 0u)] * P.scale;
		write(2u * l * P.dio + j, 0.5f * vec2(z.x + c.x, z.y - c.y));
		if (two) {
			write((2u * l + 1u) * P.dio + j, 0.5f * vec2(z.y + c.y, c.x - z.x));
		}
	}

	DEVICE uint radix(uint i) {
		const auto w = pick(pick(P.rad2, P.rad1, i < 8u), P.rad0, i < 4u);
		return (w >> (8u * (i % 4u))) & 255u;
	}

	DEVICE void run() {
		INDICES;
		const auto l0 = (wg.y * nwg.x + wg.x) * P.per;
		if (l0 >= P.lines) {
			return;
		}
		const auto count = min(P.per, P.lines - l0);
		const auto all = count * P.n;
		for (auto i = lid; i < all; i += 256u) {
			const auto line = pick(i / P.n, i % count, P.columns == 1u);
			const auto j = pick(i % P.n, i / count, P.columns == 1u);
			sh[line * P.n + j] = load(l0 + line, j);
		}
		__syncthreads();
		auto cur = 0u;
		auto ns = 1u;
		for (auto s = 0u; s < P.stages; s++) {
			const auto r = radix(s);
			const auto m = P.n / r;
			for (auto t = lid; t < m * count; t += 256u) {
				const auto at = t / m * P.n;
				butterfly(P.n, ns, r, t % m, cur + at, CAP - cur + at);
			}
			__syncthreads();
			cur = CAP - cur;
			ns *= r;
		}
		for (auto i = lid; i < all; i += 256u) {
			const auto line = pick(i / P.n, i % count, P.columns == 1u);
			const auto j = pick(i % P.n, i / count, P.columns == 1u);
			store(l0 + line, j, cur + line * P.n);
		}
	}
};

KERNEL(fftline, 256)(float *dst, float *src, float *tw, Params P) {
	Kernel kernel = {dst, src, tw, P};
	kernel.run();
}
