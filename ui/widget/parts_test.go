package widget

import (
	"image/color"
	"math"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/theme"

	"limpid/app/figure"
	"limpid/ui/widget/tr"
)

// place shows any widget in a window.
func place(t *testing.T, o fyne.CanvasObject, size fyne.Size) fyne.Window {
	t.Helper()
	app := test.NewTempApp(t)
	app.Settings().SetTheme(Theme{Mode: Dark})
	w := test.NewTempWindow(t, o)
	w.SetPadded(false)
	w.Resize(size)
	return w
}

// contrast is the ratio of WCAG 2.2.
func contrast(a, b color.Color) float64 {
	luminance := func(c color.Color) float64 {
		var l float64
		k := rgba(c)
		for i, v := range []uint8{k.R, k.G, k.B} {
			x := float64(v) / 255
			if x <= 0.04045 {
				x /= 12.92
			} else {
				x = math.Pow((x+0.055)/1.055, 2.4)
			}
			l += []float64{0.2126, 0.7152, 0.0722}[i] * x
		}
		return l + 0.05
	}
	x, y := luminance(a), luminance(b)
	return max(x, y) / min(x, y)
}

func TestTheme_TextOnItsSurfaces_HasContrast(t *testing.T) {
	for _, mode := range []Mode{Dark, Light} {
		th := Theme{Mode: mode}
		at := func(n fyne.ThemeColorName) color.Color { return th.Color(n, theme.VariantDark) }
		for _, surface := range []fyne.ThemeColorName{
			theme.ColorNameBackground, theme.ColorNameInputBackground, theme.ColorNameMenuBackground,
			theme.ColorNameOverlayBackground, theme.ColorNameHeaderBackground, ColorNameCanvas,
		} {
			if r := contrast(at(theme.ColorNameForeground), at(surface)); r < 7 {
				t.Errorf("%s: text on %s: %.1f", mode, surface, r)
			}
			for _, ink := range []fyne.ThemeColorName{
				theme.ColorNamePlaceHolder, theme.ColorNamePrimary, theme.ColorNameError,
				theme.ColorNameSuccess, theme.ColorNameWarning, theme.ColorNameHyperlink,
			} {
				if r := contrast(at(ink), at(surface)); r < 4.5 && surface != ColorNameCanvas {
					t.Errorf("%s: %s on %s: %.1f", mode, ink, surface, r)
				}
			}
		}
		for ink, surface := range map[fyne.ThemeColorName]fyne.ThemeColorName{
			theme.ColorNameForegroundOnPrimary: theme.ColorNamePrimary,
			theme.ColorNameForegroundOnError:   theme.ColorNameError,
			theme.ColorNameForegroundOnSuccess: theme.ColorNameSuccess,
			theme.ColorNameForegroundOnWarning: theme.ColorNameWarning,
			theme.ColorNameForeground:          theme.ColorNameButton,
		} {
			if r := contrast(at(ink), at(surface)); r < 4.5 {
				t.Errorf("%s: %s on %s: %.1f", mode, ink, surface, r)
			}
		}
	}
}

func TestTheme_Mode_DecidesTheVariant(t *testing.T) {
	bg := theme.ColorNameBackground
	for _, c := range []struct {
		mode  Mode
		v     fyne.ThemeVariant
		light bool
	}{
		{Dark, theme.VariantLight, false},
		{Light, theme.VariantDark, true},
		{System, theme.VariantLight, true},
		{System, theme.VariantDark, false},
	} {
		if got := rgba(Theme{Mode: c.mode}.Color(bg, c.v)).R > 128; got != c.light {
			t.Errorf("%s on variant %d: light %v", c.mode, c.v, got)
		}
	}
	if a, b := (Theme{}).Size(theme.SizeNameText), (Theme{TextScale: 2}).Size(theme.SizeNameText); b != 2*a {
		t.Errorf("text of %g at scale 2, %g at 1", b, a)
	}
}

func texts(o fyne.Widget) []*canvas.Text {
	var out []*canvas.Text
	for _, x := range test.WidgetRenderer(o).Objects() {
		if t, ok := x.(*canvas.Text); ok && t.Text != "" {
			out = append(out, t)
		}
	}
	return out
}

