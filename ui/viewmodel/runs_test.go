package viewmodel

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"limpid/app/session"
	"limpid/solvers/deconv"
	"limpid/ui/viewmodel/form"
)

func TestRun_WhileAnotherRuns_IsQueuedAndFollowsInOrder(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 48, 64))
	b.Set(form.Samples, "6")
	b.Run()
	first := b.Active()
	for _, n := range []string{"3", "4"} {
		b.Set(form.Samples, n)
		b.Run()
	}
	if b.Active() != first || b.Queued() != 2 || len(b.File().Results) != 1 {
		t.Fatalf("active %v, %d queued, %d results", b.Active(), b.Queued(), len(b.File().Results))
	}
	b.until("all runs", func() bool { return b.Active() == nil && b.Queued() == 0 })
	var draws []int
	for _, e := range b.File().Results {
		draws = append(draws, e.Result.Draws)
	}
	if len(draws) != 3 || draws[0] != 6 || draws[1] != 3 || draws[2] != 4 {
		t.Errorf("samples of the runs: %v, want 6, 3, 4", draws)
	}
	if b.Entry() != first {
		t.Error("a queued run took the picture away from what was looked at")
	}
}

func TestRun_Gaussian_ShowsMeanStdSamplesResidual(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 48, 64))
	b.Set(form.Samples, "16")
	b.Run()
	e := b.Active()
	if e == nil || b.Entry() != e || b.Pane() != PaneDataMean {
		t.Fatalf("active %v, shown %v, pane %v", e, b.Entry(), b.Pane())
	}
	b.until("the run to end", func() bool { return b.Active() == nil })
	if e.Problem != nil || e.Result == nil || e.Result.Draws != 16 {
		t.Fatalf("ended with %v, result %v", e.Problem, e.Result)
	}
	for _, p := range Panes() {
		b.SetPane(p)
		b.until("pictures", b.settled)
		for _, tile := range b.Tiles() {
			if tile.Picture == nil {
				t.Errorf("pane %s shows %q", b.Label(p), tile.Message)
				continue
			}
			if l := b.Style(tile).Limits; !(l.Hi > l.Lo) {
				t.Errorf("pane %s has limits %v", b.Label(p), l)
			}
			if b.Counts(tile).Peak() == 0 {
				t.Errorf("pane %s has an empty histogram", b.Label(p))
			}
		}
	}
	sentence, level, rows := e.Summary(0)
	if sentence == "" || level == Unknown || len(rows) < 5 {
		t.Errorf("summary %q %v %v", sentence, level, rows)
	}
	b.SetPane(PaneMean)
	b.until("the mean", b.settled)
	if r, ok := b.Read(0, 10, 20); !ok || !(r.Std > 0) || r.StdIs != "posterior" || r.Frame == "" || r.Unit != "adu" {
		t.Errorf("reads %+v, %v", r, ok)
	}
	if _, ok := b.Read(0, -3, 0); ok {
		t.Error("reads a value beside the image")
	}
}

// How right error bars are known to be stands with the result, not in a step that nobody opens.
func TestRun_LearnedPrior_ItsCalibrationStandsWithTheResult(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 24, 24))
	for id, v := range map[form.ID]string{form.Method: "learned", form.Budget: "quick", form.Samples: "1"} {
		b.Set(id, v)
	}
	b.Run()
	e := b.Active()
	b.until("the run to end", func() bool { return b.Active() == nil })
	if e.Result == nil {
		t.Fatalf("ended with %v", e.Problem)
	}
	about := func(list []Finding) (n int) {
		for _, f := range list {
			if strings.Contains(f.What, "90 % intervals held") {
				n++
			}
		}
		return n
	}
	if n := about(e.Findings()); n != 1 {
		t.Errorf("%d sentences about calibration with the result: %+v", n, e.Findings())
	}
	for step, list := range b.placedFindings(b.File()) {
		if about(list) > 0 {
			t.Errorf("the step %s says it again", step)
		}
	}
}

