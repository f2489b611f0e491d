package session

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid"
	"limpid/app/recipe"
	"limpid/app/training"
	"limpid/assets"
	"limpid/engine"
	"limpid/engine/cpu"
	"limpid/priors/card"
	"limpid/priors/sims"
	"limpid/solvers"
	"limpid/solvers/deconv"
	"limpid/solvers/observe"
)

// A field like the training's raises nothing; the same field with its noise said to be
// half as large does, in the band where it is so.
func TestUnlike_NoiseSaidTooSmall_IsFoundInItsBand(t *testing.T) {
	dev := cpu.New(cpu.Options{})
	t.Cleanup(func() { dev.Close() })
	load, known, err := learnedPrior(recipe.Prior{Kind: recipe.PriorGalaxies})
	if err != nil {
		t.Fatal(err)
	}
	const side, snr = 128, 50
	scenes, err := sims.NewScenes(sims.SceneConfig{})
	if err != nil {
		t.Fatal(err)
	}
	o := &solvers.Observation{Data: solvers.NewImage(2, side, side), Weights: solvers.NewImage(2, side, side), Bands: []string{"g", "r"}}
	scene := make([]float32, side*side)
	scenes.Patch(scene, side, engine.NewKey(3))
	var peak float32
	for _, v := range scene {
		peak = max(peak, v)
	}
	rng := sims.Rand(engine.NewKey(4))
	for i := range o.Data.Pix {
		o.Data.Pix[i] = snr*scene[i%len(scene)]/peak + float32(rng.NormFloat64())
		o.Weights.Pix[i] = float32(math.Pow(4, float64(i/len(scene)))) // the second band's noise is 1, not ½
	}
	got := unlike(dev, load, known.Card, o)
	if len(got) != 1 || got[0].Code != "prior.unlike" || got[0].Where != "prior, band r" {
		t.Fatalf("findings %+v, want one about band r", got)
	}
	none := func(engine.Device, engine.Stream) (deconv.LearnedPrior, error) { return nil, errors.New("no memory") }
	if got := unlike(dev, none, known.Card, o); len(got) != 1 || got[0].Code != "prior.untested" {
		t.Errorf("a prior that cannot be loaded: %+v", got)
	}
	for i := range o.Weights.Pix {
		o.Weights.Pix[i] = 0
	}
	if got := unlike(dev, load, known.Card, o); len(got) != 0 {
		t.Errorf("all masked: %+v", got)
	}
}

// A prior of one galaxy in the middle of a stamp is not meant for a field.
func TestNoStamp_LargeImage_IsWarnedOf(t *testing.T) {
	for _, c := range []struct {
		prior string
		side  int
		want  int
	}{{"galaxies-small", 64, 0}, {"galaxies-small", 200, 1}, {recipe.PriorGalaxies, 200, 0}} {
		e, err := training.Find(c.prior)
		if err != nil {
			t.Fatal(err)
		}
		got := noStamp(e, &solvers.Observation{Data: solvers.NewImage(1, 48, c.side)})
		if len(got) != c.want || c.want > 0 && (got[0].Severity != limpid.Warning || !strings.Contains(got[0].What, "200 × 48") || got[0].Advice == "") {
			t.Errorf("%s, %d px: %+v", c.prior, c.side, got)
		}
	}
}