func TestColorBar_Labels_StandApartAndInside(t *testing.T) {
	b := NewColorBar()
	place(t, b, fyne.NewSize(400, 40))
	for _, s := range figure.Stretches()[:5] {
		for _, width := range []float32{80, 200, 700} {
			b.Resize(fyne.NewSize(width, 30))
			b.Set(figure.Style{Limits: figure.Limits{Lo: -2e-18, Hi: 5e-16}, Stretch: s}, nil, "erg/s/cm²")
			all := texts(b)
			if width > 150 && len(all) < 3 {
				t.Errorf("%s, %g wide: %d texts", s, width, len(all))
			}
			var unit *canvas.Text
			for i, x := range all {
				if x.Position().X < -0.5 || x.Position().X+x.MinSize().Width > width+0.5 && width > 100 {
					t.Errorf("%s, %g wide: %q at %g", s, width, x.Text, x.Position().X)
				}
				if strings.Contains(x.Text, "erg") {
					unit = x
				}
				for _, y := range all[:i] {
					if a, b := x.Position().X, y.Position().X; a < b+y.MinSize().Width && b < a+x.MinSize().Width {
						t.Errorf("%s, %g wide: %q over %q", s, width, x.Text, y.Text)
					}
				}
			}
			if unit == nil || unit.Text != "10⁻¹⁶ erg/s/cm²" {
				t.Errorf("unit %v", unit)
			}
		}
	}
}

func TestColorBar_Colours_RunFromLowToHigh(t *testing.T) {
	b := NewColorBar()
	w := place(t, b, fyne.NewSize(300, 40))
	s := figure.Style{Limits: figure.Limits{Lo: 0, Hi: 1}, Map: figure.Viridis}
	b.Set(s, nil, "")
	img := w.Canvas().Capture()
	if a, c := rgba(img.At(0, 4)), rgba(img.At(299, 4)); a.B < a.R || c.R < 240 {
		t.Errorf("ends %v, %v", a, c)
	}
	s.Invert = true
	b.Set(s, nil, "")
	img = w.Canvas().Capture()
	if a := rgba(img.At(0, 4)); a.R < 240 {
		t.Errorf("inverted: begins with %v", a)
	}
}

func histogramOf(t *testing.T) (*Histogram, fyne.Window, *[]figure.Limits, *int) {
	h := NewHistogram()
	w := place(t, h, fyne.NewSize(200, 50))
	h.SetData(figure.Histogram{Lo: 0, Hi: 100, Counts: []int{1, 10, 100, 1000, 100, 10, 1, 0, 0, 1}})
	h.SetLimits(figure.Limits{Lo: 20, Hi: 60})
	var moves []figure.Limits
	done := 0
	h.OnLimits = func(l figure.Limits, end bool) {
		moves = append(moves, l)
		if end {
			done++
		}
	}
	return h, w, &moves, &done
}

func pressAt(h *Histogram, x, y float32) {
	h.MouseDown(&desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(x, y)}, Button: desktop.MouseButtonPrimary})
}

func TestHistogram_DraggedHandle_MovesItsLimit(t *testing.T) {
	h, _, moves, done := histogramOf(t)
	drag := func(from, by float32) {
		pressAt(h, from, 20)
		h.Dragged(&fyne.DragEvent{Dragged: fyne.NewDelta(by, 0)})
		h.DragEnd()
	}
	for _, c := range []struct {
		from, by float32
		want     figure.Limits
	}{
		{41, 20, figure.Limits{Lo: 30, Hi: 60}},      // low handle
		{120, -20, figure.Limits{Lo: 30, Hi: 50}},    // high handle
		{80, 40, figure.Limits{Lo: 50, Hi: 70}},      // between: both
		{120, 400, figure.Limits{Lo: 80, Hi: 100}},   // stops at the end
		{199, -400, figure.Limits{Lo: 80, Hi: 80.2}}, // stays above the low one
		{10, 50, figure.Limits{Lo: 80, Hi: 80.2}},    // outside: nothing
	} {
		drag(c.from, c.by)
		if l := h.Limits(); !near(l.Lo, c.want.Lo, 1e-4) || !near(l.Hi, c.want.Hi, 1e-4) { // float32 of Fyne
			t.Errorf("dragged from %g by %g: %v, expected %v", c.from, c.by, l, c.want)
		}
	}
	if len(*moves) != 10 || *done != 5 {
		t.Errorf("%d calls, %d of them final", len(*moves), *done)
	}
}

