package regions

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"limpid/fitsio"
	"limpid/fitsio/wcs"
)

// maxEdge is how many of a mask's pixels may differ from astropy-regions: centres
// that lie on the edge to within the difference of the two local scales.
const maxEdge = 2

func TestMask_EveryShape_EqualsAstropyRegions(t *testing.T) {
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Text    string
		Header  []string
		Size    int
		Regions []struct{ Shape, Mask string }
	}
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	h, _ := fitsio.ParseHeader([]byte(strings.Join(g.Header, "")))
	w, err := wcs.FromHeader(h, "")
	if err != nil {
		t.Fatal(err)
	}
	regs, findings, err := Parse(strings.NewReader(g.Text))
	if err != nil || len(findings) > 0 || len(regs) != len(g.Regions) {
		t.Fatalf("%d regions, want %d; %v %v", len(regs), len(g.Regions), findings, err)
	}
	for i, r := range regs {
		s, err := r.Pixels(h, w)
		if err != nil {
			t.Fatal(err)
		}
		diff, inside := 0, 0
		for k, in := range s.Mask(g.Size, g.Size) {
			if in {
				inside++
			}
			if in != (g.Regions[i].Mask[k] == '1') {
				diff++
			}
		}
		if diff > maxEdge || inside == 0 {
			t.Errorf("%s (%s): %d of %d pixels differ", r, g.Regions[i].Shape, diff, inside)
		}
	}
	if !regs[1].Exclude || regs[1].Color != "red" || regs[1].Text != "a # in text" || regs[0].Color != "green" {
		t.Errorf("attributes %+v", regs[1])
	}
}

func TestParse_ManySyntaxes_AreRead(t *testing.T) {
	text := "fk5;circle(202.4696,47.1952,0.01) # text='one'\n" +
		"image; circle 100 200 5 ; point(3,4) # point=cross\n" +
		"J2000\nbox(13h29m52.7s,47d11m43s,1',2',0d)\n" +
		"physical\nannulus(10,20,1,2,3)\nline(1,2,3,4) # line=0 1\n# text(5,6) text={hello there}\n" +
		"galactic\nellipse(104.85,68.56,10\",5\",20\",10\",30)\n"
	regs, findings, err := Parse(strings.NewReader(text))
	if err != nil || len(findings) > 0 {
		t.Fatal(findings, err)
	}
	var got []string
	for _, r := range regs {
		got = append(got, r.System+" "+r.Shape)
	}
	want := "fk5 circle,image circle,image point,fk5 box,physical annulus,physical line,physical text,galactic ellipse"
	if strings.Join(got, ",") != want {
		t.Errorf("got %s", strings.Join(got, ","))
	}
	if p := regs[3].Points[0]; math.Abs(p[0]-202.46958333) > 1e-6 || regs[3].Sizes[1] != (Size{2.0 / 60, Degrees}) {
		t.Errorf("sexagesimal box %+v", regs[3])
	}
	if regs[6].Text != "hello there" || len(regs[7].Sizes) != 4 {
		t.Errorf("text %+v, ellipse annulus %+v", regs[6], regs[7])
	}
}

func TestParse_UnknownShape_IsSkippedWithFinding(t *testing.T) {
	regs, findings, err := Parse(strings.NewReader("image\ncircle(1,2,3)\npanda(1,2,3)\ncircle(1,2)\ncircle(nan,1,1)\npolygon(1,2,3)\n"))
	if err != nil || len(regs) != 1 || len(findings) != 4 {
		t.Errorf("%d regions, findings %v, error %v", len(regs), findings, err)
	}
	if _, _, err := Parse(strings.NewReader("<html><body>not found</body></html>")); !errors.Is(err, ErrSyntax) {
		t.Errorf("HTML: %v", err)
	}
	if _, _, err := Parse(strings.NewReader("SIMPLE\x00")); !errors.Is(err, ErrSyntax) {
		t.Errorf("binary: %v", err)
	}
}

