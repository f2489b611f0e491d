package cpu

import (
	"math"

	"limpid/engine"
	"limpid/engine/internal/kern"
	"limpid/engine/internal/par"
)

// pixelChunk is the number of pixels of a task; sums depend on it.
const pixelChunk = 512

type normPhase int

const (
	normSums normPhase = iota // per-channel sums of an image
	normMap
	normBackSums
	normBack
	pixelForward
	pixelBackward
)

// normTask is a normalisation or its gradient. Images are cut into parts of
// pixelChunk pixels; the parts' sums (parts, 2, C) are added in order.
type normTask struct {
	k                  *kern.Table
	phase              normPhase
	x, g, dst, stats   []float32
	gamma, beta        []float32 // (C) or (B, C), ones and zeros where none is given
	gstep, bstep       int       // floats between the images' own
	b, pixels, c       int
	parts              int // of an image
	n                  engine.Norm
	sums               []float64
	a, s               []float32 // (B, C): dst = act(x a + s)
	p, q, r            []float32 // (B, C): dx = h p + x q + r
	dgamma, dbeta      []float32
	ones, zeros, coefs []float32
}

// prepare sets the sizes and makes room.
func (t *normTask) prepare(s *stream, x, gamma, beta *engine.Tensor, n engine.Norm) {
	d := x.Shape()
	t.k, t.n = s.k, n
	t.b, t.pixels, t.c = d[0], d[1]*d[2], d[3]
	t.parts = (t.pixels + pixelChunk - 1) / pixelChunk
	if need := t.b * t.parts * 2 * t.c; len(t.sums) < need {
		t.sums = make([]float64, need)
	}
	if len(t.ones) < t.c {
		t.ones, t.zeros = make([]float32, t.c), make([]float32, t.c)
		for i := range t.ones {
			t.ones[i] = 1
		}
	}
	bc := t.b * t.c
	if len(t.coefs) < 5*bc {
		t.coefs = make([]float32, 5*bc)
	}
	t.a, t.s, t.p, t.q, t.r = t.coefs[:bc], t.coefs[bc:2*bc], t.coefs[2*bc:3*bc], t.coefs[3*bc:4*bc], t.coefs[4*bc:5*bc]
	t.gamma, t.gstep, t.beta, t.bstep = t.ones[:t.c], 0, t.zeros[:t.c], 0
	if gamma != nil {
		t.gamma = s.data(gamma)
		t.gstep = stepOf(gamma, t.c)
	}
	if beta != nil {
		t.beta = s.data(beta)
		t.bstep = stepOf(beta, t.c)
	}
	t.x = s.data(x)
}

func stepOf(v *engine.Tensor, c int) int {
	if len(v.Shape()) == 1 {
		return 0
	}
	return c
}

func (t *normTask) release() {
	t.x, t.g, t.dst, t.stats, t.gamma, t.beta, t.dgamma, t.dbeta = nil, nil, nil, nil, nil, nil, nil, nil
}

func (t *normTask) run(s *stream, p normPhase) {
	t.phase = p
	s.team.Run(t.b*t.parts, t)
}

// Norm does dst = act(γ (x − mean)/√(variance + ε) + β).
func (s *stream) Norm(dst, stats, x, gamma, beta *engine.Tensor, n engine.Norm) {
	engine.CheckNorm("Norm", dst, stats, x, gamma, beta, n)
	if s.err != nil || x.Len() == 0 {
		return
	}
	t := &s.norms
	t.prepare(s, x, gamma, beta, n)
	t.dst, t.stats = s.out(dst), s.out(stats)
	if n.PerPixel {
		t.run(s, pixelForward)
	} else {
		t.run(s, normSums)
		t.statistics()
		t.coefficients()
		t.run(s, normMap)
	}
	t.release()
}

// statistics turns the sums into mean and 1/√(variance + ε) of every group.
func (t *normTask) statistics() {
	groups := max(t.n.Groups, 1)
	per := t.c / groups
	for b := range t.b {
		for g := range groups {
			var s, q float64
			for part := range t.parts {
				at := (b*t.parts + part) * 2 * t.c
				for c := g * per; c < (g+1)*per; c++ {
					s += t.sums[at+c]
					q += t.sums[at+t.c+c]
				}
			}
			n := float64(per * t.pixels)
			mean := s / n
			v := max(q/n-mean*mean, 0)
			o := t.stats[(b*groups+g)*2:]
			o[0], o[1] = float32(mean), float32(1/math.Sqrt(v+float64(t.n.Eps)))
		}
	}
}

// coefficients writes the normalisation as x a + s.
func (t *normTask) coefficients() {
	groups := max(t.n.Groups, 1)
	per := t.c / groups
	for b := range t.b {
		for c := range t.c {
			o := t.stats[(b*groups+c/per)*2:]
			f := o[1] * t.gamma[b*t.gstep+c]
			t.a[b*t.c+c] = f
			t.s[b*t.c+c] = t.beta[b*t.bstep+c] - o[0]*f
		}
	}
}

