package anneal

import (
	"math"
	"slices"
	"sync"

	"limpid/engine"
)

// steps are the brightnesses that a conditioner tells apart.
const steps = 3

// framer is an operator whose image is a window of the scene's grid, from pixel (row, col) on.
type framer interface{ Corner() (row, col int) }

// conditioner is the preconditioner of solves for images, (n, C, H, W),
//
//	M = Σ_j φ_j (1 + h_j)⁻¹ φ_j ≈ (1 + A′ C A′ᵀ)⁻¹,  Σ_j φ_j² = 1.
//
// Where C and the weights change slowly, A′ C A′ᵀ acts about a pixel like a convolution, whose
// spectrum is h = w |A|² σ² Σ_c W_c² S_c² F_c there. φ_j are windows about the pixels where the
// variance of A′ C A′ᵀ is near the j-th of some values between its least and its greatest,
// evenly in its logarithm, and h_j is the mean of h over such a window: bright light
// and sky have the solver each that is right for them. It changes how many iterations a
// solve takes and nothing else.
type conditioner struct {
	row, col int
	framed   bool
	smooth   *engine.Tensor // (modes) |A|, its largest 1 in every band
	phi      *bank          // φ_j and 1/(1 + h_j)
	fit      *engine.Tensor // (n, domain), that of patches
	diagonal *engine.Tensor // (n, range) where the image is no window of the grid
	host     []float32      // windows or the diagonal
	variance []float32      // (n, domain)
	modes    []float32      // filter
	weight   []float32      // weights on the grid
}

func (k *core) newConditioner(p *patches, err *error) *conditioner {
	c := &conditioner{variance: make([]float32, k.n*k.dom.Len())}
	var f framer
	if f, c.framed = k.op.(framer); !c.framed {
		c.diagonal = k.alloc(err, k.ax.Shape())
		c.host = make([]float32, k.ax.Len())
		return c
	}
	c.row, c.col = f.Corner()
	half := engine.Shape{k.dom[0], k.dom[1], k.dom[2]/2 + 1}
	c.smooth, c.phi, c.fit = k.alloc(err, half), k.newBank(steps, p.cover.part, err), p.fit
	if *err != nil {
		return nil
	}
	c.host, c.modes = make([]float32, steps*k.x.Len()), make([]float32, steps*half.Len())
	root := make([]float32, half.Len())
	plane := half[1] * half[2]
	for b := range k.dom[0] {
		gain := k.cfg.Gain[b*plane : (b+1)*plane]
		top := math.Max(slices.Max(gain), 1e-30)
		for i, g := range gain {
			root[b*plane+i] = float32(math.Sqrt(g / top))
		}
	}
	k.s.Upload(c.smooth, root)
	c.weight = make([]float32, k.dom.Len())
	return c
}

// inFrame calls f for every pixel of the image with its place on the grid.
func (k *core) inFrame(c *conditioner, f func(at, pixel int)) {
	pixel := 0
	for b := range k.rng[0] {
		for y := range k.rng[1] {
			at := (b*k.dom[1]+y+c.row)*k.dom[2] + c.col
			for x := range k.rng[2] {
				f(at+x, pixel)
				pixel++
			}
		}
	}
}

// set makes M for the covariance that p has.
func (c *conditioner) set(k *core, p *patches) {
	c.variances(k, p)
	if !c.framed {
		k.op.Forward(k.s, c.diagonal, k.t)
		k.s.Mul(c.diagonal, c.diagonal, k.w)
		k.s.Download(c.host, c.diagonal)
		for i, v := range c.host {
			c.host[i] = 1 / (1 + max(0, v))
		}
		k.s.Upload(c.diagonal, c.host)
		return
	}
	k.inFrame(c, func(at, pixel int) { c.weight[at] = k.weights[pixel] })
	k.filter(k.t, k.t, c.smooth)
	k.s.Download(c.variance, k.t)
	c.windows(k, p)
}

