package session

import (
	"fmt"
	"math"

	"limpid"
	"limpid/solvers"
	"limpid/solvers/observe"
)

// stack puts the bands into one observation on the grid of the first that has
// data.
func (d *Deblending) stack(planes []bandPlane, bands []*Observed) error {
	var ref *Observed
	for _, b := range bands {
		if b != nil && b.Obs != nil && ref == nil {
			ref = b
		}
	}
	if ref == nil {
		return fmt.Errorf("session: every pixel of every band is masked: %w", observe.ErrMasked)
	}
	d.Header, d.WCS = ref.Header, ref.WCS
	h, w := ref.Obs.Data.H, ref.Obs.Data.W
	obs := &solvers.Observation{
		Data: solvers.NewImage(len(bands), h, w), Weights: solvers.NewImage(len(bands), h, w),
		Unit: ref.Obs.Unit, Frame: ref.Obs.Frame,
	}
	var psfs []solvers.Image
	seen := map[limpid.Finding]bool{}
	for c, b := range bands {
		obs.Bands = append(obs.Bands, planes[c].name)
		if b == nil || b.Obs == nil {
			psfs = append(psfs, ref.Obs.PSF)
			d.Report = append(d.Report, nil)
			continue
		}
		data, weights, err := d.onGrid(ref, b, planes[c].name)
		if err != nil {
			return err
		}
		// scales are powers of two and differ between bands
		scale := float32(1 / b.Scale)
		for i, v := range data {
			obs.Data.Plane(c)[i], obs.Weights.Plane(c)[i] = v*scale, weights[i]/(scale*scale)
		}
		psfs = append(psfs, b.Obs.PSF)
		d.Report = append(d.Report, b.Report)
		for _, f := range b.Findings {
			if !seen[f] {
				seen[f] = true
				d.Findings = append(d.Findings, f)
			}
		}
	}
	obs.PSF = samePSFSize(psfs)
	d.Obs = obs
	return nil
}

// samePSFSize pads PSFs about their centres to one odd size.
func samePSFSize(psfs []solvers.Image) solvers.Image {
	h, w := 0, 0
	for _, p := range psfs {
		h, w = max(h, p.H|1), max(w, p.W|1)
	}
	out := solvers.NewImage(len(psfs), h, w)
	for c, p := range psfs {
		dy, dx := (h-1)/2-(p.H-1)/2, (w-1)/2-(p.W-1)/2
		for y := range p.H {
			copy(out.Plane(c)[(y+dy)*w+dx:], p.Plane(0)[y*p.W:(y+1)*p.W])
		}
	}
	return out
}

// Bands whose pixels lie within this of the first band's need no resampling.
const sameGrid = 0.05 // px

// onGrid gives a band's data and weights on the reference's pixels: as they are,
// or interpolated between the four nearest by the coordinates.
func (d *Deblending) onGrid(ref, b *Observed, name string) (data, weights []float32, err error) {
	r, o := ref.Obs.Data, b.Obs.Data
	if b.WCS == nil || ref.WCS == nil {
		if r.H != o.H || r.W != o.W {
			return nil, nil, fmt.Errorf("%w: band %s is %d×%d pixels, the first %d×%d, and there are no coordinates to align them by", observe.ErrMismatch, name, o.W, o.H, r.W, r.H)
		}
		return o.Plane(0), b.Obs.Weights.Plane(0), nil
	}
	at := func(x, y int) (u, v float64, ok bool) {
		lon, lat, ok := ref.WCS.PixelToSky(float64(x), float64(y))
		if !ok {
			return 0, 0, false
		}
		return b.WCS.SkyToPixel(lon, lat)
	}
	same := r.H == o.H && r.W == o.W
	for _, p := range [][2]int{{0, 0}, {r.W - 1, 0}, {0, r.H - 1}, {r.W - 1, r.H - 1}} {
		u, v, ok := at(p[0], p[1])
		same = same && ok && math.Hypot(u-float64(p[0]), v-float64(p[1])) < sameGrid
	}
	if same {
		return o.Plane(0), b.Obs.Weights.Plane(0), nil
	}
	if ratio := b.WCS.PixelScale() / ref.WCS.PixelScale(); math.Abs(ratio-1) > 0.02 {
		return nil, nil, fmt.Errorf("%w: band %s has pixels of %.4g″, the first %.4g″: resample one of them (swarp, reproject) with its PSF", observe.ErrMismatch, name, b.WCS.PixelScale(), ref.WCS.PixelScale())
	}
	data, weights = make([]float32, r.H*r.W), make([]float32, r.H*r.W)
	covered := 0
	for i := range data {
		u, v, ok := at(i%r.W, i/r.W)
		if !ok {
			continue
		}
		if data[i], weights[i] = interpolate(b.Obs, u, v); weights[i] > 0 {
			covered++
		}
	}
	if covered == 0 {
		return nil, nil, fmt.Errorf("%w: band %s does not overlap the first", observe.ErrMismatch, name)
	}
	d.Findings = append(d.Findings, limpid.Finding{
		Severity: limpid.Warning, Code: "deblend.resampled", Where: "band " + name,
		What:   fmt.Sprintf("resampled to the first band's pixels by bilinear interpolation; it covers %.0f %% of them", 100*float64(covered)/float64(len(data))),
		Advice: "its noise is now correlated and a little smoother than its weights say: error bars of that band come out too small; give aligned images to avoid it",
	})
	return data, weights, nil
}

// interpolate is bilinear; the weight is that of the nearest pixel, 0 where any of
// the four is masked.
func interpolate(o *solvers.Observation, u, v float64) (data, weight float32) {
	x, y := int(math.Floor(u)), int(math.Floor(v))
	if x < 0 || y < 0 || x+1 >= o.Data.W || y+1 >= o.Data.H {
		return 0, 0
	}
	fx, fy := float32(u-float64(x)), float32(v-float64(y))
	for j := range 2 {
		for i := range 2 {
			p := (y+j)*o.Data.W + x + i
			if o.Weights.Pix[p] == 0 {
				return 0, 0
			}
			share := (fx*float32(i) + (1-fx)*float32(1-i)) * (fy*float32(j) + (1-fy)*float32(1-j))
			data += share * o.Data.Pix[p]
			if share >= 0.25 {
				weight = max(weight, o.Weights.Pix[p])
			}
		}
	}
	return data, weight
}
