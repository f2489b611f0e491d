//! dst src chirp | n wide count store dio dii die inner half rows sgn:f32 scale:f32
// The reverse of fftpack: lines of wide numbers, of which n count, stored as fftline
// stores them. count = lines · n.
fn value(l: u32, j: u32) -> vec2<f32> {
	let i = P.src_o + 2u * (l * P.wide + j);
	let z = vec2<f32>(src[i], src[i + 1u]) * P.scale;
	if (P.chirp_o == NONE) {
		return z;
	}
	let w = vec2<f32>(chirp[P.chirp_o + 2u * j], P.sgn * chirp[P.chirp_o + 2u * j + 1u]);
	return vec2<f32>(z.x * w.x - z.y * w.y, z.x * w.y + z.y * w.x);
}

fn write(i: u32, z: vec2<f32>) {
	dst[P.dst_o + 2u * i] = z.x;
	dst[P.dst_o + 2u * i + 1u] = z.y;
}

MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i >= P.count) {
		return;
	}
	let l = i / P.n;
	let j = i % P.n;
	let z = value(l, j);
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
	let c = value(l, select(P.n - j, 0u, j == 0u));
	write(2u * l * P.dio + j, 0.5 * vec2<f32>(z.x + c.x, z.y - c.y));
	if (two) {
		write((2u * l + 1u) * P.dio + j, 0.5 * vec2<f32>(z.y + c.y, c.x - z.x));
	}
}
