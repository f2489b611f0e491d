package solvers

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"limpid/engine"
)

// Column is one column of P in y = A x + P a + n: what a unit of its amplitude adds to
// the image.
type Column struct {
	Patches []Patch
	Sigma   float64 // of its amplitude a priori, about 0
}

// Patch is the part of a column in one band: rows of W pixels from (X, Y) on, inside the
// image.
type Patch struct {
	Band, X, Y, W int
	Pix           []float64
}

// Nuisance is the part P a of the data that is no scene: a pedestal of sky, stars. With
// a ~ N(0, Λ), Λ diagonal, it is integrated out of the likelihood exactly: y − A x has the
// covariance N′ = N + P Λ Pᵀ, N = 1/w, and (Woodbury 1950)
//
//	N′⁻¹ = w − w P G Pᵀ w,  G = (Λ⁻¹ + PᵀwP)⁻¹,
//
// where G is the covariance of a given scene and data, and its mean G Pᵀw (y − A x).
// Kernels then draw scenes as if there were no a, and a is drawn after each. All of it is
// done on the host in float64, by one thread: the same bits everywhere.
type Nuisance struct {
	columns []Column
	h, w    int
	size    int // pixels of one image of all bands
	weights []float32
	fisher  mat.Cholesky  // of 1 + Λ^½ PᵀwP Λ^½
	gram    *mat.SymDense // Λ^½ PᵀwP Λ^½
	root    *mat.SymDense // see Root; nil: not made for these weights
	b       *mat.VecDense
	sums    []float64
	rootW   []float32 // √w, of Root
	host    []float32
}

// NewNuisance factors what Nuisance needs under the weights of the data, (C, H, W).
func NewNuisance(columns []Column, weights Image) (*Nuisance, error) {
	n := &Nuisance{columns: columns, h: weights.H, w: weights.W, size: len(weights.Pix)}
	for i, c := range columns {
		if !(c.Sigma > 0) {
			return nil, fmt.Errorf("solvers: column %d has the prior %g: it must be positive", i, c.Sigma)
		}
		for _, p := range c.Patches {
			if p.W <= 0 || p.Band < 0 || p.Band >= weights.C || p.X < 0 || p.Y < 0 || p.X+p.W > n.w || p.Y+len(p.Pix)/p.W > n.h {
				return nil, fmt.Errorf("solvers: column %d reaches beyond the image", i)
			}
		}
	}
	n.b, n.sums = mat.NewVecDense(len(columns), nil), make([]float64, len(columns))
	return n, n.Weigh(weights.Pix)
}

// Weigh changes the weights, (C, H, W).
func (n *Nuisance) Weigh(weights []float32) error {
	n.weights = weights
	k := len(n.columns)
	m := mat.NewSymDense(k, nil)
	image := make([]float32, n.size)
	for i, c := range n.columns {
		clear(image)
		for _, p := range c.Patches {
			n.rows(p, func(at int, row []float64) {
				for x, v := range row {
					image[at+x] = float32(v * float64(weights[at+x]))
				}
			})
		}
		for j, v := range n.Project(image)[:i+1] {
			m.SetSym(i, j, v*c.Sigma*n.columns[j].Sigma)
		}
	}
	n.gram, n.root = mat.NewSymDense(k, nil), nil
	n.gram.CopySym(m)
	for i := range k {
		m.SetSym(i, i, 1+m.At(i, i))
	}
	if !n.fisher.Factorize(m) {
		return fmt.Errorf("solvers: %d columns beside the scene have no finite posterior: are all weights finite?", k)
	}
	return nil
}

// Weights are those of the data.
func (n *Nuisance) Weights() []float32 { return n.weights }

// Len is the number of columns.
func (n *Nuisance) Len() int { return len(n.columns) }

// rows calls f for every row of a patch with its place in the image.
func (n *Nuisance) rows(p Patch, f func(at int, row []float64)) {
	for r := range len(p.Pix) / p.W {
		f((p.Band*n.h+p.Y+r)*n.w+p.X, p.Pix[r*p.W:(r+1)*p.W])
	}
}

// Project is Pᵀ of an image. What it returns is overwritten by the next call.
func (n *Nuisance) Project(image []float32) []float64 {
	for i, c := range n.columns {
		var sum float64
		for _, p := range c.Patches {
			n.rows(p, func(at int, row []float64) {
				for x, v := range row {
					sum += v * float64(image[at+x])
				}
			})
		}
		n.sums[i] = sum
	}
	return n.sums
}

// Add adds f P a to an image.
func (n *Nuisance) Add(image []float32, f float64, a []float64) {
	for i, c := range n.columns {
		for _, p := range c.Patches {
			n.rows(p, func(at int, row []float64) {
				for x, v := range row {
					image[at+x] += float32(f * a[i] * v)
				}
			})
		}
	}
}

// Mean is G (Pᵀ wr + Λ^-½ z), z nil for 0: of wr = w (y − A x) the mean of a.
func (n *Nuisance) Mean(wr []float32, z []float64) []float64 {
	return n.solve(n.Project(wr), 1, z)
}