// variances leaves σ² Σ_c κ_c (W_c S_c)² in k.t, κ_c the mean of F_c |A|² over all modes: the
// variance of A C Aᵀ before it is averaged over the PSF.
func (c *conditioner) variances(k *core, p *patches) {
	bands, plane, modes := k.dom[0], k.dom[1]*k.dom[2], len(k.rings.log)
	kappa := make([]float32, classes*bands)
	for i := range kappa {
		var sum, total float64
		for j, w := range k.rings.weight {
			r := float64(p.modes[i*modes+j])
			sum, total = sum+w*r*r*k.cfg.Gain[i%bands*modes+j], total+w
		}
		kappa[i] = float32(sum / total * k.sigma * k.sigma)
	}
	n := k.dom.Len()
	var all sync.WaitGroup
	for i := range k.n {
		all.Go(func() {
			out := c.variance[i*n : (i+1)*n]
			clear(out)
			for j, f := range kappa {
				dst := out[j%bands*plane:][:plane]
				for x, v := range p.host[(j/bands*k.n+i)*n+j%bands*plane:][:plane] {
					dst[x] += f * v * v
				}
			}
		})
	}
	all.Wait()
	k.s.Upload(k.t, c.variance)
}

// windows sets φ and h from the variances on the grid.
func (c *conditioner) windows(k *core, p *patches) {
	lo, hi := c.ends(k)
	n, bands, modes := k.dom.Len(), k.dom[0], len(k.rings.log)
	plane := k.dom[1] * k.dom[2]
	type means struct{ variance, count [steps * classes]float64 }
	sums := make([][]means, k.n) // per scene and band
	per := float64(steps-1) / math.Max(math.Log(hi/lo), 1e-3)
	var all sync.WaitGroup
	for i := range k.n {
		all.Go(func() {
			sum := make([]means, bands)
			for step := range steps {
				clear(c.host[(step*k.n+i)*n:][:n])
			}
			k.inFrame(c, func(at, _ int) {
				w := float64(c.weight[at])
				if w == 0 {
					return
				}
				v := math.Max(lo, float64(c.variance[i*n+at])*w)
				t := math.Min(steps-1, math.Log(v/lo)*per)
				j := min(int(t), steps-2)
				m := &sum[at/plane]
				for a, share := range [2]float64{1 - (t - float64(j)), t - float64(j)} {
					step := j + a
					c.host[(step*k.n+i)*n+at] = float32(math.Sqrt(share))
					for q := range classes {
						s := float64(p.host[(q*k.n+i)*n+at])
						m.variance[step*classes+q] += share * w * s * s
						m.count[step*classes+q] += share
					}
				}
			})
			sums[i] = sum
		})
	}
	all.Wait()
	for b := range bands {
		var total means
		for i := range sums {
			for j := range total.count {
				total.variance[j] += sums[i][b].variance[j]
				total.count[j] += sums[i][b].count[j]
			}
		}
		for step := range steps {
			out := c.modes[(step*bands+b)*modes:][:modes]
			for i := range out {
				var h float64
				for q := range classes {
					r := float64(p.modes[(q*bands+b)*modes+i])
					h += total.variance[step*classes+q] / math.Max(total.count[step*classes+q], 1e-30) * r * r
				}
				out[i] = float32(1 / (1 + h*k.sigma*k.sigma*k.cfg.Gain[b*modes+i]))
			}
		}
	}
	k.s.Upload(c.phi.window, c.host)
	k.s.Upload(c.phi.filter, c.modes)
}

// ends are the least and the greatest variance of A′ C A′ᵀ, no more than 10⁶ apart.
func (c *conditioner) ends(k *core) (lo, hi float64) {
	n := k.dom.Len()
	lo = math.Inf(1)
	for i := range k.n {
		for at, w := range c.weight {
			if w > 0 {
				v := float64(c.variance[i*n+at]) * float64(w)
				lo, hi = math.Min(lo, v), math.Max(hi, v)
			}
		}
	}
	hi = math.Max(hi, 1e-20)
	return math.Min(math.Max(lo, 1e-6*hi), hi), hi
}

// apply does dst = M src, of images.
func (c *conditioner) apply(k *core, dst, src *engine.Tensor) {
	s := k.s
	if !c.framed {
		s.Mul(dst, src, c.diagonal)
		return
	}
	s.Window(k.t, src, -c.row, -c.col)
	c.phi.apply(k, c.fit, k.t)
	s.Window(dst, c.fit, c.row, c.col)
}
