package kern

// LaneMul multiplies n elements of a lane buffer by one complex number each.
func LaneMul(dst, src, w []float32, n int) {
	for i := range n {
		a, d, c, s := at(src, i), at(dst, i), w[2*i], w[2*i+1]
		for l := range Lanes {
			r, j := a[l], a[Lanes+l]
			d[l], d[Lanes+l] = r*c-j*s, r*s+j*c
		}
	}
}

// LaneMulSwap multiplies likewise, and swaps real and imaginary parts after.
func LaneMulSwap(dst, src, w []float32, n int) {
	for i := range n {
		a, d, c, s := at(src, i), at(dst, i), w[2*i], w[2*i+1]
		for l := range Lanes {
			r, j := a[l], a[Lanes+l]
			d[l], d[Lanes+l] = r*s+j*c, r*c-j*s
		}
	}
}

// LaneSwapMul swaps first and then multiplies.
func LaneSwapMul(dst, src, w []float32, n int) {
	for i := range n {
		a, d, c, s := at(src, i), at(dst, i), w[2*i], w[2*i+1]
		for l := range Lanes {
			j, r := a[l], a[Lanes+l]
			d[l], d[Lanes+l] = r*c-j*s, r*s+j*c
		}
	}
}

// LoadRows transposes lanes rows of n floats, stride apart, into dst (n, Lanes);
// the lanes left over become 0.
func LoadRows(dst, src []float32, n, stride, lanes int) {
	for c := range n {
		d := (*[Lanes]float32)(dst[c*Lanes:])
		for l := range lanes {
			d[l] = src[l*stride+c]
		}
		clear(d[lanes:])
	}
}

// StoreRows is the way back, times scale: dst row l, column c = src[c^flip, l].
func StoreRows(dst, src []float32, n, stride, lanes, flip int, scale float32) {
	for c := range n {
		s := (*[Lanes]float32)(src[(c^flip)*Lanes:])
		for l := range lanes {
			dst[l*stride+c] = scale * s[l]
		}
	}
}

func loadCols(dst, src []float32, n, stride, lanes, swap int) {
	re, im := swap*Lanes, (1-swap)*Lanes
	for k := range n {
		d, s := at(dst, k), src[k*stride:][:2*lanes]
		for l := range lanes {
			d[re+l], d[im+l] = s[2*l], s[2*l+1]
		}
		clear(d[lanes:Lanes])
		clear(d[Lanes+lanes:])
	}
}

func storeCols(dst, src []float32, n, stride, lanes, swap int, scale float32) {
	re, im := swap*Lanes, (1-swap)*Lanes
	for k := range n {
		s, d := at(src, k), dst[k*stride:][:2*lanes]
		for l := range lanes {
			d[2*l], d[2*l+1] = scale*s[re+l], scale*s[im+l]
		}
	}
}

// SplitReal turns the transform Z of n/2 complex numbers made of n real ones into
// the half spectrum of the latter, in place: element 0 becomes (X[0], X[n/2]), both
// real. rot holds e^(−2πi k/n).
func SplitReal(z, rot []float32, h int) {
	e := at(z, 0)
	for l := range Lanes {
		e[l], e[Lanes+l] = e[l]+e[Lanes+l], e[l]-e[Lanes+l]
	}
	for k := 1; k <= h/2; k++ {
		a, b, c, s := at(z, k), at(z, h-k), rot[2*k], rot[2*k+1]
		for l := range Lanes {
			er, ei := 0.5*(a[l]+b[l]), 0.5*(a[Lanes+l]-b[Lanes+l])
			or, oi := 0.5*(a[Lanes+l]+b[Lanes+l]), 0.5*(b[l]-a[l])
			tr, ti := or*c-oi*s, or*s+oi*c
			a[l], a[Lanes+l] = er+tr, ei+ti
			b[l], b[Lanes+l] = er-tr, ti-ei
		}
	}
}

// JoinReal is the inverse of SplitReal but for a factor 2, and leaves real and
// imaginary parts swapped, ready for the inverse transform.
func JoinReal(z, rot []float32, h int) {
	e := at(z, 0)
	for l := range Lanes {
		e[l], e[Lanes+l] = e[l]-e[Lanes+l], e[l]+e[Lanes+l]
	}
	for k := 1; k <= h/2; k++ {
		a, b, c, s := at(z, k), at(z, h-k), rot[2*k], -rot[2*k+1]
		for l := range Lanes {
			er, ei := a[l]+b[l], a[Lanes+l]-b[Lanes+l]
			fr, fi := a[l]-b[l], a[Lanes+l]+b[Lanes+l]
			or, oi := fr*c-fi*s, fr*s+fi*c
			a[l], a[Lanes+l] = ei+or, er-oi
			b[l], b[Lanes+l] = or-ei, er+oi
		}
	}
}
