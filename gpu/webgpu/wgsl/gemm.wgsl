//! dst a b bias res | m n k tilesn h w c oh ow kh kw stride pad edge act ta tb add bbatch kper scale:f32
//+ gather
// A product of matrices, dst (m, n) = Σ_k A(m, k) B(k, n), in tiles of BM × BN through
// workgroup memory, a 4 × 4 block for each thread. MODE says what A and B are:
//
//	0 convolution: row m is the pixel (b, i, j), k is (tap, c): A gathers the padded
//	  image a, B is the kernel b; then bias, res, activation
//	1 its adjoint: row m is the pixel of the image, k is (tap, n)
//	2 its gradient in the kernel: row m is (tap, c), k is the pixel; part z of k
//	3 matrices of a batch: matrix z
const SA: u32 = BM + 1u;
const SB: u32 = BN + 1u;
const NA: u32 = BK * SA;
const NB: u32 = BK * SB;
var<workgroup> sa: array<f32, NA>;
var<workgroup> sb: array<f32, NB>;
var<workgroup> pixb: array<u32, BM>; // first element of the image
var<workgroup> pixh: array<i32, BM>;
var<workgroup> pixw: array<i32, BM>;

// decode finds the image and the place of the first tap for pixel m of the result.
fn decode(i: u32, m: u32) {
	let ow = select(P.ow, P.w, MODE == 1u);
	let oh = select(P.oh, P.h, MODE == 1u);
	let j = i32(m % ow);
	let r = i32(m / ow % oh);
	let b = m / ow / oh;
	if (MODE == 1u) {
		pixb[i] = b * P.oh * P.ow;
		pixh[i] = r + i32(P.pad);
		pixw[i] = j + i32(P.pad);
	} else {
		pixb[i] = b * P.h * P.w;
		pixh[i] = r * i32(P.stride) - i32(P.pad);
		pixw[i] = j * i32(P.stride) - i32(P.pad);
	}
}

fn load_a(m0: u32, mm: u32, k: u32, hi: u32, z: u32) -> f32 {
	let m = m0 + mm;
	if (m >= P.m || k >= hi) {
		return 0.0;
	}
	if (MODE == 3u) {
		return a[P.a_o + z * P.m * P.k + select(m * P.k + k, k * P.m + m, P.ta == 1u)];
	}
	if (MODE == 2u) {
		let j = k % P.ow;
		let i = k / P.ow % P.oh;
		let b = k / P.ow / P.oh;
		return image(b * P.h * P.w, i32(i * P.stride) - i32(P.pad), i32(j * P.stride) - i32(P.pad), m / P.c, m % P.c);
	}
	return image(pixb[mm], pixh[mm], pixw[mm], k / P.c, k % P.c);
}

fn put4(m: u32, n: u32, v: vec4<f32>, z: u32) {
	put(m, n, v.x, z);
	put(m, n + 1u, v.y, z);
	put(m, n + 2u, v.z, z);
	put(m, n + 3u, v.w, z);
}

MAIN(256) {
	let tile = wg.y * nwg.x + wg.x;
	let m0 = tile / P.tilesn * BM;
	let n0 = tile % P.tilesn * BN;
	if (m0 >= P.m) {
		return;
	}
	var lo = 0u;
	var hi = P.k;
	if (MODE == 2u) {
		lo = wg.z * P.kper;
		hi = min(lo + P.kper, P.k);
	}
	if (MODE < 2u) {
		if (lid < BM) {
			decode(lid, m0 + lid);
		}
		workgroupBarrier();
	}
	// Neighbouring threads load neighbours in memory.
	let amajor = MODE == 2u || (MODE == 3u && P.ta == 1u);
	let bmajor = MODE == 1u || (MODE == 3u && P.tb == 1u);
	let tm = lid / (BN / 4u) * 4u;
	let tn = lid % (BN / 4u) * 4u;
	var c0 = vec4<f32>();
	var c1 = vec4<f32>();
	var c2 = vec4<f32>();
	var c3 = vec4<f32>();
	for (var k0 = lo; k0 < hi; k0 += BK) {
		for (var i = lid; i < BM * BK; i += 256u) {
			let mm = select(i / BK, i % BM, amajor);
			let kk = select(i % BK, i / BM, amajor);
			sa[kk * SA + mm] = load_a(m0, mm, k0 + kk, hi, wg.z);
		}
		for (var i = lid; i < BN * BK; i += 256u) {
			let nn = select(i % BN, i / BK, bmajor);
			let kk = select(i / BN, i % BK, bmajor);
			sb[kk * SB + nn] = load_b(k0 + kk, n0 + nn, hi, wg.z);
		}
		workgroupBarrier();
		for (var kk = 0u; kk < BK; kk++) {
			let p = kk * SA + tm;
			let q = kk * SB + tn;
			let v = vec4<f32>(sb[q], sb[q + 1u], sb[q + 2u], sb[q + 3u]);
			c0 = fma(vec4<f32>(sa[p]), v, c0);
			c1 = fma(vec4<f32>(sa[p + 1u]), v, c1);
			c2 = fma(vec4<f32>(sa[p + 2u]), v, c2);
			c3 = fma(vec4<f32>(sa[p + 3u]), v, c3);
		}
		workgroupBarrier();
	}
	put4(m0 + tm, n0 + tn, c0, wg.z);
	put4(m0 + tm + 1u, n0 + tn, c1, wg.z);
	put4(m0 + tm + 2u, n0 + tn, c2, wg.z);
	put4(m0 + tm + 3u, n0 + tn, c3, wg.z);
}