func TestHistogram_Keys_MoveTheChosenHandle(t *testing.T) {
	h, w, moves, _ := histogramOf(t)
	w.Canvas().Focus(h)
	h.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	h.TypedRune(' ')
	h.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft})
	if l := h.Limits(); l != (figure.Limits{Lo: 19, Hi: 61}) || len(*moves) != 4 {
		t.Errorf("%v after %d calls", l, len(*moves))
	}
}

func TestHistogram_Picture_ShowsRareValuesToo(t *testing.T) {
	_, w, _, _ := histogramOf(t)
	img := w.Canvas().Capture()
	if c := rgba(img.At(190, 47)); c == rgba(darkColours[theme.ColorNameInputBackground]) {
		t.Error("one count beside a thousand cannot be seen")
	}
	if in, out := rgba(img.At(70, 45)), rgba(img.At(10, 48)); in == out {
		t.Error("what lies between the limits looks like what does not")
	}
}

func TestStepProgress_SmallSteps_PaintOnlyWhatCanBeSeen(t *testing.T) {
	p := NewStepProgress()
	place(t, p, fyne.NewSize(100, 30))
	p.Resize(fyne.NewSize(100, 30))
	for i := range 100001 {
		p.SetStep(i, 100000, "running")
	}
	if p.paints > 102 || p.paints < 100 {
		t.Errorf("%d paints for a bar 100 units long", p.paints)
	}
	p.SetStep(-5, 0, "stopped")
	if p.length() != 0 {
		t.Errorf("length %d without a total", p.length())
	}
	if d, n, s := p.Step(); d != 0 || n != 0 || s != "stopped" {
		t.Errorf("%d of %d, %q", d, n, s)
	}
}

func TestStepProgress_German_SaysGerman(t *testing.T) {
	tr.Use("de")
	defer tr.Use("en")
	p := NewStepProgress()
	place(t, p, fyne.NewSize(300, 30))
	p.SetStep(3, 8, "3 of 8 samples, 99 s left; 2 queued")
	text := test.WidgetRenderer(p).Objects()[2].(*canvas.Text).Text
	if text != "3 von 8 Ziehungen, noch 99 s; 2 in der Schlange" {
		t.Errorf("the bar says %q", text)
	}
}

func TestFormats_Numbers_AreWrittenForPeople(t *testing.T) {
	nan := math.NaN()
	for got, want := range map[string]string{
		FormatPixel(0, 1186.24):                          "x 1.0  y 1187.2",
		FormatPixel(-1.02, -5):                           "x 0.0  y −4.0",
		FormatValue(nan, "Jy"):                           "no value",
		FormatValue(0.021346, "µJy/px"):                  "0.02135 µJy/px",
		FormatValue(-123456, ""):                         "−123456",
		FormatValue(1.5e-17, "erg/s"):                    "1.500 × 10⁻¹⁷ erg/s",
		FormatValue(0, "Jy"):                             "0 Jy",
		FormatWithError(0.02134, 0.00171, "µJy/px"):      "0.0213 ± 0.0017 µJy/px",
		FormatWithError(-1234.6, 56.7, ""):               "−1235 ± 57",
		FormatWithError(2.5e-16, 1.25e-17, "erg/s"):      "(2.50 ± 0.12) × 10⁻¹⁶ erg/s",
		FormatWithError(3, nan, "Jy"):                    "3.000 Jy",
		FormatWithError(nan, 1, "Jy"):                    "no value",
		FormatRA(10.68470833, 1):                         "00h42m44.3s",
		FormatRA(-0.0000001, 1):                          "00h00m00.0s",
		FormatRA(359.99999999, 1):                        "00h00m00.0s",
		FormatDec(41.26916667, 0):                        "+41°16′09″",
		FormatDec(-0.5, 1):                               "−00°30′00.0″",
		FormatDec(59.99999999, 2):                        "+60°00′00.00″",
		FormatSky(150.1, 2.2, 0.168):                     "10h00m24.000s +02°12′00.00″",
		FormatZoom(2) + FormatZoom(0.25) + FormatZoom(0): "2×1/4×",
		FormatDuration(8.2):                              "8 s",
		FormatDuration(200):                              "3 min",
		FormatDuration(3900 * 2):                         "2 h 10 min",
		FormatDuration(nan):                              "unknown",
	} {
		if got != want {
			t.Errorf("%q, expected %q", got, want)
		}
	}
}
