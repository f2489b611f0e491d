//! part x | pixels c groups parts ppp total
// Mean and M₂ = Σ (x − mean)² of one part (ppp pixels) of one group of channels of one
// image, by Welford's recurrence and the merging of Chan, Golub & LeVeque (1983):
// triples (count, mean, M₂).
var<workgroup> sh: array<vec3<f32>, 256>;

fn merge(a: vec3<f32>, b: vec3<f32>) -> vec3<f32> {
	if (b.x == 0.0) {
		return a;
	}
	let n = a.x + b.x;
	let d = b.y - a.y;
	let f = b.x / n;
	return vec3<f32>(n, a.y + d * f, a.z + b.z + d * d * a.x * f);
}

MAIN(256) {
	let g = wg.y * nwg.x + wg.x;
	if (g >= P.total) {
		return;
	}
	let per = P.c / P.groups;
	let p0 = g % P.parts * P.ppp;
	let count = (min(p0 + P.ppp, P.pixels) - p0) * per;
	let bg = g / P.parts;
	let base = P.x_o + (bg / P.groups * P.pixels + p0) * P.c + bg % P.groups * per;
	var s = vec3<f32>(0.0, 0.0, 0.0);
	for (var e = lid; e < count; e += 256u) {
		let v = x[base + e / per * P.c + e % per];
		s.x += 1.0;
		let d = v - s.y;
		s.y += d / s.x;
		s.z += d * (v - s.y);
	}
	sh[lid] = s;
	workgroupBarrier();
	for (var k = 128u; k > 0u; k /= 2u) {
		if (lid < k) {
			sh[lid] = merge(sh[lid], sh[lid + k]);
		}
		workgroupBarrier();
	}
	if (lid == 0u) {
		part[P.part_o + 3u * g] = sh[0].x;
		part[P.part_o + 3u * g + 1u] = sh[0].y;
		part[P.part_o + 3u * g + 2u] = sh[0].z;
	}
}
