//! stats part | n parts eps:f32
// stats (n, 2) = (mean, 1/√(variance + ε)) from the triples of the parts.
MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.n) {
		return;
	}
	var n = 0.0;
	var mean = 0.0;
	var m2 = 0.0;
	for (var k = 0u; k < P.parts; k++) {
		let o = P.part_o + 3u * (i * P.parts + k);
		let c = part[o];
		let d = part[o + 1u] - mean;
		let f = c / (n + c);
		mean += d * f;
		m2 += part[o + 2u] + d * d * n * f;
		n += c;
	}
	stats[P.stats_o + 2u * i] = mean;
	stats[P.stats_o + 2u * i + 1u] = 1.0 / sqrt(m2 / n + P.eps);
}
