//! dst x k bias | n h w c oh ow kh kw stride pad edge act transposed
// A convolution of every channel with a kernel of its own, dst (b, oh, ow, c); or its
// adjoint, dst (b, h, w, c) from x (b, oh, ow, c).
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let ch = i % P.c;
	let width = select(P.ow, P.w, P.transposed == 1u);
	let height = select(P.oh, P.h, P.transposed == 1u);
	let j = i32(i / P.c % width);
	let r = i32(i / P.c / width % height);
	let b = i / P.c / width / height;
	let s = i32(P.stride);
	let pad = i32(P.pad);
	var sum = 0.0;
	for (var p = 0; p < i32(P.kh); p++) {
		for (var q = 0; q < i32(P.kw); q++) {
			var v = 0.0;
			if (P.transposed == 1u) {
				let y = r + pad - p;
				let z = j + pad - q;
				if (y >= 0 && z >= 0 && y % s == 0 && z % s == 0 && y / s < i32(P.oh) && z / s < i32(P.ow)) {
					v = x[P.x_o + ((b * P.oh + u32(y / s)) * P.ow + u32(z / s)) * P.c + ch];
				}
			} else {
				let y = edge_(r * s + p - pad, i32(P.h), P.edge);
				let z = edge_(j * s + q - pad, i32(P.w), P.edge);
				if (y >= 0 && z >= 0) {
					v = x[P.x_o + ((b * P.h + u32(y)) * P.w + u32(z)) * P.c + ch];
				}
			}
			sum = fma(v, k[P.k_o + (u32(p) * P.kw + u32(q)) * P.c + ch], sum);
		}
	}
	if (P.bias_o != NONE) {
		sum += bias[P.bias_o + ch];
	}
	dst[P.dst_o + i] = act_(P.act, sum);
}
