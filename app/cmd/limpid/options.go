package main

import (
	"flag"
	"fmt"
	"io"

	"limpid/ui/view"
	"limpid/ui/widget"
)

const usage = `limpid [options] [FILE …]

Opens FITS images and recipes in a window.

  --theme dark|light  how the window looks; remembered
  --run RECIPE.json   open a recipe and run it
  --sample            open and run the sample of the workspace
  --workspace W       deconvolve (default), deblend or massmap
  --scale F           enlarge letters by a factor
  --device D          where to compute: auto, cpu, gpu, cuda, webgpu:N
  --version

Without a window: limpid-cli.
`

type options struct {
	theme   string
	run     string
	sample  bool
	space   string
	scale   float64
	version bool
	frames  string
	device  string
	files   []string
}

func parse(args []string) (options, error) {
	var o options
	f := flag.NewFlagSet("limpid", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.theme, "theme", "", "")
	f.StringVar(&o.run, "run", "", "")
	f.BoolVar(&o.sample, "sample", false, "")
	f.StringVar(&o.space, "workspace", "deconvolve", "")
	f.Float64Var(&o.scale, "scale", 1, "")
	f.BoolVar(&o.version, "version", false, "")
	f.StringVar(&o.device, "device", "", "")
	f.StringVar(&o.frames, "frames", "", "") // file for the times of pictures, for benchmarks
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.files = f.Args()
	if _, ok := view.SpaceByName(o.space); !ok {
		return o, fmt.Errorf("--workspace %q is not deconvolve, deblend or massmap", o.space)
	}
	switch {
	case o.theme != "" && o.theme != string(widget.Dark) && o.theme != string(widget.Light):
		return o, fmt.Errorf("--theme %q is not dark or light", o.theme)
	case !(o.scale >= 0.5 && o.scale <= 4):
		return o, fmt.Errorf("--scale %g is not between 0.5 and 4", o.scale)
	}
	return o, nil
}
