package observe

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"limpid"
	"limpid/solvers"
)

// How a PSF that varies is measured.
const (
	starsPerTerm = 10 // stars for each term of the polynomial
	fieldRounds  = 3  // of the fit, outliers left out
	fieldClip    = 4.0
)

// fieldTerms are the terms of a polynomial in the place, (x, y) from −1 to 1 over the image.
func fieldTerms(x, y float64, degree int, alongX, alongY bool) []float64 {
	out := []float64{1}
	if degree >= 1 {
		if alongX {
			out = append(out, x)
		}
		if alongY {
			out = append(out, y)
		}
	}
	if degree >= 2 {
		if alongX {
			out = append(out, x*x)
		}
		if alongX && alongY {
			out = append(out, x*y)
		}
		if alongY {
			out = append(out, y*y)
		}
	}
	return out
}

// starField is a PSF whose pixels are polynomials of the place (as PSFEx has them: Bertin
// 2011).
type starField struct {
	degree         int
	alongX, alongY bool
	n              int             // side of the stamp
	terms          [][]float64     // per pixel
	covariance     []*mat.SymDense // per pixel, of its terms; nil: nothing was seen
}

// MeasureField measures the PSF of a sky-subtracted plane at rows × cols nodes, the outermost
// on its border, row by row from the lowest. Stars are looked for in cells, for in each they
// share one size, and each pixel of the PSF is fitted by a polynomial of the place, of degree 2
// at most and of 1 or 0 where stars are few; at the nodes it is continued and normalised as that of
// MeasurePSF. What it gives of the stars is in StarPSF, whose PSF is the mean over the nodes.
func MeasureField(data, weights []float32, h, w, rows, cols int, saturation float64, where string) ([]solvers.Image, StarPSF, []limpid.Finding, error) {
	cand, guess := fieldStars(data, weights, h, w, rows, cols, saturation)
	used := fieldUsed(cand)
	if len(used) == 0 {
		return nil, StarPSF{Stars: cand}, nil, kinded{ErrNoStars, fmt.Errorf("observe: %s: no unsaturated, isolated star with S/N ≥ %g among %d bright peaks: give the PSF as a file or a profile", where, minStarSNR, len(cand))}
	}
	f := starField{alongX: cols > 1, alongY: rows > 1, degree: 2}
	for f.degree > 0 && len(used) < starsPerTerm*len(fieldTerms(0, 0, f.degree, f.alongX, f.alongY)) {
		f.degree--
	}
	r := min(max(int(math.Ceil(4.5*2*guess)), 7), 40, (min(h, w)-1)/2)
	f.n = 2*r + 1
	f.fit(cutStarsAt(data, weights, h, w, used, r))
	out := StarPSF{Stars: cand, Used: len(used)}
	mean := solvers.NewImage(1, f.n, f.n)
	var nodes []solvers.Image
	for i := range rows {
		for j := range cols {
			stack, errs := f.at(nodePlace(j, cols), nodePlace(i, rows))
			fit := fitMoffat(stack, errs, f.n)
			extendWings(stack, errs, f.n, fit)
			im := solvers.NewImage(1, f.n, f.n)
			for k, v := range stack {
				im.Pix[k] = float32(v)
			}
			scaleToOne(im.Pix)
			shiftToCentre(im)
			nodes = append(nodes, im)
			out.FWHM, out.Beta = out.FWHM+fit.fwhm/float64(rows*cols), out.Beta+fit.beta/float64(rows*cols)
			for k, v := range im.Pix {
				mean.Pix[k] += v / float32(rows*cols)
			}
		}
	}
	out.PSF = mean
	finding := limpid.Finding{
		Severity: limpid.Info, Code: "psf.measured", Where: where,
		What: fmt.Sprintf("the PSF was measured from %d stars of %d candidates, its pixels polynomials of degree %d of the place", len(used), len(cand), f.degree),
	}
	if f.degree == 0 {
		finding.Severity, finding.Code = limpid.Warning, "psf.few"
		finding.Advice = "too few stars to see it vary: one PSF would do, or a larger image of the same exposure"
	}
	return nodes, out, []limpid.Finding{finding}, nil
}

