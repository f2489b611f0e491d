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
	let y = y[P.y_o + select(k % P.m, k, P.m == P.n)];
	let x = x[P.x_o + i];
	var r: f32;
	switch P.op {
		case 0u: { r = x + y; }
		case 1u: { r = x - y; }
		case 3u: {
			r = 0.0;
			if (y != 0.0) { r = x / y; }
		}
		case 4u: { r = fma(x, y, dst[P.dst_o + i]); }
		case 5u: { r = slope_(P.f, x) * y; }
		default: { r = x * y; }
	}
	dst[P.dst_o + i] = r;
}
