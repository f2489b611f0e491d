package operator

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	blas "gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"

	"limpid/solvers"
)

// Whitening makes noise white whose pixels have the inverse variance w and go together as a
// solvers.Correlation R says, N = w^-½ R w^-½: of every pixel, over its standard deviation,
// what its neighbours before it predict is taken away, and the rest is brought to unit
// variance,
//
//	(W n)_i = (u_i − Σ_j a_ij u_j)/√v_i,  u = √w n,  a_i = R_jj⁻¹ R_ji,  v_i = 1 − R_ij a_i,
//
// j being the pixels of a half disc of reach pixels before i that are not masked (Vecchia
// 1988). WᵀW is then N⁻¹, exactly for an unbounded reach, with masked pixels and what lies
// beyond the border integrated out: they are simply not among the j. All of it is done on the
// host in a fixed order: the same bits on any number of threads.
type Whitening struct {
	c, h, w int
	reach   int
	bands   []whiteBand
	// White is the weight of whitened data: 1, and 0 where masked.
	White solvers.Image
	// Left is the rms departure of the whitened noise's power from 1, away from borders.
	Left float64
}

type whiteBand struct {
	root    []float32 // (h, w) √w
	stencil []int32   // padded: of every pixel; 0 where masked
	coef    []float32 // per stencil: those of offsets, then of the pixel itself
	offsets []int     // in padded rows, of the neighbours before
	above   []int     // how many rows above they are
	runs    [][]run   // of every padded row: pixels side by side of one stencil, which is not 0
	long    [][]run   // those of at least shortRun pixels
	parts   [][]part  // of every row
}

// run is the pixels from from to to, padded, of the stencil whose coefficients begin at coef.
type run struct{ from, to, coef int }

// part is the pixels of a row from from to to; plain: none of those that they help to predict is of a short run.
type part struct {
	from, to int
	plain    bool
}

// Reach of the neighbours that predict a pixel, in pixels: as short as it may be for the
// whitened noise's power to be 1 to whiteEnough, rms over the modes.
const (
	shortestReach = 2
	longestReach  = 7 // 112 neighbours, which fit into the bits of a pattern
	whiteEnough   = 0.02
)

// pattern says which neighbours are not masked.
type pattern [2]uint64

func (p pattern) has(j int) bool { return p[j>>6]>>(j&63)&1 == 1 }

// lags are the neighbours before a pixel: rows below it, and what is left of it in its own.
func lags(reach int) (out [][2]int) {
	for dy := -reach; dy <= 0; dy++ {
		for dx := -reach; dx <= reach && (dy < 0 || dx < 0); dx++ {
			out = append(out, [2]int{dy, dx})
		}
	}
	return out
}

// NewWhitening takes weights (C, H, W) and the correlation of every band.
func NewWhitening(weights solvers.Image, colour []solvers.Correlation) (*Whitening, error) {
	if len(colour) != weights.C {
		return nil, fmt.Errorf("operator: correlations of %d bands, weights of %d", len(colour), weights.C)
	}
	o := &Whitening{c: weights.C, h: weights.H, w: weights.W, White: solvers.NewImage(weights.C, weights.H, weights.W)}
	for o.reach = shortestReach; ; o.reach++ {
		o.Left = 0
		for _, r := range colour {
			full, err := predict(r, lags(o.reach), pattern{^uint64(0), ^uint64(0)})
			if err != nil {
				return nil, err
			}
			o.Left = math.Max(o.Left, departure(r, lags(o.reach), full))
		}
		if o.Left < whiteEnough || o.reach == longestReach {
			break
		}
	}
	for c, r := range colour {
		b, err := o.band(weights.Plane(c), r)
		if err != nil {
			return nil, fmt.Errorf("operator: band %d: %w", c, err)
		}
		o.bands = append(o.bands, b)
		for i, v := range weights.Plane(c) {
			if v > 0 {
				o.White.Plane(c)[i] = 1
			}
		}
	}
	return o, nil
}

