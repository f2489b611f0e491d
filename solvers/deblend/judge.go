package deblend

import (
	"fmt"
	"math"

	"limpid"
	"limpid/solvers"
	"limpid/solvers/deblend/internal/skymap"
)

// blend fills S/N and blendedness of every source.
func (r *Result) blend() {
	for i := range r.Sources {
		f := &r.Sources[i]
		var s float64
		for b, e := range f.FluxErr {
			if e > 0 {
				s += f.Flux[b] * f.Flux[b] / (e * e)
			}
		}
		f.SNR = math.Sqrt(s)
	}
	for _, g := range r.fits {
		g.blendedness(r)
	}
}

// blendedness is 1 − Σ m·m/Σ m·M in the band where the group is seen best: m the
// source's convolved image, M that of all.
func (g *group) blendedness(r *Result) {
	p := g.p
	best, top := 0, -1.0
	for b := range p.b {
		var s float64
		for _, at := range g.index {
			if f := r.Sources[at]; f.FluxErr[b] > 0 {
				s += math.Abs(f.Flux[b]) / f.FluxErr[b]
			}
		}
		if s > top {
			best, top = b, s
		}
	}
	n := p.h * p.w
	all := g.model[best*n : (best+1)*n]
	sky := float32(g.sky[best])
	for _, parts := range g.owners() {
		m := make([]float32, n)
		for _, k := range parts {
			a := float32(g.flux[k*p.b+best])
			for i, v := range g.morph[k].seen[best*n : (best+1)*n] {
				m[i] += a * v
			}
		}
		var own, sum float64
		for i, v := range m {
			own, sum = own+float64(v)*float64(v), sum+float64(v)*float64(all[i]-sky)
		}
		if sum > 0 {
			r.Sources[g.index[parts[0]]].Blendedness = max(0, 1-own/sum)
		}
	}
}

func (r *Result) judgeChi2() []limpid.Finding {
	var out []limpid.Finding
	for b, c := range r.Chi2 {
		if c > 1.5 {
			out = append(out, limpid.Finding{
				Severity: limpid.Warning, Code: "deblend.chi2", Where: r.Bands[b],
				What:   fmt.Sprintf("χ² per pixel is %.2f, expected 1", c),
				Advice: "look at the residual: a source may be missing, the weights or the PSF may be wrong",
			})
		}
	}
	return out
}

// judgeSources tells sources that the data do not show and such as are cut by the
// edge or by masked pixels.
func (r *Result) judgeSources(obs *solvers.Observation) []limpid.Finding {
	var out []limpid.Finding
	add := func(f *Fitted, code, what, advice string) {
		out = append(out, limpid.Finding{
			Severity: limpid.Warning, Code: code, What: what, Advice: advice,
			Where: fmt.Sprintf("source %d at (%.1f, %.1f)", f.ID, f.Shape.X, f.Shape.Y),
		})
	}
	d := obs.Data
	for i := range r.Sources {
		f := &r.Sources[i]
		if f.SNR < 3 {
			add(f, "deblend.faint", fmt.Sprintf("the data hardly show this source: S/N %.1f over all bands", f.SNR), "remove it, or take its fluxes as limits")
		}
		reach := 0.5 * skymap.Width(obs)
		if f.Shape.X < reach || f.Shape.Y < reach || f.Shape.X > float64(d.W)-1-reach || f.Shape.Y > float64(d.H)-1-reach {
			add(f, "deblend.edge", "it lies at the edge: part of its light is outside the image", "its flux rests on its fitted profile there")
		}
		if share := r.masked(obs, f); share > 0.2 {
			add(f, "deblend.masked", fmt.Sprintf("%.0f %% of the pixels around it are masked", 100*share), "its flux rests on its fitted profile there; a saturated star's on its wings")
		}
	}
	return out
}

// masked is the share of masked pixels within one FWHM of a source, in the band
// with most of them that is not masked altogether.
func (r *Result) masked(obs *solvers.Observation, f *Fitted) float64 {
	d, rad := obs.Data, skymap.Width(obs)
	var worst float64
	for b := range d.C {
		if math.IsNaN(f.Flux[b]) {
			continue
		}
		var bad, all float64
		w := obs.Weights.Plane(b)
		for y := max(int(f.Shape.Y-rad), 0); y <= min(int(f.Shape.Y+rad), d.H-1); y++ {
			for x := max(int(f.Shape.X-rad), 0); x <= min(int(f.Shape.X+rad), d.W-1); x++ {
				all++
				if w[y*d.W+x] == 0 {
					bad++
				}
			}
		}
		if all > 0 {
			worst = max(worst, bad/all)
		}
	}
	return worst
}

// Residual peaks above this S/N, after allowing for the model's relative error,
// are reported as sources nobody modelled.
const unmodelledSNR = 6.0

