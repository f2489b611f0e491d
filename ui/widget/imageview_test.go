package widget

import (
	"image/color"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"limpid/app/figure"
)

// ramp is an image whose value is 1000·y + x.
func ramp(t testing.TB, w, h int) *figure.Image {
	t.Helper()
	p := figure.Plane{Data: make([]float32, w*h), W: w, H: h}
	for i := range p.Data {
		p.Data[i] = float32(1000*(i/w) + i%w)
	}
	im, err := figure.NewImage(p)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// show puts panes side by side into a window of the given size and paints it.
func show(t testing.TB, size fyne.Size, panes ...*ImageView) fyne.Window {
	t.Helper()
	app := test.NewApp()
	t.Cleanup(app.Quit)
	app.Settings().SetTheme(Theme{Mode: Dark})
	box := container.New(&row{})
	for _, p := range panes {
		box.Add(p)
	}
	w := test.NewWindow(box)
	w.SetPadded(false)
	w.Resize(size)
	t.Cleanup(w.Close)
	paint(w)
	return w
}

// row shares the width among its objects.
type row struct{}

func (row) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(10, 10) }
func (row) Layout(objects []fyne.CanvasObject, s fyne.Size) {
	w := s.Width / float32(len(objects))
	for i, o := range objects {
		o.Move(fyne.NewPos(float32(i)*w, 0))
		o.Resize(fyne.NewSize(w, s.Height))
	}
}

// wheel is what a driver sends; test.Scroll leaves the position out.
func wheel(at fyne.Position, by float32) *fyne.ScrollEvent {
	return &fyne.ScrollEvent{PointEvent: fyne.PointEvent{Position: at}, Scrolled: fyne.NewDelta(0, by)}
}

func paint(w fyne.Window) { w.Canvas().Capture() }

// slack is rounding of Fyne's float32 positions, in image pixels.
const slack = 1e-3

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func TestImageView_FirstPaint_FitsTheImageUpright(t *testing.T) {
	v := NewImageView(nil)
	v.SetImage(ramp(t, 200, 100))
	v.AutoLimits(figure.Range{Kind: figure.MinMax})
	w := show(t, fyne.NewSize(400, 300), v)
	if view := v.View(); !near(view.Zoom, 2, slack) || !near(view.X, 99.5, slack) || !near(view.Y, 49.5, slack) {
		t.Errorf("view %+v", view)
	}
	img := w.Canvas().Capture()
	top, bottom := rgba(img.At(200, 52)), rgba(img.At(200, 247))
	if top.R < 240 || bottom.R > 15 {
		t.Errorf("the last row is at the top: grey %d above, %d below", top.R, bottom.R)
	}
	if around := rgba(img.At(200, 10)); around != rgba(darkColours[ColorNameCanvas]) {
		t.Errorf("around the image: %v", around)
	}
}

func TestImageView_NothingChanged_DrawsNothing(t *testing.T) {
	v := NewImageView(nil)
	v.SetImage(ramp(t, 64, 64))
	w := show(t, fyne.NewSize(200, 200), v)
	n := v.frames
	for range 3 {
		v.SetStyle(v.Style())
		v.SetImage(v.Image())
		v.Viewport().Fit()
		v.Refresh()
		v.Viewport().SetCursor(3, 4)
		v.SetTitle("Data")
		v.SetBusy("sample 1 of 64")
		paint(w)
	}
	if v.frames != n {
		t.Errorf("%d pictures drawn though nothing changed in them", v.frames-n)
	}
	s := v.Style()
	s.Invert = true
	v.SetStyle(s)
	paint(w)
	if v.frames != n+1 {
		t.Errorf("%d pictures drawn after one change", v.frames-n)
	}
}

func TestImageView_Wheel_ZoomsAboutTheCursor(t *testing.T) {
	v := NewImageView(nil)
	v.SetImage(ramp(t, 500, 500))
	var last Hover
	v.OnHover = func(h Hover) { last = h }
	w := show(t, fyne.NewSize(300, 300), v)
	at := fyne.NewPos(70, 210)
	test.MoveMouse(w.Canvas(), at)
	before := last
	for range 5 {
		v.Scrolled(wheel(at, 50))
		if !near(last.X, before.X, 0.01) || !near(last.Y, before.Y, 0.01) {
			t.Fatalf("zoom %g: the pixel under the cursor went from (%g, %g) to (%g, %g)", v.View().Zoom, before.X, before.Y, last.X, last.Y)
		}
	}
	if z := v.View().Zoom; z < 2 {
		t.Errorf("zoom %g after ten notches from 0.6", z)
	}
	want := float32(1000*math.Floor(last.Y+0.5) + math.Floor(last.X+0.5))
	if !last.Inside || last.Value != want {
		t.Errorf("%+v, expected the value %g", last, want)
	}
}

