// What gemm and direct share: the elements of A and B and the end of a product, see
// gemm. image is A for a convolution and its adjoint: b is the first pixel of the image,
// (h0, w0) the place of the first tap.
DEVICE float image(uint b, int h0, int w0, uint tap, uint c) {
	const auto kh = int(tap / P.kw);
	const auto kw = int(tap % P.kw);
	if (MODE == 1u) {
		const auto s = int(P.stride);
		const auto i = h0 - kh;
		const auto j = w0 - kw;
		if (i < 0 || j < 0 || i % s != 0 || j % s != 0 || i / s >= int(P.oh) || j / s >= int(P.ow)) {
			return 0.0f;
		}
		return a[P.a_o + (b + uint(i / s) * P.ow + uint(j / s)) * P.c + c];
	}
	const auto i = edge_(h0 + kh, int(P.h), P.edge);
	const auto j = edge_(w0 + kw, int(P.w), P.edge);
	if (i < 0 || j < 0) {
		return 0.0f;
	}
	return a[P.a_o + (b + uint(i) * P.w + uint(j)) * P.c + c];
}

DEVICE float load_b(uint k, uint n, uint hi, uint z) {
	if (n >= P.n || k >= hi) {
		return 0.0f;
	}
	if (MODE == 3u) {
		return b[P.b_o + z % P.bbatch * P.k * P.n + pick(k * P.n + n, n * P.k + k, P.tb == 1u)];
	}
	if (MODE == 1u) { // k is (tap, channel of the result), the kernel is (tap, n, that)
		return b[P.b_o + (k / P.c * P.n + n) * P.c + k % P.c];
	}
	return b[P.b_o + k * P.n + n];
}

DEVICE void put(uint m, uint n, float v, uint z) {
	if (m >= P.m || n >= P.n) {
		return;
	}
	auto r = v;
	auto o = m * P.n + n;
	if (MODE == 3u) {
		o += z * P.m * P.n;
		r *= P.scale;
		if (P.add == 1u) {
			r += dst[P.dst_o + o];
		}
	} else if (MODE == 2u) {
		o += z * P.m * P.n;
	} else {
		if (P.bias_o != NONE) {
			r += bias[P.bias_o + n];
		}
		if (P.res_o != NONE) {
			r += res[P.res_o + o];
		}
		r = act_(P.act, r);
	}
	dst[P.dst_o + o] = r;
}
