//! dst x | n h w c k sum
// dst (…, h, w, c): sum 0 repeats the pixels of x k×k times, sum 1 adds k×k of them.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let ch = i % P.c;
	let j = i / P.c % P.w;
	let r = i / P.c / P.w; // of all images
	if (P.sum == 0u) {
		let b = r / P.h;
		dst[P.dst_o + i] = x[P.x_o + ((b * (P.h / P.k) + r % P.h / P.k) * (P.w / P.k) + j / P.k) * P.c + ch];
		return;
	}
	var s = 0.0;
	for (var p = 0u; p < P.k; p++) {
		for (var q = 0u; q < P.k; q++) {
			s += x[P.x_o + ((r * P.k + p) * P.w * P.k + j * P.k + q) * P.c + ch];
		}
	}
	dst[P.dst_o + i] = s;
}
