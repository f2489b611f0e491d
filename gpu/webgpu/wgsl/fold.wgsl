//! dst x | n h w c sh sw top:i32 left:i32 edge
// The adjoint of pad over images with c channels last: dst (…, h, w, c) gathers from
// x (…, sh, sw, c) every place that stands for its pixel. The places of pixel i are one
// or two arithmetic progressions: first(k), first(k) + step, …
fn step_(n: i32, e: u32, size: i32) -> i32 {
	if (e == 1u) {
		return n;
	}
	if (e == 2u) {
		return max(2 * n - 2, 1);
	}
	return size;
}

fn first_(i: i32, n: i32, at: i32, e: u32, size: i32, k: i32) -> i32 {
	if (e == 0u) {
		return select(i + at, size, k == 1);
	}
	let s = step_(n, e, size);
	if (k == 1) {
		if (e != 2u || i == 0 || i == n - 1) {
			return size;
		}
		return (((at - i) % s) + s) % s;
	}
	return (((at + i) % s) + s) % s;
}

MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let ch = i % P.c;
	let pc = i32(i / P.c % P.w);
	let pr = i32(i / P.c / P.w % P.h);
	let plane = i / P.c / P.w / P.h;
	let h = i32(P.h);
	let w = i32(P.w);
	let sh = i32(P.sh);
	let sw = i32(P.sw);
	var sum = 0.0;
	for (var a = 0; a < 2; a++) {
		for (var r = first_(pr, h, P.top, P.edge, sh, a); r < sh; r += step_(h, P.edge, sh)) {
			for (var b = 0; b < 2; b++) {
				for (var q = first_(pc, w, P.left, P.edge, sw, b); q < sw; q += step_(w, P.edge, sw)) {
					sum += x[P.x_o + ((plane * P.sh + u32(r)) * P.sw + u32(q)) * P.c + ch];
				}
			}
		}
	}
	dst[P.dst_o + i] = sum;
}
