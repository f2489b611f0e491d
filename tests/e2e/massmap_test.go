package e2e

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"limpid/app/session"
	"limpid/fitsio"
)

// shapes writes a CSV catalogue of galaxies behind a lens at (ra, dec); edit may change
// a row: RA, Dec, e1, e2.
func shapes(t *testing.T, head string, ra, dec float64, edit func(row *[4]float64)) string {
	t.Helper()
	g := rand.New(rand.NewPCG(9, 9))
	var b bytes.Buffer
	b.WriteString(head + "\n")
	for range 8000 {
		x, y := 40*(g.Float64()-0.5), 40*(g.Float64()-0.5)
		r2 := x*x + y*y + 9
		amp := -0.9 / r2 * (x*x + y*y) / r2
		phi := 2 * math.Atan2(y, x)
		row := [4]float64{
			math.Mod(ra-x/60/math.Cos(dec*math.Pi/180)+360, 360), dec + y/60,
			amp*math.Cos(phi) + 0.05*g.NormFloat64(), amp*math.Sin(phi) + 0.05*g.NormFloat64(),
		}
		if edit != nil {
			edit(&row)
		}
		fmt.Fprintf(&b, "%.7f,%.7f,%.6f,%.6f\n", row[0], row[1], row[2], row[3])
	}
	return mustWrite(t, filepath.Join(t.TempDir(), "shapes.csv"), b.Bytes())
}

const plainHead = "ra,dec,e1,e2"

func TestMassMap_Catalogue_TwiceTheSameBytes(t *testing.T) {
	cat := shapes(t, plainHead, 0, 2, nil) // across RA = 0
	dir := t.TempDir()
	var files [2][]byte
	for i := range files {
		out := filepath.Join(dir, fmt.Sprintf("m%d.fits", i))
		code, text, errText := limpid(t, "massmap", cat, "--pixel", "1", "--method", "wiener", "--samples", "8", "--fits-only", "-o", out)
		if code != 0 {
			t.Fatalf("exit %d: %s%s", code, text, errText)
		}
		if !strings.Contains(text, "mass sheet") || !strings.Contains(text, "8000 galaxies") {
			t.Errorf("says %q", text)
		}
		var err error
		if files[i], err = os.ReadFile(out); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the same command wrote other bytes")
	}
}

func TestMassMap_WrongSign_IsFoundByTheCheck(t *testing.T) {
	cat := shapes(t, plainHead, 150, 2, func(r *[4]float64) { r[3] = -r[3] })
	code, text, errText := limpid(t, "massmap", cat, "--pixel", "1", "--check")
	if code != 0 || !strings.Contains(text, "use --flip2") {
		t.Errorf("exit %d: %q %q", code, text, errText)
	}
	code, text, _ = limpid(t, "massmap", cat, "--pixel", "1", "--check", "--flip2")
	if code != 0 || !strings.Contains(text, "signs are right") {
		t.Errorf("exit %d: %q", code, text)
	}
}

// Every trouble of the list ends in words with advice and its exit code.
func TestMassMap_Troubles_AreSaidWithAdvice(t *testing.T) {
	good := shapes(t, plainHead, 150, 2, nil)
	hours := shapes(t, plainHead, 150, 2, func(r *[4]float64) { r[0] /= 15 })
	nan := shapes(t, plainHead, 150, 2, func(r *[4]float64) { r[2] = math.NaN() })
	noShear := shapes(t, "ra,dec,mag,size", 150, 2, nil)
	wide := shapes(t, plainHead, 150, 2, func(r *[4]float64) { r[0], r[1] = 150+(r[0]-150)*120, (r[1]-2)*120 })
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"columns missing": {[]string{noShear}, session.ExitInput, "e1 or e2"},
		"RA in hours":     {[]string{hours}, session.ExitUsage, "hours"},
		"all NaN":         {[]string{nan}, session.ExitData, "not a number"},
		"all masked":      {[]string{good, "--min-galaxies", "1000"}, session.ExitData, "masked"},
		"elsewhere":       {[]string{good, "--pixel", "1", "--center", "10,10", "--size", "20,20"}, session.ExitData, "outside the map"},
		"80 degrees":      {[]string{wide}, session.ExitUsage, "flat map"},
		"no such method":  {[]string{good, "--pixel", "1", "--method", "magic"}, session.ExitUsage, "magic"},
		"no such prior":   {[]string{good, "--pixel", "1", "--method", "score", "--prior", "nope"}, session.ExitUsage, "nope"},
		"prior of images": {[]string{good, "--pixel", "1", "--method", "score", "--prior", "galaxies"}, session.ExitUsage, "not for mass maps"},
		"bad centre":      {[]string{good, "--center", "here"}, session.ExitUsage, "--center"},
		"no file":         {[]string{good + ".not"}, session.ExitInput, "no such file"},
	} {
		args := append([]string{"massmap"}, c.args...)
		code, text, errText := limpid(t, append(args, "-o", filepath.Join(t.TempDir(), "m.fits"))...)
		if code != c.code || !strings.Contains(errText, c.says) {
			t.Errorf("%s: exit %d, want %d; %q %q, want %q", name, code, c.code, text, errText, c.says)
		}
		if !strings.Contains(errText, "→") && c.code != session.ExitUsage {
			t.Errorf("%s: no advice: %q", name, errText)
		}
	}
}

