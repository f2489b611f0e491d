//! part x y | n per parts m all op slices
// A group reduces one of the parts of a slice of n elements: op 0 Σ x y, 1 Σ x,
// 2 max |x|. part receives pairs: the sum and its rounding error.
var<workgroup> sh: array<vec2<f32>, 256>;

MAIN(256) {
	let w = wg.y * nwg.x + wg.x;
	let b = w / P.parts;
	if (b >= P.slices) {
		return;
	}
	let lo = w % P.parts * P.per;
	let hi = min(lo + P.per, P.n);
	var s = vec2<f32>(0.0, 0.0);
	for (var i = lo + lid; i < hi; i += 256u) {
		let k = b * P.n + i;
		let v = x[P.x_o + k];
		if (P.op == 2u) {
			s.x = max(s.x, abs(v));
		} else if (P.op == 1u) {
			s = two_sum(s, v);
		} else {
			let u = y[P.y_o + select(k % P.m, k, P.m == P.all)];
			let p = v * u;
			s = two_sum(s, p);
			s.y += fma(v, u, -p);
		}
	}
	sh[lid] = s;
	workgroupBarrier();
	for (var k = 128u; k > 0u; k /= 2u) {
		if (lid < k) {
			let o = sh[lid + k];
			if (P.op == 2u) {
				sh[lid].x = max(sh[lid].x, o.x);
			} else {
				var t = two_sum(sh[lid], o.x);
				t.y += o.y;
				sh[lid] = t;
			}
		}
		workgroupBarrier();
	}
	if (lid == 0u) {
		part[P.part_o + 2u * w] = sh[0].x;
		part[P.part_o + 2u * w + 1u] = sh[0].y;
	}
}
