//! part x g stats gamma beta | images c pixels groups perpixel gper bper act parts mode
// For each image and channel, over every parts-th pixel: mode 0 Σ x, 1 Σ x g, to part
// (parts, images, c); 2, the gradients of a normalisation, h = g act′(z): Σ h and
// Σ h x̂, to part (parts, 2, images, c).
MAIN(256) {
	let t = flat(wg, nwg, lid);
	let all = P.images * P.c;
	if (t >= all * P.parts) {
		return;
	}
	let ch = t % P.c;
	let q = t / P.c % P.parts;
	let b = t / P.c / P.parts;
	var ga = 1.0;
	var be = 0.0;
	if (P.mode == 2u) {
		if (P.gamma_o != NONE) {
			ga = gamma[P.gamma_o + ch + select(0u, b * P.c, P.gper == 1u)];
		}
		if (P.beta_o != NONE) {
			be = beta[P.beta_o + ch + select(0u, b * P.c, P.bper == 1u)];
		}
	}
	var s = vec2<f32>(0.0, 0.0);
	var u = vec2<f32>(0.0, 0.0);
	for (var p = q; p < P.pixels; p += P.parts) {
		let pixel = b * P.pixels + p;
		let i = pixel * P.c + ch;
		let v = x[P.x_o + i];
		if (P.mode == 0u) {
			s = two_sum(s, v);
		} else if (P.mode == 1u) {
			s = two_sum(s, v * g[P.g_o + i]);
		} else {
			let st = P.stats_o + 2u * select(b * P.groups + ch / (P.c / P.groups), pixel, P.perpixel == 1u);
			let hat = (v - stats[st]) * stats[st + 1u];
			let h = g[P.g_o + i] * act_slope_(P.act, fma(ga, hat, be));
			s = two_sum(s, h);
			u = two_sum(u, h * hat);
		}
	}
	let o = b * P.c + ch;
	if (P.mode == 2u) {
		part[P.part_o + q * 2u * all + o] = s.x + s.y;
		part[P.part_o + (q * 2u + 1u) * all + o] = u.x + u.y;
	} else {
		part[P.part_o + q * all + o] = s.x + s.y;
	}
}
