package anneal

import "testing"

// Data are taken to be no better than a level asks for, and have their own weights again where it asks for more.
func TestSoften_Levels_BoundTheWeights(t *testing.T) {
	k := walkCore(t, 16, 2) // its first pixel weighs 1, the others nothing
	own := k.cfg.Weights.Pix
	for _, c := range []struct {
		sigma float64
		want  float32
	}{{2000, 0.25}, {999, 1}, {4000, 1.0 / 16}, {0, 1}} {
		if err := k.soften(c.sigma); err != nil {
			t.Fatal(err)
		}
		got, root := make([]float32, len(own)), make([]float32, len(own))
		k.s.Download(got, k.w)
		k.s.Download(root, k.rootW)
		if d := got[0] - c.want; d*d > 1e-12 || got[0] != k.weights[0] || got[1] != 0 {
			t.Errorf("σ %g: the weight 1 is %g, want %g; 0 is %g", c.sigma, got[0], c.want, got[1])
		}
		if d := root[0]*root[0] - got[0]; d*d > 1e-12 {
			t.Errorf("σ %g: the root of %g is %g", c.sigma, got[0], root[0])
		}
	}
	if own[0] != 1 {
		t.Errorf("the data's own weight is %g now", own[0])
	}
}
