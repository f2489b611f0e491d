//! dst src | n dh dw sh sw row:i32 col:i32 add
// add 0: dst[r,c] = src[r+row,c+col] or 0, over the n elements of dst;
// add 1: dst[r+row,c+col] += src[r,c] inside dst, over those of src.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let w = select(P.dw, P.sw, P.add == 1u);
	let h = select(P.dh, P.sh, P.add == 1u);
	let c = i32(i % w) + P.col;
	let r = i32(i / w % h) + P.row;
	let plane = i / w / h;
	if (P.add == 1u) {
		if (r >= 0 && c >= 0 && r < i32(P.dh) && c < i32(P.dw)) {
			let o = P.dst_o + (plane * P.dh + u32(r)) * P.dw + u32(c);
			dst[o] = dst[o] + src[P.src_o + i];
		}
		return;
	}
	var v = 0.0;
	if (r >= 0 && c >= 0 && r < i32(P.sh) && c < i32(P.sw)) {
		v = src[P.src_o + (plane * P.sh + u32(r)) * P.sw + u32(c)];
	}
	dst[P.dst_o + i] = v;
}
