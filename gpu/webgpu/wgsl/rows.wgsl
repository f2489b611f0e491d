//! dst x g | rows n op
// A group for each row of n numbers. op 0: softmax of x; 1: its gradient g̃ =
// x (g − Σ x g) from the result x. dst may be x, or g.
var<workgroup> sh: array<f32, 64>;

MAIN(64) {
	let r = wg.y * nwg.x + wg.x;
	if (r >= P.rows) {
		return;
	}
	let base = P.x_o + r * P.n;
	var acc = 0.0;
	if (P.op == 0u) {
		acc = -3.0e38;
		for (var i = lid; i < P.n; i += 64u) {
			acc = max(acc, x[base + i]);
		}
		sh[lid] = acc;
		workgroupBarrier();
		for (var k = 32u; k > 0u; k /= 2u) {
			if (lid < k) {
				sh[lid] = max(sh[lid], sh[lid + k]);
			}
			workgroupBarrier();
		}
	}
	let top = sh[0];
	workgroupBarrier();
	acc = 0.0;
	for (var i = lid; i < P.n; i += 64u) {
		if (P.op == 0u) {
			acc += exp_(x[base + i] - top);
		} else {
			acc = fma(x[base + i], g[P.g_o + r * P.n + i], acc);
		}
	}
	sh[lid] = acc;
	workgroupBarrier();
	for (var k = 32u; k > 0u; k /= 2u) {
		if (lid < k) {
			sh[lid] += sh[lid + k];
		}
		workgroupBarrier();
	}
	let sum = sh[0];
	for (var i = lid; i < P.n; i += 64u) {
		var v: f32;
		if (P.op == 0u) {
			v = exp_(x[base + i] - top) / sum;
		} else {
			v = x[base + i] * (g[P.g_o + r * P.n + i] - sum);
		}
		dst[P.dst_o + r * P.n + i] = v;
	}
}
