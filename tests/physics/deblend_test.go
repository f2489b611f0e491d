package physics

import (
	"context"
	"flag"
	"fmt"
	"math"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"limpid/app/session"
	"limpid/engine/cpu"
	"limpid/fitsio"
	"limpid/solvers/deblend"
)

var (
	deblendEvery = flag.Int("deblend-every", 1, "take every n-th blend")
	deblendFirst = flag.Int("deblend-first", 0, "… from this one")
	deblendDraws = flag.Int("deblend-draws", 64, "posterior draws; 0: none")

	deblendComponents = flag.Int("deblend-components", 2, "profiles of a galaxy, at most")
	deblendPSF        = flag.Bool("deblend-psf", true, "fit the PSF's error")
	deblendFigures    = flag.String("deblend-figures", "", "folder for a figure of every real blend")
	deblendComplete   = flag.Bool("deblend-complete", true, "add sources to the real blends")
)

// Bounds of the acceptance; scarlet on blends of the same simulator: .066, .317,
// .193 and .955.
const (
	deblendMedian, deblendP90, deblendBlended = 0.05, 0.25, 0.12
	deblendCosine                             = 0.97
	coverageLow, coverageHigh                 = 0.85, 0.95
)

func blendFiles(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dataFolder(t), "deconv_deblend", folder, "*.fits*"))
	if err != nil || len(files) == 0 {
		t.Skipf("no blends in %s (%v)", folder, err)
	}
	var out []string
	for i := *deblendFirst; i < len(files); i += *deblendEvery {
		out = append(out, files[i])
	}
	return out
}

func deblendOne(t *testing.T, s *session.Session, file string, detect bool, draws int, opt deblend.Options) *session.Deblending {
	t.Helper()
	opt.PixelScale, opt.Workers = 0.168, 2
	d, err := s.LoadDeblend(context.Background(), session.DeblendInput{Files: []string{file}}, opt)
	if err != nil {
		t.Fatal(err)
	}
	if detect {
		if d.Sources, err = deblend.Detect(context.Background(), s.Device(), d.Obs, deblend.DetectOptions{}, opt); err != nil {
			t.Fatal(err)
		}
	}
	var sample *deblend.SampleOptions
	if draws > 0 {
		sample = &deblend.SampleOptions{Draws: draws}
	}
	if err := s.FitDeblend(context.Background(), d, opt, sample); err != nil {
		t.Fatal(err)
	}
	return d
}

