// One butterfly of a Stockham transform of any radix (Govindaraju+2008): number j of a
// pass over n points in which transforms of ns points are done. at and to are where the
// input and the output lie; fetch and put belong to the kernel. The table tw holds
// exp(−2πi k/n); sgn −1 makes the inverse.
fn root(k: u32) -> vec2<f32> {
	return vec2<f32>(tw[P.tw_o + 2u * k], P.sgn * tw[P.tw_o + 2u * k + 1u]);
}

fn cmul(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
	return vec2<f32>(fma(a.x, b.x, -a.y * b.y), fma(a.x, b.y, a.y * b.x));
}

// turn is −i z of the forward transform.
fn turn(z: vec2<f32>) -> vec2<f32> {
	return vec2<f32>(z.y, -z.x) * P.sgn;
}

fn butterfly(n: u32, ns: u32, r: u32, j: u32, at: u32, to: u32) {
	let m = n / r;
	let k = j % ns;
	let step = k * (m / ns);
	let o = to + (j - k) * r + k;
	switch r {
		case 2u: {
			let a = fetch(at + j);
			let b = cmul(fetch(at + j + m), root(step));
			put(o, a + b);
			put(o + ns, a - b);
		}
		case 3u: {
			let a = fetch(at + j);
			let b = cmul(fetch(at + j + m), root(step));
			let c = cmul(fetch(at + j + 2u * m), root(2u * step));
			let s = b + c;
			let t = a - 0.5 * s;
			let d = turn(b - c) * 0.8660254;
			put(o, a + s);
			put(o + ns, t + d);
			put(o + 2u * ns, t - d);
		}
		case 4u: {
			let a = fetch(at + j);
			let b = cmul(fetch(at + j + m), root(step));
			let c = cmul(fetch(at + j + 2u * m), root(2u * step));
			let d = cmul(fetch(at + j + 3u * m), root(3u * step));
			let e = a + c;
			let f = a - c;
			let g = b + d;
			let h = turn(b - d);
			put(o, e + g);
			put(o + ns, f + h);
			put(o + 2u * ns, e - g);
			put(o + 3u * ns, f - h);
		}
		case 5u: {
			let a = fetch(at + j);
			let b = cmul(fetch(at + j + m), root(step));
			let c = cmul(fetch(at + j + 2u * m), root(2u * step));
			let d = cmul(fetch(at + j + 3u * m), root(3u * step));
			let e = cmul(fetch(at + j + 4u * m), root(4u * step));
			let p = b + e;
			let q = c + d;
			let u = turn(b - e);
			let v = turn(c - d);
			let x1 = a + 0.30901699 * p - 0.80901699 * q;
			let x2 = a - 0.80901699 * p + 0.30901699 * q;
			let y1 = 0.95105652 * u + 0.58778525 * v;
			let y2 = 0.58778525 * u - 0.95105652 * v;
			put(o, a + p + q);
			put(o + ns, x1 + y1);
			put(o + 2u * ns, x2 + y2);
			put(o + 3u * ns, x2 - y2);
			put(o + 4u * ns, x1 - y1);
		}
		default: {
			for (var q = 0u; q < r; q++) {
				var s = vec2<f32>(0.0, 0.0);
				var w = 0u; // p (step + q m) modulo n
				for (var p = 0u; p < r; p++) {
					s += cmul(fetch(at + j + p * m), root(w));
					w += step + q * m;
					w -= select(0u, n, w >= n);
				}
				put(o + q * ns, s);
			}
		}
	}
}