// Fields that are unusual and right: across RA = 0, RA in hours once that is said, rows
// that are not numbers among good ones, 20° wide. The lens stays where it is.
func TestMassMap_UnusualFields_GiveTheRightMap(t *testing.T) {
	n := 0
	for name, c := range map[string]struct {
		cat  string
		args []string
		says []string
	}{
		"across RA = 0": {shapes(t, plainHead, 0.05, 2, nil), nil, []string{"RA 0.0", "Dec +2.0"}},
		"RA in hours":   {shapes(t, plainHead, 150, 2, func(r *[4]float64) { r[0] /= 15 }), []string{"--ra-unit", "hours"}, []string{"RA 150.0", "Dec +2.0"}},
		"some NaN": {shapes(t, plainHead, 150, 2, func(r *[4]float64) {
			if n++; n%10 == 0 {
				r[3] = math.NaN()
			}
		}), nil, []string{"7200 galaxies", "800", "RA 150.0"}},
		"20 degrees": {
			shapes(t, plainHead, 150, 2, func(r *[4]float64) { r[0], r[1] = 150+(r[0]-150)*30, 2+(r[1]-2)*30 }),
			[]string{"--pixel", "30"},
			[]string{"flat", "Dec +2."},
		},
	} {
		args := append([]string{"massmap", c.cat, "--method", "ks", "--pixel", "1", "-o", filepath.Join(t.TempDir(), "m.fits")}, c.args...)
		if name == "20 degrees" {
			args = append(args, "--smooth", "30")
		}
		code, text, errText := limpid(t, args...)
		if code != 0 {
			t.Errorf("%s: exit %d, %s", name, code, errText)
			continue
		}
		for _, want := range c.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: does not say %q: %s", name, want, text)
			}
		}
	}
}

// The method that is taken where none is named follows the pixels, and is said.
func TestMassMap_NoMethod_IsChosenAndSaid(t *testing.T) {
	cat := shapes(t, plainHead, 150, 2, nil)
	code, text, errText := limpid(t, "massmap", cat, "--pixel", "2", "--samples", "4", "--fits-only", "-o", filepath.Join(t.TempDir(), "m.fits"))
	if code != 0 || !strings.Contains(text, "method lognormal") || !strings.Contains(text, "it knows pixels of 0.29") {
		t.Errorf("exit %d: %s%s", code, text, errText)
	}
}