// predict is the row of W for the neighbours in a pattern: −a/√v for each, then 1/√v.
func predict(r solvers.Correlation, near [][2]int, valid pattern) ([]float64, error) {
	var used []int
	for j := range near {
		if valid.has(j) {
			used = append(used, j)
		}
	}
	out := make([]float64, len(near)+1)
	n, v := len(used), r.Lag(0, 0)
	if n > 0 {
		cov, b := mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
		for i, p := range used {
			b.SetVec(i, r.Lag(near[p][0], near[p][1]))
			for j, q := range used[:i+1] {
				cov.SetSym(i, j, r.Lag(near[p][0]-near[q][0], near[p][1]-near[q][1]))
			}
		}
		var f mat.Cholesky
		var a mat.VecDense
		if !f.Factorize(cov) || f.SolveVecTo(&a, b) != nil {
			return nil, fmt.Errorf("operator: the noise's correlations are those of no positive power spectrum")
		}
		v -= mat.Dot(&a, b)
		for i, p := range used {
			out[p] = -a.AtVec(i)
		}
	}
	if !(v > 0) {
		return nil, fmt.Errorf("operator: the noise's correlations are those of no positive power spectrum")
	}
	for i := range out {
		out[i] /= math.Sqrt(v)
	}
	out[len(near)] = 1 / math.Sqrt(v)
	return out, nil
}

// departure is the rms of |W|² R − 1 over modes.
func departure(r solvers.Correlation, near [][2]int, row []float64) float64 {
	const n = 32
	power, half := r.Power(n, n), n/2+1
	var sum float64
	for i, p := range power {
		ky, kx := 2*math.Pi*float64(i/half)/n, 2*math.Pi*float64(i%half)/n
		re, im := row[len(near)], 0.0
		for j, d := range near {
			a := ky*float64(d[0]) + kx*float64(d[1])
			re, im = re+row[j]*math.Cos(a), im+row[j]*math.Sin(a)
		}
		e := (re*re+im*im)*p - 1
		sum += e * e / float64(len(power))
	}
	return math.Sqrt(sum)
}

// stride is the length of a padded row, which has reach pixels more at both ends.
func (o *Whitening) stride() int { return o.w + 2*o.reach }

// at is the place of a row's first pixel in padded planes, which have reach rows more at
// both ends.
func (o *Whitening) at(y int) int { return (y+o.reach)*o.stride() + o.reach }

func (o *Whitening) padded() int { return (o.h + 2*o.reach) * o.stride() }

func (o *Whitening) band(weights []float32, r solvers.Correlation) (whiteBand, error) {
	near := lags(o.reach)
	b := whiteBand{root: make([]float32, len(weights)), stencil: make([]int32, o.padded())}
	for _, d := range near {
		b.offsets, b.above = append(b.offsets, d[0]*o.stride()+d[1]), append(b.above, -d[0])
	}
	valid := make([]bool, o.padded())
	for i, v := range weights {
		b.root[i] = float32(math.Sqrt(float64(v)))
		valid[o.at(i/o.w)+i%o.w] = v > 0
	}
	b.coef = make([]float32, len(near)+1) // of masked pixels
	known := map[pattern]int32{}
	for y := range o.h {
		for x := range o.w {
			i := o.at(y) + x
			if !valid[i] {
				continue
			}
			var seen pattern
			for j, d := range b.offsets {
				if valid[i+d] {
					seen[j>>6] |= 1 << (j & 63)
				}
			}
			id, ok := known[seen]
			if !ok {
				row, err := predict(r, near, seen)
				if err != nil {
					return b, err
				}
				id = int32(len(known) + 1)
				known[seen] = id
				for _, v := range row {
					b.coef = append(b.coef, float32(v))
				}
			}
			b.stencil[i] = id
		}
	}
	b.setRuns(o.stride())
	b.setParts(o)
	return b, nil
}

func (b *whiteBand) setRuns(stride int) {
	for row := 0; row < len(b.stencil); row += stride {
		var runs []run
		for i := row; i < row+stride; {
			from, id := i, b.stencil[i]
			for i < row+stride && b.stencil[i] == id {
				i++
			}
			if id != 0 {
				runs = append(runs, run{from, i, int(id) * (len(b.offsets) + 1)})
			}
		}
		b.runs = append(b.runs, runs)
		b.long = append(b.long, slices.DeleteFunc(slices.Clone(runs), func(r run) bool { return r.to-r.from < shortRun }))
	}
}

