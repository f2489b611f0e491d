package closedform

import (
	"context"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers"
)

// Posterior is that of a mixture, dense: weights, and overall mean and covariance.
type Posterior struct {
	Weights []float64
	Mean    []float64
	Sigma   []float64 // of every pixel

	values []float64 // eigenvalues of the covariance, ascending
	vecs   mat.Dense
	spread float64 // standard deviation of n Bias² of n exact draws
}

// Matrix is an operator as a dense matrix, column by column: for small problems.
func Matrix(dev engine.Device, s engine.Stream, op solvers.Operator) (*mat.Dense, error) {
	n, rows := op.Domain().Len(), op.Range().Len()
	x, err := dev.Alloc(append(engine.Shape{1}, op.Domain()...))
	if err != nil {
		return nil, fmt.Errorf("closedform: %w", err)
	}
	defer x.Free()
	y, err := dev.Alloc(append(engine.Shape{1}, op.Range()...))
	if err != nil {
		return nil, fmt.Errorf("closedform: %w", err)
	}
	defer y.Free()
	a := mat.NewDense(rows, n, nil)
	unit, col := make([]float32, n), make([]float32, rows)
	for j := range n {
		unit[j] = 1
		s.Upload(x, unit)
		unit[j] = 0
		op.Forward(s, y, x)
		s.Download(col, y)
		for i, v := range col {
			a.Set(i, j, float64(v))
		}
	}
	return a, s.Sync(context.Background())
}

// Given is the posterior for data with the given weights seen through a.
func (m *Mixture) Given(a *mat.Dense, data, weights []float32) (Posterior, error) {
	_, n := a.Dims()
	var valid []int
	for i, w := range weights {
		if w > 0 {
			valid = append(valid, i)
		}
	}
	var out Posterior
	var means []*mat.VecDense
	var covs []*mat.SymDense
	for k := range m.parts {
		prior := m.covariance(k)
		logw, mean, cov, err := condition(a, valid, data, weights, prior, m.hosts[k])
		if err != nil {
			return out, err
		}
		out.Weights = append(out.Weights, logw)
		means, covs = append(means, mean), append(covs, cov)
	}
	top := slices.Max(out.Weights)
	var sum float64
	for k, v := range out.Weights {
		out.Weights[k] = math.Exp(v - top)
		sum += out.Weights[k]
	}
	total, cov := mat.NewVecDense(n, nil), mat.NewSymDense(n, nil)
	for k := range out.Weights {
		out.Weights[k] /= sum
		total.AddScaledVec(total, out.Weights[k], means[k])
	}
	for k, p := range out.Weights {
		d := mat.NewVecDense(n, nil)
		d.SubVec(means[k], total)
		for i := range n {
			for j := i; j < n; j++ {
				cov.SetSym(i, j, cov.At(i, j)+p*(covs[k].At(i, j)+d.AtVec(i)*d.AtVec(j)))
			}
		}
	}
	for i := range n {
		out.Mean = append(out.Mean, total.AtVec(i))
		out.Sigma = append(out.Sigma, math.Sqrt(cov.At(i, i)))
	}
	var eig mat.EigenSym
	if !eig.Factorize(cov, true) {
		return out, fmt.Errorf("closedform: eigenvalues of the posterior did not converge")
	}
	out.values = eig.Values(nil)
	eig.VectorsTo(&out.vecs)
	var r2 float64 // of the correlation matrix
	for i := range n {
		for j := range n {
			r := cov.At(i, j) / (out.Sigma[i] * out.Sigma[j])
			r2 += r * r
		}
	}
	out.spread = math.Sqrt(2*r2) / float64(n)
	return out, nil
}

// Floor is what Bias stays below for draws that are exact, but for three standard
// deviations: n Bias² has mean 1 and, pixels being correlated, the variance 2 ΣR²/N².
func (e Posterior) Floor(draws int) float64 {
	return math.Sqrt((1 + 3*e.spread) / float64(draws))
}