// Pixels that are not those of a prior's training are warned of, with some slack; finer ones than the image's are told.
func TestOfScale_SaysWhatPixelsThePriorLearned(t *testing.T) {
	for _, c := range []struct {
		prior  string
		arcsec float64
		finer  bool
		want   limpid.Severity // "" for none
	}{
		{recipe.PriorGalaxies, 0.168, false, ""},
		{recipe.PriorGalaxies, 0.168, true, limpid.Info},
		{recipe.PriorGalaxies, 0.35, false, ""},
		{recipe.PriorGalaxies, 1.2, false, limpid.Warning},
		{recipe.PriorGalaxies, 1.2, true, limpid.Warning},
		{recipe.PriorGalaxies, 0.02, false, limpid.Warning},
		{recipe.PriorGalaxies, 0, false, ""},
		{recipe.PriorGalaxies, 0, true, limpid.Info},
		{recipe.PriorSingle, 0.2, false, ""},
		{recipe.PriorSingle, 0.04, false, limpid.Warning},
	} {
		e, err := training.Find(c.prior)
		if err != nil {
			t.Fatal(err)
		}
		got := ofScale(e, c.arcsec, c.finer)
		if (len(got) == 0) != (c.want == "") || c.want != "" && (got[0].Severity != c.want || !strings.Contains(got[0].What, e.Card.Scenes) || got[0].Advice == "") {
			t.Errorf("%s, pixels of %g arcsec (finer than the image's: %v): %+v", c.prior, c.arcsec, c.finer, got)
		}
	}
	own := training.Entry{Card: card.Card{Scenes: "images of a folder"}}
	if got := ofScale(own, 5, false); len(got) != 0 {
		t.Errorf("a prior whose pixels are not known: %+v", got)
	}
}

