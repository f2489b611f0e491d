// What every kernel may use. The lines "//! buffers | parameters" at the head of a
// kernel become its bindings: a struct P with the offset of every buffer (dst_o for
// dst; NONE where it is absent) and the parameters.
const NONE: u32 = 0xffffffffu;

fn flat(wg: vec3<u32>, nwg: vec3<u32>, lid: u32) -> u32 {
	return (wg.y * nwg.x + wg.x) * 256u + lid;
}

// two_sum adds v to the sum s.x with its rounding error in s.y (Knuth's TwoSum; where
// a compiler simplifies it away, what is left is a plain sum).
fn two_sum(s: vec2<f32>, v: f32) -> vec2<f32> {
	let t = s.x + v;
	let z = t - s.x;
	let e = (s.x - (t - z)) + (v - z);
	return vec2<f32>(t, s.y + e);
}

// The functions of engine.Unary, written out because the precision of WGSL's own
// differs between drivers: relative errors of a few 1e-7.

fn power2(n: i32) -> f32 {
	return bitcast<f32>(u32(n + 127) << 23u);
}

// Cody & Waite's reduction and a polynomial of degree 6.
fn exp_(x: f32) -> f32 {
	let c = clamp(x, -104.0, 89.0);
	let n = floor(fma(c, 1.44269504, 0.5));
	var r = fma(-n, 0.693359375, c);
	r = fma(-n, -2.12194440e-4, r);
	var p = 1.9875691500e-4;
	p = fma(p, r, 1.3981999507e-3);
	p = fma(p, r, 8.3334519073e-3);
	p = fma(p, r, 4.1665795894e-2);
	p = fma(p, r, 1.6666665459e-1);
	p = fma(p, r, 5.0000001201e-1);
	let y = fma(p * r, r, r) + 1.0;
	let i = i32(n);
	let h = i / 2;
	return select(y * power2(h) * power2(i - h), x, x != x);
}

// ln(1+f) = 2 atanh(s), s = f/(2+f).
fn log_series(s: f32) -> f32 {
	let q = s * s;
	return s * (2.0 + q * (2.0 / 3.0 + q * (2.0 / 5.0 + q * (2.0 / 7.0 + q * (2.0 / 9.0 + q * (2.0 / 11.0 + q * (2.0 / 13.0 + q * (2.0 / 15.0))))))));
}

fn log_(x: f32) -> f32 {
	if (!(x > 0.0)) {
		return select(0.0, x, x != x);
	}
	var v = x;
	var e = 0;
	if (v < 1.17549435e-38) {
		v = v * 8388608.0;
		e = -23;
	}
	let u = bitcast<u32>(v);
	if (u >= 0x7f800000u) {
		return x;
	}
	e = e + i32(u >> 23u) - 127;
	var m = bitcast<f32>((u & 0x7fffffu) | 0x3f800000u);
	if (m > 1.41421356) {
		m = m * 0.5;
		e = e + 1;
	}
	let f = m - 1.0;
	let k = f32(e);
	return k * 0.693359375 + (log_series(f / (2.0 + f)) + k * -2.12194440e-4);
}

fn tanh_(x: f32) -> f32 {
	let a = abs(x);
	if (a < 0.1) {
		let q = x * x;
		return x + x * q * (-1.0 / 3.0 + q * (2.0 / 15.0 + q * (-17.0 / 315.0)));
	}
	let e = exp_(-2.0 * a);
	let t = (1.0 - e) / (1.0 + e);
	return select(t, -t, x < 0.0);
}

fn sigmoid_(x: f32) -> f32 {
	let e = exp_(-abs(x));
	return select(1.0, e, x < 0.0) / (1.0 + e);
}

// Φ by Abramowitz & Stegun (1964), eq. 7.1.26, error below 8e-8.
fn phi_(x: f32) -> f32 {
	let z = abs(x) * 0.70710678;
	let t = 1.0 / (1.0 + 0.3275911 * z);
	let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
	let q = 0.5 * p * exp_(-z * z);
	return select(1.0 - q, q, x < 0.0);
}

fn softplus_(x: f32) -> f32 {
	let e = exp_(-abs(x));
	return max(x, 0.0) + log_series(e / (2.0 + e));
}

// map_ is engine.Unary number f of x; act_ the activations among them.
fn act_(f: u32, x: f32) -> f32 {
	switch f {
		case 7u: { return max(x, 0.0); }
		case 8u: { return tanh_(x); }
		case 9u: { return sigmoid_(x); }
		case 10u: { return x * sigmoid_(x); }
		case 11u: { return x * phi_(x); }
		case 12u: { return softplus_(x); }
		default: { return x; }
	}
}

fn act_slope_(f: u32, x: f32) -> f32 {
	switch f {
		case 7u: { return select(0.0, 1.0, x > 0.0); }
		case 8u: {
			let t = tanh_(x);
			return 1.0 - t * t;
		}
		case 9u: {
			let s = sigmoid_(x);
			return s * (1.0 - s);
		}
		case 10u: {
			let s = sigmoid_(x);
			return s * (1.0 + x * (1.0 - s));
		}
		case 11u: { return phi_(x) + x * 0.39894228 * exp_(-0.5 * x * x); }
		case 12u: { return sigmoid_(x); }
		default: { return 1.0; }
	}
}

fn map_(f: u32, x: f32) -> f32 {
	switch f {
		case 1u: { return exp_(x); }
		case 2u: { return log_(x); }
		case 3u: { return select(0.0, sqrt(max(x, 0.0)), x > 0.0); }
		case 4u: { return x * x; }
		case 5u: {
			if (x == 0.0) { return 0.0; }
			return 1.0 / x;
		}
		case 6u: { return abs(x); }
		default: { return act_(f, x); }
	}
}

fn slope_(f: u32, x: f32) -> f32 {
	switch f {
		case 1u: { return exp_(x); }
		case 2u: {
			if (x <= 0.0) { return 0.0; }
			return 1.0 / x;
		}
		case 3u: {
			if (x <= 0.0) { return 0.0; }
			return 0.5 / sqrt(x);
		}
		case 4u: { return 2.0 * x; }
		case 5u: {
			if (x == 0.0) { return 0.0; }
			let r = 1.0 / x;
			return -r * r;
		}
		case 6u: { return sign(x); }
		default: { return act_slope_(f, x); }
	}
}

// edge_ is engine.Edge.At: the pixel of 0…n−1 at place i of the extended image, or −1.
fn edge_(i: i32, n: i32, e: u32) -> i32 {
	if (i >= 0 && i < n) {
		return i;
	}
	if (e == 1u) {
		return ((i % n) + n) % n;
	}
	if (e == 2u) {
		if (n == 1) {
			return 0;
		}
		let p = 2 * n - 2;
		let k = ((i % p) + p) % p;
		return min(k, p - k);
	}
	return -1;
}
