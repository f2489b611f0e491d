//! dst x stats gamma beta | n c pixels groups perpixel gper bper act
// dst = act(γ (x − mean) r̂ + β). γ and β have a row for each image where gper, bper.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let ch = i % P.c;
	let pixel = i / P.c;
	let b = pixel / P.pixels;
	let st = P.stats_o + 2u * select(b * P.groups + ch / (P.c / P.groups), pixel, P.perpixel == 1u);
	var ga = 1.0;
	var be = 0.0;
	if (P.gamma_o != NONE) {
		ga = gamma[P.gamma_o + ch + select(0u, b * P.c, P.gper == 1u)];
	}
	if (P.beta_o != NONE) {
		be = beta[P.beta_o + ch + select(0u, b * P.c, P.bper == 1u)];
	}
	dst[P.dst_o + i] = act_(P.act, fma(ga, (x[P.x_o + i] - stats[st]) * stats[st + 1u], be));
}
