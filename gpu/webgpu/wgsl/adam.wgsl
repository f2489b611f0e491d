//! p m v g | n b1:f32 c1:f32 b2:f32 c2:f32 keep:f32 rate:f32 root:f32 eps:f32
// engine.Adam: c1 = (1−β₁) k, c2 = (1−β₂) k², rate and root hold the corrections.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let d = g[P.g_o + i];
	let m1 = fma(P.b1, m[P.m_o + i], P.c1 * d);
	let v1 = fma(P.b2, v[P.v_o + i], P.c2 * d * d);
	m[P.m_o + i] = m1;
	v[P.v_o + i] = v1;
	p[P.p_o + i] = P.keep * p[P.p_o + i] - P.rate * m1 / (sqrt(v1) * P.root + P.eps);
}