func TestRun_Cancelled_KeepsWhatIsThere(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 96, 96))
	b.Set(form.Samples, "20000")
	b.Run()
	e := b.Active()
	b.until("a few samples", func() bool { return e.Result != nil && e.Result.Draws > 3 })
	if !b.Cancel() {
		t.Fatal("nothing to cancel")
	}
	b.until("the run to end", func() bool { return b.Active() == nil })
	if e.Status.Phase != session.PhaseCanceled || e.Result == nil || e.Result.Complete || e.Problem == nil {
		t.Errorf("phase %s, result %v, problem %v", e.Status.Phase, e.Result != nil, e.Problem)
	}
	if _, _, text := e.Progress(); !strings.Contains(text, "cancelled") {
		t.Errorf("progress says %q", text)
	}
	if b.Cancel() {
		t.Error("cancelled twice")
	}
}

func TestGoOn_CancelledRun_EndsWithTheSamplesOfAnUninterruptedOne(t *testing.T) {
	b := newBench(t)
	b.ses.KeepStates(session.StatesOfStopped)
	b.open(writeImage(t, "a.fits", 1, 64, 64))
	b.Set(form.Samples, "400")
	b.Run()
	e := b.Active()
	b.until("a few samples", func() bool { return e.Result != nil && e.Result.Draws > 3 })
	if e.CanGoOn() {
		t.Error("can go on while it runs")
	}
	b.Cancel()
	b.until("the run to end", func() bool { return b.Active() == nil })
	if !e.CanGoOn() || e.Status.Done < 3 || e.Status.Done >= 400 {
		t.Fatalf("after %d samples it can go on: %v", e.Status.Done, e.CanGoOn())
	}
	kept := e.Status.Done
	b.GoOn(e)
	if b.Active() != e || e.Problem != nil || e.Result == nil || len(b.File().Results) != 1 {
		t.Fatalf("active %v, problem %v, result kept %v, %d results", b.Active() == e, e.Problem, e.Result != nil, len(b.File().Results))
	}
	b.Cancel() // perhaps before the first sample
	b.until("the run to end again", func() bool { return b.Active() == nil })
	if !e.CanGoOn() || e.Status.Done < kept || e.Status.Total != 400 {
		t.Fatalf("cancelled twice, %d of %d samples are kept, before %d; it can go on: %v", e.Status.Done, e.Status.Total, kept, e.CanGoOn())
	}
	b.Run() // another, which it waits for
	whole := b.Active()
	b.GoOn(e)
	b.GoOn(e)
	if b.Queued() != 1 {
		t.Errorf("%d runs wait", b.Queued())
	}
	b.until("both to end", func() bool { return b.Active() == nil && b.Queued() == 0 })
	if e.CanGoOn() || e.Problem != nil || e.Result.Draws != 400 || !e.Result.Complete {
		t.Fatalf("can go on: %v, problem %v, %d samples, complete: %v", e.CanGoOn(), e.Problem, e.Result.Draws, e.Result.Complete)
	}
	for i, v := range whole.Result.Mean.Pix {
		if v != e.Result.Mean.Pix[i] {
			t.Fatalf("pixel %d of the mean is %g, uninterrupted %g", i, e.Result.Mean.Pix[i], v)
		}
	}
}

func TestCutoutResult_Readout_GivesPixelsOfTheFile(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 64, 80))
	before, _ := b.Read(0, 30, 25)
	b.UseRegion(20, 60, 16, 48)
	b.Set(form.Samples, "4")
	b.Run()
	b.until("the run to end", func() bool { return b.Active() == nil && b.settled() })
	b.SetPane(PaneMean)
	b.until("the mean", b.settled)
	r, ok := b.Read(0, 10, 9)
	if !ok || r.X != 30 || r.Y != 25 || math.Abs(r.Lon-before.Lon) > 1e-9 || math.Abs(r.Lat-before.Lat) > 1e-9 {
		t.Errorf("pixel (10, 9) of the cut-out reads as %+v, expected the sky of %+v", r, before)
	}
}

func TestCube_Bands_AreSelectable(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 3, 32, 40))
	if _, n := b.Band(); n != 3 {
		t.Fatalf("%d bands", n)
	}
	b.SetBand(7)
	b.until("plane 2", b.settled)
	if k, _ := b.Band(); k != 2 || !strings.Contains(b.Tiles()[0].Title, "plane 2") {
		t.Errorf("band %d, title %q", k, b.Tiles()[0].Title)
	}
	if c := b.context(b.File()); c.Plane != 2 {
		t.Errorf("a remedy is offered for plane %d, not for the one in view", c.Plane)
	}
	b.Set(form.Samples, "4")
	b.Run()
	b.until("the run to end", func() bool { return b.Active() == nil && b.settled() })
	if k, n := b.Band(); k != 0 && k != 2 || n != 3 {
		t.Errorf("band %d of %d in the result", k, n)
	}
	b.SetBand(1)
	b.until("band 1", b.settled)
	if title := b.Tiles()[0].Title; !strings.Contains(title, "band 1") {
		t.Errorf("title %q", title)
	}
}