func truthPlanes(t *testing.T, file string) ([]float32, [][2]float64) {
	t.Helper()
	f, err := fitsio.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pix, err := f.Find("TRUTH_I", 1).ReadFloat32(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	tab, err := f.Find("PEAKS", 1).Table()
	if err != nil {
		t.Fatal(err)
	}
	x, err := tab.Float64(context.Background(), "x")
	if err != nil {
		t.Fatal(err)
	}
	y, err := tab.Float64(context.Background(), "y")
	if err != nil {
		t.Fatal(err)
	}
	var at [][2]float64
	for i := range x {
		at = append(at, [2]float64{x[i], y[i]})
	}
	return pix, at
}

// quantiles sorts a copy.
func deblendQuantile(v []float64, q float64) float64 {
	s := append([]float64(nil), v...)
	sort.Float64s(s)
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

type blendScore struct{ err, blended, cosine, pull []float64 }

// score compares source k's i-band image before sampling, and its flux and error.
func (b *blendScore) score(image, truth, all []float32) (sum float64) {
	var tt, mm, tm, ta, m float64
	for i, v := range truth {
		a, c := float64(v), float64(image[i])
		tt, mm, tm, ta = tt+a*a, mm+c*c, tm+a*c, ta+a*float64(all[i])
		sum, m = sum+a, m+c
	}
	e := math.Abs(m-sum) / sum
	b.err, b.cosine = append(b.err, e), append(b.cosine, tm/math.Sqrt(tt*mm))
	if 1-tt/ta > 0.3 {
		b.blended = append(b.blended, e)
	}
	return sum
}

func TestDeblend_SimulatedBlends_BeatPeersAndCover(t *testing.T) {
	slow(t)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := session.New(dev)
	defer s.Close()
	var b blendScore
	for _, file := range blendFiles(t, "sim_blends_truth") {
		d := deblendOne(t, s, file, false, *deblendDraws, deblend.Options{Components: *deblendComponents, PSFError: *deblendPSF, Prior: *deblendPrior})
		truth, at := truthPlanes(t, file)
		n := d.Obs.Data.H * d.Obs.Data.W
		all := make([]float32, n)
		for i, v := range truth {
			all[i%n] += v
		}
		for k := range at {
			im := d.Result.Image(k)
			sum := b.score(im.Plane(2), truth[k*n:(k+1)*n], all)
			f := d.Result.Sources[k]
			b.pull = append(b.pull, (f.Flux[2]-sum)/f.FluxErr[2])
			t.Logf("source %d: flux %.2f ± %.2f, truth %.2f, pull %.2f", f.ID, f.Flux[2], f.FluxErr[2], sum, b.pull[len(b.pull)-1])
		}
		if d.Posterior != nil {
			t.Logf("%s: acceptance %.2f, R-hat %.2f", filepath.Base(file), d.Posterior.Acceptance, d.Posterior.RHat)
		}
	}
	in := 0.0
	for _, p := range b.pull {
		if math.Abs(p) < 1.645 {
			in++
		}
	}
	cover := in / float64(len(b.pull))
	med, p90, high, cos := deblendQuantile(b.err, .5), deblendQuantile(b.err, .9), deblendQuantile(b.blended, .5), deblendQuantile(b.cosine, .1)
	t.Logf("%d sources: flux error median %.4f, p90 %.4f; %d blended by > .3: %.4f; cosine median %.4f, p10 %.4f; 90 %% interval covers %.3f",
		len(b.err), med, p90, len(b.blended), high, deblendQuantile(b.cosine, .5), cos, cover)
	if med > deblendMedian || p90 > deblendP90 || high > deblendBlended || cos < deblendCosine {
		t.Error("worse than the acceptance")
	}
	if *deblendDraws > 0 && (cover < coverageLow || cover > coverageHigh) {
		t.Errorf("coverage %.3f outside %.2f–%.2f", cover, coverageLow, coverageHigh)
	}
}

func TestDeblend_OwnDetection_MissedAndFalseCounted(t *testing.T) {
	slow(t)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := session.New(dev)
	defer s.Close()
	var b blendScore
	missed, wrong, total := 0, 0, 0
	for _, file := range blendFiles(t, "sim_blends_truth") {
		d := deblendOne(t, s, file, true, 0, deblend.Options{})
		truth, at := truthPlanes(t, file)
		n := d.Obs.Data.H * d.Obs.Data.W
		all := make([]float32, n)
		for i, v := range truth {
			all[i%n] += v
		}
		used := map[int]bool{}
		for k, p := range at {
			total++
			best, near := -1, 3.0
			for i, f := range d.Result.Sources {
				if r := math.Hypot(f.Shape.X-p[0], f.Shape.Y-p[1]); r < near && !used[i] {
					best, near = i, r
				}
			}
			if best < 0 {
				missed++
				continue
			}
			used[best] = true
			im := d.Result.Image(best)
			b.score(im.Plane(2), truth[k*n:(k+1)*n], all)
		}
		wrong += len(d.Result.Sources) - len(used)
	}
	t.Logf("own detection: %d of %d missed, %d false; of those found: flux error median %.4f, p90 %.4f, cosine p10 %.4f", missed, total, wrong, deblendQuantile(b.err, .5), deblendQuantile(b.err, .9), deblendQuantile(b.cosine, .1))
	if float64(missed) > 0.15*float64(total) || float64(wrong) > 0.1*float64(total) {
		t.Error("more than 15 % missed or 10 % false")
	}
}

func TestDeblend_RealHSC_Chi2(t *testing.T) {
	slow(t)
	dev := cpu.New(cpu.Options{})
	defer dev.Close()
	s := session.New(dev)
	defer s.Close()
	var chi, rings []float64
	type ringFound struct {
		what string
		deblend.Ring
		band string
	}
	var found []ringFound
	looked, blank := 0, map[string][]float64{}
	for _, file := range blendFiles(t, "hsc_cosmos_blends") {
		d := deblendOne(t, s, file, false, 0, deblend.Options{Components: *deblendComponents, PSFError: *deblendPSF, Complete: *deblendComplete})
		var mean float64
		for _, c := range d.Result.Chi2 {
			mean += c / float64(len(d.Result.Chi2))
		}
		chi = append(chi, mean)
		worst := 0.0
		for k := range d.Result.Sources {
			for c := range d.Result.Bands {
				ring := d.Result.Ring(d.Obs, k, c)
				if !(ring.Peak > 0) {
					continue
				}
				looked++
				worst = max(worst, ring.Mean/ring.Peak)
				if ring.Mean > 0.05*ring.Peak {
					f := d.Result.Sources[k].Shape
					found = append(found, ringFound{fmt.Sprintf("%s, source %d at (%.1f, %.1f), band %s", filepath.Base(file), k+1, f.X, f.Y, d.Result.Bands[c]), ring, d.Result.Bands[c]})
				}
			}
		}
		for c, band := range d.Result.Bands {
			for _, r := range d.Result.BlankRings(d.Obs, c, 3) {
				blank[band] = append(blank[band], r.Sigma)
			}
		}
		rings = append(rings, worst)
		if *deblendFigures != "" {
			name := strings.TrimSuffix(filepath.Base(file), ".fits") + ".png"
			if _, err := s.ExportDeblend(context.Background(), d, session.DeblendFiles{Figure: filepath.Join(*deblendFigures, name)}); err != nil {
				t.Error(err)
			}
		}
		t.Logf("%s: χ²/pixel %.3f, by band %s, %d iterations, rings %.3f of the peak", filepath.Base(file), mean, fmt.Sprintf("%.2f", d.Result.Chi2), d.Result.Iter, worst)
	}
	med, p90 := deblendQuantile(chi, .5), deblendQuantile(chi, .9)
	t.Logf("%d blends: χ²/pixel median %.3f, p90 %.3f; residual ring by ring over the model's peak, worst source and band of a blend: median %.3f, worst %.3f", len(chi), med, p90, deblendQuantile(rings, .5), deblendQuantile(rings, 1))
	// A ring above a twentieth of a peak is one of the fit where blank places do not show its like: in so
	// many looks less than one in twenty.
	for _, f := range found {
		var like float64
		for _, sigma := range blank[f.band] {
			if sigma >= f.Sigma {
				like++
			}
		}
		expected := float64(looked) * (like + 1) / float64(len(blank[f.band])+1)
		t.Logf("%s: ring of %.3f of the peak, %.1f σ of white noise; %.0f of %d blank places of the band show as much: %.2f expected in %d looks", f.what, f.Mean/f.Peak, f.Sigma, like, len(blank[f.band]), expected, looked)
		if expected < 0.05 {
			t.Errorf("%s: a ring of %.3f of its peak", f.what, f.Mean/f.Peak)
		}
	}
	if med > 1.0 || p90 > 3 {
		t.Error("worse than the acceptance: median 1.0, p90 3")
	}
}