// NormGrad writes the gradients of Norm.
func (s *stream) NormGrad(dx, dgamma, dbeta, stats, x, gamma, beta, g *engine.Tensor, n engine.Norm) {
	engine.CheckNorm("NormGrad", dx, stats, x, gamma, beta, n)
	engine.CheckSame("NormGrad", dx, g)
	bc := x.Shape()[0] * x.Shape()[3]
	engine.CheckVector("NormGrad", dgamma, bc)
	engine.CheckVector("NormGrad", dbeta, bc)
	if s.err != nil || x.Len() == 0 {
		return
	}
	t := &s.norms
	t.prepare(s, x, gamma, beta, n)
	t.g, t.stats, t.dst = s.data(g), s.data(stats), s.out(dx)
	if dgamma != nil {
		t.dgamma = s.out(dgamma)
	}
	if dbeta != nil {
		t.dbeta = s.out(dbeta)
	}
	if n.PerPixel {
		t.run(s, pixelBackward)
		for b := range t.b {
			for c := range t.c {
				s1, s2 := t.total(b, c)
				t.put(b, c, s2, s1)
			}
		}
	} else {
		t.coefficients()
		t.run(s, normBackSums)
		t.gradients()
		t.run(s, normBack)
	}
	t.release()
}

// total adds the parts' sums of one channel.
func (t *normTask) total(b, c int) (s1, s2 float64) {
	for part := range t.parts {
		at := (b*t.parts + part) * 2 * t.c
		s1 += t.sums[at+c]
		s2 += t.sums[at+t.c+c]
	}
	return s1, s2
}

func (t *normTask) put(b, c int, dgamma, dbeta float64) {
	if t.dgamma != nil {
		t.dgamma[b*t.c+c] = float32(dgamma)
	}
	if t.dbeta != nil {
		t.dbeta[b*t.c+c] = float32(dbeta)
	}
}

// gradients turns Σ h and Σ h x into those of γ and β and the coefficients of
//
//	dx = r̂ (γ h − mean(γ h) − x̂ mean(γ h x̂)),  x̂ = r̂ (x − mean), r̂ = 1/√(variance + ε)
func (t *normTask) gradients() {
	groups := max(t.n.Groups, 1)
	per := t.c / groups
	n := float64(per * t.pixels)
	for b := range t.b {
		for g := range groups {
			o := t.stats[(b*groups+g)*2:]
			mean, rstd := float64(o[0]), float64(o[1])
			var m1, m2 float64
			for c := g * per; c < (g+1)*per; c++ {
				s1, s2 := t.total(b, c)
				hat := rstd * (s2 - mean*s1)
				t.put(b, c, hat, s1)
				ga := float64(t.gamma[b*t.gstep+c])
				m1 += ga * s1 / n
				m2 += ga * hat / n
			}
			for c := g * per; c < (g+1)*per; c++ {
				i := b*t.c + c
				t.p[i] = float32(rstd * float64(t.gamma[b*t.gstep+c]))
				t.q[i] = float32(-rstd * rstd * m2)
				t.r[i] = float32(rstd * (rstd*mean*m2 - m1))
			}
		}
	}
}

// Do runs one part of one image.
func (t *normTask) Do(i int, w *par.Worker) {
	b := i / t.parts
	p0 := i % t.parts * pixelChunk
	p1 := min(p0+pixelChunk, t.pixels)
	lo, hi := (b*t.pixels+p0)*t.c, (b*t.pixels+p1)*t.c
	x := t.x[lo:hi]
	s1, s2 := t.sums[i*2*t.c:][:t.c], t.sums[i*2*t.c+t.c:][:t.c]
	row := func(v []float32) []float32 { return v[b*t.c : (b+1)*t.c] }
	act := int(t.n.Act)
	switch t.phase {
	case normSums:
		clear(s1)
		clear(s2)
		// Σ x and Σ x x.
		t.k.ChannelSums(s1, s2, x, x, nil, nil, 0)
	case normMap:
		t.k.ChannelMap(t.dst[lo:hi], x, row(t.a), row(t.s), act)
	case normBackSums:
		clear(s1)
		clear(s2)
		t.k.ChannelSums(s1, s2, x, t.g[lo:hi], row(t.a), row(t.s), act)
	case normBack:
		t.k.ChannelBack(t.dst[lo:hi], x, t.g[lo:hi], row(t.a), row(t.s), row(t.p), row(t.q), row(t.r), act)
	default:
		st := t.stats[(b*t.pixels+p0)*2 : (b*t.pixels+p1)*2]
		n := kern.PixelNorm{
			Dst: t.dst[lo:hi], X: x, Stats: st, Eps: t.n.Eps, Act: act,
			Gamma: t.gamma[b*t.gstep:][:t.c], Beta: t.beta[b*t.bstep:][:t.c],
		}
		if t.phase == pixelForward {
			t.k.PixelNorm(n)
			return
		}
		clear(s1)
		clear(s2)
		n.G, n.S1, n.S2 = t.g[lo:hi], s1, s2
		n.Scratch = w.Floats(3 * (t.c + kern.Lanes))
		t.k.PixelBack(n)
	}
}
