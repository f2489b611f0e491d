package operator_test

import (
	"math"
	"testing"

	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/solvers/operator"
)

func shears(t *testing.T, dev engine.Device) map[string]*operator.Shear {
	t.Helper()
	out := map[string]*operator.Shear{}
	for name, c := range map[string]struct{ h, w, pad int }{
		"periodic": {36, 40, 0}, "padded": {31, 24, 5}, "odd": {15, 17, 0},
	} {
		op, err := operator.NewShear(dev, dev.NewStream(), operator.ShearGrid(c.h, c.w, c.pad), 3)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(op.Close)
		out[name] = op
	}
	return out
}

func TestShear_AdjointIsExact(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	for name, op := range shears(t, dev) {
		for _, rooted := range []bool{false, true} {
			if rooted {
				r := make([]float32, op.H*(op.W/2+1))
				for i := range r {
					r[i] = 1 / (1 + float32(i%(op.W/2+1))) // any function of k even in k
				}
				op.SetRoot(s, r)
			}
			for batch := 1; batch <= 3; batch++ {
				x, _ := dev.Alloc(append(engine.Shape{batch}, op.Domain()...))
				ax, _ := dev.Alloc(append(engine.Shape{batch}, op.Range()...))
				y, _ := dev.Alloc(ax.Shape())
				aty, _ := dev.Alloc(x.Shape())
				s.Normal(x, engine.NewKey(1))
				s.Normal(y, engine.NewKey(2))
				op.Forward(s, ax, x)
				op.Adjoint(s, aty, y)
				left, right := dot(s, ax, y), dot(s, x, aty)
				if d := math.Abs(left-right) / math.Sqrt(dot(s, x, x)*dot(s, y, y)); !(d < adjointTolerance) {
					t.Errorf("%s, batch %d, root %v: ⟨Ax,y⟩ = %g, ⟨x,Aᵀy⟩ = %g", name, batch, rooted, left, right)
				}
			}
		}
	}
}

// A point mass has γ = −(cos 2φ, sin 2φ)/(π r²) around it (κ a delta function): tangential,
// with the frame's axes along columns and rows.
func TestShear_PointMass_TangentialShear(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	const n = 256
	op, err := operator.NewShear(dev, s, operator.ShearGrid(n, n, 0), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	host := make([]float32, n*n)
	// a narrow Gaussian of total 1: no ringing
	const width = 2.0
	for i := range host {
		x, y := float64(i%n-n/2), float64(i/n-n/2)
		host[i] = float32(math.Exp(-(x*x+y*y)/(2*width*width)) / (2 * math.Pi * width * width))
	}
	x, _ := dev.Alloc(engine.Shape{1, 1, n, n})
	y, _ := dev.Alloc(engine.Shape{1, 2, n, n})
	s.Upload(x, host)
	op.Forward(s, y, x)
	g := make([]float32, 2*n*n)
	s.Download(g, y)
	for _, d := range [][2]int{{15, 0}, {0, 15}, {11, 11}, {-11, 11}, {12, 5}} {
		r2 := float64(d[0]*d[0] + d[1]*d[1])
		phi := math.Atan2(float64(d[1]), float64(d[0]))
		at := (n/2+d[1])*n + n/2 + d[0]
		for c, want := range []float64{-math.Cos(2*phi) / (math.Pi * r2), -math.Sin(2*phi) / (math.Pi * r2)} {
			if got := float64(g[c*n*n+at]); math.Abs(got-want) > 0.03/(math.Pi*r2) { // periodic images: (15/256)² × a few
				t.Errorf("γ%d at %v: %.3e, want %.3e", c+1, d, got, want)
			}
		}
	}
}

func TestShear_EB_OfAScene_GivesItBackAndNoB(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := dev.NewStream()
	op, err := operator.NewShear(dev, s, operator.ShearGrid(30, 25, 0), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	x, _ := dev.Alloc(engine.Shape{2, 1, op.H, op.W})
	y, _ := dev.Alloc(engine.Shape{2, 2, 30, 25})
	e, _ := dev.Alloc(x.Shape())
	b, _ := dev.Alloc(x.Shape())
	s.Normal(x, engine.NewKey(4))
	op.Forward(s, y, x)
	if op.H != 30 || op.W != 30 {
		t.Fatalf("grid %d×%d", op.H, op.W)
	}
	full, err := operator.NewShear(dev, s, operator.ShearGrid(op.H, op.W, 0), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	y2, _ := dev.Alloc(engine.Shape{2, 2, op.H, op.W})
	full.Forward(s, y2, x)
	full.EB(s, e, b, y2)
	n := op.H * op.W
	hx, he, hb := make([]float32, 2*n), make([]float32, 2*n), make([]float32, 2*n)
	s.Download(hx, x)
	s.Download(he, e)
	s.Download(hb, b)
	// modes at the Nyquist frequency are not all passed on: compare without them
	k1, k2 := operator.ShearKernel(op.H, op.W)
	var lost float64
	for i := range k1 {
		lost += 1 - float64(k1[i]*k1[i]+k2[i]*k2[i])
	}
	var diff, bb, xx float64
	for i := range hx {
		diff += math.Pow(float64(he[i]-hx[i]), 2)
		bb += math.Pow(float64(hb[i]), 2)
		xx += math.Pow(float64(hx[i]), 2)
	}
	if share := 2 * lost / float64(n); diff/xx > 1.5*share || bb/xx > share {
		t.Errorf("E differs by %.3g of the power, B has %.3g; the Nyquist modes hold %.3g", diff/xx, bb/xx, share)
	}
}
