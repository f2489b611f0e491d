//! dst x | n reps parts
// dst[p,i] = Σ_k x[k,i] over k = p, p+parts, … < reps, for n columns.
MAIN(256) {
	let t = flat(wg, nwg, lid);
	if (t >= P.n * P.parts) {
		return;
	}
	let col = t % P.n;
	var s = vec2<f32>(0.0, 0.0);
	for (var k = t / P.n; k < P.reps; k += P.parts) {
		s = two_sum(s, x[P.x_o + k * P.n + col]);
	}
	dst[P.dst_o + t] = s.x + s.y;
}
