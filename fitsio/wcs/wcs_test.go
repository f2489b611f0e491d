package wcs

import (
	"errors"
	"math"
	"testing"

	"limpid/fitsio"

	"limpid/fitsio/wcs/internal/angle"
)

func tanHeader() *fitsio.Header {
	h := &fitsio.Header{}
	h.Set("NAXIS", 2, "")
	SetTAN(h, 150, 2.2, 0.168, 100, 80)
	return h
}

func mustWCS(t *testing.T, h *fitsio.Header) *WCS {
	t.Helper()
	w, err := FromHeader(h, "")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestSetTAN_Centre_IsWhereAsked(t *testing.T) {
	w := mustWCS(t, tanHeader())
	lon, lat, ok := w.PixelToSky(49.5, 39.5)
	if !ok || Separation(lon, lat, 150, 2.2) > 1e-12 {
		t.Errorf("centre at %v %v %v", lon, lat, ok)
	}
	if s := w.PixelScale(); math.Abs(s-0.168) > 1e-12 {
		t.Errorf("scale %v", s)
	}
	if sx, sy, ok := w.PixelScaleAt(10, 70); !ok || math.Abs(sx-0.168) > 1e-7 || math.Abs(sy-0.168) > 1e-7 {
		t.Errorf("local scale %v %v %v", sx, sy, ok)
	}
	if w.Frame != ICRS {
		t.Errorf("frame %v", w.Frame)
	}
}

func TestOrientation_TurnedAndMirrored_AreTold(t *testing.T) {
	for _, c := range []struct {
		cd       [4]float64
		pa       float64
		mirrored bool
	}{
		{[4]float64{-1, 0, 0, 1}, 0, false},
		{[4]float64{1, 0, 0, 1}, 0, true},
		{[4]float64{1, 0, 0, -1}, 180, false},
		{[4]float64{0, 1, 1, 0}, 90, false},
		{[4]float64{-math.Cos(0.5), math.Sin(0.5), math.Sin(0.5), math.Cos(0.5)}, 0.5 * 180 / math.Pi, false},
	} {
		h := tanHeader()
		for i, k := range []string{"CD1_1", "CD1_2", "CD2_1", "CD2_2"} {
			h.Set(k, c.cd[i]*1e-4, "")
		}
		pa, mirrored := mustWCS(t, h).Orientation()
		if math.Abs(angle.Wrap180(pa-c.pa)) > 1e-6 || mirrored != c.mirrored {
			t.Errorf("CD %v: pa %v mirrored %v, want %v %v", c.cd, pa, mirrored, c.pa, c.mirrored)
		}
	}
}

func TestShift_CutOut_KeepsEveryPixelOnTheSky(t *testing.T) {
	h := tanHeader()
	h.Set("CRPIX1A", 3.0, "")
	h.Set("LTV1", -2.0, "")
	a := mustWCS(t, h)
	cut := ShiftHeader(h, 17, 5)
	for name, b := range map[string]*WCS{"Shift": a.Shift(17, 5), "ShiftHeader": mustWCS(t, cut)} {
		l1, b1, _ := a.PixelToSky(30, 20)
		l2, b2, _ := b.PixelToSky(13, 15)
		if Separation(l1, b1, l2, b2) > 1e-12 {
			t.Errorf("%s: %v %v, want %v %v", name, l2, b2, l1, b1)
		}
	}
	if v, _ := cut.Float("CRPIX1A"); v != -14 {
		t.Errorf("CRPIX1A %v", v)
	}
	if v, _ := cut.Float("LTV1"); v != -19 {
		t.Errorf("LTV1 %v", v)
	}
	if v, _ := h.Float("CRPIX1"); v != 50.5 {
		t.Errorf("the source header changed: CRPIX1 %v", v)
	}
}

func TestRescaleHeader_FinerGrid_KeepsPixelEdges(t *testing.T) {
	for _, sip := range []bool{false, true} {
		h := tanHeader()
		if sip {
			h.Set("CTYPE1", "RA---TAN-SIP", "")
			h.Set("CTYPE2", "DEC--TAN-SIP", "")
			h.Set("A_ORDER", 2, "")
			h.Set("B_ORDER", 2, "")
			h.Set("A_2_0", 3e-4, "")
			h.Set("B_1_1", -2e-4, "")
		}
		h.Set("LTV1", -2.0, "")
		a, b := mustWCS(t, h), mustWCS(t, RescaleHeader(h, 3))
		// Physical pixel 13 is image pixel 11, whose middle is fine pixel 32.
		if f := RescaleHeader(h, 3); f.FloatOr("LTM1_1", 1)*13+f.FloatOr("LTV1", 0) != 32 {
			t.Errorf("LTM1_1 %v LTV1 %v", f.FloatOr("LTM1_1", 1), f.FloatOr("LTV1", 0))
		}
		// The middle of pixel 10 is the middle of the fine pixels 30, 31, 32.
		l1, b1, _ := a.PixelToSky(10, 7)
		l2, b2, _ := b.PixelToSky(31, 22)
		if Separation(l1, b1, l2, b2) > 1e-12 {
			t.Errorf("SIP %v: %v %v, want %v %v", sip, l2, b2, l1, b1)
		}
	}
}

func TestFromHeader_BadHeaders_AreErrors(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		value any
		want  error
	}{
		"no celestial axes": {"CTYPE1", "LINEAR", ErrNoWCS},
		"axes do not match": {"CTYPE2", "GLAT-TAN", ErrInvalid},
		"codes differ":      {"CTYPE2", "DEC--SIN", ErrInvalid},
		"singular matrix":   {"CD1_1", 0.0, ErrInvalid},
		"latitude":          {"CRVAL2", 91.0, ErrInvalid},
		"unit":              {"CUNIT1", "parsec", ErrUnsupported},
		"SIP order":         {"A_ORDER", 99, ErrInvalid},
	} {
		h := tanHeader()
		h.Set(c.key, c.value, "")
		if _, err := FromHeader(h, ""); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", name, err, c.want)
		}
	}
	h := tanHeader()
	h.Set("CTYPE1", "RA---XYZ", "")
	h.Set("CTYPE2", "DEC--XYZ", "")
	if _, err := FromHeader(h, ""); !errors.Is(err, ErrUnsupported) {
		t.Errorf("unknown projection: %v", err)
	}
	if _, err := FromHeader(h, "AB"); !errors.Is(err, ErrInvalid) {
		t.Errorf("alternate AB: %v", err)
	}
}

