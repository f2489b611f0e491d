//! dst src tw | n lines per load store so si se dio dii die inner columns half rows stages rad0 rad1 rad2 sgn:f32 scale:f32
//+ butterfly
// The transforms of per lines of n points in workgroup memory. Line l of complex
// numbers begins at (l / inner) so + (l % inner) si, its points are se apart (dio, dii,
// die in dst). load and store 0: complex lines. Real lines go in pairs, as real and
// imaginary part: load 1 reads rows 2l and 2l+1 (of rows, so apart) of real numbers and
// store 1 writes their half spectra (half numbers, dio apart); load 2 reads half spectra
// and store 2 writes real rows. columns: neighbouring lines are neighbours in memory.
const BOTH: u32 = 2u * CAP;
var<workgroup> sh: array<vec2<f32>, BOTH>;

fn fetch(i: u32) -> vec2<f32> {
	return sh[i];
}

fn put(i: u32, z: vec2<f32>) {
	sh[i] = z;
}

fn complex_at(i: u32) -> vec2<f32> {
	return vec2<f32>(src[P.src_o + 2u * i], src[P.src_o + 2u * i + 1u]);
}

// spectrum_at is number k of the half spectrum of a row; the imaginary parts that a real
// row cannot have do not count.
fn spectrum_at(row: u32, k: u32) -> vec2<f32> {
	let z = complex_at(row * P.so + k);
	if (k == 0u || 2u * k == P.n) {
		return vec2<f32>(z.x, 0.0);
	}
	return z;
}

fn load(l: u32, j: u32) -> vec2<f32> {
	if (P.load == 0u) {
		return complex_at(l / P.inner * P.so + l % P.inner * P.si + j * P.se);
	}
	let two = 2u * l + 1u < P.rows;
	if (P.load == 1u) {
		var im = 0.0;
		if (two) {
			im = src[P.src_o + (2u * l + 1u) * P.so + j];
		}
		return vec2<f32>(src[P.src_o + 2u * l * P.so + j], im);
	}
	let low = j < P.half;
	let k = select(P.n - j, j, low);
	let s = select(-1.0, 1.0, low);
	let a = spectrum_at(2u * l, k);
	var b = vec2<f32>(0.0, 0.0);
	if (two) {
		b = spectrum_at(2u * l + 1u, k);
	}
	return vec2<f32>(a.x - s * b.y, s * a.y + b.x);
}

fn write(i: u32, z: vec2<f32>) {
	dst[P.dst_o + 2u * i] = z.x;
	dst[P.dst_o + 2u * i + 1u] = z.y;
}

fn store(l: u32, j: u32, at: u32) {
	let z = sh[at + j] * P.scale;
	if (P.store == 0u) {
		write(l / P.inner * P.dio + l % P.inner * P.dii + j * P.die, z);
		return;
	}
	let two = 2u * l + 1u < P.rows;
	if (P.store == 2u) {
		dst[P.dst_o + 2u * l * P.dio + j] = z.x;
		if (two) {
			dst[P.dst_o + (2u * l + 1u) * P.dio + j] = z.y;
		}
		return;
	}
	if (j >= P.half) {
		return;
	}
	let c = sh[at + select(P.n - j, 0u, j == 0u)] * P.scale;
	write(2u * l * P.dio + j, 0.5 * vec2<f32>(z.x + c.x, z.y - c.y));
	if (two) {
		write((2u * l + 1u) * P.dio + j, 0.5 * vec2<f32>(z.y + c.y, c.x - z.x));
	}
}

fn radix(i: u32) -> u32 {
	let w = select(select(P.rad2, P.rad1, i < 8u), P.rad0, i < 4u);
	return (w >> (8u * (i % 4u))) & 255u;
}

MAIN(256) {
	let l0 = (wg.y * nwg.x + wg.x) * P.per;
	if (l0 >= P.lines) {
		return;
	}
	let count = min(P.per, P.lines - l0);
	let all = count * P.n;
	for (var i = lid; i < all; i += 256u) {
		let line = select(i / P.n, i % count, P.columns == 1u);
		let j = select(i % P.n, i / count, P.columns == 1u);
		sh[line * P.n + j] = load(l0 + line, j);
	}
	workgroupBarrier();
	var cur = 0u;
	var ns = 1u;
	for (var s = 0u; s < P.stages; s++) {
		let r = radix(s);
		let m = P.n / r;
		for (var t = lid; t < m * count; t += 256u) {
			let at = t / m * P.n;
			butterfly(P.n, ns, r, t % m, cur + at, CAP - cur + at);
		}
		workgroupBarrier();
		cur = CAP - cur;
		ns *= r;
	}
	for (var i = lid; i < all; i += 256u) {
		let line = select(i / P.n, i % count, P.columns == 1u);
		let j = select(i % P.n, i / count, P.columns == 1u);
		store(l0 + line, j, cur + line * P.n);
	}
}