func TestSamples_StepAndPlay_GoRound(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Set(form.Samples, "5")
	b.Run()
	b.until("the run to end", func() bool { return b.Active() == nil && b.settled() })
	b.SetPane(PaneSample)
	b.SetSample(-1)
	if k, n := b.SampleNumber(); k != 4 || n != 5 {
		t.Errorf("sample %d of %d", k, n)
	}
	b.Play()
	seen := map[int]bool{}
	b.until("every sample to be shown", func() bool {
		k, _ := b.SampleNumber()
		seen[k] = true
		return len(seen) == 5
	})
	b.SetPane(PaneMean)
	if b.Playing() {
		t.Error("plays on in another pane")
	}
}

func TestScales_Matched_DataMeanSampleShareLimits(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Set(form.Samples, "4")
	b.Run()
	b.until("the run to end", func() bool { return b.Active() == nil && b.settled() })
	b.SetPane(PaneDataMean)
	b.until("both tiles", b.settled)
	tiles := b.Tiles()
	if b.Style(tiles[0]).Limits != b.Style(tiles[1]).Limits {
		t.Errorf("data %v, mean %v", b.Style(tiles[0]).Limits, b.Style(tiles[1]).Limits)
	}
	b.SetRule(tiles[1], "minmax")
	if b.Style(tiles[0]).Limits != b.Style(tiles[1]).Limits || b.Rule(tiles[0]) != "minmax" {
		t.Error("a rule for the mean did not hold for the data")
	}
	b.SetMatched(false)
	b.until("both tiles", b.settled)
	tiles = b.Tiles()
	if err := b.TypeLimits(tiles[1], "0", "123"); err != nil {
		t.Fatal(err)
	}
	if b.Style(tiles[0]).Limits == b.Style(tiles[1]).Limits {
		t.Error("limits are shared although scales are not matched")
	}
	if err := b.TypeLimits(tiles[1], "5", "4"); err == nil {
		t.Error("limits in the wrong order were taken")
	}
}

func TestSides_OtherFile_IsShownBesides(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.open(writeImage(t, "b.fits", 1, 40, 40))
	var other Source
	for _, o := range b.SideChoices() {
		if strings.HasPrefix(o.Label, "a.fits") {
			other = Source(o.Value)
			break
		}
	}
	b.SetSide(PaneDataMean, 1, other)
	b.SetPane(PaneDataMean)
	b.until("both tiles", b.settled)
	tiles := b.Tiles()
	if len(tiles) != 2 || tiles[1].Picture == nil || tiles[1].Grid().W != 32 || tiles[1].WCS() == nil {
		t.Fatalf("tiles %+v", tiles)
	}
	if l := b.Label(PaneDataMean); !strings.Contains(l, "a.fits") {
		t.Errorf("the tab is called %q", l)
	}
}

func TestExport_WritesWhatWasPlanned(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 32, 32))
	b.Set(form.Samples, "4")
	b.Run()
	e := b.Active()
	b.until("the run to end", func() bool { return b.Active() == nil })
	if b.Unsaved() != 1 {
		t.Errorf("%d results are not exported", b.Unsaved())
	}
	p := b.Plan(e)
	p.Dir = t.TempDir()
	for _, id := range []string{"pdf", "svg", "tiff", "film"} {
		p.Switch(id, true)
	}
	p.Switch("samples", false)
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	b.Export(e, p)
	b.until("the export", func() bool { return !b.Exporting().Busy })
	if b.Exporting().Problem != nil || len(b.Exporting().Written) != 8 || b.Unsaved() != 0 {
		t.Fatalf("wrote %v, problem %v", b.Exporting().Written, b.Exporting().Problem)
	}
	if len(p.Existing()) != 8 {
		t.Errorf("there are %v", p.Existing())
	}
	doc, err := b.ses.Open(context.Background(), filepath.Join(p.Dir, p.Name))
	if err != nil {
		t.Fatal(err)
	}
	defer doc.Close()
	for _, h := range doc.HDUs {
		if h.Name == "SAMPLES" {
			t.Error("samples were written although they were not asked for")
		}
	}
	p.Dir = filepath.Join(p.Dir, "nowhere")
	if p.Check() == nil {
		t.Error("a folder that does not exist passes")
	}
	b.Export(e, p)
	b.until("the export to fail", func() bool { return !b.Exporting().Busy })
	if f := b.Exporting().Problem; f == nil || f.Advice == "" {
		t.Errorf("problem %v", f)
	}
}

