//! dst x g stats gamma beta coef | n c pixels groups gper bper act
// dx = r̂ (γ h − mean(γ h) − x̂ mean(γ h x̂)), h = g act′(z), z = γ x̂ + β. dst may be g.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let ch = i % P.c;
	let b = i / P.c / P.pixels;
	let k = 2u * (b * P.groups + ch / (P.c / P.groups));
	var ga = 1.0;
	var be = 0.0;
	if (P.gamma_o != NONE) {
		ga = gamma[P.gamma_o + ch + select(0u, b * P.c, P.gper == 1u)];
	}
	if (P.beta_o != NONE) {
		be = beta[P.beta_o + ch + select(0u, b * P.c, P.bper == 1u)];
	}
	let r = stats[P.stats_o + k + 1u];
	let hat = (x[P.x_o + i] - stats[P.stats_o + k]) * r;
	let h = g[P.g_o + i] * act_slope_(P.act, fma(ga, hat, be));
	dst[P.dst_o + i] = r * (ga * h - coef[P.coef_o + k] - hat * coef[P.coef_o + k + 1u]);
}
