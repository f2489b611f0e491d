package kern

// Gemm is a product of matrices, or a convolution as the sum of one product per tap:
//
//	C[m, n] (+)= Σ_t Σ_k A[Taps[t] + m RS + k KS] · B[panel n/16][t K + k][n%16]
//
// The panels are BP apart, their rows BS: 16 for a packed B, more where B is read
// from a tensor whose rows are multiples of 16.
type Gemm struct {
	M, N, K int
	A       []float32
	RS, KS  int
	Taps    []int64
	B       []float32
	BS, BP  int
	C       []float32
	LDC     int
	Add     bool
}

func gemm(g Gemm) {
	for m := range g.M {
		for n := 0; n < g.N; n += Lanes {
			var acc [Lanes]float32
			b := g.B[n/Lanes*g.BP:]
			for _, t := range g.Taps {
				a := g.A[int(t)+m*g.RS:]
				for k := range g.K {
					x, row := a[k*g.KS], (*[Lanes]float32)(b)
					for l := range acc {
						acc[l] += x * row[l]
					}
					b = b[min(g.BS, len(b)):]
				}
			}
			c := g.C[m*g.LDC+n:][:min(Lanes, g.N-n)]
			for l := range c {
				if g.Add {
					c[l] += acc[l]
				} else {
					c[l] = acc[l]
				}
			}
		}
	}
}

// PanelLen is the length of a packed (K, N) matrix.
func PanelLen(k, n int) int { return (n + Lanes - 1) / Lanes * Lanes * k }

// Pack writes the (k, n) matrix b, with steps rs between rows and cs between columns,
// as panels of 16 columns, zeros beyond the last.
func Pack(dst, b []float32, k, n, rs, cs int) {
	for p := 0; p < n; p += Lanes {
		cols := min(Lanes, n-p)
		for i := range k {
			d := dst[p*k+i*Lanes:][:Lanes]
			if cs == 1 {
				copy(d, b[i*rs+p:][:cols])
			} else {
				for l := range cols {
					d[l] = b[i*rs+(p+l)*cs]
				}
			}
			clear(d[cols:])
		}
	}
}

// Finish does C = act(C + bias + res) over Rows of N.
type Finish struct {
	C       []float32
	Rows, N int
	LDC     int
	Bias    []float32 // may be empty
	Res     []float32 // may be empty
	LDR     int
	Act     int
}

func finish(f Finish) {
	for r := range f.Rows {
		c := f.C[r*f.LDC:][:f.N]
		for i, v := range c {
			if len(f.Bias) > 0 {
				v += f.Bias[i]
			}
			if len(f.Res) > 0 {
				v += f.Res[r*f.LDR+i]
			}
			c[i] = activate(v, f.Act)
		}
	}
}

// DepthRow is one row of a depthwise convolution: pixel p of Dst (pixels, C) is
// Σ_t W[t, c] X[Taps[t] + p Step + c].
type DepthRow struct {
	Dst, X, W []float32
	Bias      []float32 // may be empty
	Taps      []int64
	Pixels, C int
	Step      int
}

func depthRow(d DepthRow) {
	for p := range d.Pixels {
		for c := range d.C {
			acc := float32(0)
			if len(d.Bias) > 0 {
				acc = d.Bias[c]
			}
			for t, o := range d.Taps {
				acc += d.W[t*d.C+c] * d.X[int(o)+p*d.Step+c]
			}
			d.Dst[p*d.C+c] = acc
		}
	}
}

// depthWeights reads Dst as the gradient and adds to W.
func depthWeights(d DepthRow) {
	for p := range d.Pixels {
		for t, o := range d.Taps {
			x := d.X[int(o)+p*d.Step:]
			for c := range d.C {
				d.W[t*d.C+c] += d.Dst[p*d.C+c] * x[c]
			}
		}
	}
}

// Winograd is the set of steps of 3×3 convolutions of stride 1 by F(4×4, 3×3).
type Winograd struct {
	// Weights transforms w (3, 3, C, N) to panels u (36, N/16, C, 16). With flip it
	// does so for the adjoint: w turned by 180° and C and N exchanged, C and N being
	// those of w.
	Weights func(u, w []float32, c, n int, flip bool)
	// Block computes tiles t0 ≤ t < t1 for the channels n0 ≤ n < n1.
	Block func(g WinogradGeometry, x, u, y, bias, res []float32, t0, t1 int, scratch []float32)
	// Input writes the transform of tiles of x to v (36, tiles, C), Output the adjoint
	// of the way back of tiles of g to m (36, tiles, N); the steps between the 36 are
	// vstep and mstep.
	Input  func(g WinogradGeometry, x []float32, t0, t1 int, v []float32)
	Output func(g WinogradGeometry, dy []float32, t0, t1 int, m []float32)
	// Gradient turns du (36, C, N) into dw (3, 3, C, N).
	Gradient func(dw, du []float32, c, n int)
}

// WinogradGeometry describes one convolution; its numbers are what C reads.
type WinogradGeometry struct {
	Numbers    [13]int64 // H W C OH OW N TY TX Act N0 N1 V-step M-step
	Rows, Cols []int32   // which row and column of the image stands at each place of the padded one; −1: none
}