func TestImageView_WheelAcrossOne_StopsThere(t *testing.T) {
	v := NewImageView(nil)
	v.SetImage(ramp(t, 500, 500))
	show(t, fyne.NewSize(300, 300), v)
	for range 8 {
		v.Scrolled(wheel(fyne.NewPos(100, 100), 25))
		if v.View().Zoom == 1 {
			return
		}
	}
	t.Errorf("zoom %g: went past 1", v.View().Zoom)
}

func TestImageView_LeftDrag_MovesTheImageWithTheMouse(t *testing.T) {
	v := NewImageView(nil)
	v.SetImage(ramp(t, 500, 500))
	w := show(t, fyne.NewSize(300, 300), v)
	v.Viewport().SetView(250, 250, 2)
	before := v.hoverAt(fyne.NewPos(100, 100))
	test.Drag(w.Canvas(), fyne.NewPos(100, 100), 40, -30)
	after := v.hoverAt(fyne.NewPos(140, 70))
	if !near(after.X, before.X, slack) || !near(after.Y, before.Y, slack) {
		t.Errorf("(%g, %g) moved to (%g, %g)", before.X, before.Y, after.X, after.Y)
	}
}

func TestImageView_RightDrag_ChangesContrastAndBias(t *testing.T) {
	v := NewImageView(nil)
	v.SetImage(ramp(t, 50, 50))
	var got figure.Style
	v.OnStyle = func(s figure.Style) { got = s }
	taps := 0
	v.OnTapped = func(Hover, bool, fyne.Position) { taps++ }
	show(t, fyne.NewSize(300, 300), v)
	right := func(x, y float32) *desktop.MouseEvent {
		return &desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(x, y)}, Button: desktop.MouseButtonSecondary}
	}
	v.MouseDown(right(100, 100))
	v.MouseMoved(right(130, 70))
	v.MouseUp(right(130, 70))
	if !near(got.Bias, 0.4, 1e-6) || !near(got.Contrast, math.Exp(0.3), 1e-6) { // 30 of 300 units
		t.Errorf("bias %g, contrast %g", got.Bias, got.Contrast)
	}
	if view := v.View(); !near(view.X, 24.5, slack) {
		t.Errorf("a right-drag panned to %g", view.X)
	}
	v.MouseDown(right(100, 100))
	v.MouseUp(right(101, 100))
	if taps != 1 {
		t.Errorf("%d clicks, expected one: the drag is none", taps)
	}
	v.TypedRune('0')
	if got.Bias != 0.5 || got.Contrast != 1 {
		t.Errorf("0 left bias %g, contrast %g", got.Bias, got.Contrast)
	}
}

func TestImageView_Keys_DoWhatTheMouseDoes(t *testing.T) {
	v := NewImageView(nil)
	v.SetImage(ramp(t, 400, 400))
	var last Hover
	v.OnHover = func(h Hover) { last = h }
	other, runes := 0, 0
	v.OnKey = func(*fyne.KeyEvent) { other++ }
	v.OnRune = func(rune) { runes++ }
	show(t, fyne.NewSize(300, 300), v)
	key := func(n fyne.KeyName) { v.TypedKey(&fyne.KeyEvent{Name: n}) }
	key(fyne.KeyHome)
	x, y := last.X, last.Y
	key(fyne.KeyRight)
	key(fyne.KeyUp)
	key(fyne.KeyUp)
	key(fyne.KeyLeft)
	key(fyne.KeyLeft)
	if last.X != x-1 || last.Y != y+2 || last.Value != float32(1000*last.Y+last.X) {
		t.Errorf("from (%g, %g) to %+v", x, y, last)
	}
	v.TypedRune('+')
	if v.View().Zoom != 1 {
		t.Errorf("+ from 0.75: zoom %g", v.View().Zoom)
	}
	v.TypedRune('+')
	v.TypedRune('-')
	v.TypedRune('-')
	if v.View().Zoom != 0.5 {
		t.Errorf("− from 1: zoom %g", v.View().Zoom)
	}
	v.TypedRune('1')
	if v.View().Zoom != 1 {
		t.Errorf("1: zoom %g", v.View().Zoom)
	}
	for range 500 { // the view follows the cursor to the image's edge
		key(fyne.KeyRight)
	}
	if last.X != 399 {
		t.Errorf("500 steps to the right end at %g", last.X)
	}
	if sx, _ := v.View().Screen(v.w, v.h, last.X, last.Y); sx < 0 || sx > 300 {
		t.Errorf("the cursor is out of sight at %g", sx)
	}
	v.TypedRune('f')
	if !v.Viewport().Fitted() {
		t.Error("f does not fit")
	}
	v.TypedRune('z')
	if l := v.Style().Limits; !(l.Hi > l.Lo+1000) {
		t.Errorf("z: limits %v", l)
	}
	key(fyne.KeyF1)
	v.TypedRune('b')
	if other != 1 || runes != 1 {
		t.Error("keys the pane does not use must reach the window")
	}
}

