package anneal

import (
	"context"
	"math"
	"sync"

	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/solvers/optim"
)

// kinds are how many kinds of place a scene has: sky, faint light and bright light. The last
// class of covariance is haze.
const (
	kinds   = 3
	classes = kinds + 1
)

// Limits of the classes, in σ: where sky gives way to faint light, and that to bright.
const (
	faintFrom  = 0.5
	brightFrom = 5.0
)

// patches is the covariance of the scene given x as a sum over kinds of place,
//
//	C = Σ_c T_c T_cᵀ,  T_c = σ W_c S F_c^½,  Σ W_c² = 1,
//
// W_c a window that is 1 where the denoised scene is of that brightness, S the local
// standard deviation in units of σ and F_c the isotropic power spectrum of the
// Jacobian within the window. On the sky a denoiser averages over many pixels: what is
// unknown there is a faint haze, nearly all of it at low k. In bright light it knows
// nothing, and every pixel is unknown by itself. One spectrum for both lets draws keep a
// haze that the data exclude.
type patches struct {
	window    *engine.Tensor // (n, classes, domain): W_c S
	root      *engine.Tensor // (classes, modes): F^½ from an image's spectrum to z
	back      *engine.Tensor // and from z to a spectrum
	unit      *engine.Tensor // from a spectrum to z without F
	condition *engine.Tensor
	z, rhs    *engine.Tensor // (n, classes, modes, 2): coordinates, see setScales
	spec      *engine.Tensor
	zt        *engine.Tensor // (n, classes, domain)
	cg        *optim.CG
	host      []float32 // window
	base      []float32 // window without tails
	modes     []float32 // F^½
	unitHost  []float32
	means     []float32        // (n, domain)
	chi2      []float32        // (n, domain)
	scale     []float32        // (domain)
	share     [classes]float64 // mean of (W_c S)²
	data      *innovation
	haze      *haze
}

func (k *core) newPatches() (*patches, error) {
	var err error
	shape := engine.Shape{k.n, classes * k.dom[0], k.dom[1], k.dom[2]}
	half := engine.Shape{classes * k.dom[0], k.dom[1], k.dom[2]/2 + 1}
	p := &patches{}
	p.window, p.zt = k.alloc(&err, shape), k.alloc(&err, shape)
	for _, t := range []**engine.Tensor{&p.root, &p.back, &p.unit, &p.condition} {
		*t = k.alloc(&err, half)
	}
	for _, t := range []**engine.Tensor{&p.z, &p.rhs, &p.spec} {
		*t = k.alloc(&err, shape.Spectrum())
	}
	if err == nil {
		p.cg, err = optim.NewCG(k.dev, shape.Spectrum())
	}
	if err != nil {
		return nil, err
	}
	k.patchCG = p.cg
	p.cg.MaxIter = solveIterations
	p.data = k.newInnovation(&err)
	if p.haze = k.newHaze(&err); err != nil {
		return nil, err
	}
	p.host, p.modes = make([]float32, shape.Len()), make([]float32, half.Len())
	p.base = make([]float32, shape.Len())
	p.chi2 = make([]float32, k.x.Len())
	p.means, p.scale = make([]float32, k.x.Len()), make([]float32, k.dom.Len())
	p.unitHost = make([]float32, half.Len())
	for i := range p.unitHost {
		p.unitHost[i] = float32(math.Sqrt(gaussian.ModeWeight(i%half[2], k.dom[2]) / float64(k.dom[1]*k.dom[2])))
	}
	k.s.Upload(p.unit, p.unitHost)
	return p, nil
}

// view is a view of t, made once.
func (k *core) view(key cutKey, made func() *engine.Tensor) *engine.Tensor {
	v := k.cut[key]
	if v == nil {
		v = made()
		k.cut[key] = v
	}
	return v
}

// kindsOf is scene i of t, as (classes, domain).
func (k *core) kindsOf(t *engine.Tensor, i int) *engine.Tensor {
	return k.view(cutKey{t, -1 - i, classes}, func() *engine.Tensor {
		return t.Slice(i, i+1).Reshape(append(engine.Shape{classes}, k.dom...)...)
	})
}

