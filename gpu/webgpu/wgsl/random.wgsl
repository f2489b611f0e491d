//! dst | n seedlo seedhi ctrlo ctrhi normal
// Philox4x32-10 (Salmon+2011) and Box–Muller, as engine.Philox, Uniforms and Normals:
// the same numbers, the normal ones to a few units in the last place.
fn mulhi(a: u32, b: u32) -> u32 {
	let al = a & 0xffffu;
	let ah = a >> 16u;
	let bl = b & 0xffffu;
	let bh = b >> 16u;
	let mid = ah * bl + ((al * bl) >> 16u);
	let low = (mid & 0xffffu) + al * bh;
	return ah * bh + (mid >> 16u) + (low >> 16u);
}

// ln((w|1) 2⁻³²)
fn log_fraction(v: u32) -> f32 {
	let w = v | 1u;
	let lz = countLeadingZeros(w);
	let n = (w << lz) >> 8u;
	var e = -f32(lz);
	var f = f32(n) * 5.9604644775390625e-8;
	if (f < 0.75) {
		f = f * 2.0;
		e = e - 1.0;
	}
	f = f - 1.0;
	let s = f / (2.0 + f);
	let q = s * s;
	let l = s * (2.0 + q * (2.0 / 3.0 + q * (2.0 / 5.0 + q * (2.0 / 7.0 + q * (2.0 / 9.0)))));
	return l + e * 0.69314718;
}

fn box_muller(w0: u32, w1: u32) -> vec2<f32> {
	let r = sqrt(-2.0 * log_fraction(w0));
	let t = bitcast<i32>(w1 << 2u) >> 9u;
	let a = f32(2 * t + 1) * 9.36267570730981e-8;
	let q = a * a;
	let s = a * (1.0 + q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362880.0)))));
	let c = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40320.0))));
	switch w1 >> 30u {
		case 1u: { return vec2<f32>(-r * s, r * c); }
		case 2u: { return vec2<f32>(-r * c, -r * s); }
		case 3u: { return vec2<f32>(r * s, -r * c); }
		default: { return vec2<f32>(r * c, r * s); }
	}
}

MAIN(256) {
	let i = flat(wg, nwg, lid);
	if (i * 4u >= P.n) {
		return;
	}
	var c = vec4<u32>(i, 0u, P.ctrlo, P.ctrhi);
	var k = vec2<u32>(P.seedlo, P.seedhi);
	for (var r = 0; r < 10; r++) {
		let h0 = mulhi(0xD2511F53u, c.x);
		let l0 = 0xD2511F53u * c.x;
		let h1 = mulhi(0xCD9E8D57u, c.z);
		let l1 = 0xCD9E8D57u * c.z;
		c = vec4<u32>(h1 ^ c.y ^ k.x, l1, h0 ^ c.w ^ k.y, l0);
		k += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
	}
	var z: vec4<f32>;
	if (P.normal == 1u) {
		z = vec4<f32>(box_muller(c.x, c.y), box_muller(c.z, c.w));
	} else {
		z = vec4<f32>(vec4<u32>(2u) * (c >> vec4<u32>(9u)) + vec4<u32>(1u)) * 5.9604644775390625e-8;
	}
	let o = P.dst_o + 4u * i;
	let left = P.n - 4u * i;
	dst[o] = z.x;
	if (left > 1u) { dst[o + 1u] = z.y; }
	if (left > 2u) { dst[o + 2u] = z.z; }
	if (left > 3u) { dst[o + 3u] = z.w; }
}
