package figure

import (
	"fmt"
	"image/color"
	"math"
	"strings"
)

// Colormap gives a colour for every position from 0 to 1, and a colour that is
// none of those for pixels without a value. All maps here change lightness
// steadily and keep their order for the common colour vision deficiencies.
type Colormap struct {
	Name string
	Bad  color.RGBA
	at   func(t float64) [3]float64 // sRGB, 0 to 1
}

// At is the colour at t; t outside 0 to 1 counts as the nearer end.
func (m *Colormap) At(t float64) color.RGBA {
	c := m.at(min(1, max(0, t)))
	byte8 := func(v float64) uint8 { return uint8(min(1, max(0, v))*255 + 0.5) }
	return color.RGBA{byte8(c[0]), byte8(c[1]), byte8(c[2]), 255}
}

// The colour maps. Viridis and Magma follow the tables of van der Walt & Smith
// (matplotlib, released under CC0) and Cividis that of Nuñez, Anderton & Renslow
// 2018, PLoS ONE 13, e0199239 (CC BY 4.0): 26 equidistant points of each table,
// joined by a cubic (within 2/255 of the tables, Cividis within 7/255). Diverging
// is our own, computed in Oklab (Ottosson 2020): blue through near-white to
// rust, of equal lightness on both sides of its middle.
var (
	Gray      = &Colormap{"gray", color.RGBA{0x31, 0x4a, 0x6e, 255}, gray}
	Viridis   = &Colormap{"viridis", color.RGBA{0x6e, 0x6e, 0x76, 255}, viridis.at}
	Magma     = &Colormap{"magma", color.RGBA{0x5a, 0x6b, 0x66, 255}, magma.at}
	Cividis   = &Colormap{"cividis", color.RGBA{0x8a, 0x3f, 0x52, 255}, cividis.at}
	Diverging = &Colormap{"diverging", color.RGBA{0x4d, 0x55, 0x50, 255}, diverging}
)

// Colormaps lists every map in the order menus show them.
func Colormaps() []*Colormap { return []*Colormap{Gray, Viridis, Magma, Cividis, Diverging} }

// ColormapByName finds a map by its name.
func ColormapByName(name string) (*Colormap, error) {
	var names []string
	for _, m := range Colormaps() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return nil, fmt.Errorf("figure: no colour map %q; there are %s", name, strings.Join(names, ", "))
}

func gray(t float64) [3]float64 { return [3]float64{t, t, t} }

// points is a colour map by equidistant sRGB colours.
type points [][3]float64

var (
	viridis = hexPoints(`
		440154 471063 481e70 472b7a 453882 414487 3c4f8b 375a8c 32648e 2e6e8e 2a788e 26828e 228b8d
		1f958b 1f9e88 22a884 2cb17e 3aba76 4dc36c 62ca5f 7ad151 93d741 aedc30 c9e01f e4e419 fde725`)
	magma = hexPoints(`
		000004 050416 0f0b2c 1b1043 2a115c 3b0f70 4c117a 5c177f 6c1d81 7c2382 8c2981 9d2e7f ad347c
		be3977 ce4070 de4968 ea5661 f3665c f9795d fc8c63 fe9f6d feb27a fec589 fed89a fdeaac fcfdbf`)
	cividis = hexPoints(`
		00224e 002a5f 003070 18376f 283e6e 35456c 404d6c 4b546c 545b6d 5d626e 666970 6f7073 787877
		817f78 8b8778 948e77 9e9676 a99e73 b3a770 beaf6b c8b866 d3c15f deca57 ead34d f6dd3f fee838`)
)

func hexPoints(s string) points {
	var ps points
	for _, f := range strings.Fields(s) {
		var r, g, b uint8
		if _, err := fmt.Sscanf(f, "%02x%02x%02x", &r, &g, &b); err != nil {
			panic("figure: colour " + f)
		}
		ps = append(ps, [3]float64{float64(r) / 255, float64(g) / 255, float64(b) / 255})
	}
	return ps
}

// at interpolates with Catmull and Rom's cubic, which passes through the points;
// beyond the ends the neighbours are mirrored.
func (ps points) at(t float64) [3]float64 {
	u := t * float64(len(ps)-1)
	i := min(int(u), len(ps)-2)
	f := u - float64(i)
	var out [3]float64
	for c := range out {
		p1, p2 := ps[i][c], ps[i+1][c]
		p0, p3 := 2*p1-p2, 2*p2-p1
		if i > 0 {
			p0 = ps[i-1][c]
		}
		if i+2 < len(ps) {
			p3 = ps[i+2][c]
		}
		out[c] = p1 + f/2*(p2-p0+f*(2*p0-5*p1+4*p2-p3+f*(3*(p1-p2)+p3-p0)))
	}
	return out
}

// diverging runs along two hues of Oklab. Lightness falls almost linearly away
// from the middle; chroma rises to its largest at 0.6 of the way and falls off
// a little towards the dark ends, which keeps every colour inside sRGB.
func diverging(t float64) [3]float64 {
	const (
		middle, end = 0.95, 0.38 // lightness
		chroma      = 0.14
		blue, rust  = 250.0, 42.0 // hue, degrees
		peak        = 0.6
	)
	s := 2*t - 1
	a := math.Abs(s)
	l := middle - (middle-end)*math.Pow(a, 1.15)
	c := chroma * math.Sin(math.Pi/2*min(a/peak, 1))
	if a > peak {
		c *= 1 - 0.35*math.Pow((a-peak)/(1-peak), 1.5)
	}
	hue := rust
	if s < 0 {
		hue = blue
	}
	sin, cos := math.Sincos(hue * math.Pi / 180)
	return oklab(l, c*cos, c*sin)
}

// oklab converts to sRGB (Ottosson 2020).
func oklab(l, a, b float64) [3]float64 {
	cube := func(v float64) float64 { return v * v * v }
	x := cube(l + 0.3963377774*a + 0.2158037573*b)
	y := cube(l - 0.1055613458*a - 0.0638541728*b)
	z := cube(l - 0.0894841775*a - 1.2914855480*b)
	linear := [3]float64{
		4.0767416621*x - 3.3077115913*y + 0.2309699292*z,
		-1.2684380046*x + 2.6097574011*y - 0.3413193965*z,
		-0.0041960863*x - 0.7034186147*y + 1.7076147010*z,
	}
	for i, v := range linear {
		if v <= 0.0031308 {
			linear[i] = 12.92 * max(0, v)
		} else {
			linear[i] = 1.055*math.Pow(min(1, v), 1/2.4) - 0.055
		}
	}
	return linear
}
