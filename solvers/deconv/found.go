package deconv

import (
	"math"

	"limpid/engine"
)

// StarFit is what a run found of a star. Per band: its flux and, within Radius, the flux of
// the scene around it and the correlation of the two over the draws: near −1 where the data
// cannot tell star from core. NaN without draws.
type StarFit struct {
	X, Y, XStd, YStd       float64 // px from 0
	Flux, FluxStd          []float64
	Radius                 float64 // px
	Around, AroundStd, Rho []float64
}

// SkyFit is the free pedestal of a band, or of one of several exposures, beside the sky that was subtracted.
type SkyFit struct{ Level, Std float64 }

// given is a for a scene whose A x, as kernels see it, is the model: its mean, or for draw ≥ 0
// the one that belongs to that draw.
func (b *beside) given(model []float32, draw int) []float64 {
	wr := make([]float32, len(model))
	for i, m := range model {
		wr[i] = b.weights()[i] * (b.data.Pix[i] - m)
	}
	a := b.n.Mean(wr, nil)
	if draw >= 0 {
		b.n.Draw(a, engine.NewKey(b.set.Seed).Fold(amplitudeKey).Fold(uint64(draw)))
	}
	return b.absolute(a)
}

func (b *beside) weights() []float32 { return b.n.Weights() }

// besideOf is a for a scene that gives the model A x of the data, before noise is whitened.
func (p *Problem) besideOf(model []float32, draw int) []float64 {
	if p.white != nil {
		seen := make([]float32, len(model))
		p.white.w.Apply(seen, model)
		model = seen
	}
	return p.beside.given(model, draw)
}

// amplitudeKey sets the numbers of amplitudes apart from those of steps.
const amplitudeKey = 1 << 62

// around is the flux of a scene on the grid within the radius of every star, per band.
func (p *Problem) around(scene []float32, a []float64) []float64 {
	b, g := p.beside, p.Grid
	var out []float64
	for i, s := range b.at {
		_, dx, dy := b.star(a, i)
		cx, cy, r := s.X+dx+float64(g.Col), s.Y+dy+float64(g.Row), b.radius
		x0, x1 := max(0, int(math.Ceil(cx-r))), min(g.W-1, int(cx+r))
		y0, y1 := max(0, int(math.Ceil(cy-r))), min(g.H-1, int(cy+r))
		for c := range b.c {
			var sum float64
			for y := y0; y <= y1; y++ {
				for x := x0; x <= x1; x++ {
					if math.Hypot(float64(x)-cx, float64(y)-cy) <= r {
						sum += float64(scene[(c*g.H+y)*g.W+x])
					}
				}
			}
			out = append(out, sum)
		}
	}
	return out
}

// BesideRows are what AddDraws gathered of sky and stars: see SetBesideRows.
func (p *Problem) BesideRows() [][]float64 {
	if p.beside == nil {
		return nil
	}
	return append([][]float64(nil), p.beside.rows...)
}

// StarDraw is one draw of a star: its place in px from 0, and its flux per band.
type StarDraw struct {
	X, Y float64
	Flux []float64
}

// BesideDraws are the free skies and stars of every draw that AddDraws was given.
func (p *Problem) BesideDraws() (skies [][]float64, stars [][]StarDraw) {
	b := p.beside
	if b == nil {
		return nil, nil
	}
	for _, row := range b.rows {
		skies = append(skies, row[:b.skies])
		var list []StarDraw
		for i, at := range b.at {
			flux, dx, dy := b.star(row, i)
			list = append(list, StarDraw{X: at.X + dx, Y: at.Y + dy, Flux: flux})
		}
		stars = append(stars, list)
	}
	return skies, stars
}

// SetBesideRows takes over rows of an earlier run of the same problem; it is false where
// they are of other stars.
func (p *Problem) SetBesideRows(rows [][]float64) bool {
	if p.beside == nil {
		return len(rows) == 0
	}
	b := p.beside
	for _, r := range rows {
		if len(r) != len(b.cols)+len(b.at)*b.c {
			return false
		}
	}
	b.rows = append([][]float64(nil), rows...)
	return true
}

// Found is what there is to say of sky and stars for the mean scene on the grid: nil where
// they are not free.
func (p *Problem) Found(scene []float32) ([]SkyFit, []StarFit, error) {
	b := p.beside
	if b == nil {
		return nil, nil, nil
	}
	model, err := p.model(scene)
	if err != nil {
		return nil, nil, err
	}
	a := p.besideOf(model.Pix, -1)
	around := p.around(scene, a)
	std := func(i int) float64 { return math.Sqrt(b.covariance(i, i)) }
	var skies []SkyFit
	for c := range b.skies {
		skies = append(skies, SkyFit{Level: a[c], Std: std(c)})
	}
	var stars []StarFit
	for i, s := range b.at {
		flux, dx, dy := b.star(a, i)
		k := b.skies + i*(b.c+2)
		f := StarFit{
			X: s.X + dx, Y: s.Y + dy, XStd: std(k + b.c), YStd: std(k + b.c + 1),
			Flux: append([]float64(nil), flux...), Radius: b.radius,
		}
		for c := range b.c {
			j := len(b.cols) + i*b.c + c
			f.FluxStd = append(f.FluxStd, std(k+c))
			f.Around, f.AroundStd = append(f.Around, around[i*b.c+c]), append(f.AroundStd, std(j))
			f.Rho = append(f.Rho, b.covariance(k+c, j)/(std(k+c)*std(j)))
		}
		stars = append(stars, f)
	}
	return skies, stars, nil
}

// covariance of two entries of the rows; NaN with fewer than two.
func (b *beside) covariance(i, j int) float64 {
	n := float64(len(b.rows))
	if n < 2 {
		return math.NaN()
	}
	var mi, mj, sum float64
	for _, r := range b.rows {
		mi, mj = mi+r[i]/n, mj+r[j]/n
	}
	for _, r := range b.rows {
		sum += (r[i] - mi) * (r[j] - mj)
	}
	return sum / (n - 1)
}

// Show brings a scene on the grid to the resolution fwhm in place, with its stars as the
// same Gaussian: those of draw, or for −1 their mean.
func (p *Problem) Show(scene []float32, fwhm float64, draw int) error {
	b := p.beside
	if b == nil || len(b.at) == 0 {
		return p.Smooth(scene, fwhm)
	}
	model, err := p.model(scene)
	if err != nil {
		return err
	}
	if err := p.Smooth(scene, fwhm); err != nil {
		return err
	}
	a, g := p.besideOf(model.Pix, draw), p.Grid
	sigma := fwhm / (2 * math.Sqrt(2*math.Ln2))
	for i, s := range b.at {
		flux, dx, dy := b.star(a, i)
		cx, cy, r := s.X+dx+float64(g.Col), s.Y+dy+float64(g.Row), 5*sigma
		for y := max(0, int(cy-r)); y <= min(g.H-1, int(cy+r)); y++ {
			for x := max(0, int(cx-r)); x <= min(g.W-1, int(cx+r)); x++ {
				d2 := (float64(x)-cx)*(float64(x)-cx) + (float64(y)-cy)*(float64(y)-cy)
				v := math.Exp(-d2/(2*sigma*sigma)) / (2 * math.Pi * sigma * sigma)
				for c, f := range flux {
					scene[(c*g.H+y)*g.W+x] += float32(f * v)
				}
			}
		}
	}
	return nil
}