// class is class c of scene i of t, as (1, domain).
func (k *core) class(t *engine.Tensor, i, c int) *engine.Tensor {
	return k.view(cutKey{t, -1 - i, c}, func() *engine.Tensor { return k.kindsOf(t, i).Slice(c, c+1) })
}

// scene is scene i of t, (n, domain), as (domain).
func (k *core) scene(t *engine.Tensor, i int) *engine.Tensor {
	return k.view(cutKey{t, -1 - i, 0}, func() *engine.Tensor { return t.Slice(i, i+1).Reshape(k.dom...) })
}

// classWeights are W_c² for a denoised value of v σ.
func classWeights(v float64) [kinds]float64 {
	u := v * v
	sky, bright := 1/(1+u/(faintFrom*faintFrom)), u/(brightFrom*brightFrom+u)
	return [kinds]float64{sky, math.Max(0, 1-sky-bright), bright}
}

// measure sets T: m holds the denoised scenes, k.scale S, and l products J ε.
func (p *patches) measure(k *core, l *local, m *engine.Tensor, key engine.Key) error {
	n := k.dom.Len()
	k.s.Download(p.means, m)
	k.s.Download(p.scale, k.scale)
	if err := k.s.Err(); err != nil {
		return err
	}
	p.scenes(k, func(i int) (share [classes]float64) {
		host := p.host[i*classes*n : (i+1)*classes*n]
		for j, v := range p.means[i*n : (i+1)*n] {
			for c, w := range classWeights(float64(v) / k.sigma) {
				a := math.Sqrt(w) * float64(p.scale[j])
				host[c*n+j] = float32(a)
				share[c] += a * a
			}
			host[kinds*n+j] = 0
		}
		return share
	})
	k.s.Upload(p.window, p.host)
	p.setRoots(k, l)
	return p.widen(k, m, key)
}

// scenes sets the windows in host, of every scene by itself, some at a time; window gives the sums
// of their squares.
func (p *patches) scenes(k *core, window func(i int) [classes]float64) {
	sums := make([][classes]float64, k.n)
	var all sync.WaitGroup
	for i := range sums {
		all.Go(func() { sums[i] = window(i) })
	}
	all.Wait()
	p.share = [classes]float64{}
	for _, s := range sums {
		for c, v := range s {
			p.share[c] += v / float64(len(p.means))
		}
	}
}

// widen takes what the data say of the covariance into the windows.
func (p *patches) widen(k *core, m *engine.Tensor, key engine.Key) error {
	p.noise(k, k.u, key)
	haze := p.haze.measure(k, m, k.u)
	if err := p.data.measure(k, m, k.u); err != nil {
		return err
	}
	n, plane := k.dom.Len(), k.dom[1]*k.dom[2]
	p.scenes(k, func(i int) (share [classes]float64) {
		host := p.host[i*classes*n : (i+1)*classes*n]
		for j, found := range p.data.found[i*n : (i+1)*n] {
			f := math.Sqrt(float64(found))
			for c := range kinds {
				a := float64(host[c*n+j]) * f
				host[c*n+j] = float32(a)
				share[c] += a * a
			}
			a := math.Sqrt(haze[j/plane]) / k.sigma
			host[kinds*n+j] = float32(a)
			share[kinds] += a * a
		}
		return share
	})
	k.s.Upload(p.window, p.host)
	return k.s.Err()
}

// setScales uploads σ F^½ between spectra and z. The coordinates z are spectra over the
// root of the number of pixels, with √2 where a mode stands for two: white noise has unit
// variance in them and dot products are those of images, so that conjugate gradients work
// on spectra and save half of the transforms.
func (p *patches) setScales(s engine.Stream, sigma float64) {
	to, from := make([]float32, len(p.modes)), make([]float32, len(p.modes))
	for i, r := range p.modes {
		r *= float32(sigma)
		to[i], from[i] = r*p.unitHost[i], r/p.unitHost[i]
	}
	s.Upload(p.root, to)
	s.Upload(p.back, from)
}

// spread does dst = T z.
func (p *patches) spread(k *core, dst, z *engine.Tensor) {
	s := k.s
	s.CScale(p.spec, z, p.back)
	s.IRFFT2(p.zt, p.spec)
	s.Mul(p.zt, p.zt, p.window)
	for i := range k.n {
		s.SumLeading(k.scene(dst, i), k.kindsOf(p.zt, i))
	}
}

