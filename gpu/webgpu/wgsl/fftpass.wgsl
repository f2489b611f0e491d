//! dst src tw | n count ns r sgn:f32
//+ butterfly
// One pass over lines of n points in memory, for lines that workgroup memory cannot
// hold: count butterflies in all.
fn fetch(i: u32) -> vec2<f32> {
	return vec2<f32>(src[P.src_o + 2u * i], src[P.src_o + 2u * i + 1u]);
}

fn put(i: u32, z: vec2<f32>) {
	dst[P.dst_o + 2u * i] = z.x;
	dst[P.dst_o + 2u * i + 1u] = z.y;
}

MAIN(256) {
	let t = flat(wg, nwg, lid);
	if (t >= P.count) {
		return;
	}
	let m = P.n / P.r;
	butterfly(P.n, P.ns, P.r, t % m, t / m * P.n, t / m * P.n);
}