// A recipe beside a result makes the same bytes again; a catalogue that has changed since
// is refused.
func TestMassMap_Recipe_RunsAgain(t *testing.T) {
	cat := shapes(t, plainHead, 150, 2, nil)
	nz := mustWrite(t, filepath.Join(t.TempDir(), "nz.txt"), []byte("# z n\n0.4 1\n0.8 3\n1.2 1\n"))
	groups := mustWrite(t, filepath.Join(t.TempDir(), "groups.csv"), []byte("id,ra,dec\n1,150,2\n2,20,2\n"))
	dir := t.TempDir()
	first, second := filepath.Join(dir, "a.fits"), filepath.Join(dir, "b.fits")
	over := filepath.Join(dir, "over.fits")
	if code, text, errText := limpid(t, "massmap", cat, "--pixel", "1", "--method", "ks", "--fits-only", "-o", over); code != 0 {
		t.Fatalf("exit %d: %s%s", code, text, errText)
	}
	code, text, errText := limpid(t, "massmap", cat, "--pixel", "1", "--method", "wiener", "--samples", "8", "--nz", nz, "--spectrum", "fit",
		"--marks", groups, "--contours", over+"[EMODE]", "--aperture", "schneider:5", "--profile", "150,2,1,6", "--inject", "150.1,2.1,1e15,4,0.3", "-o", first)
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, text, errText)
	}
	for _, want := range []string{"halo within 1′", "profile, radius", "a.recipe.json", "mean map at 1 marks"} {
		if !strings.Contains(text, want) {
			t.Errorf("does not say %q: %s", want, text)
		}
	}
	recipe := filepath.Join(dir, "a.recipe.json")
	if code, text, errText = limpid(t, "run", recipe, "-o", second, "--fits-only"); code != 0 {
		t.Fatalf("exit %d: %s%s", code, text, errText)
	}
	a, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(second)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("the recipe wrote other bytes")
	}
	for _, name := range []string{"APMASS", "APCROSS", "APSTD", "PROFILE"} {
		if !bytes.Contains(a, []byte("'"+name)) {
			t.Errorf("no %s in the file", name)
		}
	}
	more, err := os.ReadFile(cat)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, cat, append(more, []byte("150,2,0.1,0.1\n")...))
	if code, _, errText = limpid(t, "run", recipe, "-o", second); code != session.ExitUsage || !strings.Contains(errText, "has changed") {
		t.Errorf("a changed catalogue: exit %d, %q", code, errText)
	}
}

// The shear maps of a result, read as gridded input, give the same map.
func TestMassMap_Maps_SameMapAsTheCatalogue(t *testing.T) {
	cat := shapes(t, plainHead, 150, 2, nil)
	dir := t.TempDir()
	first, second := filepath.Join(dir, "a.fits"), filepath.Join(dir, "b.fits")
	common := []string{"--method", "ks", "--reduced", "0"}
	code, text, errText := limpid(t, append([]string{"massmap", cat, "--pixel", "1", "--noise", "counts", "--sigma-e", "0.05", "-o", first}, common...)...)
	if code != 0 {
		t.Fatalf("exit %d: %s%s", code, text, errText)
	}
	maps := []string{"massmap", "--g1", first + "[SHEAR]", "--counts", first + "[COUNT]", "--sigma-e", "0.05", "--mask-map", first + "[MASK]", "-o", second}
	if code, text, errText = limpid(t, append(maps, common...)...); code != 0 {
		t.Fatalf("exit %d: %s%s", code, text, errText)
	}
	if !strings.Contains(text, "RA 150") {
		t.Errorf("the sky of the maps was lost: %s", text)
	}
	a, b := kappaOf(t, first), kappaOf(t, second)
	if !slices.Equal(a, b) {
		t.Error("the maps give another κ than the catalogue they were made of")
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no noise":     {[]string{"--g1", first + "[SHEAR]"}, "noise is not known"},
		"one plane":    {[]string{"--g1", first + "[KAPPA]", "--std1", first + "[STD]"}, "one plane"},
		"no such HDU":  {[]string{"--g1", first + "[NOPE]"}, "no image"},
		"and a table":  {[]string{cat, "--g1", first + "[SHEAR]"}, "at once"},
		"off the map":  {[]string{cat, "--pixel", "1", "--method", "ks", "--profile", "10,10"}, "not on the map"},
		"bad aperture": {[]string{cat, "--pixel", "1", "--method", "ks", "--aperture", "schneider"}, "--aperture"},
		"no marks":     {[]string{cat, "--pixel", "1", "--method", "ks", "--marks", cat + ".not"}, "no such file"},
		"no contours":  {[]string{cat, "--pixel", "1", "--method", "ks", "--contours", cat}, "FITS"},
		"bad n(z)":     {[]string{cat, "--pixel", "1", "--method", "wiener", "--nz", first}, "two numbers"},
	} {
		code, _, errText := limpid(t, append(append([]string{"massmap"}, c.args...), "-o", second)...)
		if code == 0 || code == session.ExitInternal || !strings.Contains(errText, c.says) {
			t.Errorf("%s: exit %d, %q, want %q", name, code, errText, c.says)
		}
	}
}

func kappaOf(t *testing.T, path string) []float32 {
	t.Helper()
	f, err := fitsio.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pix, err := f.HDUs[0].ReadFloat32(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pix
}