// condition is the log evidence, mean and covariance of one component.
func condition(a *mat.Dense, valid []int, data, weights []float32, prior *mat.SymDense, mu []float32) (float64, *mat.VecDense, *mat.SymDense, error) {
	_, n := a.Dims()
	muv := mat.NewVecDense(n, nil)
	for i, v := range mu {
		muv.SetVec(i, float64(v))
	}
	av, r := mat.NewDense(len(valid), n, nil), mat.NewVecDense(len(valid), nil)
	for j, i := range valid {
		av.SetRow(j, a.RawRowView(i))
		r.SetVec(j, float64(data[i])-mat.Dot(a.RowView(i), muv))
	}
	var ap, apa mat.Dense
	ap.Mul(av, prior)
	apa.Mul(&ap, av.T())
	sym := mat.NewSymDense(len(valid), nil)
	for i := range valid {
		for j := i; j < len(valid); j++ {
			v := (apa.At(i, j) + apa.At(j, i)) / 2
			if i == j {
				v += 1 / float64(weights[valid[i]])
			}
			sym.SetSym(i, j, v)
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(sym) {
		return 0, nil, nil, fmt.Errorf("closedform: covariance of the data is not positive definite")
	}
	var sol mat.VecDense
	if err := chol.SolveVecTo(&sol, r); err != nil {
		return 0, nil, nil, fmt.Errorf("closedform: %w", err)
	}
	var x, gain mat.Dense
	if err := chol.SolveTo(&x, &ap); err != nil {
		return 0, nil, nil, fmt.Errorf("closedform: %w", err)
	}
	gain.Mul(ap.T(), &x)
	post := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			post.SetSym(i, j, prior.At(i, j)-(gain.At(i, j)+gain.At(j, i))/2)
		}
	}
	mean := mat.NewVecDense(n, nil)
	mean.MulVec(ap.T(), &sol)
	mean.AddVec(mean, muv)
	return -0.5*mat.Dot(r, &sol) - 0.5*chol.LogDet(), mean, post, nil
}

// covariance is the dense covariance of component k: circulant per band.
func (m *Mixture) covariance(k int) *mat.SymDense {
	c, h, w := m.domain[0], m.domain[1], m.domain[2]
	corr := make([]float64, h*w)
	for dy := range h {
		for dx := range w {
			var sum float64
			for ky := range h {
				for kx := range w/2 + 1 {
					ph := 2 * math.Pi * (float64(ky*dy)/float64(h) + float64(kx*dx)/float64(w))
					sum += gaussian.ModeWeight(kx, w) * m.powers[k][ky*(w/2+1)+kx] * math.Cos(ph)
				}
			}
			corr[dy*w+dx] = sum / float64(h*w)
		}
	}
	out := mat.NewSymDense(c*h*w, nil)
	for b := range c {
		for i := range h * w {
			for j := i; j < h*w; j++ {
				out.SetSym(b*h*w+i, b*h*w+j, corr[(i/w-j/w+h)%h*w+(i%w-j%w+w)%w])
			}
		}
	}
	return out
}

// Quality is how draws differ from the posterior.
type Quality struct {
	Bias  float64 // rms over pixels of (mean of the draws − mean)/σ; 1/√draws if exact
	Ratio float64 // mean over pixels of the draws' standard deviation over σ; 1 if exact
	V95   float64 // 95th percentile, over eigenvectors, of the draws' variance about the mean over the eigenvalue
	Worst float64 // farthest such ratio from 1, in standard deviations of χ² with as many degrees of freedom as draws
}

// Judge compares draws with the posterior.
func (e Posterior) Judge(draws [][]float32) Quality {
	n, count := len(e.Sigma), float64(len(draws))
	mean, m2 := make([]float64, n), make([]float64, n)
	for _, d := range draws {
		for i, v := range d {
			mean[i] += float64(v) / count
		}
	}
	for _, d := range draws {
		for i, v := range d {
			m2[i] += math.Pow(float64(v)-mean[i], 2) / (count - 1)
		}
	}
	var q Quality
	for i := range n {
		b := (mean[i] - e.Mean[i]) / e.Sigma[i]
		q.Bias += b * b / float64(n)
		q.Ratio += math.Sqrt(m2[i]) / e.Sigma[i] / float64(n)
	}
	q.Bias = math.Sqrt(q.Bias)
	var ratios []float64
	for k, val := range e.values {
		var v float64
		for _, d := range draws {
			var p float64
			for i, x := range d {
				p += (float64(x) - e.Mean[i]) * e.vecs.At(i, k)
			}
			v += p * p / count
		}
		ratios = append(ratios, v/val)
		if z := (v/val - 1) * math.Sqrt(count/2); math.Abs(z) > math.Abs(q.Worst) {
			q.Worst = z
		}
	}
	slices.Sort(ratios)
	q.V95 = ratios[int(0.95*float64(len(ratios)))]
	return q
}