// solve is G (f t + Λ^-½ z).
func (n *Nuisance) solve(t []float64, f float64, z []float64) []float64 {
	for i, c := range n.columns {
		v := f * t[i] * c.Sigma
		if z != nil {
			v += z[i]
		}
		n.b.SetVec(i, v)
	}
	out := mat.NewVecDense(len(n.columns), nil)
	if err := n.fisher.SolveVecTo(out, n.b); err != nil {
		panic(err) // the factors are of a positive matrix no smaller than 1
	}
	a := out.RawVector().Data
	for i, c := range n.columns {
		a[i] *= c.Sigma
	}
	return a
}

// Draw adds to a mean of a the scatter that scene and data leave, N(0, G).
func (n *Nuisance) Draw(mean []float64, key engine.Key) {
	z := mat.NewVecDense(len(mean), Normals(key, len(mean)))
	var u mat.TriDense
	n.fisher.UTo(&u)
	if err := z.SolveVec(&u, z); err != nil {
		panic(err) // as in solve
	}
	for i := range mean {
		mean[i] += n.columns[i].Sigma * z.AtVec(i)
	}
}

// Normals are n numbers of N(0, 1) from key.
func Normals(key engine.Key, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = float64(engine.Normals(engine.Philox(key.Seed, key.Counter, uint64(i/4)))[i%4])
	}
	return out
}

// Weighted turns images w u, (B, C, H, W), into N′⁻¹ u. With a key, w u is √w times white
// noise, and what comes out is a draw of N(0, N′⁻¹): N′⁻¹ (n + P Λ^½ z) = w n +
// w P G (Λ^-½ z − Pᵀw n).
// A failure stays in the stream.
func (n *Nuisance) Weighted(s engine.Stream, wu *engine.Tensor, key *engine.Key) {
	if len(n.host) < wu.Len() {
		n.host = make([]float32, wu.Len())
	}
	host := n.host[:wu.Len()]
	s.Download(host, wu)
	for b := range wu.Len() / n.size {
		image := host[b*n.size : (b+1)*n.size]
		var z []float64
		if key != nil {
			z = Normals(key.Fold(uint64(b)), n.Len())
		}
		n.addWeighted(image, 1, n.weights, n.solve(n.Project(image), -1, z))
	}
	s.Upload(wu, host)
}

// addWeighted adds f w P a.
func (n *Nuisance) addWeighted(image []float32, f float64, w []float32, a []float64) {
	for i, c := range n.columns {
		for _, p := range c.Patches {
			n.rows(p, func(at int, row []float64) {
				for x, v := range row {
					image[at+x] += float32(f * a[i] * v * float64(w[at+x]))
				}
			})
		}
	}
}

// Root turns images v, (B, C, H, W), into (N^½ N′⁻¹ N^½)^½ v: whitened residuals √w (y − A x)
// into such that are white with the columns in them. With Λ^½PᵀwPΛ^½ = V diag(λ) Vᵀ,
//
//	(N^½ N′⁻¹ N^½)^½ = 1 − √w P Λ^½ V diag((1 − (1 + λ)^-½)/λ) Vᵀ Λ^½ Pᵀ √w.
//
// A failure stays in the stream.
func (n *Nuisance) Root(s engine.Stream, v *engine.Tensor) {
	if n.root == nil {
		n.setRoot()
	}
	if len(n.host) < v.Len() {
		n.host = make([]float32, v.Len())
	}
	host := n.host[:v.Len()]
	s.Download(host, v)
	part := make([]float32, n.size)
	for at := 0; at < len(host); at += n.size {
		image := host[at : at+n.size]
		for i, r := range n.rootW {
			part[i] = r * image[i]
		}
		n.Project(part)
		a := mat.NewVecDense(len(n.columns), nil)
		a.MulVec(n.root, mat.NewVecDense(len(n.sums), n.sums))
		n.addWeighted(image, -1, n.rootW, a.RawVector().Data)
	}
	s.Upload(v, host)
}

// setRoot makes what Root needs of the present weights.
func (n *Nuisance) setRoot() {
	k := len(n.columns)
	var e mat.EigenSym
	if !e.Factorize(n.gram, true) {
		panic("solvers: eigenvalues of a finite symmetric matrix") // as in solve
	}
	var v mat.Dense
	e.VectorsTo(&v)
	n.root = mat.NewSymDense(k, nil)
	for q, l := range e.Values(nil) {
		l = math.Max(l, 0)
		f := 1 / (math.Sqrt(1+l) * (1 + math.Sqrt(1+l))) // (1 − (1 + λ)^-½)/λ
		for i := range k {
			for j := range i + 1 {
				n.root.SetSym(i, j, n.root.At(i, j)+f*v.At(i, q)*v.At(j, q)*n.columns[i].Sigma*n.columns[j].Sigma)
			}
		}
	}
	n.rootW = n.rootW[:0]
	for _, w := range n.weights {
		n.rootW = append(n.rootW, float32(math.Sqrt(float64(w))))
	}
}

// Remove takes the mean of P a out of residuals y − A x, (B, C, H, W) on the host.
func (n *Nuisance) Remove(residuals []float32) {
	wr := make([]float32, n.size)
	for at := 0; at < len(residuals); at += n.size {
		r := residuals[at : at+n.size]
		for i, v := range r {
			wr[i] = v * n.weights[i]
		}
		n.Add(r, -1, n.Mean(wr, nil))
	}
}
