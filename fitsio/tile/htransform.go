package tile

// inverse undoes the H transform: at every level each 2 × 2 block (h0 the sum,
// hx, hy, hc the differences) becomes four sums of the next level. Bits that
// integer division dropped are known from the parity of the others.
func (h *hdecoder) inverse(smooth bool, scale int64) {
	levels := ceilLog2(max(h.nx, h.ny))
	tmp := make([]int64, (max(h.nx, h.ny)+1)/2*2)
	if levels > 0 {
		bit2 := int64(1) << (levels + 1)
		h.a[0] = roundTo(h.a[0], bit2)
	}
	for k := levels - 1; k >= 0; k-- {
		nx, ny := (h.nx+1<<k-1)>>k, (h.ny+1<<k-1)>>k
		for i := range nx {
			interleave(h.a[i*h.ny:], ny, 1, tmp)
		}
		for j := range ny {
			interleave(h.a[j:], nx, h.ny, tmp)
		}
		if smooth {
			h.smooth(nx, ny, scale>>1)
		}
		h.level(nx, ny, uint(k))
	}
}

// roundTo rounds to a multiple of bit, a power of two, halves away from zero …
// upwards for positive and downwards for negative numbers.
func roundTo(v, bit int64) int64 {
	r := bit >> 1
	if v < 0 {
		r--
	}
	return (v + r) &^ (bit - 1)
}

// interleave brings n values, first the even then the odd ones, in order.
func interleave(a []int64, n, stride int, tmp []int64) {
	half := (n + 1) / 2
	for i := half; i < n; i++ {
		tmp[i-half] = a[i*stride]
	}
	for i := half - 1; i > 0; i-- {
		a[2*i*stride] = a[i*stride]
	}
	for i := range n - half {
		a[(2*i+1)*stride] = tmp[i]
	}
}

// level does one step. At the last one (k = 0) everything is divided by 4, not
// by 2, and the smallest difference is not rounded.
func (h *hdecoder) level(nx, ny int, k uint) {
	bit0, bit1 := int64(1)<<k, int64(2)<<k
	shift := uint(1)
	if k == 0 {
		shift = 2
	}
	for i := 0; i < nx; i += 2 {
		r0 := h.a[i*h.ny:][:ny]
		var r1 []int64
		if i+1 < nx {
			r1 = h.a[(i+1)*h.ny:][:ny]
		}
		for j := 0; j < ny; j += 2 {
			h0, hx, hy, hc := r0[j], int64(0), int64(0), int64(0)
			right := j+1 < ny
			if right {
				hy = r0[j+1]
			}
			if r1 != nil {
				hx = r1[j]
				if right {
					hc = r1[j+1]
				}
			}
			hx, hy = roundTo(hx, bit1), roundTo(hy, bit1)
			if k > 0 {
				hc = roundTo(hc, bit0)
			}
			low0 := hc & bit0
			hx, hy = inward(hx, low0), inward(hy, low0)
			low1 := (hc ^ hx ^ hy) & bit1
			switch {
			case h0 >= 0:
				h0 += low0 - low1
			case low0 == 0:
				h0 += low1
			default:
				h0 += low0 - low1
			}
			r0[j] = (h0 - hx - hy + hc) >> shift
			if right {
				r0[j+1] = (h0 - hx + hy - hc) >> shift
			}
			if r1 != nil {
				r1[j] = (h0 + hx - hy - hc) >> shift
				if right {
					r1[j+1] = (h0 + hx + hy + hc) >> shift
				}
			}
		}
	}
}

// inward moves v by d ≥ 0 towards zero (and 0 down): the encoder rounded away.
func inward(v, d int64) int64 {
	if v >= 0 {
		return v - d
	}
	return v + d
}

// smooth changes the differences, by limit at most, towards the slopes that the
// sums of the neighbouring blocks suggest, where these run one way only.
func (h *hdecoder) smooth(nx, ny int, limit int64) {
	if limit <= 0 {
		return
	}
	w := h.ny
	slope := func(at, step, diff int) {
		hm, h0, hp := h.a[at-2*step], h.a[at], h.a[at+2*step]
		hi := max(min(hp-h0, h0-hm), 0) << 2
		lo := min(max(hp-h0, h0-hm), 0) << 2
		if lo < hi {
			h.a[diff] += clampStep(max(min(hp-hm, hi), lo)-h.a[diff]<<3, 3, limit)
		}
	}
	for i := 2; i < nx-2; i += 2 {
		for j := 0; j < ny; j += 2 {
			slope(i*w+j, w, (i+1)*w+j)
		}
	}
	for i := 0; i < nx; i += 2 {
		for j := 2; j < ny-2; j += 2 {
			slope(i*w+j, 1, i*w+j+1)
		}
	}
	for i := 2; i < nx-2; i += 2 {
		for j := 2; j < ny-2; j += 2 {
			h.curvature(i*w+j, limit)
		}
	}
}

// curvature does for the diagonal difference what slope does for the others.
func (h *hdecoder) curvature(at int, limit int64) {
	w := h.ny
	mm, pm, mp, pp := h.a[at-2*w-2], h.a[at+2*w-2], h.a[at-2*w+2], h.a[at+2*w+2]
	h0 := h.a[at]
	hx2, hy2 := h.a[at+w]<<1, h.a[at+1]<<1
	hi := min(max(pp-h0, 0)-hx2-hy2, max(h0-pm, 0)+hx2-hy2,
		max(h0-mp, 0)-hx2+hy2, max(mm-h0, 0)+hx2+hy2) << 4
	lo := max(min(pp-h0, 0)-hx2-hy2, min(h0-pm, 0)+hx2-hy2,
		min(h0-mp, 0)-hx2+hy2, min(mm-h0, 0)+hx2+hy2) << 4
	if lo < hi {
		hc := &h.a[at+w+1]
		*hc += clampStep(max(min(pp+mm-mp-pm, hi), lo)-*hc<<6, 6, limit)
	}
}

// clampStep divides by 2^shift towards zero and limits the result.
func clampStep(s int64, shift uint, limit int64) int64 {
	if s < 0 {
		s += 1<<shift - 1
	}
	return max(min(s>>shift, limit), -limit)
}
