package session_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"limpid/app/recipe"
	"limpid/app/session"
	"limpid/fitsio"
	"limpid/solvers/deconv"
)

// Stars and sky of a recipe come out of the run, its file and its state.
func TestRun_StarsAndFreeSky(t *testing.T) {
	notUnderRace(t)
	s, r := newSession(t)
	r.Draw.Samples = 12
	r.Sky.Free = true
	r.Stars = recipe.Stars{At: [][2]float64{{83, 93}}, Error: 0.6}
	res := mustRun(t, s, r)
	if len(res.Stars) != 1 || len(res.FreeSky) != len(res.Bands) {
		t.Fatalf("%d stars, %d skies", len(res.Stars), len(res.FreeSky))
	}
	star := res.Stars[0]
	if math.Hypot(star.X+1+50-83, star.Y+1+60-93) > 3 || !(star.FluxStd[0] > 0) || !(star.XStd > 0) || !(res.FreeSky[0].Std > 0) || !(math.Abs(star.Rho[0]) <= 1) {
		t.Errorf("star %+v, sky %+v", star, res.FreeSky[0])
	}
	path := filepath.Join(t.TempDir(), "out.fits")
	if _, err := s.Export(context.Background(), res, session.ExportOptions{FITS: path}); err != nil {
		t.Fatal(err)
	}
	f, err := fitsio.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, name := range []string{"POINTS", "PRIORSHARE"} {
		if f.Find(name, 1) == nil {
			t.Errorf("the file has no %s", name)
		}
	}

	st := stopAt(t, s, r, 4)
	run, err := s.Resume(context.Background(), st, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		t.Fatal(err)
	}
	again := run.Result().Stars[0]
	if again.FluxStd[0] != star.FluxStd[0] || again.XStd != star.XStd || again.Rho[0] != star.Rho[0] {
		t.Errorf("resumed: %+v, uninterrupted %+v", again, star)
	}

	r.Method.Resolution = 3
	smooth := mustRun(t, s, r)
	// about the star the mean is that of the scene, smoothed, and the star as a Gaussian
	const n, reach = 64, 6
	sigma := 3 / (2 * math.Sqrt(2*math.Ln2))
	x, y := int(math.Round(star.X)), int(math.Round(star.Y))
	var sum, norm float64
	for dy := -reach; dy <= reach; dy++ {
		for dx := -reach; dx <= reach; dx++ {
			w := math.Exp(-float64(dx*dx+dy*dy) / (2 * sigma * sigma))
			sum, norm = sum+w*float64(res.Mean.Plane(0)[(y+dy)*n+x+dx]), norm+w
		}
	}
	off := math.Hypot(star.X-float64(x), star.Y-float64(y))
	peak := star.Flux[0] * math.Exp(-off*off/(2*sigma*sigma)) / (2 * math.Pi * sigma * sigma)
	if got, want := float64(smooth.Mean.Plane(0)[y*n+x]), sum/norm+peak; math.Abs(got-want) > 0.02*math.Abs(want) {
		t.Errorf("at a resolution the mean is %.4g at the star, the scene smoothed %.4g and the star %.4g", got, sum/norm, peak)
	}
}

func TestReadStars(t *testing.T) {
	s, r := newSession(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"plain.csv":  "x,y\n83,93.5\n12,7\n",
		"source.csv": "X_IMAGE,Y_IMAGE\n83,93.5\n12,7\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := s.ReadStars(context.Background(), r.Input, path)
		if err != nil || !slices.Equal(got, [][2]float64{{83, 93.5}, {12, 7}}) {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

func TestRun_StarOutside_IsRefused(t *testing.T) {
	s, r := newSession(t)
	r.Stars.At = [][2]float64{{10, 10}}
	run, err := s.Start(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); session.ExitCode(err) != session.ExitData {
		t.Errorf("%v", err)
	}
	r.Method.Kind = deconv.RichardsonLucy
	if _, err := s.Start(context.Background(), r); session.ExitCode(err) != session.ExitUsage {
		t.Errorf("%v", err)
	}
}
