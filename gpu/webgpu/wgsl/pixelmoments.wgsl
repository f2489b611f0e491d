//! stats x | n c eps:f32
// stats (n, 2) = (mean, 1/√(variance + ε)) over the c channels of each of n pixels.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	let base = P.x_o + i * P.c;
	var sum = 0.0;
	for (var k = 0u; k < P.c; k++) {
		sum += x[base + k];
	}
	let mean = sum / f32(P.c);
	var m2 = 0.0;
	for (var k = 0u; k < P.c; k++) {
		let d = x[base + k] - mean;
		m2 = fma(d, d, m2);
	}
	stats[P.stats_o + 2u * i] = mean;
	stats[P.stats_o + 2u * i + 1u] = 1.0 / sqrt(m2 / f32(P.c) + P.eps);
}