func TestViewport_LinkedPanes_MoveTogether(t *testing.T) {
	port := NewViewport()
	a, b := NewImageView(port), NewImageView(port)
	a.SetImage(ramp(t, 300, 300))
	b.SetViewport(port, Affine{XX: 0, XY: -2, YX: 2, YY: 0, X0: 700, Y0: -50}) // finer, a quarter turn
	b.SetImage(ramp(t, 800, 800))
	w := show(t, fyne.NewSize(600, 300), a, b)
	port.SetView(120, 80, 3)
	paint(w)
	if v := b.View(); v.X != 540 || v.Y != 190 || !near(v.Zoom, 1.5, slack) {
		t.Errorf("the second pane looks at %+v", v)
	}
	// Any offset on the screen means the same place in both.
	for _, d := range []fyne.Position{{X: 10, Y: 20}, {X: 250, Y: 100}} {
		ha, hb := a.hoverAt(d), b.hoverAt(d)
		x, y, _ := b.link.ToPane(ha.X, ha.Y)
		if !near(x, hb.X, 0.01) || !near(y, hb.Y, 0.01) {
			t.Errorf("at %v: (%g, %g) in the first is (%g, %g) in the second, which shows (%g, %g)", d, ha.X, ha.Y, x, y, hb.X, hb.Y)
		}
	}
	test.MoveMouse(w.Canvas(), fyne.NewPos(100, 100))
	c := b.parts.cross[0]
	if c.Hidden || !near(float64(c.Position1.X-4), 100, 0.01) || !near(float64(c.Position1.Y), 100, 0.01) {
		t.Errorf("crosshair of the other pane: hidden %v at %v", c.Hidden, c.Position1)
	}
	a.MouseOut()
	if !c.Hidden {
		t.Error("the crosshair stays after the mouse left")
	}
}

// plate is a small flat sky of so many degrees per pixel.
type plate struct{ x0, y0, step float64 }

func (p plate) PixelToSky(x, y float64) (lon, lat float64, ok bool) {
	return 100 - (x-p.x0)*p.step, (y - p.y0) * p.step, x < 1e6
}

func (p plate) SkyToPixel(lon, lat float64) (x, y float64, ok bool) {
	return p.x0 - (lon-100)/p.step, p.y0 + lat/p.step, true
}

func TestSkyLink_TwoScales_ShowTheSameSky(t *testing.T) {
	coarse, fine := plate{50, 50, 1e-4}, plate{400, 300, 2e-5}
	v, ok := linked(SkyLink{coarse, fine}, figure.View{X: 60, Y: 45, Zoom: 10})
	if !ok || !near(v.X, 450, slack) || !near(v.Y, 275, slack) || !near(v.Zoom, 2, slack) || v.Turn != figure.Upright {
		t.Errorf("%+v, %v", v, ok)
	}
	if _, ok := linked(SkyLink{coarse, fine}, figure.View{X: 2e6, Zoom: 1}); ok {
		t.Error("a view outside the projection")
	}
}

