//! dst x g | rows h w c oh ow kh kw stride pad edge parts
// The gradient of depthwise in the kernel, summed over every parts-th of the rows of
// all images: dst (parts, kh, kw, c).
MAIN(256) {
	let t = flat(wg, nwg, lid);
	let per = P.kh * P.kw * P.c;
	if (t >= per * P.parts) {
		return;
	}
	let ch = t % P.c;
	let q = i32(t / P.c % P.kw);
	let p = i32(t / P.c / P.kw % P.kh);
	var sum = 0.0;
	for (var r = t / per; r < P.rows; r += P.parts) {
		let y = edge_(i32(r % P.oh * P.stride) + p - i32(P.pad), i32(P.h), P.edge);
		if (y < 0) {
			continue;
		}
		let row = (r / P.oh * P.h + u32(y)) * P.w;
		for (var j = 0u; j < P.ow; j++) {
			let z = edge_(i32(j * P.stride) + q - i32(P.pad), i32(P.w), P.edge);
			if (z >= 0) {
				sum = fma(x[P.x_o + (row + u32(z)) * P.c + ch], g[P.g_o + (r * P.ow + j) * P.c + ch], sum);
			}
		}
	}
	dst[P.dst_o + t] = sum;
}
