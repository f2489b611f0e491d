package dense

import (
	"math"
	"testing"
)

var h3 = []float64{4, 1, .5, 1, 3, -.2, .5, -.2, 2}

func TestInverse_TimesMatrix_IsIdentity(t *testing.T) {
	inv := Inverse(h3, 3)
	for i := range 3 {
		for j := range 3 {
			var s float64
			for k := range 3 {
				s += h3[i*3+k] * inv[k*3+j]
			}
			want := 0.0
			if i == j {
				want = 1
			}
			if math.Abs(s-want) > 1e-12 {
				t.Errorf("(%d, %d): %g", i, j, s)
			}
		}
	}
	// 4(6 − .04) − 1(2 + .1) + .5(−.2 − 1.5)
	if d := LogDet(h3, 3); math.Abs(d-math.Log(20.89)) > 1e-12 {
		t.Errorf("ln det %g, want %g", d, math.Log(20.89))
	}
}

func TestSolveBounded_Bounds_HoldAndRestIsOptimal(t *testing.T) {
	grad := []float64{2, -3, 1}
	low, high := []float64{-.1, -1, -9}, []float64{1, .5, 9}
	d := SolveBounded(h3, grad, low, high, 3)
	if d[0] != -.1 || d[1] != .5 {
		t.Fatalf("d = %v: the first two should be at their bounds", d)
	}
	if r := grad[2] + h3[6]*d[0] + h3[7]*d[1] + h3[8]*d[2]; math.Abs(r) > 1e-12 {
		t.Errorf("gradient of the free one is %g", r)
	}
}