func TestFromHeader_Cube_HasSkyAndSpectralAxis(t *testing.T) {
	h := tanHeader()
	h.Set("NAXIS", 3, "")
	h.Set("CTYPE3", "FREQ", "")
	h.Set("CUNIT3", "Hz", "")
	h.Set("CRVAL3", 1.42e9, "")
	h.Set("CRPIX3", 5.0, "")
	h.Set("CD3_3", 1e6, "")
	w := mustWCS(t, h)
	if got := w.Axes[2].Value(6); got != 1.42e9+2e6 {
		t.Errorf("channel 6 at %v Hz", got)
	}
	if got := Alternates(h); len(got) != 1 || got[0] != "" {
		t.Errorf("alternates %q", got)
	}
}

func TestFromHeader_Alternate_IsReadApart(t *testing.T) {
	h := tanHeader()
	for k, v := range map[string]any{
		"CTYPE1B": "GLON-CAR", "CTYPE2B": "GLAT-CAR", "CRVAL1B": 10.0, "CRVAL2B": 0.0,
		"CRPIX1B": 1.0, "CRPIX2B": 1.0, "CDELT1B": -0.1, "CDELT2B": 0.1, "WCSNAMEB": "galactic",
	} {
		h.Set(k, v, "")
	}
	w, err := FromHeader(h, "b")
	if err != nil {
		t.Fatal(err)
	}
	lon, lat, ok := w.PixelToSky(10, 20)
	if !ok || math.Abs(lon-9) > 1e-12 || math.Abs(lat-2) > 1e-12 || w.Frame != Galactic || w.Name != "galactic" {
		t.Errorf("%v %v %v %v %q", lon, lat, ok, w.Frame, w.Name)
	}
}

func TestFromHeader_LookupDistortion_IsNoted(t *testing.T) {
	h := tanHeader()
	if n := mustWCS(t, h).Notes; len(n) != 0 {
		t.Errorf("notes %q", n)
	}
	h.Set("CPDIS1", "LOOKUP", "")
	if n := mustWCS(t, h).Notes; len(n) != 1 {
		t.Errorf("notes %q", n)
	}
}

func TestSkyToPixel_OtherSideOfTheSky_IsNotOK(t *testing.T) {
	w := mustWCS(t, tanHeader())
	for _, p := range [][2]float64{{330, -2.2}, {math.NaN(), 0}, {0, 95}, {math.Inf(1), 0}} {
		if x, y, ok := w.SkyToPixel(p[0], p[1]); ok {
			t.Errorf("%v gives pixel %v %v", p, x, y)
		}
	}
}

func TestHMS_RoundsUp_WithoutSixtySeconds(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{HMS(155.28883333, 2), "10:21:09.32"},
		{HMS(359.9999999, 2), "00:00:00.00"},
		{HMS(-15, 0), "23:00:00"},
		{HMS(14.99999999, 1), "01:00:00.0"},
		{DMS(-3.32477778, 1), "-03:19:29.2"},
		{DMS(-0.0001, 1), "-00:00:00.4"},
		{DMS(59.99999999, 0), "+60:00:00"},
		{HMS(math.NaN(), 1), "–"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestParseAngle_UsualForms_AreRead(t *testing.T) {
	for _, c := range []struct {
		text  string
		hours bool
		want  float64
	}{
		{"10:21:09.32", true, 155.28883333333333},
		{"10h21m09.32s", false, 155.28883333333333},
		{"-3 19 29.2", false, -3.3247777777777778},
		{"-0:00:36", false, -0.01},
		{"150.5", true, 150.5},
		{"+12d30m", false, 12.5},
		{"−12°30′", false, -12.5},
	} {
		got, err := ParseAngle(c.text, c.hours)
		if err != nil || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%q: %v %v, want %v", c.text, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "abc", "1:2:3:4", "10:61:00", "nan", "1:-2:3", ":", "10'", "5m30s", "30\"", "10′"} {
		if v, err := ParseAngle(bad, false); err == nil {
			t.Errorf("%q gives %v", bad, v)
		}
	}
}
