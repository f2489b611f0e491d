package panel

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"limpid/app/figure"
)

// flatSky is a small sky of 0.168″ pixels turned by angle degrees.
type flatSky struct{ angle float64 }

func (s flatSky) PixelToSky(x, y float64) (lon, lat float64, ok bool) {
	const px = 0.168 / 3600
	sin, cos := math.Sincos(s.angle * math.Pi / 180)
	return 150 - (cos*x-sin*y)*px/math.Cos(2*math.Pi/180), 2 + (sin*x+cos*y)*px, true
}

// scene is a galaxy with noise: data, mean, std, two samples, residual.
func scene(n int) Posterior {
	rng := rand.New(rand.NewPCG(7, 7))
	blank := func() figure.Plane { return figure.Plane{Data: make([]float32, n*n), W: n, H: n} }
	data, mean, std, s1, s2, res := blank(), blank(), blank(), blank(), blank(), blank()
	f := float64(n)
	for i := range data.Data {
		x, y := float64(i%n)/f-0.45, float64(i/n)/f-0.55
		u, v := x*0.8+y*0.6, (y*0.8-x*0.6)/0.55
		r := math.Hypot(u, v)
		arms := 1 + 0.6*math.Cos(2*math.Atan2(v, u)-9*math.Log(r+0.02))
		g := 9*math.Exp(-r/0.02) + 1.5*math.Exp(-r/0.1)*arms
		g += 3 * math.Exp(-((x-0.3)*(x-0.3)+(y+0.3)*(y+0.3))/0.0004)
		sd := 0.03 + 0.05*math.Sqrt(g)
		noise := rng.NormFloat64()
		mean.Data[i] = float32(g)
		std.Data[i] = float32(sd)
		s1.Data[i] = float32(g + sd*rng.NormFloat64())
		s2.Data[i] = float32(g + sd*rng.NormFloat64())
		data.Data[i] = float32(g + 0.15*noise)
		res.Data[i] = float32(noise)
		if x*x+(y+0.45)*(y+0.45) < 0.001 {
			data.Data[i], res.Data[i] = float32(math.NaN()), float32(math.NaN())
		}
	}
	return Posterior{
		Data: &data, Mean: &mean, Std: &std, Samples: []figure.Plane{s1, s2}, Residual: &res, InSigma: true,
		Unit: "µJy/px", Sky: flatSky{20}, Title: "Spiral galaxy, Gaussian posterior",
		Caption: "64 samples, seed 1 · χ² per pixel 1.003 · Limpid 0.1.0",
	}
}

// mustFigure lays a scene out at a resolution that tests can afford.
func mustFigure(t testing.TB, p Posterior) Figure {
	t.Helper()
	f, err := p.Figure()
	if err != nil {
		t.Fatal(err)
	}
	f.DPI = 50
	return f
}

// recorder is an ink that keeps what it was given.
type recorder struct {
	paths []path
	pics  []image.Rectangle
	at    [][4]float64
}

func (r *recorder) fill(p path, _ color.RGBA) { r.paths = append(r.paths, p) }
func (r *recorder) picture(x, y, w, h float64, pic *image.RGBA) {
	r.pics = append(r.pics, pic.Rect)
	r.at = append(r.at, [4]float64{x, y, x + w, y + h})
}

func TestFigure_AnyGridWidthAndStretch_StaysOnThePage(t *testing.T) {
	all := mustFigure(t, scene(40)).Tiles
	for n := 1; n <= 12; n++ {
		for _, width := range []float64{240, 510, 900} {
			f := Figure{Width: width, DPI: 50, Sky: flatSky{float64(30 * n)}, Title: "T", Caption: "C"}
			for i := range n {
				tile := all[i%len(all)]
				tile.Style.Stretch = figure.Stretches()[i%6]
				tile.Unit, tile.Label = "10⁻¹⁷ erg s⁻¹ cm⁻²", "flux"
				f.Tiles = append(f.Tiles, tile)
			}
			turn, rows, height, err := f.plan()
			if err != nil {
				t.Fatal(err)
			}
			var r recorder
			if err := f.draw(&r, turn, rows, height); err != nil {
				t.Fatal(err)
			}
			for _, p := range r.paths {
				if len(p) == 0 {
					continue
				}
				if x0, y0, x1, y1 := p.bounds(); x0 < -0.01 || y0 < -0.01 || x1 > width+0.01 || y1 > height+0.01 {
					t.Fatalf("%d tiles in %g pt: something at %.1f, %.1f to %.1f, %.1f on a page of %.1f × %.1f",
						n, width, x0, y0, x1, y1, width, height)
				}
			}
			if len(r.pics) != 2*n {
				t.Errorf("%d pictures for %d tiles with bars", len(r.pics), n)
			}
		}
	}
}

