package e2e

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"limpid/app/session"
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
