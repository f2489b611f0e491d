package anneal

import (
	"math"
	"math/rand/v2"
	"testing"
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
