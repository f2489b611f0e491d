//! dst part | parts op slices
// dst[b] from the pairs of its parts.
var<workgroup> sh: array<vec2<f32>, 256>;

MAIN(256) {
	let b = wg.y * nwg.x + wg.x;
	if (b >= P.slices) {
		return;
	}
	var s = vec2<f32>(0.0, 0.0);
	for (var i = lid; i < P.parts; i += 256u) {
		let k = P.part_o + 2u * (b * P.parts + i);
		if (P.op == 2u) {
			s.x = max(s.x, part[k]);
		} else {
			s = two_sum(s, part[k]);
			s.y += part[k + 1u];
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
		dst[P.dst_o + b] = sh[0].x + sh[0].y;
	}
}
