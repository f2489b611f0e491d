// One butterfly of a Stockham transform of any radix (Govindaraju+2008): number j of a
// pass over n points in which transforms of ns points are done. at and to are where the
// input and the output lie; fetch and put belong to the kernel. The table tw holds
// exp(−2πi k/n); sgn −1 makes the inverse.
DEVICE vec2 root(uint k) {
	return vec2(tw[P.tw_o + 2u * k], P.sgn * tw[P.tw_o + 2u * k + 1u]);
}

DEVICE vec2 cmul(vec2 a, vec2 b) {
	return vec2(fma(a.x, b.x, -a.y * b.y), fma(a.x, b.y, a.y * b.x));
}

// turn is −i z of the forward transform.
DEVICE vec2 turn(vec2 z) {
	return vec2(z.y, -z.x) * P.sgn;
}

DEVICE void butterfly(uint n, uint ns, uint r, uint j, uint at, uint to) {
	const auto m = n / r;
	const auto k = j % ns;
	const auto step = k * (m / ns);
	const auto o = to + (j - k) * r + k;
	switch (r) {
		break; case 2u: {
			const auto a = fetch(at + j);
			const auto b = cmul(fetch(at + j + m), root(step));
			put(o, a + b);
			put(o + ns, a - b);
		}
		break; case 3u: {
			const auto a = fetch(at + j);
			const auto b = cmul(fetch(at + j + m), root(step));
			const auto c = cmul(fetch(at + j + 2u * m), root(2u * step));
			const auto s = b + c;
			const auto t = a - 0.5f * s;
			const auto d = turn(b - c) * 0.8660254f;
			put(o, a + s);
			put(o + ns, t + d);
			put(o + 2u * ns, t - d);
		}
		break; case 4u: {
			const auto a = fetch(at + j);
			const auto b = cmul(fetch(at + j + m), root(step));
			const auto c = cmul(fetch(at + j + 2u * m), root(2u * step));
			const auto d = cmul(fetch(at + j + 3u * m), root(3u * step));
			const auto e = a + c;
			const auto f = a - c;
			const auto g = b + d;
			const auto h = turn(b - d);
			put(o, e + g);
			put(o + ns, f + h);
			put(o + 2u * ns, e - g);
			put(o + 3u * ns, f - h);
		}
		break; case 5u: {
			const auto a = fetch(at + j);
			const auto b = cmul(fetch(at + j + m), root(step));
			const auto c = cmul(fetch(at + j + 2u * m), root(2u * step));
			const auto d = cmul(fetch(at + j + 3u * m), root(3u * step));
			const auto e = cmul(fetch(at + j + 4u * m), root(4u * step));
			const auto p = b + e;
			const auto q = c + d;
			const auto u = turn(b - e);
			const auto v = turn(c - d);
			const auto x1 = a + 0.30901699f * p - 0.80901699f * q;
			const auto x2 = a - 0.80901699f * p + 0.30901699f * q;
			const auto y1 = 0.95105652f * u + 0.58778525f * v;
			const auto y2 = 0.58778525f * u - 0.95105652f * v;
			put(o, a + p + q);
			put(o + ns, x1 + y1);
			put(o + 2u * ns, x2 + y2);
			put(o + 3u * ns, x2 - y2);
			put(o + 4u * ns, x1 - y1);
		}
		break; default: {
			for (auto q = 0u; q < r; q++) {
				auto s = vec2(0.0f, 0.0f);
				auto w = 0u; // p (step + q m) modulo n
				for (auto p = 0u; p < r; p++) {
					s += cmul(fetch(at + j + p * m), root(w));
					w += step + q * m;
					w -= pick(0u, n, w >= n);
				}
				put(o + q * ns, s);
			}
		}
	}
}
