package wcs

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// tolFrame (degrees) allows for the precession of the ecliptic, where astropy
// uses ERFA's four-angle form, and for the Julian date of an equinox in float64.
const tolFrame = 1e-9

func TestFrameTo_EveryFrame_EqualsAstropy(t *testing.T) {
	b, err := os.ReadFile("testdata/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Frame    string
		Equinox  float64
		ICRS, To [][2]float64
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		f := Frame{r.Frame, r.Equinox}
		worst, back := 0.0, 0.0
		for i, p := range r.ICRS {
			lon, lat, ok := ICRS.To(f, p[0], p[1])
			if !ok {
				t.Fatalf("%v: not known", f)
			}
			worst = math.Max(worst, Separation(lon, lat, r.To[i][0], r.To[i][1]))
			lon, lat, _ = f.To(ICRS, lon, lat)
			back = math.Max(back, Separation(lon, lat, p[0], p[1]))
		}
		t.Logf("%v: %.2g deg from astropy, %.2g deg there and back", f, worst, back)
		if worst > tolFrame {
			t.Errorf("%v: %g deg from astropy", f, worst)
		}
		// Murray's matrix is not quite orthogonal: 2e-8 is its own error.
		if back > 2e-8 {
			t.Errorf("%v: %g deg there and back", f, back)
		}
	}
	if _, _, ok := (Frame{}).To(ICRS, 1, 2); ok {
		t.Error("an unknown frame was converted")
	}
}