// gather is the transpose.
func (p *patches) gather(k *core, z, x *engine.Tensor) {
	s := k.s
	for i := range k.n {
		for c := range classes {
			s.Mul(k.class(p.zt, i, c), k.part(x, i, i+1), k.class(p.window, i, c))
		}
	}
	s.RFFT2(z, p.zt)
	s.CScale(z, z, p.root)
}

// white leaves white noise in z.
func (p *patches) white(k *core, z *engine.Tensor, key engine.Key) {
	k.normals(p.zt, k.n, key)
	k.s.RFFT2(z, p.zt)
	k.s.CScale(z, z, p.unit)
}

// draw is core.draw with this covariance, of all scenes.
func (p *patches) draw(ctx context.Context, k *core, dst, m *engine.Tensor, key *engine.Key) (optim.Result, error) {
	s := k.s
	p.setCondition(k)
	ax, wx := k.residual(m, k.w)
	s.Scale(wx, -1, wx)
	if key != nil {
		k.noise(ax, k.n, key.Fold(1))
		s.Add(wx, wx, ax)
	}
	k.op.Adjoint(s, k.t, wx)
	p.gather(k, p.rhs, k.t)
	if key != nil {
		p.white(k, p.z, key.Fold(2))
		s.Add(p.rhs, p.rhs, p.z)
	}
	apply := func(d, src *engine.Tensor) {
		p.spread(k, k.t, src)
		k.op.Forward(s, wx, k.t)
		k.weigh(wx, wx, k.w)
		k.op.Adjoint(s, k.t, wx)
		p.gather(k, d, k.t)
		s.Add(d, d, src)
	}
	precondition := func(d, src *engine.Tensor) { s.CScale(d, src, p.condition) }
	p.cg.Tol = p.tolerance(k)
	res, err := p.cg.Solve(ctx, s, apply, precondition, p.z, p.rhs)
	if err != nil {
		return res, err
	}
	p.spread(k, dst, p.z)
	s.Add(dst, dst, m)
	return res, nil
}

// noise leaves in dst a draw of N(0, C).
func (p *patches) noise(k *core, dst *engine.Tensor, key engine.Key) {
	p.white(k, p.z, key)
	p.spread(k, dst, p.z)
}

func (p *patches) tolerance(k *core) float64 {
	s := k.s
	s.CScale(p.spec, p.rhs, p.condition)
	s.Dot(k.num, p.spec, p.rhs)
	s.Download(k.host, k.num)
	worst := 0.0
	for _, v := range k.host {
		worst = math.Max(worst, float64(v))
	}
	want := solveError * math.Sqrt(float64(k.dom.Len()))
	return math.Max(1e-6, math.Min(solveTol, want/math.Sqrt(math.Max(worst, 1e-300))))
}

func (p *patches) setCondition(k *core) {
	s := k.s
	condition := make([]float32, len(p.modes))
	n := len(p.modes) / classes
	for i, r := range p.modes {
		f := p.share[i/n] * k.sigma * k.sigma * k.meanW
		condition[i] = float32(1 / (1 + f*float64(r)*float64(r)*k.cfg.Gain[i%n]))
	}
	s.Upload(p.condition, condition)
}

// setRoots measures F_c from products J ε.
func (p *patches) setRoots(k *core, l *local) {
	s, probes := k.s, k.cfg.Probes
	n := len(p.modes) / classes
	copy(p.modes[kinds*n:], p.haze.root)
	for c := range kinds {
		for i := range probes {
			s.Mul(k.part(l.xp, i, i+1), k.part(l.eps, i, i+1), k.class(p.window, i, c))
		}
		s.RFFT2(l.spec, l.xp)
		s.Download(l.hostA, l.spec)
		for i := range probes {
			s.Mul(k.part(l.xp, i, i+1), k.part(l.je, i, i+1), k.class(p.window, i, c))
		}
		s.RFFT2(l.spec2, l.xp)
		s.Download(l.hostB, l.spec2)
		k.ringRoot(p.modes[c*n:(c+1)*n], l.hostA, l.hostB)
	}
	p.setScales(s, k.sigma)
}
