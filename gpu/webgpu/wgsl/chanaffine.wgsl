//! dst x scale shift | n c pixels
// dst = x·scale + shift with scale and shift (image, c), either absent.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let k = i / P.c / P.pixels * P.c + i % P.c;
	var a = 1.0;
	var s = 0.0;
	if (P.scale_o != NONE) {
		a = scale[P.scale_o + k];
	}
	if (P.shift_o != NONE) {
		s = shift[P.shift_o + k];
	}
	dst[P.dst_o + i] = fma(x[P.x_o + i], a, s);
}
