// What gemm and direct share: the elements of A and B and the end of a product, see
// gemm. image is A for a convolution and its adjoint: b is the first pixel of the image,
// (h0, w0) the place of the first tap.
fn image(b: u32, h0: i32, w0: i32, tap: u32, c: u32) -> f32 {
	let kh = i32(tap / P.kw);
	let kw = i32(tap % P.kw);
	if (MODE == 1u) {
		let s = i32(P.stride);
		let i = h0 - kh;
		let j = w0 - kw;
		if (i < 0 || j < 0 || i % s != 0 || j % s != 0 || i / s >= i32(P.oh) || j / s >= i32(P.ow)) {
			return 0.0;
		}
		return a[P.a_o + (b + u32(i / s) * P.ow + u32(j / s)) * P.c + c];
	}
	let i = edge_(h0 + kh, i32(P.h), P.edge);
	let j = edge_(w0 + kw, i32(P.w), P.edge);
	if (i < 0 || j < 0) {
		return 0.0;
	}
	return a[P.a_o + (b + u32(i) * P.w + u32(j)) * P.c + c];
}

fn load_b(k: u32, n: u32, hi: u32, z: u32) -> f32 {
	if (n >= P.n || k >= hi) {
		return 0.0;
	}
	if (MODE == 3u) {
		return b[P.b_o + z % P.bbatch * P.k * P.n + select(k * P.n + n, n * P.k + k, P.tb == 1u)];
	}
	if (MODE == 1u) { // k is (tap, channel of the result), the kernel is (tap, n, that)
		return b[P.b_o + (k / P.c * P.n + n) * P.c + k % P.c];
	}
	return b[P.b_o + k * P.n + n];
}

fn put(m: u32, n: u32, v: f32, z: u32) {
	if (m >= P.m || n >= P.n) {
		return;
	}
	var r = v;
	var o = m * P.n + n;
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
