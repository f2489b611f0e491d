package observe

import (
	"fmt"

	"limpid/solvers"
)

// MostNodes bounds the nodes of a PSF that varies.
const MostNodes = 400

// fieldPSF puts the PSF's nodes into the observation, normalised, and their mean as its PSF.
func fieldPSF(in Input, set PSFSettings, o *solvers.Observation, rep *Report) error {
	if n := set.Rows * set.Cols; len(in.PSFNodes) != n {
		return badPSF(fmt.Errorf("observe: %s: %d PSFs for %d × %d nodes", in.Where, len(in.PSFNodes), set.Rows, set.Cols))
	}
	var nodes []solvers.Image
	for i, im := range in.PSFNodes {
		p, found, err := Normalise(im, set.Recenter, o.Data.H, o.Data.W, fmt.Sprintf("%s, PSF %d", in.Where, i))
		rep.Findings = append(rep.Findings, found...)
		if err != nil {
			return err
		}
		nodes = append(nodes, p)
	}
	all := stackPSFs(nodes)
	mean := solvers.NewImage(1, all.H, all.W)
	for i := range nodes {
		nodes[i] = repeated(all.Plane(i), all.H, all.W, o.Data.C)
		for k, v := range all.Plane(i) {
			mean.Pix[k] += v / float32(len(nodes))
		}
	}
	o.PSF = repeated(mean.Pix, all.H, all.W, o.Data.C)
	o.Field = solvers.PSFField{Rows: set.Rows, Cols: set.Cols, Nodes: nodes}
	rep.Findings = append(rep.Findings, fieldFinding(nodes, set, in.Where))
	return nil
}

// repeated is a plane in every band.
func repeated(plane []float32, h, w, bands int) solvers.Image {
	im := solvers.NewImage(bands, h, w)
	for c := range bands {
		copy(im.Plane(c), plane)
	}
	return im
}

// NodesOf interpolates the PSF's nodes over an image of h × w pixels to as many over a part
// of it, rows y0 to y1 and columns x0 to x1, upper ends excluded.
func NodesOf(nodes []solvers.Image, rows, cols, h, w, y0, y1, x0, x1 int) []solvers.Image {
	at := func(i, n, lo, hi, size int) (k int, t float64) { // place of node i of the part among the nodes of the whole
		if n == 1 || size == 1 {
			return 0, 0
		}
		p := float64(lo) + float64(i)*float64(hi-1-lo)/float64(n-1)
		p *= float64(n-1) / float64(size-1)
		k = min(int(p), n-2)
		return k, p - float64(k)
	}
	var out []solvers.Image
	for i := range rows {
		r, ty := at(i, rows, y0, y1, h)
		for j := range cols {
			c, tx := at(j, cols, x0, x1, w)
			im := solvers.NewImage(1, nodes[0].H, nodes[0].W)
			for _, n := range []struct {
				k int
				w float64
			}{{r*cols + c, (1 - ty) * (1 - tx)}, {r*cols + c + 1, (1 - ty) * tx}, {(r+1)*cols + c, ty * (1 - tx)}, {(r+1)*cols + c + 1, ty * tx}} {
				if n.w == 0 {
					continue
				}
				for k, v := range nodes[n.k].Pix {
					im.Pix[k] += float32(n.w * float64(v))
				}
			}
			out = append(out, im)
		}
	}
	return out
}