// corner is a black plane with one white pixel in its first row and column.
func corner(t *testing.T) *figure.Image {
	p := figure.Plane{Data: make([]float32, 16), W: 4, H: 4}
	p.Data[0] = 1
	im, err := figure.NewImage(p)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func TestFigure_WithAndWithoutSky_IsTheRightWayUp(t *testing.T) {
	// Which quarter of the tile (right, lower) the first pixel is in.
	for _, c := range []struct {
		sky          figure.Sky
		asStored     bool
		right, lower bool
	}{
		{nil, false, false, true},          // FITS: first row at the bottom
		{flatSky{0}, false, false, true},   // north up already
		{flatSky{180}, false, true, false}, // turned by 180°
		{flatSky{90}, false, true, true},   // north along +x, east along +y: a quarter turn
		{flatSky{180}, true, false, true},  // asked to be left alone
	} {
		f := Figure{Tiles: []Tile{{Image: corner(t), NoBar: true}}, Sky: c.sky, AsStored: c.asStored, Width: 100, DPI: 72}
		f.Tiles[0].Style.Limits = figure.Limits{Lo: 0, Hi: 1}
		img, err := f.Image()
		if err != nil {
			t.Fatal(err)
		}
		tile := image.Rect(6, 6, 94, 94)
		at := func(right, lower bool) color.RGBA {
			x, y := tile.Min.X+5, tile.Min.Y+5
			if right {
				x = tile.Max.X - 5
			}
			if lower {
				y = tile.Max.Y - 5
			}
			return img.RGBAAt(x, y)
		}
		for _, q := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
			want := uint8(0)
			if q == [2]bool{c.right, c.lower} {
				want = 255
			}
			if got := at(q[0], q[1]).R; c.sky == nil && got != want || want == 255 && got < 200 {
				t.Errorf("%v: quarter right=%v lower=%v has grey %d, expected %d", c.sky, q[0], q[1], got, want)
			}
		}
	}
}

func TestWrite_Twice_GivesTheSameBytes(t *testing.T) {
	for name, write := range formats {
		var a, b bytes.Buffer
		if err := write(mustFigure(t, scene(48)), &a); err != nil {
			t.Fatal(err)
		}
		if err := write(mustFigure(t, scene(48)), &b); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: two writes differ", name)
		}
	}
}

var formats = map[string]func(Figure, io.Writer) error{
	"PNG": Figure.WritePNG, "PDF": Figure.WritePDF, "SVG": Figure.WriteSVG,
}

func TestWritePNG_Resolution_IsInTheFile(t *testing.T) {
	f := mustFigure(t, scene(48))
	f.DPI, f.Width = 100, 360
	var buf bytes.Buffer
	if err := f.WritePNG(&buf); err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(buf.Bytes(), []byte("pHYs"))
	if i < 0 || binary.BigEndian.Uint32(buf.Bytes()[i+4:]) != 3937 || buf.Bytes()[i+12] != 1 {
		t.Error("no resolution of 100 dpi in the file")
	}
	cfg, err := png.DecodeConfig(&buf) // checks the checksums up to the pixels
	if err != nil || cfg.Width != 500 {
		t.Errorf("width %d, %v; expected 360 pt at 100 dpi = 500", cfg.Width, err)
	}
}

func TestWriteSVG_Document_IsWellFormed(t *testing.T) {
	f := mustFigure(t, scene(48))
	f.Title = "a < b & c"
	var buf bytes.Buffer
	if err := f.WriteSVG(&buf); err != nil {
		t.Fatal(err)
	}
	pics := 0
	for d := xml.NewDecoder(&buf); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "image" {
			pics++
		}
	}
	if pics != 12 {
		t.Errorf("%d pictures, expected 6 planes and 6 bars", pics)
	}
}

