package learned

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"limpid/app/calibration"
	"limpid/app/session"
	"limpid/engine/cpu"
	"limpid/ui/viewmodel"
)

func newBench(t *testing.T) (*Model, func(what string, cond func() bool)) {
	t.Helper()
	dev := cpu.New(cpu.Options{})
	ses := session.New(dev)
	posts := make(chan func(), 4096)
	m := New(Options{Session: ses, Post: func(f func()) { posts <- f }})
	t.Cleanup(func() {
		m.Close()
		ses.Close()
		dev.Close()
	})
	return m, func(what string, cond func() bool) {
		t.Helper()
		deadline := time.After(90 * time.Second)
		for !cond() {
			select {
			case f := <-posts:
				f()
			case <-deadline:
				t.Fatalf("waited for %s: %s", what, m.Said())
			}
		}
	}
}

func TestNew_PriorsThatShip_HaveCards(t *testing.T) {
	m, _ := newBench(t)
	if len(m.Names()) == 0 {
		t.Fatal("no priors")
	}
	for i, name := range m.Names() {
		m.Choose(i)
		if len(m.Card()) < 2 {
			t.Errorf("%s says %v of itself", name, m.Card())
		}
	}
}

func TestDraw_Cancelled_SaysSo(t *testing.T) {
	m, until := newBench(t)
	m.Draw()
	if !m.Drawing() {
		t.Fatal("nothing is drawn")
	}
	m.StopDrawing()
	until("the end", func() bool { return !m.Drawing() })
	if im, _ := m.Picture(); im != nil || m.Said() != "cancelled" {
		t.Errorf("picture %v, %q", im != nil, m.Said())
	}
}

func TestTrain_WithoutAName_IsRefused(t *testing.T) {
	m, _ := newBench(t)
	for _, name := range []string{"", "a/b"} {
		m.Train(name, Presets()[0], 10)
		if _, _, text, _, _, _ := m.Progress(); m.Training() || text == "" {
			t.Errorf("%q: training %v, said %q", name, m.Training(), text)
		}
	}
}

func TestIsReport_OfACalibration_NotOfARecipe(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("c.json", `{"pairs": 10, "draws": 9, "coverage_90": 0.8, "coverage_by_brightness": [{"from":0,"to":0.1,"pixels":5,"coverage_90":0.9},{"from":0.1,"to":0.3,"pixels":0,"coverage_90":0}], "tests": [{"name":"flux","p":0.2,"counts":[1,2,3,4]},{"name":"TARP, about the mean","p":0.2,"counts":[1,2,3,4]}]}`)
	r, ok := IsReport(good)
	if !ok {
		t.Fatal("not taken for a report")
	}
	// 10 pairs over four classes: 2.5 in each, binomial with a variance of 10 ¼ ¾
	if x, counts, expect, spread := r.Ranks(0); !slices.Equal(x, []float64{0.125, 0.375, 0.625, 0.875}) || counts[3] != 4 || expect != 2.5 || math.Abs(spread*spread/4-1.875) > 1e-12 {
		t.Errorf("ranks %v %v, expect %g ± %g", x, counts, expect, spread)
	}
	if a, b := r.RankLabel(0), r.RankLabel(1); a == b || !strings.Contains(b, "reference") {
		t.Errorf("the ranks of flux are called %q, of TARP %q", a, b)
	}
	if v := r.Numbers()[1].Value; !strings.HasSuffix(v, "80.0 % expected") { // from the least to the greatest of 9
		t.Errorf("9 draws: %q", v)
	}
	if n := len(r.Numbers()); n != 6 {
		t.Errorf("%d numbers of a report without the coverage to a tenth of the noise", n)
	}
	if r.Fine = 0.9; !slices.ContainsFunc(r.Numbers(), func(x viewmodel.Row) bool { return x.Value == "90.0 %" }) {
		t.Errorf("numbers %+v", r.Numbers())
	}
	r.Shapes, r.Resolution, r.Correlated, r.Masked = &calibration.Shapes{Square: 0.03, Scatter: 0.028, Held: 0.88}, 3, 0.7, 0.1
	r.Stars = &calibration.Stars{Host: calibration.StarsHeld{Flux: 0.7, Place: 0.8}, Field: calibration.StarsHeld{Flux: 0.85, Place: 0.9}, Sky: 0.91}
	rows := r.Numbers()
	at := slices.IndexFunc(rows, func(x viewmodel.Row) bool { return x.Label == "of total fluxes" }) + 1
	for i, want := range map[int]string{ // stars after the fluxes, the rest at the end
		at: "70.0 % on the brightest source, 85.0 % elsewhere", at + 1: "80.0 % on the brightest source, 90.0 % elsewhere", at + 2: "91.0 %",
		len(rows) - 4: "0.0300, samples say 0.0280; 90 % intervals hold 88.0 %", len(rows) - 3: "FWHM 3 px", len(rows) - 2: "correlated, as if smoothed with σ 0.7 px", len(rows) - 1: "10 %",
	} {
		if got := rows[i]; got.Value != want || got.Label == "" {
			t.Errorf("%+v, want %q", got, want)
		}
	}
	if x, y := r.Brightness(); len(x) != 1 || y[0] != 0.9 {
		t.Errorf("brightness %v %v", x, y)
	}
	for name, text := range map[string]string{"r.json": `{"version":1,"task":"deconvolve"}`, "x.json": `{`, "x.txt": `{}`} {
		if _, ok := IsReport(write(name, text)); ok {
			t.Errorf("%s was taken for a report", name)
		}
	}
}
