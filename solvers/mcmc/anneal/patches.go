package anneal

import (
	"math"
	"sync"

	"limpid/engine"
	"limpid/priors"
	"limpid/solvers/optim"
)

// kinds are how many kinds of place a scene has: sky, faint light and bright light. Classes of covariance beside
// theirs are what is fine in light, which a doubt takes out of the two before, and haze, the last.
const (
	kinds     = 3
	fineClass = kinds
	hazeClass = kinds + 1
	classes   = kinds + 2
)

// Limits of the classes, in σ: where sky gives way to faint light, and that to bright.
const (
	faintFrom  = 0.5
	brightFrom = 5.0
)

// commonPlaces is the weight of all places of a kind against those near a pixel, which have
// 1 where there are no others.
const commonPlaces = 0.02

// patches is the covariance of the scene given x as a sum over kinds of place,
//
//	C = Σ_c T_c T_cᵀ,  T_c = σ W_c S_c F_c^½,  Σ W_c² = 1,
//
// W_c a window that is 1 where the denoised scene is of that brightness, S_c the local
// standard deviation of such places in units of σ and F_c the isotropic power spectrum of the
// Jacobian within the window. On the sky a denoiser averages over many pixels: what is
// unknown there is a faint haze, nearly all of it at low k. In bright light it knows
// nothing, and every pixel is unknown by itself. One spectrum for both lets draws keep a
// haze that the data exclude. What doubt.split moves to a class of its own is that of W_c, c faint and bright light.
type patches struct {
	cover     *bank          // W_c S_c and σ² F_c: C
	root      *engine.Tensor // (classes, modes): σ F^½
	roots     []*engine.Tensor
	fit       *engine.Tensor // (n, domain)
	rhs, v    *engine.Tensor // (n, range)
	seen      *engine.Tensor // (range) 1 where there are data
	condition *conditioner
	cg        *optim.CG
	host      []float32 // window
	base      []float32 // window without tails
	modes     []float32 // F^½
	means     []float32 // (n, domain)
	chi2      []float32 // (n, domain)
	uniform   []float32 // (n, domain) work space of errors that were measured: x, then what draws λ
	// (domain), of every kind of place: S², and how much of that kind is near
	scale, places [kinds][]float32
	products      []float32        // (probes, domain)
	shape         [kinds][]float64 // (modes) of the errors beside the derivative's
	blurred       []float32        // (n, domain) denoised scenes
	tails         *tailFilters     // nil without errors
	errors        *priors.Errors   // nil: the denoiser is as wrong as it believes
	most          float64          // variance of a pixel: see mostSpread
	doubt         *doubt           // nil without errors, or where a level is judged by itself
	rough         *roughness       // nil without errors
	data          *innovation
	haze          *haze
}