// setParts divides rows: pixels within reach of a short run, in the rows below or their own, are not plain.
func (b *whiteBand) setParts(o *Whitening) {
	mixed := make([][]bool, o.h+2*o.reach) // of padded rows: pixels of the row within reach of a short run of it
	for row, runs := range b.runs {
		mixed[row] = make([]bool, o.w)
		for _, r := range runs {
			if r.to-r.from >= shortRun {
				continue
			}
			at := row*o.stride() + o.reach
			for x := max(r.from-at-o.reach, 0); x < min(r.to-at+o.reach, o.w); x++ {
				mixed[row][x] = true
			}
		}
	}
	for y := range o.h {
		touched := make([]bool, o.w)
		for row := y + o.reach; row <= y+2*o.reach; row++ {
			for x, m := range mixed[row] {
				touched[x] = touched[x] || m
			}
		}
		var parts []part
		for x := 0; x < o.w; {
			from := x
			for x < o.w && touched[x] == touched[from] {
				x++
			}
			parts = append(parts, part{from, x, !touched[from]})
		}
		b.parts = append(b.parts, parts)
	}
}

// shortRun is how many pixels are added one by one.
const shortRun = 16

// addTo adds a x to y, of the same length.
func addTo(y []float32, a float32, x []float32) {
	switch {
	case a == 0:
	case len(y) < shortRun:
		for i, v := range x {
			y[i] += a * v
		}
	default:
		blas.Implementation{}.Saxpy(len(y), a, x, 1, y, 1)
	}
}

// Apply writes W y of images (…, C, H, W) to dst, which may be y.
func (o *Whitening) Apply(dst, y []float32) {
	o.planes(dst, y, func(b *whiteBand, u, src []float32) {
		for i, v := range src {
			u[o.at(i/o.w)+i%o.w] = v * b.root[i]
		}
	}, func(b *whiteBand, u, dst []float32, y int) {
		clear(dst)
		for _, r := range b.runs[y+o.reach] {
			out, c := dst[r.from-o.at(y):r.to-o.at(y)], b.coef[r.coef:][:len(b.offsets)+1]
			if len(out) < shortRun {
				for k := range out {
					i := r.from + k
					sum := c[len(b.offsets)] * u[i]
					for j, d := range b.offsets {
						sum += c[j] * u[i+d]
					}
					out[k] = sum
				}
				continue
			}
			addTo(out, c[len(b.offsets)], u[r.from:r.to])
			for j, d := range b.offsets {
				addTo(out, c[j], u[r.from+d:r.to+d])
			}
		}
	})
}

// Transpose writes Wᵀ y to dst, which may be y.
func (o *Whitening) Transpose(dst, y []float32) {
	o.planes(dst, y, func(_ *whiteBand, u, src []float32) {
		for y := range o.h {
			copy(u[o.at(y):], src[y*o.w:(y+1)*o.w])
		}
	}, func(b *whiteBand, u, dst []float32, y int) {
		n := len(b.offsets) + 1
		for _, p := range b.parts[y] {
			if !p.plain {
				for x := p.from; x < p.to; x++ {
					i := o.at(y) + x
					sum := b.coef[int(b.stencil[i])*n+n-1] * u[i]
					for j, d := range b.offsets { // the pixels that i helps to predict
						sum += b.coef[int(b.stencil[i-d])*n+j] * u[i-d]
					}
					dst[x] = sum
				}
				continue
			}
			clear(dst[p.from:p.to])
			add := func(row, first, j int) { // first is that of pixel 0
				for _, r := range b.long[row] {
					if from, to := max(r.from, first+p.from), min(r.to, first+p.to); from < to {
						addTo(dst[from-first:to-first], b.coef[r.coef+j], u[from:to])
					}
				}
			}
			add(y+o.reach, o.at(y), n-1)
			for j, d := range b.offsets {
				add(y+o.reach+b.above[j], o.at(y)-d, j)
			}
		}
		for x := range dst {
			dst[x] *= b.root[y*o.w+x]
		}
	})
}

// planes fills a padded copy u of every plane and writes its rows, on several threads.
func (o *Whitening) planes(dst, y []float32, fill func(b *whiteBand, u, src []float32), row func(b *whiteBand, u, dst []float32, y int)) {
	size, threads := o.h*o.w, min(runtime.GOMAXPROCS(0), o.h)
	u := make([]float32, o.padded())
	for i := range len(y) / size {
		b, out := &o.bands[i%o.c], dst[i*size:(i+1)*size]
		fill(b, u, y[i*size:(i+1)*size])
		var wg sync.WaitGroup
		for t := range threads {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for y := t * o.h / threads; y < (t+1)*o.h/threads; y++ {
					row(b, u, out[y*o.w:(y+1)*o.w], y)
				}
			}()
		}
		wg.Wait()
	}
}
