package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"

	"limpid/app/figure"
	"limpid/app/training"
	"limpid/engine"
	"limpid/fitsio"
	"limpid/priors/card"
	draw "limpid/priors/sample"
)

const priorHelp = `
limpid-cli prior list [--json]             the learned priors there are
limpid-cli prior show NAME|FILE [--json]   the model card of one
limpid-cli prior sample NAME|FILE -o OUT.fits [options]   what it believes
  -n N                  images (default 8)      --size PIXELS   (default 128)
  --method M            sde (default), ode or langevin
  --levels N            of noise (default 64)   --start S --end S   their ends
  --seed N              (default 1)
  --figure OUT.png      a picture of them
limpid-cli prior predict NAME|FILE IMAGE.fits --noise SIGMA -o OUT.fits
                        the scene, by a network of kind mean or median
`

func prior(ctx context.Context, e *Env, args []string) error {
	if len(args) == 0 {
		return usageError{"prior list, prior show NAME or prior sample NAME"}
	}
	switch args[0] {
	case "list":
		return priorList(e, args[1:])
	case "show":
		return priorShow(e, args[1:])
	case "sample":
		return priorSample(ctx, e, args[1:])
	case "predict":
		return priorPredict(ctx, e, args[1:])
	}
	return usageError{fmt.Sprintf("prior %q: list, show, sample and predict are known", args[0])}
}

func priorList(e *Env, args []string) error {
	f := newFlags(e, "prior list")
	asJSON := f.Bool("json", false, "")
	if err := f.parse(args, 0, "no operand"); err != nil {
		return err
	}
	list := training.List()
	if *asJSON {
		text, err := json.MarshalIndent(list, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(e.Out, string(text))
		return nil
	}
	for _, p := range list {
		where := "ships with Limpid"
		if p.Path != "" {
			where = p.Path
		}
		about := p.Card.About
		if p.Problem != "" {
			about = "cannot be used: " + p.Problem
		}
		fmt.Fprintf(e.Out, "%-16s %-7s %s (%s)\n", p.Name, p.Card.Kind, about, where)
	}
	return nil
}

func priorShow(e *Env, args []string) error {
	f := newFlags(e, "prior show")
	asJSON := f.Bool("json", false, "")
	if err := f.parse(args, 1, "one prior"); err != nil {
		return err
	}
	p, err := training.Find(f.operands[0])
	if err != nil {
		return err
	}
	if *asJSON {
		text, err := json.MarshalIndent(p.Card, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(e.Out, string(text))
		return nil
	}
	fmt.Fprint(e.Out, training.Markdown(p.Card))
	return nil
}

func priorSample(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "prior sample")
	n, size, seed := f.Int("n", 8, ""), f.Int("size", 128, ""), f.Uint64("seed", 1, "")
	method, levels := f.String("method", "", ""), f.Int("levels", 0, "")
	start, end := f.Float64("start", 0, ""), f.Float64("end", 0, "")
	out, picture, device, quiet := f.String("o", "", ""), f.String("figure", "", ""), f.String("device", "", ""), f.Bool("quiet", false, "")
	if err := f.parse(args, 1, "one prior"); err != nil {
		return err
	}
	if *out == "" && *picture == "" {
		return usageError{"nothing to write: say -o OUT.fits or --figure OUT.png"}
	}
	p, err := training.Find(f.operands[0])
	if err != nil {
		return err
	}
	c := draw.Config{Method: draw.Method(*method), Levels: *levels, Start: *start, End: *end, Key: engine.NewKey(*seed)}
	if !*quiet && e.Terminal {
		c.Progress = func(l, of int) { fmt.Fprintf(e.Err, "\r\x1b[Klevel %d of %d", l, of) }
		defer fmt.Fprintln(e.Err)
	}
	var pix []float32
	if err := e.onDevice(ctx, *device, func(dev engine.Device) (err error) {
		pix, err = p.Sample(ctx, dev, training.Draw{N: *n, Side: *size, Config: c})
		return err
	}); err != nil {
		return err
	}
	if *out != "" {
		h := &fitsio.Header{}
		h.Append("PRIOR", p.Name, "learned prior")
		h.Append("SEED", int(*seed), "of the draws")
		hdu, err := fitsio.NewImage("SAMPLES", []int{*n, *size, *size}, pix, h)
		if err != nil {
			return err
		}
		if err := fitsio.WriteFile(*out, fitsio.WriteOptions{}, hdu); err != nil {
			return err
		}
	}
	if *picture != "" {
		return montage(*picture, pix, *n, *size, p.Card.Kind)
	}
	return nil
}

func priorPredict(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "prior predict")
	noise, out, device := f.Float64("noise", 0, ""), f.String("o", "", ""), f.String("device", "", "")
	if err := f.parse(args, 2, "a network and an image"); err != nil {
		return err
	}
	if *out == "" || *noise <= 0 {
		return usageError{"say --noise SIGMA, the rms of the noise, and -o OUT.fits"}
	}
	p, err := training.Find(f.operands[0])
	if err != nil {
		return err
	}
	in, err := fitsio.Open(f.operands[1])
	if err != nil {
		return err
	}
	defer in.Close()
	h, err := in.FirstImage()
	if err != nil {
		return err
	}
	if len(h.Shape) != 2 {
		return usageError{fmt.Sprintf("%s: its first image has %d dimensions; two are wanted", f.operands[1], len(h.Shape))}
	}
	pix, err := h.ReadFloat32(ctx)
	if err != nil {
		return err
	}
	var x []float32
	if err := e.onDevice(ctx, *device, func(dev engine.Device) (err error) {
		x, err = p.Predict(dev, pix, h.Shape[0], h.Shape[1], *noise)
		return err
	}); err != nil {
		return err
	}
	head := &fitsio.Header{}
	head.Append("PRIOR", p.Name, "network that made the estimate")
	hdu, err := fitsio.NewImage("MEAN", h.Shape, x, head)
	if err != nil {
		return err
	}
	return fitsio.WriteFile(*out, fitsio.WriteOptions{}, hdu)
}

// montage draws square images beside each other: galaxies on an asinh stretch of
// their own, fields of convergence on one linear stretch.
func montage(path string, pix []float32, n, side int, kind string) error {
	cols := int(math.Ceil(math.Sqrt(float64(n) * 1.6)))
	im := image.NewRGBA(image.Rect(0, 0, cols*(side+2)-2, (n+cols-1)/cols*(side+2)-2))
	lo, hi := spread(pix)
	for i := range n {
		own := pix[i*side*side : (i+1)*side*side]
		_, peak := spread(own)
		for j, v := range own {
			t, m := (float64(v)-lo)/(hi-lo), figure.Viridis
			if kind == card.Score {
				t, m = math.Asinh(300*float64(v)/peak)/math.Asinh(300), figure.Gray
			}
			im.Set(i%cols*(side+2)+j%side, i/cols*(side+2)+side-1-j/side, m.At(min(max(t, 0), 1)))
		}
	}
	w, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := png.Encode(w, im); err != nil {
		w.Close()
		return err
	}
	return w.Close()
}

func spread(x []float32) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range x {
		lo, hi = min(lo, float64(v)), max(hi, float64(v))
	}
	if !(hi > lo) {
		hi = lo + 1
	}
	return lo, hi
}
