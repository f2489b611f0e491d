package panel

import (
	"fmt"
	"image/color"
	"strings"

	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

type weight int

const (
	regular weight = iota
	bold
)

type align int

const (
	alignLeft align = iota
	alignMiddle
	alignRight
)

// typesetter turns text into outlines.
type typesetter struct {
	fonts [2]*sfnt.Font
	buf   sfnt.Buffer
}

func newTypesetter() (*typesetter, error) {
	t := &typesetter{}
	for w, ttf := range [2][]byte{liberationsansregular.TTF, liberationsansbold.TTF} {
		f, err := sfnt.Parse(ttf)
		if err != nil {
			return nil, fmt.Errorf("panel: font: %w", err)
		}
		t.fonts[w] = f
	}
	return t, nil
}

// Raised characters are set as small normal ones: the font lacks some of them,
// and its own ones are drawn for other weights.
const (
	raisedFrom = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
	raisedTo   = "−0123456789"
	raisedSize = 0.66
	raisedBy   = 0.36
)

func raised(r rune) (rune, bool) {
	for i, c := range []rune(raisedFrom) {
		if c == r {
			return []rune(raisedTo)[i], true
		}
	}
	return r, false
}

// set writes text at the origin: its outlines (y down, baseline at 0) and its
// advance, both in points. Characters the font lacks become question marks.
func (t *typesetter) set(text string, size float64, w weight) (path, float64) {
	f := t.fonts[w]
	em := fixed.Int26_6(f.UnitsPerEm()) << 6
	var out path
	var x float64
	prev, prevScale := sfnt.GlyphIndex(0), 0.0
	for _, r := range text {
		if r == '\n' || r == '\t' {
			r = ' '
		}
		r, up := raised(r)
		scale, lift := size/float64(em), 0.0
		if up {
			scale, lift = scale*raisedSize, size*raisedBy
		}
		g := t.glyph(f, r)
		if prev != 0 && prevScale == scale {
			if k, err := f.Kern(&t.buf, prev, g, em, font.HintingNone); err == nil {
				x += float64(k) * scale
			}
		}
		prev, prevScale = g, scale
		if segs, err := f.LoadGlyph(&t.buf, g, em, nil); err == nil {
			out.glyph(segs, x, -lift, scale)
		}
		if adv, err := f.GlyphAdvance(&t.buf, g, em, font.HintingNone); err == nil {
			x += float64(adv) * scale
		}
	}
	return out, x
}

func (t *typesetter) glyph(f *sfnt.Font, r rune) sfnt.GlyphIndex {
	for _, c := range []rune{r, '?'} {
		if g, err := f.GlyphIndex(&t.buf, c); err == nil && g != 0 {
			return g
		}
	}
	return 0
}

func (t *typesetter) width(text string, size float64, w weight) float64 {
	_, adv := t.set(text, size, w)
	return adv
}

// write draws text with its baseline at y, at most room wide: longer text is set
// smaller, and if that is not enough loses its end to an ellipsis.
func (s *sheet) write(text string, x, y, room, size float64, w weight, a align, c color.RGBA) {
	const smallest = 0.75
	text = strings.TrimSpace(text)
	outline, adv := s.text.set(text, size, w)
	if adv > room {
		size *= max(smallest, room/adv*0.999)
		outline, adv = s.text.set(text, size, w)
	}
	for adv > room && text != "" {
		runes := []rune(strings.TrimSuffix(text, "…"))
		if len(runes) < 2 {
			return
		}
		text = strings.TrimSpace(string(runes[:len(runes)-1])) + "…"
		outline, adv = s.text.set(text, size, w)
	}
	switch a {
	case alignMiddle:
		x -= adv / 2
	case alignRight:
		x -= adv
	}
	s.fill(outline.moved(x, y), c)
}
