package binning

import (
	"runtime"
	"sync"

	"limpid/solvers/massmap"
)

// cell holds the sums of a pixel: galaxies, Σw, Σw², Σ w e.
type cell struct{ n, w, ww, e1, e2 float64 }

// totals are sums over all galaxies.
type totals struct{ n, e1, e2, ee1, ee2, ww, wwee1, wwee2 float64 }

// placed is a galaxy on the map: its pixel, −1 for none, its weight and its components.
type placed struct {
	at   int32
	w    float64
	a, b float64
}

// sums are the sums per pixel. Rows are worked on by all processors, first by run of
// rows, then by part of the map; every sum is taken in the order of the rows, so that the
// result does not depend on how many processors there are.
type sums struct {
	o            Options
	p            massmap.Projection
	s1, s2, hour float64
	cells        []cell // side by side, so that a galaxy touches one line of cache
	total        totals
	dropped      map[string]int
	used         int

	rows []placed
	runs []rowRun
}

// rowRun is what a run of rows adds beside the pixels.
type rowRun struct {
	total   totals
	dropped map[string]int
}

// runLength is the number of rows placed at a time.
const runLength = 4096

func newSums(o Options, p massmap.Projection, sv *survey) *sums {
	p.Prepare()
	s := &sums{o: o, p: p, hour: sv.factor, dropped: map[string]int{}, cells: make([]cell, p.H*p.W)}
	s.s1, s.s2 = o.signs(&p)
	return s
}

// parallel calls do(i) for i < n, from as many goroutines as there are processors.
func parallel(n int, do func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers < 2 {
		for i := range n {
			do(i)
		}
		return
	}
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for i := k; i < n; i += workers {
				do(i)
			}
		})
	}
	wg.Wait()
}

func (s *sums) add(r Rows) error {
	n := len(r.RA)
	if cap(s.rows) < n {
		s.rows = make([]placed, n)
	}
	s.rows = s.rows[:n]
	runs := (n + runLength - 1) / runLength
	for len(s.runs) < runs {
		s.runs = append(s.runs, rowRun{})
	}
	parallel(runs, func(k int) {
		s.runs[k] = s.place(r, k*runLength, min((k+1)*runLength, n))
	})
	for _, q := range s.runs[:runs] {
		s.merge(q)
	}
	bands := min(runtime.GOMAXPROCS(0), 8)
	parallel(bands, func(k int) {
		s.fill(int32(len(s.cells)*k/bands), int32(len(s.cells)*(k+1)/bands))
	})
	return nil
}

// place finds the pixels of rows lo to hi and sums what needs no pixel.
func (s *sums) place(r Rows, lo, hi int) rowRun {
	var q rowRun
	drop := func(i int, why string) {
		if q.dropped == nil {
			q.dropped = map[string]int{}
		}
		q.dropped[why]++
		s.rows[i].at = -1
	}
	width, height := float64(s.p.W), float64(s.p.H)
	g := &q.total
	for i := lo; i < hi; i++ {
		if why := s.o.reject(r, i); why != "" {
			drop(i, why)
			continue
		}
		x, y, c, t, ok := s.p.Place(r.RA[i]*s.hour, r.Dec[i])
		x, y = x+0.5, y+0.5 // from the edge of the map
		if !ok || !(x >= 0 && y >= 0 && x < width && y < height) {
			drop(i, dropOutside)
			continue
		}
		w := 1.0
		if r.Weight != nil {
			w = r.Weight[i]
		}
		a, b := s.s1*r.E1[i], s.s2*r.E2[i]
		a, b = a*c-b*t, a*t+b*c
		s.rows[i] = placed{at: int32(int(y)*s.p.W + int(x)), w: w, a: a, b: b}
		g.n++
		g.e1 += a
		g.e2 += b
		g.ee1 += a * a
		g.ee2 += b * b
		g.ww += w * w
		g.wwee1 += w * w * a * a
		g.wwee2 += w * w * b * b
	}
	return q
}

func (s *sums) merge(q rowRun) {
	g, t := &s.total, q.total
	g.n, g.e1, g.e2 = g.n+t.n, g.e1+t.e1, g.e2+t.e2
	g.ee1, g.ee2, g.ww = g.ee1+t.ee1, g.ee2+t.ee2, g.ww+t.ww
	g.wwee1, g.wwee2 = g.wwee1+t.wwee1, g.wwee2+t.wwee2
	s.used += int(t.n)
	for why, n := range q.dropped {
		s.dropped[why] += n
	}
}

// fill adds the rows that lie in pixels lo to hi.
func (s *sums) fill(lo, hi int32) {
	for i := range s.rows {
		r := &s.rows[i]
		if r.at < lo || r.at >= hi {
			continue
		}
		q := &s.cells[r.at]
		q.n++
		q.w += r.w
		q.ww += r.w * r.w
		q.e1 += r.w * r.a
		q.e2 += r.w * r.b
	}
}
