package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"limpid/app/training"
	"limpid/engine"
)

const trainHelp = `
What to learn
  --sims S              galaxies, galaxies-small, kappa or kappa-lognormal
  --data FOLDER         FITS images, sky subtracted, instead
  --noise RMS           of the images in FOLDER, in their unit (default 0: noiseless);
                        nothing is learned below 1.5 times of it
  --kind K              mean or median: no prior, but a network that predicts scenes seen
                        through a Gaussian --fwhm of so many pixels: a fast preview.
                        mean with kappa: mass maps of a field of shear
  --init WEIGHTS        start from the weights of another prior
How
  --steps N             in all (default 6000); a training whose rate has not begun to
                        fall may be resumed with more
  --cooldown N          the last steps, over which the rate falls to 0 (default a quarter)
  --rate R              learning rate (default .002)
  --batch N  --side N   scenes per step and their pixels; with galaxies-small sides are 32,
                        40 and so on to N (default 80), and there are more of smaller ones
  --channels A,B,C      of the network's levels (default 16,32,64)   --blocks N
  --seed N              (default 1)
  --patience N          end after N looks at held-out scenes without an improvement
  --minutes M           pause after M minutes
Files
  -o OUT.safetensors    weights (default NAME.safetensors where "prior list" finds it);
                        OUT.safetensors.md is the model card
  --state FILE          what a resumed training needs, written every two minutes and when
                        interrupted (default OUT.safetensors.state); --fresh ignores it
  --log FILE            loss of every step as CSV
  --name, --about, --validity TEXT   for the model card
`

func trainPrior(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "train")
	var o training.Options
	f.StringVar(&o.Sims, "sims", "", "")
	f.StringVar(&o.Data, "data", "", "")
	f.Float64Var(&o.Noise, "noise", 0, "")
	f.StringVar(&o.Init, "init", "", "")
	f.StringVar(&o.Kind, "kind", "", "")
	f.Float64Var(&o.FWHM, "fwhm", 0, "")
	f.IntVar(&o.Train.Steps, "steps", 6000, "")
	f.IntVar(&o.Train.Cooldown, "cooldown", 0, "")
	f.Float64Var(&o.Train.Rate, "rate", 0, "")
	f.IntVar(&o.Batch, "batch", 0, "")
	f.IntVar(&o.Side, "side", 0, "")
	f.IntVar(&o.Blocks, "blocks", 0, "")
	f.Uint64Var(&o.Train.Seed, "seed", 1, "")
	f.IntVar(&o.Patience, "patience", 0, "")
	f.IntVar(&o.Look, "look", 0, "")
	f.StringVar(&o.Out, "o", "", "")
	f.StringVar(&o.State, "state", "", "")
	f.BoolVar(&o.Fresh, "fresh", false, "")
	f.StringVar(&o.Name, "name", "", "")
	f.StringVar(&o.About, "about", "", "")
	f.StringVar(&o.Validity, "validity", "", "")
	channels, minutes, every := f.String("channels", "", ""), f.Float64("minutes", 0, ""), f.Duration("save", 0, "")
	logFile, device, quiet := f.String("log", "", ""), f.String("device", "", ""), f.Bool("quiet", false, "")
	if err := f.parse(args, 0, "no operand"); err != nil {
		return err
	}
	if err := complete(&o, *channels); err != nil {
		return err
	}
	o.Save, o.Command = *every, "limpid-cli train "+strings.Join(args, " ")
	if *minutes > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Duration(*minutes*float64(time.Minute)))
		defer stop()
	}
	l := &losses{path: *logFile}
	defer l.close()
	show := printer(e, *quiet)
	began := time.Now()
	return e.onDevice(ctx, *device, func(dev engine.Device) error {
		return training.Run(ctx, dev, o.Resuming(began), func(s training.Status) {
			l.note(s)
			show(s)
		})
	})
}

// complete fills in what follows from the rest.
func complete(o *training.Options, channels string) error {
	for _, c := range strings.Split(channels, ",") {
		if channels == "" {
			break
		}
		n, err := strconv.Atoi(strings.TrimSpace(c))
		if err != nil || n < 1 {
			return usageError{fmt.Sprintf("--channels %s: whole numbers with commas between, as 16,32,64", channels)}
		}
		o.Channels = append(o.Channels, n)
	}
	if (o.Sims == "") == (o.Data == "") {
		return usageError{fmt.Sprintf("say what to learn: --sims %s, or --data FOLDER", strings.Join(training.Presets(), "|"))}
	}
	if o.Name == "" {
		o.Name = o.Sims
		if o.Data != "" {
			o.Name = filepath.Base(filepath.Clean(o.Data))
		}
	}
	if o.Out == "" {
		dir, err := training.Folder()
		if err != nil {
			return err
		}
		o.Out = filepath.Join(dir, o.Name+".safetensors")
	}
	if err := os.MkdirAll(filepath.Dir(o.Out), 0o755); err != nil {
		return err
	}
	return nil
}

// losses writes a CSV whose lines after a resumed step are those of the new run.
type losses struct {
	path string
	file *os.File
	err  error
}

func (l *losses) note(s training.Status) {
	if l.path == "" || l.err != nil {
		return
	}
	if l.file == nil {
		kept := "step,loss,held_out\n"
		if old, err := os.ReadFile(l.path); err == nil && s.Resumed > 0 {
			for line := range strings.Lines(string(old)) {
				step, _, _ := strings.Cut(line, ",")
				if n, err := strconv.Atoi(step); err == nil && n <= s.Resumed && strings.HasSuffix(line, "\n") {
					kept += line
				}
			}
		}
		if l.file, l.err = os.Create(l.path); l.err != nil {
			return
		}
		_, l.err = l.file.WriteString(kept)
	}
	if s.Loss > 0 {
		_, l.err = fmt.Fprintf(l.file, "%d,%.9g,%.9g\n", s.Step, s.Loss, s.HeldOut)
	}
}

func (l *losses) close() {
	if l.file != nil {
		l.file.Close()
	}
}

// printer shows a training: a moving line on a terminal, else one per look.
func printer(e *Env, quiet bool) func(training.Status) {
	var mean float64
	return func(s training.Status) {
		for _, f := range s.Findings {
			fmt.Fprintln(e.Err, f)
		}
		switch {
		case quiet:
		case s.Saved != "" && strings.HasSuffix(s.Saved, ".safetensors"):
			fmt.Fprintf(e.Err, "wrote %s: held-out loss %.4f\n", s.Saved, s.HeldOut)
		case s.Saved != "":
		case s.Loss == 0 && s.Resumed > 0:
			fmt.Fprintf(e.Err, "resumed at step %d of %d\n", s.Resumed, s.Steps)
		case s.Loss > 0:
			if mean == 0 {
				mean = s.Loss
			}
			mean += (s.Loss - mean) / 50
			line := fmt.Sprintf("step %d/%d  loss %.4f  %.2f steps/s", s.Step, s.Steps, mean, s.PerSecond)
			if s.HeldOut > 0 {
				line += fmt.Sprintf("  held out %.4f", s.HeldOut)
			}
			switch {
			case e.Terminal && s.HeldOut > 0:
				fmt.Fprintf(e.Err, "\r\x1b[K%s\n", line)
			case e.Terminal:
				fmt.Fprintf(e.Err, "\r\x1b[K%s", line)
			case s.HeldOut > 0:
				fmt.Fprintln(e.Err, line)
			}
		}
	}
}
