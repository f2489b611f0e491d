//! dst x | n op f a:f32 b:f32
// op: 0 copy, 1 fill with a, 2 a x + b, 3 dst + a x, 4 clamp to a…b, 5 f(x).
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let o = P.dst_o + i;
	if (P.op == 1u) {
		dst[o] = P.a;
		return;
	}
	let u = x[P.x_o + i];
	var r: f32;
	switch P.op {
		case 2u: { r = fma(P.a, u, P.b); }
		case 3u: { r = fma(P.a, u, dst[o]); }
		case 4u: { r = min(max(u, P.a), P.b); }
		case 5u: { r = map_(P.f, u); }
		default: { r = u; }
	}
	dst[o] = r;
}
