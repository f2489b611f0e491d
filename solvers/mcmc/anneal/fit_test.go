package anneal

import (
	"math"
	"math/rand/v2"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers"
	"limpid/solvers/operator"
)

// Every error counts: shares of λ have the mean of all squares, also where a few in an unlucky order hold most of it.
func TestFitTails_AllErrors_HaveTheMeanOfTheirSquares(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	squares := make([]float64, 200000)
	var mean float64
	for i := range squares {
		squares[i] = math.Pow(rng.NormFloat64(), 2)
		if i%1000 == 0 {
			squares[i] *= 1000
		}
		mean += squares[i] / float64(len(squares))
	}
	var fitted float64
	for i, share := range fitTails(squares) {
		fitted += share * errorFactors[i]
	}
	if math.Abs(fitted-mean) > 0.3 { // what rareTails add
		t.Errorf("λ is %.2f in the mean, squares are %.2f", fitted, mean)
	}
}

// walkCore is a core without a prior for batch scenes of n².
func walkCore(t *testing.T, n, batch int) *core {
	t.Helper()
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	s := dev.NewStream()
	delta := solvers.NewImage(1, 1, 1)
	delta.Pix[0] = 1
	op, err := operator.NewConvolutionOn(dev, s, delta, operator.Grid{C: 1, H: n, W: n, ImgH: n, ImgW: n}, batch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { op.Close() })
	weights := solvers.NewImage(1, n, n)
	weights.Pix[0] = 1
	k, err := newCore(dev, Config{
		Op: op, Data: solvers.NewImage(1, n, n), Weights: weights, Power: make([]float64, n*(n/2+1)), Batch: batch, SigmaMin: 1, SigmaMax: 2, Stream: s,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.close)
	return k
}

// moments are the variance of scenes of n² and their correlation lag pixels apart.
func moments(v []float32, n, lag int) (variance, beside float64) {
	for i, x := range v {
		variance += float64(x) * float64(x) / float64(len(v))
		if i%n >= lag {
			beside += float64(x) * float64(v[i-lag]) / float64(len(v)) * float64(n) / float64(n-lag)
		}
	}
	return variance, beside / variance
}

// What draws λ is alike in neighbouring pixels and has the variance of white noise; what averages squares keeps their mean.
func TestTailFilters_NeighboursAreAlike_OneStaysOne(t *testing.T) {
	const n, width = 64, 1.5
	k := walkCore(t, n, 4)
	var err error
	f := k.newTailFilters(width, &err)
	if err != nil {
		t.Fatal(err)
	}
	host := make([]float32, k.x.Len())
	k.normals(k.t, k.n, engine.NewKey(3))
	k.filter(k.t, k.t, f.unit)
	k.s.Download(host, k.t)
	variance, beside := moments(host, n, 1)
	if want := math.Exp(-1 / (4 * width * width)); math.Abs(variance-1) > 0.1 || math.Abs(beside-want) > 0.03 {
		t.Errorf("variance %.3f, neighbours correlate by %.3f: want 1 and %.3f", variance, beside, want)
	}
	k.s.Fill(k.t, 1)
	k.filter(k.t, k.t, f.mean)
	k.s.Download(host, k.t)
	if math.Abs(float64(host[7])-1) > 1e-4 {
		t.Errorf("the mean of ones is %g", host[7])
	}
}
