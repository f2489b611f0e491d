package training

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"limpid"
	"limpid/engine"
	"limpid/engine/nn"
	"limpid/fitsio"
	"limpid/priors"
	"limpid/priors/card"
	"limpid/priors/evaluate"
	"limpid/priors/hybrid"
	"limpid/priors/score"
	"limpid/priors/sims"
	"limpid/priors/train"
	"limpid/solvers/massmap/preview"
	"limpid/solvers/mcmc/anneal"
)

// job is what an Options says to learn.
type job struct {
	dev      engine.Device
	s        engine.Stream
	task     train.Task
	card     card.Card
	prior    priors.Prior // works with the task's network
	source   score.Source
	scenes   func(n, side int) evaluate.Scenes
	levels   []float64
	closer   func()
	noisy    bool // scenes are not known without noise
	findings []limpid.Finding
}

func (j *job) close() { j.closer() }

// Presets lists what Options.Sims may be.
func Presets() []string { return []string{"galaxies", "galaxies-small", "kappa", "kappa-lognormal"} }

func newJob(ctx context.Context, dev engine.Device, o Options) (*job, error) {
	if o.Out == "" {
		return nil, fmt.Errorf("training: no file for the weights: say -o NAME.safetensors")
	}
	switch o.Kind {
	case "", card.Mean, card.Median:
	default:
		return nil, fmt.Errorf("training: --kind %q: mean and median are known; a prior needs none", o.Kind)
	}
	if (o.Sims == "") == (o.Data == "") {
		return nil, fmt.Errorf("training: say either what to simulate (--sims %s) or a folder of images (--data)", strings.Join(Presets(), "|"))
	}
	j := &job{dev: dev, s: dev.NewStream(), closer: func() {}}
	net := score.Small()
	if len(o.Channels) > 0 {
		net.Channels = o.Channels
	}
	if o.Blocks > 0 {
		net.Blocks = o.Blocks
	}
	switch o.Sims {
	case "":
		return j, j.fromImages(ctx, o, net)
	case "galaxies", "galaxies-small":
		cfg := sims.SceneConfig{Single: o.Sims == "galaxies-small"}
		if cfg.Single {
			net.Edge = engine.Zero
		}
		source, err := sims.NewScenes(cfg)
		if err != nil {
			return nil, err
		}
		if err := j.score(o, net, source, nil, 0); err != nil {
			return j, err
		}
		j.card.MinPixel, j.card.MaxPixel = source.Config.MinPixel, source.Config.MaxPixel
		return j, nil
	case "kappa", "kappa-lognormal":
		if o.Kind == card.Median {
			return nil, fmt.Errorf("training: --kind median is for images; of convergence a mean can be learned")
		}
		cfg := sims.COSMOS()
		if o.Sims == "kappa-lognormal" {
			cfg.MinHalo = 0
		}
		source, err := sims.NewKappa(cfg)
		if err != nil {
			return nil, err
		}
		if o.Kind == card.Mean {
			return j, j.shear(o, net, source)
		}
		return j, j.hybrid(o, net, source)
	}
	return nil, fmt.Errorf("training: --sims %q: %s are known", o.Sims, strings.Join(Presets(), ", "))
}

// imageMargin are the pixels at the borders of a patch that do not count, since what
// lies beyond them is not seen.
const imageMargin = 8

// smallestStamp is the side of the smallest patches that a centred prior learns from.
const smallestStamp = 32

// score learns a scale-free score prior.
func (j *job) score(o Options, net nn.UNetConfig, source, held score.Source, margin int) error {
	c := score.TaskConfig{UNet: net, Side: o.Side, Batch: o.Batch, Margin: margin, Centred: o.Sims == "galaxies-small"}
	if o.Kind != "" {
		return j.regress(o, c, source)
	}
	if c.Centred {
		c.Smallest = smallestStamp
	}
	t, err := score.NewTask(j.dev, j.s, source, c, o.Train.Seed)
	if err != nil {
		return err
	}
	t.HeldOut = held
	c = t.Config
	j.card = card.Card{Kind: card.Score, Scenes: source.About(), UNet: c.UNet, LowSNR: c.LowSNR, HighSNR: c.HighSNR, Centred: c.Centred}
	if c.Centred {
		j.card.Stamp = c.Side
	}
	p := score.New(j.dev, j.s, t.D, j.card)
	j.task, j.prior, j.closer = t, p, func() { p.CloseScratch(); t.Close() }
	j.levels = []float64{0.05, 0.1, 0.2, 0.5, 1, 2}
	j.source = source
	if held != nil {
		j.source = held
	}
	j.scenes = func(n, side int) evaluate.Scenes {
		s := evaluate.Draw(j.source, n, c.Side, engine.NewKey(o.Train.Seed).Fold(0xe7a1))
		s.Own, s.Positive = true, o.Data == ""
		return s
	}
	return nil
}

