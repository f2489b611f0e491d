//! dst a b bias res | m n k tilesn h w c oh ow kh kw stride pad edge act ta tb add bbatch kper scale:f32
//+ gather
// As gemm, a thread for every element: for products so small that tiles would be mostly
// empty.
MAIN(256) {
	let t = flat(wg, nwg, lid);
	if (t >= P.m * P.n) {
		return;
	}
	let m = t / P.n;
	let n = t % P.n;
	var s = 0.0;
	if (MODE == 3u) {
		let ms = select(P.k, 1u, P.ta == 1u);
		let ks = select(1u, P.m, P.ta == 1u);
		let o = P.a_o + wg.z * P.m * P.k + m * ms;
		for (var k = 0u; k < P.k; k++) {
			s = fma(a[o + k * ks], load_b(k, n, P.k, wg.z), s);
		}
	} else if (MODE == 2u) {
		let lo = wg.z * P.kper;
		let hi = min(lo + P.kper, P.k);
		for (var k = lo; k < hi; k++) {
			let j = k % P.ow;
			let i = k / P.ow % P.oh;
			let at = k / P.ow / P.oh * P.h * P.w;
			s = fma(image(at, i32(i * P.stride) - i32(P.pad), i32(j * P.stride) - i32(P.pad), m / P.c, m % P.c), load_b(k, n, hi, wg.z), s);
		}
	} else {
		let ow = select(P.ow, P.w, MODE == 1u);
		let oh = select(P.oh, P.h, MODE == 1u);
		var h0 = i32(m / ow % oh);
		var w0 = i32(m % ow);
		var at = m / ow / oh * P.h * P.w;
		if (MODE == 1u) {
			h0 += i32(P.pad);
			w0 += i32(P.pad);
			at = m / ow / oh * P.oh * P.ow;
		} else {
			h0 = h0 * i32(P.stride) - i32(P.pad);
			w0 = w0 * i32(P.stride) - i32(P.pad);
		}
		for (var k = 0u; k < P.k; k++) {
			s = fma(image(at, h0, w0, k / P.c, k % P.c), load_b(k, n, P.k, 0u), s);
		}
	}
	put(m, n, s, wg.z);
}
