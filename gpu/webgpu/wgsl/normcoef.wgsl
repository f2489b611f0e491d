//! coef sums gamma | n c pixels groups images gper
// coef (image·group, 2) = the means of γ h and γ h x̂ over a group, from the sums
// (2, images, c) of chansums.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let per = P.c / P.groups;
	let b = i / P.groups;
	let c0 = i % P.groups * per;
	var m1 = 0.0;
	var m2 = 0.0;
	for (var c = c0; c < c0 + per; c++) {
		var ga = 1.0;
		if (P.gamma_o != NONE) {
			ga = gamma[P.gamma_o + c + select(0u, b * P.c, P.gper == 1u)];
		}
		m1 = fma(ga, sums[P.sums_o + b * P.c + c], m1);
		m2 = fma(ga, sums[P.sums_o + (P.images + b) * P.c + c], m2);
	}
	let n = f32(per) * f32(P.pixels);
	coef[P.coef_o + 2u * i] = m1 / n;
	coef[P.coef_o + 2u * i + 1u] = m2 / n;
}