func TestSample_OneClick_OpensAndRuns(t *testing.T) {
	b := newBench(t)
	b.OpenSample(b.Samples()[0], true)
	b.until("the run to start", func() bool { return b.Active() != nil })
	b.until("the first snapshot", func() bool { return b.Active().Result != nil })
	b.Cancel()
	b.until("the run to end", func() bool { return b.Active() == nil })
	if dir := filepath.Dir(b.File().Path); b.Plan(b.Entry()).Dir == dir {
		t.Errorf("proposes to export a sample's result into the cache %s", dir)
	}
}

func TestClose_DuringRun_LeavesNoGoroutine(t *testing.T) {
	b := newBench(t)
	b.open(writeImage(t, "a.fits", 1, 64, 64))
	b.Set(form.Samples, "5000")
	b.Run()
	b.until("a snapshot", func() bool { return b.Active() != nil && b.Active().Result != nil })
	done := make(chan struct{})
	go func() { b.Close(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("Close does not return")
	}
	b.seen = 0
	for len(b.posted) > 0 {
		(<-b.posted)()
	}
	if b.seen != 0 {
		t.Error("something changed after Close")
	}
}

func TestNumbers_InSummaries_AreForPeople(t *testing.T) {
	for want, got := range map[string]string{
		"5795740":                  plainNumber(5795740.4),
		"999929":                   plainNumber(999929.2),
		"-0.25":                    plainNumber(-0.25),
		"0":                        plainNumber(0),
		"1.23457×10⁸":              plainNumber(1.234567e8),
		"2×10⁻¹⁷":                  plainNumber(2e-17),
		"–":                        plainNumber(math.NaN()),
		"+Inf":                     plainNumber(math.Inf(1)),
		"5738730 ± 14272":          withError(5738730, 14272),
		"(1.2346 ± 0.0012)×10⁸":    withError(1.23456e8, 1.2e5),
		"0.0213 ± 0.0017":          withError(0.0213, 0.0017),
		"5795740 (without errors)": withError(5795740, 0) + " (without errors)",
	} {
		if got != want {
			t.Errorf("%q, expected %q", got, want)
		}
	}
}

// Of several exposures every free sky is a row; of bands that of the band shown.
func TestSummary_FreeSkies_AreOfExposuresOrOfTheBand(t *testing.T) {
	sky := []deconv.SkyFit{{Level: 1, Std: 0.1}, {Level: 2, Std: 0.1}}
	rows := func(bands ...string) (out []Row) {
		r := &session.Result{Fits: make([]deconv.Fit, len(bands)), Bands: bands, FreeSky: sky, Skies: []string{"a.fits", "b.fits"}, Finer: math.NaN()}
		r.Stars = []deconv.StarFit{{X: 3, Y: 4, Flux: []float64{7, 8}, FluxStd: []float64{1, 1}}}
		r.Recipe.Input.Scale = 3 - len(bands)
		_, _, all := (&Entry{Result: r}).Summary(1)
		for _, x := range all {
			if strings.HasPrefix(x.Label, "Free sky") || strings.HasPrefix(x.Label, "Star") {
				out = append(out, x)
			}
		}
		return out
	}
	if got := rows("r"); len(got) != 3 || got[0].Label != "Free sky of a.fits" || got[1].Label != "Free sky of b.fits" || !strings.HasSuffix(got[2].Value, "finer pixels") {
		t.Errorf("two exposures on finer pixels: %v", got)
	}
	if got := rows("r", "g"); len(got) != 2 || got[0].Label != "Free sky" || !strings.HasPrefix(got[0].Value, "2") || strings.Contains(got[1].Value, "finer") {
		t.Errorf("the second of two bands: %v", got)
	}
}