// nodePlace is where node i of n lies, from −1 to 1.
func nodePlace(i, n int) float64 {
	if n == 1 {
		return 0
	}
	return 2*float64(i)/float64(n-1) - 1
}

// placed is a star's stamp and where it lies, from −1 to 1.
type placed struct {
	stamp
	x, y float64
}

// fieldStars finds stars cell by cell, in cells that overlap by half, and the largest of the
// cells' sizes. A star that any cell takes is one.
func fieldStars(data, weights []float32, h, w, rows, cols int, saturation float64) (all []Star, guess float64) {
	d, wt := solvers.Image{C: 1, H: h, W: w, Pix: data}, solvers.Image{C: 1, H: h, W: w, Pix: weights}
	index := map[[2]int]int{}
	for i := range 2*rows - 1 {
		for j := range 2*cols - 1 {
			y0, y1 := i*h/(2*rows), (i+2)*h/(2*rows)
			x0, x1 := j*w/(2*cols), (j+2)*w/(2*cols)
			dc, wc := d.Crop(x0, x1, y0, y1), wt.Crop(x0, x1, y0, y1)
			cand := candidates(dc.Pix, wc.Pix, dc.H, dc.W, saturation)
			size := stellarLocus(cand)
			if size > 0 {
				selectStars(cand, size, dc.H, dc.W)
				guess = math.Max(guess, size)
			}
			for _, s := range cand {
				s.X, s.Y = s.X+float64(x0), s.Y+float64(y0)
				key := [2]int{int(math.Round(s.X)), int(math.Round(s.Y))}
				k, known := index[key]
				switch {
				case !known:
					index[key] = len(all)
					all = append(all, s)
				case s.Used && !all[k].Used:
					all[k] = s
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Star) int { return cmp.Compare(b.SNR, a.SNR) })
	return all, guess
}

// fieldUsed are the used stars.
func fieldUsed(cand []Star) (out []Star) {
	for _, s := range cand {
		if s.Used {
			out = append(out, s)
		}
	}
	return out
}

// cutStarsAt is cutStars with the places of what it keeps.
func cutStarsAt(data, weights []float32, h, w int, stars []Star, r int) (out []placed) {
	for i := range stars {
		for _, s := range cutStars(data, weights, h, w, stars[i:i+1], r) {
			out = append(out, placed{s, 2*stars[i].X/float64(max(w-1, 1)) - 1, 2*stars[i].Y/float64(max(h-1, 1)) - 1})
		}
	}
	return out
}

// fit finds every pixel's polynomial by least squares, outliers left out.
func (f *starField) fit(stars []placed) {
	k := len(fieldTerms(0, 0, f.degree, f.alongX, f.alongY))
	f.terms, f.covariance = make([][]float64, f.n*f.n), make([]*mat.SymDense, f.n*f.n)
	basis := make([][]float64, len(stars))
	for s, p := range stars {
		basis[s] = fieldTerms(p.x, p.y, f.degree, f.alongX, f.alongY)
	}
	for i := range f.terms {
		keep := make([]bool, len(stars))
		var values []float64
		for s, p := range stars {
			if keep[s] = !math.IsInf(p.sigma[i], 0); keep[s] {
				values = append(values, math.Abs(p.v[i]))
			}
		}
		f.terms[i] = make([]float64, k)
		if len(values) < k {
			continue
		}
		slices.Sort(values)
		floor := 0.02 * sortedMedian(values) // keeps one bright star from deciding alone
		for range fieldRounds {
			a, b := mat.NewSymDense(k, nil), mat.NewVecDense(k, nil)
			for s, p := range stars {
				if !keep[s] {
					continue
				}
				wt := 1 / (p.sigma[i]*p.sigma[i] + floor*floor)
				for m, u := range basis[s] {
					b.SetVec(m, b.AtVec(m)+wt*u*p.v[i])
					for l, v := range basis[s][:m+1] {
						a.SetSym(m, l, a.At(m, l)+wt*u*v)
					}
				}
			}
			var c mat.Cholesky
			var t mat.VecDense
			if !c.Factorize(a) || c.SolveVecTo(&t, b) != nil {
				break // stars in one line: what there is stands
			}
			copy(f.terms[i], t.RawVector().Data)
			var inverse mat.SymDense
			if c.InverseTo(&inverse) == nil {
				f.covariance[i] = &inverse
			}
			var off []float64
			for s, p := range stars {
				if keep[s] {
					off = append(off, math.Abs(p.v[i]-f.value(i, basis[s])))
				}
			}
			slices.Sort(off)
			scatter := sortedMedian(off) * madToSigma
			left := 0
			for s, p := range stars {
				if math.IsInf(p.sigma[i], 0) {
					continue
				}
				keep[s] = math.Abs(p.v[i]-f.value(i, basis[s])) <= fieldClip*math.Hypot(scatter, p.sigma[i])
				if keep[s] {
					left++
				}
			}
			if left < k {
				break
			}
		}
	}
}

func (f *starField) value(i int, basis []float64) (v float64) {
	for m, u := range basis {
		v += f.terms[i][m] * u
	}
	return v
}

// at is the PSF's stack at a place, and its errors.
func (f *starField) at(x, y float64) (stack, errs []float64) {
	basis := fieldTerms(x, y, f.degree, f.alongX, f.alongY)
	b := mat.NewVecDense(len(basis), basis)
	for i := range f.terms {
		e := math.Inf(1)
		if c := f.covariance[i]; c != nil {
			e = math.Sqrt(mat.Inner(b, c, b))
		}
		stack, errs = append(stack, f.value(i, basis)), append(errs, e)
	}
	return stack, errs
}

// measuredField puts the nodes that stars show into the observation, band by band.
func measuredField(in Input, set PSFSettings, o *solvers.Observation, rep *Report, sat float64) error {
	count := set.Rows * set.Cols
	bands := make([][]solvers.Image, 0, o.Data.C)
	for c := range o.Data.C {
		level := sat
		if sky := rep.SkyLevel[c]; !math.IsInf(level, 0) {
			level -= sky
		}
		data, weights := o.Data.Plane(c), o.Weights.Plane(c)
		nodes, m, found, err := MeasureField(data, weights, o.Data.H, o.Data.W, set.Rows, set.Cols, nearSaturation(data, level), bandWhere(in, o, c))
		rep.PSF, rep.Findings = append(rep.PSF, m), append(rep.Findings, found...)
		if err != nil {
			return err
		}
		bands = append(bands, nodes)
	}
	nodes := make([]solvers.Image, 0, count)
	for i := range count {
		var of []solvers.Image
		for _, b := range bands {
			of = append(of, b[i])
		}
		nodes = append(nodes, stackPSFs(of))
	}
	side := 0
	for _, n := range nodes {
		side = max(side, n.H)
	}
	mean := solvers.NewImage(o.Data.C, side, side)
	for _, n := range nodes { // of one size: stars of all bands' nodes have one stamp each
		for k, v := range n.Pix {
			mean.Pix[k] += v / float32(count)
		}
	}
	o.PSF = mean
	o.Field = solvers.PSFField{Rows: set.Rows, Cols: set.Cols, Nodes: nodes}
	rep.Findings = append(rep.Findings, fieldFinding(nodes, set, in.Where))
	return nil
}

// fieldFinding says how a PSF at nodes varies.
func fieldFinding(nodes []solvers.Image, set PSFSettings, where string) limpid.Finding {
	lo, hi := math.Inf(1), 0.0
	for _, n := range nodes {
		f := FWHM(n.Plane(0), n.H, n.W)
		lo, hi = math.Min(lo, f), math.Max(hi, f)
	}
	return limpid.Finding{
		Severity: limpid.Info, Code: "psf.field", Where: where,
		What: fmt.Sprintf("the PSF varies over the image: FWHM from %.2f to %.2f px at %d × %d nodes, interpolated between them", lo, hi, set.Rows, set.Cols),
	}
}