// regress learns to predict scenes.
func (j *job) regress(o Options, c score.TaskConfig, source score.Source) error {
	t, err := score.NewRegressTask(j.dev, j.s, source, c, o.FWHM, o.Kind == card.Median, o.Train.Seed)
	if err != nil {
		return err
	}
	c = t.Config
	j.card = card.Card{Kind: o.Kind, Scenes: source.About(), UNet: c.UNet, LowSNR: c.LowSNR, HighSNR: c.HighSNR, Centred: c.Centred, FWHM: o.FWHM}
	j.task, j.closer = t, t.Close
	return nil
}

// noiseLow and noiseHigh bound the noise of convergence priors.
const noiseLow, noiseHigh = 0.004, 0.4

// hybrid learns convergence maps.
func (j *job) hybrid(o Options, net nn.UNetConfig, source *sims.Kappa) error {
	r := hybrid.Range{Low: noiseLow, High: noiseHigh}
	t, err := hybrid.NewTask(j.dev, j.s, source, source.Spectrum(), hybrid.TaskConfig{UNet: net, Side: o.Side, Batch: o.Batch, Range: r}, o.Train.Seed)
	if err != nil {
		return err
	}
	sp := source.Spectrum()
	j.card = card.Card{Kind: card.Hybrid, Scenes: source.About(), UNet: t.Config.UNet, Low: r.Low, High: r.High, Spectrum: &sp, Arcmin: source.Config.Arcmin}
	p := hybrid.New(j.dev, j.s, t.D, j.card)
	j.task, j.prior, j.closer = t, p, func() { p.CloseScratch(); t.Close() }
	j.levels = []float64{0.2, 0.5, 1, 2, 5, 10}
	j.source = source
	j.scenes = func(n, side int) evaluate.Scenes {
		return evaluate.Draw(source, n, side, engine.NewKey(o.Train.Seed).Fold(0xe7a1))
	}
	return nil
}

// shearLow and shearHigh bound the noise of a component of the shear in a pixel.
const shearLow, shearHigh = 0.06, 0.35

// shear learns to map the mass behind a field of shear.
func (j *job) shear(o Options, net nn.UNetConfig, source *sims.Kappa) error {
	r := hybrid.Range{Low: shearLow, High: shearHigh}
	sp := source.Spectrum()
	t, err := preview.NewTask(j.dev, j.s, source, sp, preview.TaskConfig{UNet: net, Side: o.Side, Batch: o.Batch, Range: r}, o.Train.Seed)
	if err != nil {
		return err
	}
	j.card = card.Card{Kind: card.Shear, Scenes: source.About() + "; their shear with masks and 2 to 30 galaxies a pixel", UNet: t.Config.UNet, Low: r.Low, High: r.High, Spectrum: &sp, Arcmin: source.Config.Arcmin}
	j.task, j.closer = t, t.Close
	return nil
}

// warmStart takes weights as the beginning. An input that the weights do not know
// starts unheard.
func (j *job) warmStart(t *train.Trainer, path string) error {
	f, done, err := nn.OpenFile(path)
	if err != nil {
		return fmt.Errorf("training: --init: %w", err)
	}
	defer done()
	if err := t.LoadWeights(f); err != nil {
		return fmt.Errorf("training: --init %s: %w", path, err)
	}
	return nil
}

// What a model card is measured on: scenes for the table of noise levels, scenes for the errors of a denoiser (each at
// errorLevels of noise), and tiles that the test for unlike images is learned from. Tests, which need no good prior, take fewer.
var (
	measureScenes = 32
	errorScenes   = 24
	typicalTiles  = 1000
)

const (
	errorLevels = 8
	measureMaps = 8
	measureSide = 128
)

// measure fills the card's table.
func (j *job) measure(ctx context.Context, c *card.Card) error {
	if err := ctx.Err(); err != nil || j.prior == nil {
		return err // a regression has its loss
	}
	n := measureScenes
	if c.Kind == card.Hybrid {
		n = measureMaps
	}
	s := j.scenes(n, measureSide)
	rows, err := evaluate.Table(j.dev, j.s, j.prior, s, j.levels, engine.NewKey(c.Seed).Fold(0x7ab1e))
	if err != nil {
		return err
	}
	c.Measured = rows
	if err := j.errors(ctx, c); err != nil {
		return err
	}
	return j.typical(ctx, c)
}

// errors fills how wrong the denoiser is beside what it believes, where scenes are known
// without noise.
func (j *job) errors(ctx context.Context, c *card.Card) error {
	side, margin, n := measureSide, 0, errorScenes
	if m, files := j.source.(*sims.Images); files {
		side, margin = m.Side(), imageMargin
	}
	if c.Stamp > 0 { // how far from the middle light is belongs to what was learned
		side, n = c.Stamp, n*measureSide*measureSide/(c.Stamp*c.Stamp)
	}
	if c.Kind != card.Score || j.noisy || side < 4*imageMargin {
		return nil
	}
	key := engine.NewKey(c.Seed).Fold(0xe44)
	scenes := make([]anneal.Scene, n)
	for i := range scenes {
		rng := sims.Rand(key.Fold(1).Fold(uint64(i)))
		pix := make([]float32, side*side)
		j.source.Patch(pix, side, key.Fold(2).Fold(uint64(i)))
		scenes[i].Pix = pix
		peak := float64(slices.Max(pix))
		for l := range errorLevels {
			snr := c.LowSNR * math.Pow(c.HighSNR/c.LowSNR, (float64(l)+rng.Float64())/errorLevels)
			if sigma := peak / snr; sigma > 0 && !math.IsInf(sigma, 0) {
				scenes[i].Sigmas = append(scenes[i].Sigmas, sigma)
			}
		}
	}
	var err error
	c.Errors, err = anneal.MeasureErrors(ctx, j.dev, j.s, j.prior, scenes, side, side, margin, key.Fold(3))
	return err
}

