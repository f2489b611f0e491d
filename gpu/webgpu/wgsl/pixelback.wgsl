//! dst x g stats gamma beta | n c pixels gper bper act
// As normback for a normalisation over the channels of each of n pixels. dst may be g.
fn gamma_(b: u32, ch: u32) -> f32 {
	if (P.gamma_o == NONE) {
		return 1.0;
	}
	return gamma[P.gamma_o + ch + select(0u, b * P.c, P.gper == 1u)];
}

fn beta_(b: u32, ch: u32) -> f32 {
	if (P.beta_o == NONE) {
		return 0.0;
	}
	return beta[P.beta_o + ch + select(0u, b * P.c, P.bper == 1u)];
}

MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let b = i / P.pixels;
	let mean = stats[P.stats_o + 2u * i];
	let r = stats[P.stats_o + 2u * i + 1u];
	var m1 = 0.0;
	var m2 = 0.0;
	for (var c = 0u; c < P.c; c++) {
		let o = i * P.c + c;
		let ga = gamma_(b, c);
		let hat = (x[P.x_o + o] - mean) * r;
		let h = ga * g[P.g_o + o] * act_slope_(P.act, fma(ga, hat, beta_(b, c)));
		m1 += h;
		m2 = fma(h, hat, m2);
	}
	m1 /= f32(P.c);
	m2 /= f32(P.c);
	for (var c = 0u; c < P.c; c++) {
		let o = i * P.c + c;
		let ga = gamma_(b, c);
		let hat = (x[P.x_o + o] - mean) * r;
		let h = ga * g[P.g_o + o] * act_slope_(P.act, fma(ga, hat, beta_(b, c)));
		dst[P.dst_o + o] = r * (h - m1 - hat * m2);
	}
}
