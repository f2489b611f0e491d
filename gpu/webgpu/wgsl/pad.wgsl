//! dst x | n dh dw sh sw top:i32 left:i32 edge
// dst (…, dh, dw) is x (…, sh, sw) at (top, left), extended over its edges.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let c = edge_(i32(i % P.dw) - P.left, i32(P.sw), P.edge);
	let r = edge_(i32(i / P.dw % P.dh) - P.top, i32(P.sh), P.edge);
	var v = 0.0;
	if (r >= 0 && c >= 0) {
		v = x[P.x_o + (i / P.dw / P.dh * P.sh + u32(r)) * P.sw + u32(c)];
	}
	dst[P.dst_o + i] = v;
}
