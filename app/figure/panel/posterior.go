package panel

import (
	"fmt"
	"math"

	"limpid/app/figure"
)

// Posterior names the planes of a result. Data and Mean are needed; what is nil
// is left out. All have the size of one another.
type Posterior struct {
	Data, Mean, Std *figure.Plane
	Samples         []figure.Plane // the first two are shown
	Residual        *figure.Plane  // data − model, in units of the noise if InSigma
	InSigma         bool
	Unit            string // of Data, Mean, Std and Samples; empty: none stated
	Sky             figure.Sky
	Title, Caption  string
}

// Figure lays the planes out: data, mean and samples on one asinh scale so that
// they can be compared by eye, the standard deviation from zero on its own, and
// the residual on a symmetric diverging scale.
func (p Posterior) Figure() (Figure, error) {
	f := Figure{Title: p.Title, Caption: p.Caption, Sky: p.Sky}
	if p.Data == nil || p.Mean == nil {
		return f, fmt.Errorf("panel: a posterior figure needs data and mean")
	}
	data, mean, shared, err := p.signal()
	if err != nil {
		return f, err
	}
	add := func(title string, im *figure.Image, st figure.Style, unit string) {
		f.Tiles = append(f.Tiles, Tile{Title: title, Image: im, Style: st, Unit: unit})
	}
	more := func(title string, pl *figure.Plane, style func(*figure.Image) figure.Style, unit string) error {
		im, err := figure.NewImage(*pl)
		if err == nil {
			add(title, im, style(im), unit)
		}
		return err
	}
	add("Data", data, shared, p.Unit)
	add("Posterior mean", mean, shared, p.Unit)
	if p.Std != nil {
		err = more("Posterior standard deviation", p.Std, func(im *figure.Image) figure.Style {
			top := im.Quantiles(0.998)[0]
			return figure.Style{Limits: figure.Limits{Lo: 0, Hi: top}, Map: figure.Magma}
		}, p.Unit)
		if err != nil {
			return f, err
		}
	}
	for i := range p.Samples[:min(2, len(p.Samples))] {
		title := fmt.Sprintf("Posterior sample %d", i+1)
		if err = more(title, &p.Samples[i], func(*figure.Image) figure.Style { return shared }, p.Unit); err != nil {
			return f, err
		}
	}
	if p.Residual != nil {
		title, unit := "Residual: data − model", p.Unit
		if p.InSigma {
			title, unit = "Residual / noise", "σ"
		}
		err = more(title, p.Residual, func(im *figure.Image) figure.Style {
			return figure.Style{
				Limits: figure.Range{Kind: figure.Symmetric, Percent: 99.7}.Of(im),
				Map:    figure.Diverging,
			}
		}, unit)
	}
	return f, err
}

// signal are data and mean, and the style that they and the samples have in common.
func (p Posterior) signal() (data, mean *figure.Image, shared figure.Style, err error) {
	if data, err = figure.NewImage(*p.Data); err != nil {
		return nil, nil, shared, err
	}
	if mean, err = figure.NewImage(*p.Mean); err != nil {
		return nil, nil, shared, err
	}
	return data, mean, figure.Style{Limits: SignalLimits(data, mean), Stretch: figure.Asinh, Map: figure.Gray}, nil
}

// SignalLimits are limits for showing data and an estimate of the signal in it
// alike: from two standard deviations of the data's noise below the sky to the
// 99.8th percentile of the estimate, at least eight standard deviations above. Of
// large planes about half a million values are looked at.
func SignalLimits(data, mean *figure.Image) figure.Limits {
	const enough = 1 << 19
	same := data == mean
	data = data.Thinned(enough)
	if mean = mean.Thinned(enough); same {
		mean = data
	}
	sky, sigma := data.Robust()
	top := mean.Quantiles(0.998)[0]
	if !(sigma > 0) || math.IsInf(sigma, 0) {
		return figure.Range{Kind: figure.Percentile, Percent: 99.5}.Of(mean)
	}
	lo := sky - 2*sigma
	if math.IsNaN(top) {
		top = sky
	}
	return figure.Limits{Lo: lo, Hi: max(top, sky+8*sigma)}
}