func TestWritePDF_CrossReferences_PointAtTheirObjects(t *testing.T) {
	var buf bytes.Buffer
	if err := mustFigure(t, scene(48)).WritePDF(&buf); err != nil {
		t.Fatal(err)
	}
	s := buf.String()
	var xref int
	if _, err := fmt.Sscanf(s[strings.LastIndex(s, "startxref"):], "startxref\n%d", &xref); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(s[xref:], "\n")
	var count int
	if _, err := fmt.Sscanf(lines[1], "0 %d", &count); err != nil || count != 18 { // 5 + 12 pictures + free
		t.Fatalf("%q: %v", lines[1], err)
	}
	for k := 1; k < count; k++ {
		var at int
		if _, err := fmt.Sscanf(lines[2+k], "%d", &at); err != nil || len(lines[2+k]) != 19 {
			t.Fatalf("entry %d is %q", k, lines[2+k])
		}
		if !strings.HasPrefix(s[at:], fmt.Sprintf("%d 0 obj", k)) {
			t.Errorf("object %d is not at %d", k, at)
		}
	}
}

func TestFigure_BadInput_IsAClearError(t *testing.T) {
	im := corner(t)
	huge, err := figure.NewImage(figure.Plane{Data: make([]float32, 1<<16), W: 1, H: 1 << 16})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]Tile, 20)
	for i := range many {
		many[i].Image = im
	}
	for want, f := range map[string]Figure{
		"without tiles":  {},
		"has no image":   {Tiles: []Tile{{Title: "x"}}},
		"the width may":  {Tiles: []Tile{{Image: im}}, Width: 1e9},
		"dpi":            {Tiles: []Tile{{Image: im}}, DPI: 1},
		"columns leave":  {Tiles: many, Columns: 20},
		"million pixels": {Tiles: []Tile{{Image: huge}}},
	} {
		for name, write := range formats {
			if err := write(f, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, expected %q", name, err, want)
			}
		}
	}
	if _, err := (Posterior{}).Figure(); err == nil {
		t.Error("a posterior without planes was laid out")
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWrite_FailingWriter_IsReported(t *testing.T) {
	for name, write := range formats {
		if err := write(mustFigure(t, scene(24)), fullDisk{}); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTypesetter_UnusualText_KeepsItsMeasure(t *testing.T) {
	ts, err := newTypesetter()
	if err != nil {
		t.Fatal(err)
	}
	plain, high := ts.width("10-17", 7, regular), ts.width("10⁻¹⁷", 7, regular)
	if high >= plain+1 || high < plain/2 {
		t.Errorf("raised digits are %.1f wide, normal ones %.1f", high, plain)
	}
	if a, b := ts.width("銀河", 7, bold), ts.width("??", 7, bold); a != b {
		t.Errorf("unknown letters are %.2f wide, question marks %.2f", a, b)
	}
	if p, w := ts.set("", 7, regular); len(p) != 0 || w != 0 {
		t.Error("empty text has an outline")
	}
}

func TestWriteGIF_Samples_AreItsFrames(t *testing.T) {
	p := scene(24)
	for len(p.Samples) < 3 {
		p.Samples = append(p.Samples, *p.Mean)
	}
	frames, err := p.Film()
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := WriteGIF(&a, frames); err != nil {
		t.Fatal(err)
	}
	if err := WriteGIF(&b, frames); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("the same film has other bytes: %v", err)
	}
	film, err := gif.DecodeAll(&a)
	if err != nil {
		t.Fatal(err)
	}
	if len(film.Image) != len(p.Samples) || film.LoopCount != 0 {
		t.Errorf("%d frames of %d samples, loop %d", len(film.Image), len(p.Samples), film.LoopCount)
	}
	// Within half a step of a palette of greys the frames are the figures.
	for i, im := range film.Image {
		want, err := frames[i].Image()
		if err != nil {
			t.Fatal(err)
		}
		far := 0
		for y := range want.Rect.Dy() {
			for x := range want.Rect.Dx() {
				r0, g0, b0, _ := want.At(x, y).RGBA()
				r1, g1, b1, _ := im.At(x, y).RGBA()
				d := math.Abs(float64(r0)-float64(r1)) + math.Abs(float64(g0)-float64(g1)) + math.Abs(float64(b0)-float64(b1))
				if d > 12*257 {
					far++
				}
			}
		}
		if share := float64(far) / float64(want.Rect.Dx()*want.Rect.Dy()); share > 0.001 {
			t.Errorf("frame %d: %.2f %% of the pixels have another colour", i, 100*share)
		}
	}
	if _, err := (Posterior{Data: p.Data, Mean: p.Mean}).Film(); err == nil {
		t.Error("a film without samples")
	}
}