func (k *core) newPatches() (*patches, error) {
	var err error
	p := &patches{most: math.Inf(1)}
	if rms := k.cfg.rms(); rms > 0 {
		p.most = mostSpread * mostSpread * rms * rms
	}
	half := engine.Shape{classes * k.dom[0], k.dom[1], k.dom[2]/2 + 1}
	p.cover = k.newBank(classes, k.alloc(&err, k.x.Shape()), &err)
	p.root, p.fit = k.alloc(&err, engine.Shape{classes, k.dom[0], half[1], half[2]}), k.alloc(&err, k.x.Shape())
	p.rhs, p.v, p.seen = k.alloc(&err, k.ax.Shape()), k.alloc(&err, k.ax.Shape()), k.alloc(&err, k.rng)
	if err == nil {
		p.cg, err = optim.NewCG(k.dev, k.ax.Shape())
	}
	if err != nil {
		return nil, err
	}
	k.patchCG = p.cg
	p.cg.MaxIter, p.cg.CheckEvery = solveIterations, 2
	p.condition = k.newConditioner(p, &err)
	if j, ok := k.cfg.Prior.(priors.Judged); ok {
		p.errors = j.Errors()
	}
	if p.errors == nil {
		p.cover.empty = fineClass
	} else {
		p.uniform, p.blurred = make([]float32, k.x.Len()), make([]float32, k.x.Len())
		p.tails, p.doubt, p.rough = k.newTailFilters(tailWidth, &err), k.newDoubt(&err), k.newRoughness(&err)
	}
	p.data = k.newInnovation(&err)
	if p.haze = k.newHaze(&err); err != nil {
		return nil, err
	}
	p.host, p.modes = make([]float32, classes*k.x.Len()), make([]float32, half.Len())
	p.base = make([]float32, len(p.host))
	p.roots = parts(p.root)
	p.chi2 = make([]float32, k.x.Len())
	p.means, p.products = make([]float32, k.x.Len()), make([]float32, k.x.Len())
	for c := range kinds {
		p.scale[c], p.places[c] = make([]float32, k.dom.Len()), make([]float32, k.dom.Len())
	}
	seen := make([]float32, k.rng.Len())
	for i, w := range k.cfg.Weights.Pix {
		if w > 0 {
			seen[i] = 1
		}
	}
	k.s.Upload(p.seen, seen)
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

// classWeights are W_c² for a denoised value of v σ.
func classWeights(v float64) [kinds]float64 {
	u := v * v
	sky, bright := 1/(1+u/(faintFrom*faintFrom)), u/(brightFrom*brightFrom+u)
	return [kinds]float64{sky, math.Max(0, 1-sky-bright), bright}
}

// measure sets T: m holds the denoised scenes, l products J ε.
func (p *patches) measure(k *core, l *local, m *engine.Tensor, key engine.Key) error {
	if err := p.believe(k, l, m); err != nil {
		return err
	}
	return p.widen(k, m, key)
}

// believe sets T to what the prior says, corrected by how wrong it was found to be.
func (p *patches) believe(k *core, l *local, m *engine.Tensor) error {
	n := k.dom.Len()
	k.s.Download(p.means, m)
	if p.errors != nil {
		k.s.Download(p.uniform, k.x)
		if err := p.blur(k, l, m); err != nil {
			return err
		}
		if len(p.errors.Rough) > 0 {
			if err := p.rough.measure(k, p.chi2, m); err != nil {
				return err
			}
		}
	}
	if err := p.variances(k, l); err != nil {
		return err
	}
	p.scenes(k, func(i int) {
		for j, v := range p.means[i*n : (i+1)*n] {
			ws := classWeights(float64(v) / k.sigma)
			f := 1.0
			if e := p.errors; e != nil {
				v, at := float64(v), i*n+j
				f = e.Factor(p.believed(ws, j), v/k.sigma) * e.SurpriseAt(ws, (float64(p.uniform[at])-v)/k.sigma) *
					e.PeaksAt(ws, sharpness(v, float64(p.blurred[at]), k.sigma))
				coarse, fine := e.ScalesAt(ws, float64(p.rough.rho[at]))
				f *= coarse
				if p.doubt != nil {
					p.rough.finer[at] = float32(fine / coarse)
					f *= ws[0] + float64(p.doubt.light[at])*(1-ws[0])
				}
			}
			for c, w := range ws {
				p.host[(c*k.n+i)*n+j] = float32(math.Sqrt(f * w * float64(p.scale[c][j])))
			}
			p.host[(fineClass*k.n+i)*n+j], p.host[(hazeClass*k.n+i)*n+j] = 0, 0
		}
	})
	k.s.Upload(p.cover.window, p.host)
	p.setRoots(k, l)
	return k.s.Err()
}

// blur leaves the denoised scenes m, averaged as S² is, in u and blurred.
func (p *patches) blur(k *core, l *local, m *engine.Tensor) error {
	k.filter(k.u, m, l.smooth)
	k.s.Download(p.blurred, k.u)
	return k.s.Err()
}

// mostSpread is the most that a pixel's standard deviation may be widened to, times the scene's rms: at the first level of a walk from 12 rms
// that is less than σ. Widened without end, a draw can be so far from all scenes that the denoiser leaves it as it is, the next level's
// residuals are larger still, and the walk runs away (docs/adr/0031).
const mostSpread = 10

// widened is what a variance of v σ² times factor is allowed to be, over v.
func (p *patches) widened(v, factor, sigma float64) float64 {
	return math.Max(math.Min(1, factor), math.Min(factor, p.most/math.Max(v*sigma*sigma, 1e-30)))
}

// sharpness is how much of a denoised value its surroundings lack.
func sharpness(v, blurred, sigma float64) float64 {
	return (v - blurred) / math.Max(math.Abs(v), sharpFrom*sigma)
}

// sharpFrom is the least value, in σ, that sharpness is relative to.
const sharpFrom = 0.1

// believed is Σ W² S², the variance over σ² that the denoiser believes in, at pixel j of weights W².
func (p *patches) believed(ws [kinds]float64, j int) float64 {
	var sum float64
	for c, w := range ws {
		sum += w * float64(p.scale[c][j])
	}
	return sum
}

// variances leaves S² of every kind of place in scale: the mean of ε·Jε over the places of
// that kind near a pixel, with a little of the mean over all of them. A mean over every place near would lend
// the variance of bright light to the sky beside it: there draws would scatter twice too
// much, and in the light too little.
func (p *patches) variances(k *core, l *local) error {
	s, n := k.s, k.dom.Len()
	s.Mul(l.xp, l.eps, l.je)
	s.Download(p.products[:k.cfg.Probes*n], l.xp)
	if err := s.Err(); err != nil {
		return err
	}
	for c := range kinds {
		clear(p.scale[c])
		clear(p.places[c])
	}
	for i, v := range p.products[:k.cfg.Probes*n] {
		for c, w := range classWeights(float64(p.means[i]) / k.sigma) {
			p.scale[c][i%n] += float32(w) * v
			p.places[c][i%n] += float32(w)
		}
	}
	plane := k.scale.Reshape(append(engine.Shape{1}, k.dom...)...)
	smooth := func(host []float32) float64 {
		var sum float64
		for _, v := range host {
			sum += float64(v)
		}
		s.Upload(plane, host)
		k.filter(plane, plane, l.smooth)
		s.Download(host, plane)
		return sum
	}
	for c := range kinds {
		sum, count := smooth(p.scale[c]), smooth(p.places[c])
		mean := sum / math.Max(count, 1e-30)
		few := commonPlaces * float64(k.cfg.Probes)
		for j, v := range p.scale[c] {
			near := math.Max(0, float64(p.places[c][j]))
			p.scale[c][j] = float32(math.Max(leastS2, (float64(v)+few*mean)/(near+few)))
		}
	}
	return s.Err()
}

// scenes sets the windows in host, of every scene by itself, some at a time.
func (p *patches) scenes(k *core, window func(i int)) {
	var all sync.WaitGroup
	for i := range k.n {
		all.Go(func() { window(i) })
	}
	all.Wait()
}

// widen takes what the data say of the covariance into the windows.
func (p *patches) widen(k *core, m *engine.Tensor, key engine.Key) error {
	p.noise(k, k.u, key)
	haze := p.haze.measure(k, m, k.u)
	if err := p.data.measure(k, m, k.u); err != nil {
		return err
	}
	n, plane := k.dom.Len(), k.dom[1]*k.dom[2]
	p.scenes(k, func(i int) {
		for j, found := range p.data.found[i*n : (i+1)*n] {
			p.multiply(k, i, j, p.variance(k, i, j), float64(found))
			p.host[(hazeClass*k.n+i)*n+j] = float32(math.Sqrt(haze[j/plane]) / k.sigma)
		}
	})
	k.s.Upload(p.cover.window, p.host)
	return k.s.Err()
}

// setScales uploads σ F^½ and its square.
func (p *patches) setScales(s engine.Stream, sigma float64) {
	root, power := make([]float32, len(p.modes)), make([]float32, len(p.modes))
	for i, r := range p.modes {
		r *= float32(sigma)
		root[i], power[i] = r, r*r
	}
	s.Upload(p.root, root)
	s.Upload(p.cover.filter, power)
}

// setRoots measures F_c from products J ε.
func (p *patches) setRoots(k *core, l *local) {
	s, probes := k.s, k.cfg.Probes
	n := len(p.modes) / classes
	copy(p.modes[hazeClass*n:], p.haze.root)
	for c := range kinds {
		for i := range probes {
			s.Mul(k.part(l.xp, i, i+1), k.part(l.eps, i, i+1), k.part(p.cover.windows[c], i, i+1))
		}
		s.RFFT2(l.spec, l.xp)
		s.Download(l.hostA, l.spec)
		for i := range probes {
			s.Mul(k.part(l.xp, i, i+1), k.part(l.je, i, i+1), k.part(p.cover.windows[c], i, i+1))
		}
		s.RFFT2(l.spec2, l.xp)
		s.Download(l.hostB, l.spec2)
		k.ringRoot(p.modes[c*n:(c+1)*n], l.hostA, l.hostB)
		p.reshape(k, c)
	}
	if p.doubt != nil {
		p.doubt.split(k, p)
	}
	p.setScales(s, k.sigma)
}

// reshape gives the errors at places of kind c the spectrum that they were found to have, of the same power.
func (p *patches) reshape(k *core, c int) {
	if p.errors == nil || len(p.errors.Rings) == 0 {
		return
	}
	n := len(k.rings.log)
	if p.shape[c] == nil {
		for _, l := range k.rings.log {
			p.shape[c] = append(p.shape[c], math.Sqrt(p.errors.PowerAt(c, math.Exp(l))))
		}
	}
	for band := range k.rings.planes {
		modes := p.modes[(c*k.rings.planes+band)*n:][:n]
		var sum, total float64
		for i, v := range modes {
			f := float64(v) * p.shape[c][i]
			modes[i] = float32(f)
			sum, total = sum+k.rings.weight[i]*f*f, total+k.rings.weight[i]
		}
		f := float32(math.Sqrt(total / sum))
		for i := range modes {
			modes[i] *= f
		}
	}
}