// typical fills what the test for unlike images compares with: tiles cut from the
// middle of held-out scenes twice as large, where there are such, with noise as in the
// training.
func (j *job) typical(ctx context.Context, c *card.Card) error {
	big := 2 * evaluate.TileSide
	if c.Centred {
		big = evaluate.TileSide
	}
	if m, files := j.source.(*sims.Images); files {
		if big = m.Side(); big < evaluate.TileSide {
			return nil // patches too small for its tiles: the card goes without the test
		}
	}
	t, err := evaluate.NewTest(j.dev, j.s, j.prior, card.Typical{})
	if err != nil {
		return err
	}
	defer t.Close()
	scene := make([]float32, big*big)
	key := engine.NewKey(c.Seed).Fold(0x0dd)
	k := t.Learn(typicalTiles, key.Fold(1), func(i int, tile []float32) float64 {
		rng := sims.Rand(key.Fold(2).Fold(uint64(i)))
		j.source.Patch(scene, big, key.Fold(3).Fold(uint64(i)))
		var peak float32
		off := (big - evaluate.TileSide) / 2
		for y := range evaluate.TileSide {
			row := scene[(y+off)*big+off:]
			copy(tile[y*evaluate.TileSide:(y+1)*evaluate.TileSide], row)
		}
		for _, v := range tile {
			peak = max(peak, v)
		}
		sigma := float64(peak) / (c.LowSNR * math.Pow(c.HighSNR/max(c.LowSNR, 1e-30), rng.Float64()))
		if c.Kind == card.Hybrid {
			sigma = c.Low * math.Pow(c.High/c.Low, rng.Float64())
		}
		if !(sigma > 0) || math.IsInf(sigma, 0) {
			sigma = 1 // an empty tile
		}
		for n := range tile {
			tile[n] += float32(sigma * rng.NormFloat64())
		}
		return sigma
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	c.Typical = &k
	return j.s.Err()
}

// fromImages learns from a folder.
func (j *job) fromImages(ctx context.Context, o Options, net nn.UNetConfig) error {
	side := o.Side
	if side == 0 {
		side = 64
	}
	paths, err := images(o.Data)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d files of %s", len(paths), filepath.Base(o.Data))
	learn, held := sims.NewImages(what, o.Noise, side), sims.NewImages(what, o.Noise, side)
	for i, path := range paths {
		to := learn
		if i%heldOutEvery == heldOutEvery-1 || len(paths) < heldOutEvery && i == len(paths)-1 && i > 0 {
			to = held
		}
		if err := add(ctx, to, path); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			j.findings = append(j.findings, limpid.Finding{Severity: limpid.Warning, What: "not used for training: " + err.Error(), Where: path})
		}
	}
	if learn.Len() == 0 {
		return fmt.Errorf("training: none of the %d files of %s can be used: %s", len(paths), o.Data, j.findings[0].What)
	}
	var h score.Source
	if held.Len() > 0 {
		h = held
	} else {
		j.findings = append(j.findings, limpid.Finding{Severity: limpid.Warning, What: "too few images to hold some out: the loss is measured on images that were learned from, and stopping early means little", Where: o.Data, Advice: "give at least two images, better 200"})
	}
	net.Edge, j.noisy = engine.Reflect, o.Noise > 0
	return j.score(o, net, learn, h, imageMargin)
}

// heldOutEvery is which of the files is held out.
const heldOutEvery = 10

// images lists the FITS files of a folder.
func images(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("training: --data: %w", err)
	}
	var out []string
	for _, e := range entries {
		name := strings.TrimSuffix(strings.ToLower(e.Name()), ".gz")
		if !e.IsDir() && (strings.HasSuffix(name, ".fits") || strings.HasSuffix(name, ".fit") || strings.HasSuffix(name, ".fz")) {
			out = append(out, filepath.Join(folder, e.Name()))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("training: --data %s: there are no FITS files in it", folder)
	}
	sort.Strings(out)
	return out, nil
}

// add reads every plane of a file's first image.
func add(ctx context.Context, to *sims.Images, path string) error {
	f, err := fitsio.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	h, err := f.FirstImage()
	if err != nil {
		return err
	}
	n := len(h.Shape)
	if n < 2 {
		return fmt.Errorf("its first image has %d dimensions", n)
	}
	pix, err := h.ReadFloat32(ctx)
	if err != nil {
		return err
	}
	hh, w := h.Shape[n-2], h.Shape[n-1]
	for p := 0; p+hh*w <= len(pix); p += hh * w {
		if err := to.Add(pix[p:p+hh*w], hh, w); err != nil {
			return err
		}
	}
	return nil
}