// What is said of error bars follows the stored calibration, and says where the run is
// another than those that were calibrated.
func TestCalibrated_SaysWhatItWasMeasuredOn(t *testing.T) {
	weights, err := assets.ReadPrior("galaxies-small")
	if err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(t.TempDir(), "mine.safetensors")
	if err := os.WriteFile(mine, weights, 0o600); err != nil {
		t.Fatal(err)
	}
	find := func(name string) training.Entry {
		e, err := training.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	data := func(peak float32) *solvers.Observation {
		o := &solvers.Observation{Data: solvers.NewImage(1, 4, 4), Weights: solvers.NewImage(1, 4, 4)}
		for i := range o.Weights.Pix {
			o.Weights.Pix[i] = 4 // σ ½
		}
		o.Data.Pix[5], o.Data.Pix[15] = peak/2, 20
		return o
	}
	coloured := data(50)
	coloured.Colour = make([]solvers.Correlation, 1)
	exposed, wide := data(50), data(50)
	exposed.Exposures = make([]solvers.Exposure, 2)
	if wide.PSF, err = observe.AnalyticPSF(observe.PSFGaussian, 30, 0, 201); err != nil {
		t.Fatal(err)
	}
	unlike := []limpid.Finding{{Code: codeUnlike}}
	const held = "90 % intervals held"
	for _, c := range []struct {
		name   string
		prior  string
		o      *solvers.Observation
		m      recipe.Method
		set    deconv.Settings
		unlike []limpid.Finding
		level  limpid.Severity
		words  []string
	}{
		{"as calibrated", recipe.PriorGalaxies, data(50), recipe.Method{}, deconv.Settings{}, nil, limpid.Info, []string{held, "200 simulated fields"}},
		{"bright", recipe.PriorGalaxies, data(4000), recipe.Method{}, deconv.Settings{}, nil, limpid.Info, []string{held, "peak S/N 300 to 3000"}},
		{"too bright", recipe.PriorGalaxies, data(40000), recipe.Method{}, deconv.Settings{}, nil, limpid.Warning, []string{"peak of 40000 σ, for which error bars were not calibrated", held}},
		{"one galaxy", "galaxies-small", data(50), recipe.Method{}, deconv.Settings{}, nil, limpid.Info, []string{held, "simulated single galaxies"}},
		{"never", mine, data(50), recipe.Method{}, deconv.Settings{}, nil, limpid.Warning, []string{"were never calibrated"}},
		{"quick", recipe.PriorGalaxies, data(50), recipe.Method{Budget: deconv.Quick}, deconv.Settings{}, nil, limpid.Info, []string{held}},
		{"publication", recipe.PriorGalaxies, data(50), recipe.Method{Budget: deconv.Publication}, deconv.Settings{}, nil, limpid.Info, []string{held}},
		{"another budget", recipe.PriorGalaxies, data(50), recipe.Method{Budget: "long"}, deconv.Settings{}, nil, limpid.Warning, []string{held, "that was with the"}},
		{"resolution", recipe.PriorGalaxies, data(50), recipe.Method{Resolution: 3}, deconv.Settings{}, nil, limpid.Info, []string{held, "compared at a target resolution of 3 px"}},
		{"quick resolution", recipe.PriorGalaxies, data(50), recipe.Method{Resolution: 3, Budget: deconv.Quick}, deconv.Settings{}, nil, limpid.Warning, []string{held, "without a target resolution"}},
		{"faint pixels", recipe.PriorGalaxies, data(50), recipe.Method{Recalibrate: true}, deconv.Settings{}, nil, limpid.Info, []string{held, "without faint pixels recalibrated"}},
		{"correlated", recipe.PriorGalaxies, coloured, recipe.Method{}, deconv.Settings{}, nil, limpid.Warning, []string{held, "their noise was correlated"}},
		{"quick correlated", recipe.PriorGalaxies, coloured, recipe.Method{Budget: deconv.Quick}, deconv.Settings{}, nil, limpid.Warning, []string{held, "independent from pixel to pixel"}},
		{"exposures", recipe.PriorGalaxies, exposed, recipe.Method{}, deconv.Settings{}, nil, limpid.Info, []string{held, "of 4 exposures each"}},
		{"quick exposures", recipe.PriorGalaxies, exposed, recipe.Method{Budget: deconv.Quick}, deconv.Settings{}, nil, limpid.Warning, []string{held, "not of several exposures or finer pixels"}},
		{"wide PSF", recipe.PriorGalaxies, wide, recipe.Method{}, deconv.Settings{}, nil, limpid.Warning, []string{held, "this one has 30 px"}},
		{"stars", recipe.PriorGalaxies, data(4000), recipe.Method{}, deconv.Settings{Stars: []deconv.Star{{X: 1.2, Y: 1.1}}}, nil, limpid.Warning, []string{"calibrated on 200", held, "of a star beside each they held"}},
		{"quick stars", recipe.PriorGalaxies, data(50), recipe.Method{Budget: deconv.Quick}, deconv.Settings{Stars: []deconv.Star{{X: 1.2, Y: 1.1}}}, nil, limpid.Warning, []string{held, "without stars and a free sky"}},
		{"free sky", recipe.PriorGalaxies, data(50), recipe.Method{}, deconv.Settings{FreeSky: true}, nil, limpid.Warning, []string{held, "of a star beside each they held"}},
		{"other pixels", recipe.PriorGalaxies, data(50), recipe.Method{}, deconv.Settings{}, []limpid.Finding{{Code: codeScale, Severity: limpid.Warning}}, limpid.Warning, []string{held, "unlike those fields"}},
		{"finer pixels than the image's", recipe.PriorGalaxies, data(50), recipe.Method{}, deconv.Settings{}, []limpid.Finding{{Code: codeScale, Severity: limpid.Info}}, limpid.Info, []string{held}},
		{"a field of one galaxy", "galaxies-small", data(50), recipe.Method{}, deconv.Settings{}, []limpid.Finding{{Code: codeStamp}}, limpid.Warning, []string{held, "unlike those fields"}},
		{"unlike", recipe.PriorGalaxies, data(50), recipe.Method{}, deconv.Settings{}, unlike, limpid.Warning, []string{held, "unlike those fields"}},
	} {
		f := calibrated(find(c.prior), c.o, c.m, c.set, c.unlike)
		if f.Severity != c.level || f.Code != CodeCalibration || f.Advice == "" {
			t.Errorf("%s: %+v, want %s", c.name, f, c.level)
		}
		if c.name == "stars" && strings.Contains(f.What, "peak of") {
			t.Errorf("the star is taken for the scene's peak: %q", f.What)
		}
		for _, w := range c.words {
			if !strings.Contains(f.What, w) {
				t.Errorf("%s: %q does not say %q", c.name, f.What, w)
			}
		}
		if r := (&Result{Findings: []limpid.Finding{{Code: "fit.chi2"}, f}}); r.CalibrationSentence() != f.What {
			t.Errorf("%s: the result says %q", c.name, r.CalibrationSentence())
		}
	}
	if s := (&Result{}).CalibrationSentence(); s != "" {
		t.Errorf("without a learned prior: %q", s)
	}
}
