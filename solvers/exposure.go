package solvers

import "math"

// Exposure is one of several images of a field, on its detector's pixels, and how they lie on
// the scene's, which may be finer.
type Exposure struct {
	Name    string // for messages
	Data    Image  // (1, h, w), the sky subtracted
	Weights Image  // (1, h, w) inverse variance; 0: masked, or not on the scene
	// PSF is the light that a detector pixel takes of a source by the source's distance, on
	// the scene's pixels, the detector's own integration in it: (1, ph, pw), sums to 1.
	PSF Image
	// Native is the same on the detector's pixels.
	Native Image
	// Area is a detector pixel in pixels of the scene.
	Area float64
	// X, Y are where the pixels' centres lie, (h·w), in pixels of the scene's image from 0.
	X, Y []float32
}

// Seen calls f for every pixel that is not masked, in order: at of all exposures together, e
// its exposure, i its place there. It gives how many there are.
func Seen(list []Exposure, f func(at, e, i int)) int {
	at := 0
	for e, x := range list {
		for i, w := range x.Weights.Pix {
			if w > 0 {
				if f != nil {
					f(at, e, i)
				}
				at++
			}
		}
	}
	return at
}

// Coadd lays values of all exposures' pixels that are not masked, in the order of Seen, on an
// image of h × w pixels of the scene: each detector pixel over the square that it covers,
// means by inverse variance, of the flux per pixel of the scene. weights are of one pixel; its
// neighbours under the same detector pixel share its noise. It is to look at: no solver
// takes it for data.
func Coadd(list []Exposure, values []float32, h, w int) (mean, weights Image) {
	mean, weights = NewImage(1, h, w), NewImage(1, h, w)
	sum, sumW := make([]float64, h*w), make([]float64, h*w)
	Seen(list, func(at, e, i int) {
		x := &list[e]
		half := math.Sqrt(x.Area) / 2
		wt := float64(x.Weights.Pix[i]) * x.Area * x.Area
		v := float64(values[at]) / x.Area
		y0, y1 := covered(float64(x.Y[i]), half, h)
		x0, x1 := covered(float64(x.X[i]), half, w)
		for y := y0; y < y1; y++ {
			for k := x0; k < x1; k++ {
				sum[y*w+k] += wt * v
				sumW[y*w+k] += wt
			}
		}
	})
	for i, s := range sumW {
		if s > 0 {
			mean.Pix[i], weights.Pix[i] = float32(sum[i]/s), float32(s)
		}
	}
	return mean, weights
}

// covered are the pixels of n whose centres lie within half of at, the lower end included.
func covered(at, half float64, n int) (from, to int) {
	const rounding = 1e-3
	from = int(math.Ceil(at - half - rounding))
	to = int(math.Ceil(at + half - rounding))
	return min(max(from, 0), n), min(max(to, 0), n)
}
