//! dst num den x | n per add sgn:f32
// dst[b] (+)= sgn num[b]/den[b] x[b] for slices of per elements; see Stream.AxpyBy.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let b = i / P.per;
	var f = P.sgn * num[P.num_o + b];
	if (P.den_o != NONE) {
		let d = den[P.den_o + b];
		if (d == 0.0) {
			f = 0.0;
		} else {
			f = f / d;
		}
	}
	let o = P.dst_o + i;
	if (P.add == 0u) {
		dst[o] = f * x[P.x_o + i];
	} else if (f != 0.0) {
		dst[o] = fma(f, x[P.x_o + i], dst[o]);
	}
}
