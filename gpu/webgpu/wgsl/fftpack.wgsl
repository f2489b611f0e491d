//! dst src chirp | n wide count load so si se inner half rows sgn:f32
// Lines as fftline loads them, written one after another as wide ≥ n complex numbers,
// zeros behind; with a chirp, multiplied by chirp[j] (Bluestein 1970). count = lines · wide.
fn complex_at(i: u32) -> vec2<f32> {
	return vec2<f32>(src[P.src_o + 2u * i], src[P.src_o + 2u * i + 1u]);
}

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

MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.count) {
		return;
	}
	let j = i % P.wide;
	var z = vec2<f32>(0.0, 0.0);
	if (j < P.n) {
		z = load(i / P.wide, j);
		if (P.chirp_o != NONE) {
			let w = vec2<f32>(chirp[P.chirp_o + 2u * j], P.sgn * chirp[P.chirp_o + 2u * j + 1u]);
			z = vec2<f32>(z.x * w.x - z.y * w.y, z.x * w.y + z.y * w.x);
		}
	}
	dst[P.dst_o + 2u * i] = z.x;
	dst[P.dst_o + 2u * i + 1u] = z.y;
}
