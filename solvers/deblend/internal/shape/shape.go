// Package shape projects images on what galaxies look like.
package shape

import "math"

// Symmetric replaces every pixel and its half-turn about (cx, cy) by their mean,
// the projection on images equal to their half-turn; pixels whose partner lies
// outside stay.
func Symmetric(s []float32, h, w, cx, cy int) {
	for y := range h {
		for x := range w {
			v, u := 2*cy-y, 2*cx-x
			if v < 0 || v >= h || u < 0 || u >= w || v*w+u <= y*w+x {
				continue
			}
			mean := (s[y*w+x] + s[v*w+u]) / 2
			s[y*w+x], s[v*w+u] = mean, mean
		}
	}
}

// Monotone lets no pixel exceed the mean of those of its neighbours that lie
// nearer to (cx, cy), weighted by how much they point to it: ring by ring from
// the centre (Melchior+2018, sec. 4.2, with weights). One sweep gives an image
// that satisfies all of them.
func Monotone(s []float32, h, w, cx, cy int) {
	for r := 1; r < max(h, w); r++ {
		for y := max(cy-r, 0); y <= min(cy+r, h-1); y++ {
			step := 1
			if y != cy-r && y != cy+r {
				step = 2 * r
			}
			for x := cx - r; x <= cx+r; x += step {
				if x >= 0 && x < w {
					lower(s, h, w, cx, cy, x, y)
				}
			}
		}
	}
}

// lower bounds one pixel by its inner neighbours. Rings are squares, so the
// neighbours that count are those in smaller rings.
func lower(s []float32, h, w, cx, cy, x, y int) {
	ring := max(abs(x-cx), abs(y-cy))
	dx, dy := float64(cx-x), float64(cy-y)
	norm := math.Hypot(dx, dy)
	var sum, weight float64
	for j := max(y-1, 0); j <= min(y+1, h-1); j++ {
		for i := max(x-1, 0); i <= min(x+1, w-1); i++ {
			if max(abs(i-cx), abs(j-cy)) >= ring {
				continue
			}
			ex, ey := float64(i-x), float64(j-y)
			c := (ex*dx + ey*dy) / (norm * math.Hypot(ex, ey))
			if c <= 0 {
				continue
			}
			sum, weight = sum+c*c*float64(s[j*w+i]), weight+c*c
		}
	}
	if weight > 0 {
		s[y*w+x] = min(s[y*w+x], float32(sum/weight))
	}
}

func abs(a int) int { return max(a, -a) }
