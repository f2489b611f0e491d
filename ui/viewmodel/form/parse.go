package form

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"limpid/app/recipe"
)

// float reads a number; a decimal comma is understood.
func float(text string) (float64, error) {
	if strings.Count(text, ",") == 1 && !strings.Contains(text, ".") {
		text = strings.Replace(text, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(strings.Replace(text, "−", "-", 1), 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0, fmt.Errorf("%q is not a number", text)
	}
	return v, nil
}

func (p *parser) positive(id ID, ifEmpty string) float64 {
	text := p.d.Get(id)
	if text == "" && ifEmpty != "" {
		p.errs[id] = ifEmpty
		return 0
	}
	v, err := float(text)
	if err == nil && !(v > 0) {
		err = fmt.Errorf("must be above 0")
	}
	p.fail(id, err)
	return v
}

func (p *parser) notNegative(id ID) float64 {
	v, err := float(p.d.Get(id))
	if err == nil && v < 0 {
		err = fmt.Errorf("must not be negative")
	}
	p.fail(id, err)
	return v
}

func (p *parser) optional(id ID) *float64 {
	text := p.d.Get(id)
	if text == "" {
		return nil
	}
	v, err := float(text)
	if err != nil {
		p.fail(id, err)
		return nil
	}
	return &v
}

func (p *parser) whole(id ID, lo, hi int) int {
	v, err := strconv.Atoi(p.d.Get(id))
	if err != nil || v < lo || v > hi {
		p.errs[id] = fmt.Sprintf("a whole number from %d to %d", lo, hi)
		return 0
	}
	return v
}

func (p *parser) seed() uint64 {
	v, err := strconv.ParseUint(p.d.Get(Seed), 10, 64)
	if err != nil {
		p.errs[Seed] = "a whole number from 0"
	}
	return v
}

func (p *parser) index(id ID) *int {
	text := p.d.Get(id)
	if text == "" {
		return nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < 0 {
		p.errs[id] = "a whole number from 0"
		return nil
	}
	return &v
}

// source reads "", "[2]", "file.fits" or "file.fits[2]".
func (p *parser) source(id ID) (file string, hdu *int) {
	text := p.d.Get(id)
	if text == "" {
		return "", nil
	}
	file, hdu, err := recipe.ParseFile(text)
	p.fail(id, err)
	return file, hdu
}

// Source is the text form of a file and HDU, as in lists and ParseFile.
func Source(file string, hdu int) string {
	if hdu < 0 {
		return file
	}
	return file + "[" + strconv.Itoa(hdu) + "]"
}

func source(file string, hdu *int) string {
	if hdu == nil {
		return file
	}
	return Source(file, *hdu)
}

// CutoutText is [x0, x1, y0, y1] as typed.
func CutoutText(c [4]int) string {
	return fmt.Sprintf("%d:%d,%d:%d", c[0], c[1], c[2], c[3])
}

func exact(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func number(v float64) string {
	if v == 0 {
		return ""
	}
	return exact(v)
}

func count(v int) string {
	if v == 0 {
		return ""
	}
	return strconv.Itoa(v)
}

func integer(v *int) string {
	if v == nil {
		return ""
	}
	return strconv.Itoa(*v)
}

func toggle(on bool) string {
	if on {
		return True
	}
	return ""
}

func orElse(v, other string) string {
	if v == "" {
		return other
	}
	return v
}

// PositionsText is a list of positions as typed.
func PositionsText(at [][2]float64) string {
	var parts []string
	for _, p := range at {
		parts = append(parts, exact(p[0])+","+exact(p[1]))
	}
	return strings.Join(parts, "; ")
}
