//! dst x | n c pixels op dc at sc start
// op 0: dst (B, P, C) = x (B, C, P); 1: dst (B, C, P) = x (B, P, C); 2: c channels from
// start of x (pixel, sc) go to channel at of dst (pixel, dc).
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	switch P.op {
		case 0u: {
			let p = i / P.c % P.pixels;
			dst[P.dst_o + i] = x[P.x_o + (i / P.c / P.pixels * P.c + i % P.c) * P.pixels + p];
		}
		case 1u: {
			let ch = i / P.pixels % P.c;
			dst[P.dst_o + i] = x[P.x_o + (i / P.pixels / P.c * P.pixels + i % P.pixels) * P.c + ch];
		}
		default: {
			let p = i / P.c;
			dst[P.dst_o + p * P.dc + P.at + i % P.c] = x[P.x_o + p * P.sc + P.start + i % P.c];
		}
	}
}
