package figure

import "math"

// Stats are numbers about a plane's finite values. All are exact.
type Stats struct {
	Count int // finite values
	Bad   int // NaN or infinite
	Min   float64
	Max   float64
	Mean  float64
	Std   float64 // of the population: divided by Count
}

// Stats counts and measures the finite values, once; later calls return the
// same numbers. With no finite value, Count is 0 and the rest is NaN.
func (im *Image) Stats() Stats {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.stats == nil {
		s := describe(im.levels[0])
		im.stats = &s
	}
	return *im.stats
}

// describe makes two sums per row around a running reference, so that a large
// constant sky does not eat the digits of the variance.
func describe(p Plane) Stats {
	s := Stats{Min: math.NaN(), Max: math.NaN(), Mean: math.NaN(), Std: math.NaN()}
	lo, hi := float32(math.Inf(1)), float32(math.Inf(-1))
	var ref float64
	var sum, sum2 float64
	for y := range p.H {
		row := p.Data[y*p.W : (y+1)*p.W]
		var rs, rs2 float64
		for _, v := range row {
			if !finite(v) {
				s.Bad++
				continue
			}
			if s.Count == 0 {
				ref = float64(v)
			}
			s.Count++
			lo, hi = min(lo, v), max(hi, v)
			d := float64(v) - ref
			rs += d
			rs2 += d * d
		}
		sum += rs
		sum2 += rs2
	}
	if s.Count == 0 {
		return s
	}
	n := float64(s.Count)
	m := sum / n
	s.Min, s.Max = float64(lo), float64(hi)
	s.Mean = ref + m
	s.Std = math.Sqrt(max(0, sum2/n-m*m))
	return s
}

// order maps a float32 to an integer that sorts as the float does.
func order(v float32) uint32 {
	b := math.Float32bits(v)
	if b&(1<<31) != 0 {
		return ^b
	}
	return b | 1<<31
}

func unorder(k uint32) float32 {
	if k&(1<<31) != 0 {
		return math.Float32frombits(k &^ (1 << 31))
	}
	return math.Float32frombits(^k)
}

// Quantiles gives the exact q-quantiles (0 to 1) of the plane's finite values,
// interpolated linearly between neighbours in rank (as numpy.quantile does).
// Two passes over the plane, no sorting and no copy: the first counts the upper
// 16 bits of the values, the second the lower 16 bits inside the few bins that
// matter. Without a finite value the answers are NaN.
func (im *Image) Quantiles(q ...float64) []float64 { return quantiles(im.levels[0], nil, q) }

// Robust gives the median and the standard deviation that a Gaussian with the
// same median absolute deviation would have (1.4826 MAD): the sky and its
// noise, where most of the picture is sky. Exact, four passes.
func (im *Image) Robust() (median, sigma float64) {
	median = im.Quantiles(0.5)[0]
	if math.IsNaN(median) {
		return median, math.NaN()
	}
	m := float32(median)
	dev := func(v float32) float32 { return float32(math.Abs(float64(v - m))) }
	return median, 1.482602218505602 * quantiles(im.levels[0], dev, []float64{0.5})[0]
}

// Thinned is an image of about n of the values, picked evenly, for what need not be
// exact; the image itself if it has no more.
func (im *Image) Thinned(n int) *Image {
	p := im.levels[0]
	if p.W*p.H <= n {
		return im
	}
	stride := zStride(p.W*p.H/max(1, n/zSamples), p.W)
	some := make([]float32, 0, p.W*p.H/stride+1)
	for i := 0; i < p.W*p.H; i += stride {
		some = append(some, p.Data[i])
	}
	return &Image{levels: []Plane{{Data: some, W: len(some), H: 1}}}
}

// rank is an order statistic being searched for.
type rank struct {
	k   int // how many values come before it
	bin uint32
	val float64
}

func quantiles(p Plane, f func(float32) float32, qs []float64) []float64 {
	data := p.Data[:p.W*p.H]
	coarse := make([]int, 1<<16)
	n := 0
	for _, v := range data {
		if f != nil {
			v = f(v)
		}
		if finite(v) {
			coarse[order(v)>>16]++
			n++
		}
	}
	out := make([]float64, len(qs))
	if n == 0 {
		for i := range out {
			out[i] = math.NaN()
		}
		return out
	}
	ranks := make([]rank, 2*len(qs))
	for i, q := range qs {
		at := min(1, max(0, q)) * float64(n-1)
		ranks[2*i].k = int(at)
		ranks[2*i+1].k = min(int(at)+1, n-1)
	}
	refine(data, f, coarse, ranks)
	for i, q := range qs {
		at := min(1, max(0, q)) * float64(n-1)
		t := at - math.Floor(at)
		a, b := ranks[2*i].val, ranks[2*i+1].val
		out[i] = a + t*(b-a)
	}
	return out
}

// refine finds the values of ranks, given the counts of the upper 16 bits.
func refine(data []float32, f func(float32) float32, coarse []int, ranks []rank) {
	slot := make([]int32, 1<<16) // 1 + index into fine, 0: not wanted
	var fine [][]int
	for i := range ranks {
		r := &ranks[i]
		before := 0
		for b, c := range coarse {
			if before+c > r.k {
				r.bin = uint32(b)
				break
			}
			before += c
		}
		r.k -= before
		if slot[r.bin] == 0 {
			fine = append(fine, make([]int, 1<<16))
			slot[r.bin] = int32(len(fine))
		}
	}
	for _, v := range data {
		if f != nil {
			v = f(v)
		}
		if !finite(v) {
			continue
		}
		key := order(v)
		if s := slot[key>>16]; s != 0 {
			fine[s-1][key&0xffff]++
		}
	}
	for i := range ranks {
		r := &ranks[i]
		before := 0
		for low, c := range fine[slot[r.bin]-1] {
			if before+c > r.k {
				r.val = float64(unorder(r.bin<<16 | uint32(low)))
				break
			}
			before += c
		}
	}
}

// Histogram counts a plane's values in equal bins over [Lo, Hi]; values at Hi
// fall into the last bin.
type Histogram struct {
	Lo, Hi float64
	Counts []int
	Under  int // below Lo
	Over   int // above Hi
	Bad    int // NaN or infinite
}

// Histogram counts every value of the plane into n bins between lo and hi.
// Limits that are not finite or not in order give a histogram of the one value
// lo, with everything else under or over.
func (im *Image) Histogram(lo, hi float64, n int) Histogram {
	h := Histogram{Lo: lo, Hi: hi, Counts: make([]int, max(1, n))}
	last := len(h.Counts) - 1
	bins := float64(len(h.Counts))
	scale := bins / (hi - lo)
	if !(hi > lo) || math.IsInf(hi-lo, 0) {
		bins = 0 // the careful way for all
	}
	for _, v := range im.levels[0].Data[:im.levels[0].W*im.levels[0].H] {
		x := float64(v)
		if at := (x - lo) * scale; at >= 0 && at < bins { // most of them
			h.Counts[int(at)]++
			continue
		}
		switch {
		case !finite(v):
			h.Bad++
		case x < lo:
			h.Under++
		case x > hi:
			h.Over++
		case hi > lo:
			h.Counts[min(last, int((x-lo)*scale))]++
		default:
			h.Counts[0]++
		}
	}
	return h
}

// Peak is the largest count of a bin.
func (h Histogram) Peak() int {
	top := 0
	for _, c := range h.Counts {
		top = max(top, c)
	}
	return top
}