func TestImageView_NoImage_SaysSo(t *testing.T) {
	v := NewImageView(nil)
	v.SetMessage("Drop a FITS file here")
	w := show(t, fyne.NewSize(300, 200), v)
	if v.parts.message.Hidden || v.parts.message.Text == "" {
		t.Error("no message")
	}
	for _, f := range []func(){
		func() { test.Scroll(w.Canvas(), fyne.NewPos(10, 10), 0, 25) },
		func() { test.Drag(w.Canvas(), fyne.NewPos(10, 10), 5, 5) },
		func() { test.MoveMouse(w.Canvas(), fyne.NewPos(30, 30)) },
		func() { v.TypedRune('+'); v.TypedRune('z'); v.TypedKey(&fyne.KeyEvent{Name: fyne.KeyLeft}) },
		func() { v.AutoLimits(figure.Range{}); v.ZoomBy(1); v.ZoomOne() },
	} {
		f()
	}
	v.SetImage(ramp(t, 10, 10))
	paint(w)
	if !v.parts.message.Hidden {
		t.Error("the message stays over the image")
	}
	v.SetImage(nil)
	paint(w)
	if v.parts.message.Hidden {
		t.Error("the message does not come back")
	}
}

func TestImageView_Resized_KeepsOneTightPicture(t *testing.T) {
	v := NewImageView(nil)
	v.SetImage(ramp(t, 64, 64))
	w := show(t, fyne.NewSize(300, 200), v)
	first := &v.pic.Pix[0]
	for _, s := range []fyne.Size{{Width: 200, Height: 150}, {Width: 250, Height: 199}, {Width: 300, Height: 200}} {
		w.Resize(s)
		paint(w)
		if v.pic.Stride != 4*v.w || v.pic.Rect.Min.X != 0 || len(v.pic.Pix) != 4*v.w*v.h || v.w != int(s.Width) {
			t.Errorf("%v: picture %v, stride %d, %d bytes", s, v.pic.Rect, v.pic.Stride, len(v.pic.Pix))
		}
	}
	if &v.pic.Pix[0] != first {
		t.Error("the memory of the larger picture was not used again")
	}
}

func TestPen_RingAndLine_LandOnTheirPlaces(t *testing.T) {
	v := NewImageView(nil)
	v.SetImage(ramp(t, 100, 100))
	v.SetStyle(figure.Style{Limits: figure.Limits{Lo: 1e9, Hi: 2e9}}) // all black
	red := color.RGBA{255, 0, 0, 255}
	v.SetOverlays(Markers{Points: [][2]float64{{50, 75}, {-900, 4}, {math.NaN(), 0}}, Radius: 10, Colour: red},
		drawFunc(func(p *Pen) { p.Line(10, 20, 1e7, 20, 2, red); p.Circle(20, 60, 10, 2, red) }))
	w := show(t, fyne.NewSize(100, 100), v)
	img := w.Canvas().Capture()
	for _, c := range []struct {
		x, y int
		red  bool
	}{{60, 24, true}, {40, 24, true}, {50, 34, true}, {50, 24, false}, {55, 79, true}, {55, 74, false}, {30, 39, true}, {20, 39, false}} {
		if got := rgba(img.At(c.x, c.y)); (got.R > 100) != c.red || got.G > 20 {
			t.Errorf("(%d, %d) is %v, red expected: %v", c.x, c.y, got, c.red)
		}
	}
}

type drawFunc func(*Pen)

func (f drawFunc) Draw(p *Pen) { f(p) }

func BenchmarkImageView_PanFrame4096(b *testing.B) {
	test.NewTempApp(b)
	v := NewImageView(nil)
	im := ramp(b, 4096, 4096)
	v.SetImage(im)
	v.AutoLimits(figure.Range{Kind: figure.Percentile, Percent: 99})
	v.SetOverlays(SkyMarks{plate{2048, 2048, 5e-5}})
	v.CreateRenderer()
	v.Resize(fyne.NewSize(1600, 1000))
	v.generate(1600, 1000)
	v.port.SetView(2048, 2048, 0.4)
	b.ReportAllocs()
	k := 0.0
	for b.Loop() {
		k++
		v.port.SetView(2048+math.Mod(k, 200), 2048, 0.4)
		v.generate(1600, 1000)
	}
}

func BenchmarkMarkers100000(b *testing.B) {
	test.NewTempApp(b)
	v := NewImageView(nil)
	v.SetImage(ramp(b, 4096, 4096))
	m := Markers{Colour: color.RGBA{255, 180, 0, 255}}
	for i := range 100000 {
		m.Points = append(m.Points, [2]float64{float64(i*7919%4096) + 0.3, float64(i * 104729 % 4096)})
	}
	v.SetOverlays(m)
	v.CreateRenderer()
	v.Resize(fyne.NewSize(1600, 1000))
	for b.Loop() {
		v.Invalidate()
		v.generate(1600, 1000)
	}
}
