//! dst x y | n m op f
// dst = x ∘ y with y repeated; op: 0 add, 1 sub, 2 mul, 3 div (0 by 0), 4 muladd,
// 5 f′(x) y, 6 x y for complex x.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	var k = i;
	if (P.op == 6u) {
		k = i / 2u;
	}
	let v = y[P.y_o + select(k % P.m, k, P.m == P.n)];
	let u = x[P.x_o + i];
	var r: f32;
	switch P.op {
		case 0u: { r = u + v; }
		case 1u: { r = u - v; }
		case 3u: {
			r = 0.0;
			if (v != 0.0) { r = u / v; }
		}
		case 4u: { r = fma(u, v, dst[P.dst_o + i]); }
		case 5u: { r = slope_(P.f, u) * v; }
		default: { r = u * v; }
	}
	dst[P.dst_o + i] = r;
}