// unmodelled looks for peaks in the residual that look like a source.
func (r *Result) unmodelled(obs *solvers.Observation) []limpid.Finding {
	snr := r.residualSNR(obs)
	d := obs.Data
	var out []limpid.Finding
	for y := range d.H {
		for x := range d.W {
			if v := snr[y*d.W+x]; v > unmodelledSNR && skymap.LocalPeak(snr, d.H, d.W, x, y, 3) {
				out = append(out, limpid.Finding{
					Severity: limpid.Warning, Code: "deblend.unmodelled", Where: fmt.Sprintf("(%d, %d)", x, y),
					What:   fmt.Sprintf("an unmodelled source at x %d, y %d: S/N %.1f in the residual", x, y, v),
					Advice: "add a source there",
				})
			}
		}
	}
	return out
}

// residualSNR is the matched filter of a residual, whose noise allows for 5 % of
// error of the model.
func residualSNR(res *solvers.Observation, model solvers.Image) []float32 {
	r := *res
	r.Weights = res.Weights.Clone()
	for i, w := range r.Weights.Pix {
		if w > 0 {
			e := 0.05 * float64(model.Pix[i])
			r.Weights.Pix[i] = float32(1 / (1/float64(w) + e*e))
		}
	}
	return skymap.SNR(&r)
}

func (r *Result) residualSNR(obs *solvers.Observation) []float32 {
	res := *obs
	res.Data = r.Residual
	return residualSNR(&res, r.Model)
}

// Image is what source i adds to the data: a_ib (P_b ∗ S_i), (B, H, W). It is what
// a window peels off or toggles.
func (r *Result) Image(i int) solvers.Image {
	out := solvers.NewImage(r.Model.C, r.Model.H, r.Model.W)
	for _, g := range r.fits {
		for k, at := range g.index {
			if at != i {
				continue
			}
			n := g.p.h * g.p.w
			v := append([]float32(nil), g.morph[k].seen...)
			for b := range g.p.b {
				a := float32(g.flux[k*g.p.b+b])
				for j := b * n; j < (b+1)*n; j++ {
					v[j] *= a
				}
			}
			g.addTo(&out, v)
		}
	}
	return out
}

// Ring is what the residual shows in rings of one pixel's width about a place, out to three
// FWHM.
type Ring struct {
	Mean  float64 // the largest mean less three times what white noise makes of it; 0: none
	Sigma float64 // the largest mean over what white noise makes of it
	Peak  float64 // the brightest pixel of the model out to there
}

// Ring is that about source k in band b. Noise that is correlated and light that is not
// modelled make rings about places without a source, too: see BlankRings.
func (r *Result) Ring(obs *solvers.Observation, k, b int) Ring {
	return r.ring(obs, r.Sources[k].Shape.X, r.Sources[k].Shape.Y, b)
}

// BlankRings are those of a band about places that are step pixels from the next, and farther
// from every source than rings reach.
func (r *Result) BlankRings(obs *solvers.Observation, b, step int) []Ring {
	reach := float64(ringReach(obs, b))
	var out []Ring
	for y := 0; y < obs.Data.H; y += step {
		for x := 0; x < obs.Data.W; x += step {
			near := math.Inf(1)
			for _, f := range r.Sources {
				near = math.Min(near, math.Hypot(float64(x)-f.Shape.X, float64(y)-f.Shape.Y))
			}
			if near > reach {
				out = append(out, r.ring(obs, float64(x), float64(y), b))
			}
		}
	}
	return out
}

// ringReach is three FWHM of a band's PSF in pixels.
func ringReach(obs *solvers.Observation, b int) int {
	return int(math.Ceil(3 * skymap.PSFWidth(obs.PSF.Plane(b), obs.PSF.H, obs.PSF.W)))
}

func (r *Result) ring(obs *solvers.Observation, cx, cy float64, b int) (out Ring) {
	d, n := obs.Data, ringReach(obs, b)
	sum, noise, count := make([]float64, n+1), make([]float64, n+1), make([]float64, n+1)
	for y := range d.H {
		for x := range d.W {
			at := int(math.Round(math.Hypot(float64(x)-cx, float64(y)-cy)))
			w := float64(obs.Weights.Plane(b)[y*d.W+x])
			if at > n || w <= 0 {
				continue
			}
			sum[at], noise[at], count[at] = sum[at]+float64(r.Residual.Plane(b)[y*d.W+x]), noise[at]+1/w, count[at]+1
			out.Peak = max(out.Peak, float64(r.Model.Plane(b)[y*d.W+x]))
		}
	}
	for i := 1; i <= n; i++ { // the centre pixel is no ring
		if count[i] >= 8 {
			mean, white := math.Abs(sum[i])/count[i], math.Sqrt(noise[i])/count[i]
			out.Mean, out.Sigma = max(out.Mean, mean-3*white), max(out.Sigma, mean/white)
		}
	}
	return out
}

// learnedFinding says what error bars of fluxes are worth under a learned prior.
func learnedFinding() limpid.Finding {
	return limpid.Finding{
		Severity: limpid.Warning, Code: "deblend.learned", Where: "prior",
		What:   "with a learned prior of morphologies the error bars of fluxes are not calibrated: on 22 simulated galaxies 90 % intervals about the best fit held 55 %",
		Advice: "take fluxes and their errors from a run without the prior, and morphologies from this one",
	}
}