func TestParse_RadiansOffTheSphere_AreNoPosition(t *testing.T) {
	regs, findings, err := Parse(strings.NewReader("wcs\ncircle(1.5r,0.5r,3\")\nbox(0,10r,0,0)\ncircle(infr,0,1)\ncircle(1,nanr,1)\ncircle(1,2,1e308r)\n"))
	if err != nil || len(regs) != 1 || len(findings) != 4 {
		t.Fatalf("%d regions, findings %v, error %v", len(regs), findings, err)
	}
	if p := regs[0].Points[0]; math.Abs(p[0]-85.94366927) > 1e-6 || math.Abs(p[1]-28.64788976) > 1e-6 {
		t.Errorf("radians read as %v degrees", p)
	}
}

func TestWrite_ThenParse_GivesTheSameRegions(t *testing.T) {
	text := "fk5\ncircle(202.4696,47.1952,36\") # color=blue text={x y}\n-ellipse(10,20,5i,3i,45)\nimage\npolygon(1,2,3,4,5,6)\nbox(1,2,3,4,5)\n"
	a, _, err := Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := Write(&b, a); err != nil {
		t.Fatal(err)
	}
	again, findings, err := Parse(strings.NewReader(b.String()))
	if err != nil || len(findings) > 0 || len(again) != len(a) {
		t.Fatalf("%s\n%v %v", b.String(), findings, err)
	}
	for i := range a {
		if a[i].String() != again[i].String() || a[i].System != again[i].System || a[i].Text != again[i].Text {
			t.Errorf("%+v became %+v", a[i], again[i])
		}
	}
}

func TestPixels_WithoutWCS_IsAnError(t *testing.T) {
	regs, _, _ := Parse(strings.NewReader("fk5\ncircle(1,2,3\")\nimage\ncircle(1,2,3\")\n"))
	for _, r := range regs {
		if _, err := r.Pixels(nil, nil); err == nil {
			t.Errorf("%s: no error", r)
		}
	}
}

func TestMask_ManyRegions_CombinesThem(t *testing.T) {
	count := func(text string) (n int, m []bool) {
		regs, findings, err := Parse(strings.NewReader(text))
		if err != nil || len(findings) > 0 {
			t.Fatal(err, findings)
		}
		m, err = Mask(regs, nil, nil, 20, 30)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range m {
			if in {
				n++
			}
		}
		return n, m
	}
	if n, m := count("image\nbox(5,5,4,4,0) || # composite part\nbox(20,10,2,2,1.5707963267948966r)\n-circle(5,5,0.5)\npoint(1,1)"); n != 25+9-1 || m[4*30+4] || !m[4*30+5] {
		t.Errorf("%d pixels", n) // boxes take in the pixels on their edges
	}
	if n, _ := count("image;-circle(5,5,1.1)"); n != 600-5 {
		t.Errorf("%d pixels outside", n)
	}
	if n, m := count("image; annulus(10,10,2,6,n=2)"); n == 0 || m[9*30+9] {
		t.Errorf("%d pixels in the annulus", n)
	}
}

func TestPixels_WCSSystem_IsThatOfTheImage(t *testing.T) {
	h := &fitsio.Header{}
	wcs.SetTAN(h, 10, 20, 1, 51, 51)
	h.Set("CTYPE1", "GLON-TAN", "")
	h.Set("CTYPE2", "GLAT-TAN", "")
	w, err := wcs.FromHeader(h, "")
	if err != nil {
		t.Fatal(err)
	}
	regs, _, err := Parse(strings.NewReader("wcs\ncircle(10,20,5\")"))
	if err != nil || len(regs) != 1 {
		t.Fatal(regs, err)
	}
	s, err := regs[0].Pixels(h, w)
	if err != nil || math.Hypot(s.Points[0][0]-25, s.Points[0][1]-25) > 1e-6 || math.Abs(s.Sizes[0]-5) > 1e-6 {
		t.Errorf("%v %v", s, err)
	}
}
