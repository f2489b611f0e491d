//! dst x y | n m conj:f32
// dst = x y, or x conj(y) with conj −1, for n complex numbers; y has m.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let k = P.y_o + 2u * select(i % P.m, i, P.m == P.n);
	let a = vec2<f32>(x[P.x_o + 2u * i], x[P.x_o + 2u * i + 1u]);
	let b = vec2<f32>(y[k], P.conj * y[k + 1u]);
	let o = P.dst_o + 2u * i;
	dst[o] = a.x * b.x - a.y * b.y;
	dst[o + 1u] = a.x * b.y + a.y * b.x;
}
