// Package marks is what a user has drawn on an image: DS9 regions that can be
// added, moved, resized and taken away. A Set never changes; each edit gives
// another, so that undoing is keeping the old one. It knows nothing of windows.
package marks

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"limpid/fitsio/regions"
)

// Item is one region with a number that stays its own.
type Item struct {
	ID     int
	Region regions.Region
}

// Set is the regions of a file in the order in which they were made.
type Set struct {
	items []Item
	next  int
}

// Items lists them. The slice is the Set's own: do not change it.
func (s Set) Items() []Item { return s.items }

// Len is how many there are.
func (s Set) Len() int { return len(s.items) }

// Add appends regions and gives the number of the last.
func (s Set) Add(rs ...regions.Region) (Set, int) {
	out := Set{items: slices.Clone(s.items), next: s.next}
	for _, r := range rs {
		out.next++
		out.items = append(out.items, Item{out.next, r})
	}
	return out, out.next
}

// Get finds a region.
func (s Set) Get(id int) (regions.Region, bool) {
	for _, x := range s.items {
		if x.ID == id {
			return x.Region, true
		}
	}
	return regions.Region{}, false
}

// Replace is the Set with another region under a number.
func (s Set) Replace(id int, r regions.Region) Set {
	out := Set{items: slices.Clone(s.items), next: s.next}
	for i := range out.items {
		if out.items[i].ID == id {
			out.items[i].Region = r
		}
	}
	return out
}

// Remove is the Set without one.
func (s Set) Remove(id int) Set {
	return Set{items: slices.DeleteFunc(slices.Clone(s.items), func(x Item) bool { return x.ID == id }), next: s.next}
}

// Regions are the plain regions.
func (s Set) Regions() []regions.Region {
	out := make([]regions.Region, len(s.items))
	for i, x := range s.items {
		out[i] = x.Region
	}
	return out
}

// Text is a region as a line of DS9 with its system in front: "image;
// circle(101,98,12)".
func Text(r regions.Region) string { return r.System + "; " + strings.TrimSuffix(r.String(), " #") }

// ParseLine reads one region as typed, in image coordinates if none are named.
func ParseLine(text string) (regions.Region, error) {
	list, found, err := regions.Parse(strings.NewReader(text))
	switch {
	case len(found) > 0:
		return regions.Region{}, fmt.Errorf("%s", found[0].What)
	case err != nil:
		return regions.Region{}, fmt.Errorf("not a region: type for instance circle(101, 98, 12)")
	case len(list) != 1:
		return regions.Region{}, fmt.Errorf("type one region, for instance circle(101, 98, 12)")
	}
	return list[0], nil
}

// FromShape makes a region in image coordinates (from 1) of a shape in pixels from
// 0; text and colour are taken from like.
func FromShape(s regions.Shape, like regions.Region) regions.Region {
	r := regions.Region{Shape: s.Kind, System: "image", Exclude: s.Exclude, Angle: s.Angle, Text: like.Text, Color: like.Color}
	for _, p := range s.Points {
		r.Points = append(r.Points, [2]float64{round(p[0] + 1), round(p[1] + 1)})
	}
	for _, z := range s.Sizes {
		r.Sizes = append(r.Sizes, regions.Size{Value: round(z), Unit: regions.Pixels})
	}
	return r
}

func round(v float64) float64 { return math.Round(v*100) / 100 }

// Move is a shape shifted.
func Move(s regions.Shape, dx, dy float64) regions.Shape {
	out := s
	out.Points = make([][2]float64, len(s.Points))
	for i, p := range s.Points {
		out.Points[i] = [2]float64{p[0] + dx, p[1] + dy}
	}
	return out
}

// Handles are the places by which a shape is resized, in its pixels.
func Handles(s regions.Shape) [][2]float64 {
	if len(s.Points) == 0 {
		return nil
	}
	c := s.Points[0]
	sin, cos := math.Sincos(s.Angle * math.Pi / 180)
	at := func(x, y float64) [2]float64 { return [2]float64{c[0] + x*cos - y*sin, c[1] + x*sin + y*cos} }
	switch s.Kind {
	case "circle", "annulus":
		var out [][2]float64
		for _, r := range s.Sizes {
			out = append(out, [2]float64{c[0] + r, c[1]})
		}
		return out
	case "ellipse", "box":
		if len(s.Sizes) < 2 {
			return nil
		}
		k := 1.0
		if s.Kind == "box" {
			k = 0.5
		}
		return [][2]float64{at(k*s.Sizes[0], 0), at(0, k*s.Sizes[1])}
	case "polygon", "line":
		return s.Points
	}
	return nil
}

// Drag is a shape with one of its handles moved to (x, y).
func Drag(s regions.Shape, handle int, x, y float64) regions.Shape {
	out := Move(s, 0, 0)
	out.Sizes = slices.Clone(s.Sizes)
	if len(out.Points) == 0 {
		return out
	}
	c := out.Points[0]
	const least = 0.5
	switch s.Kind {
	case "polygon", "line":
		if handle < len(out.Points) {
			out.Points[handle] = [2]float64{x, y}
		}
	case "circle", "annulus":
		if handle < len(out.Sizes) {
			out.Sizes[handle] = math.Max(least, math.Hypot(x-c[0], y-c[1]))
			if s.Kind == "annulus" {
				slices.Sort(out.Sizes)
			}
		}
	case "ellipse", "box":
		sin, cos := math.Sincos(s.Angle * math.Pi / 180)
		u := [2]float64{(x-c[0])*cos + (y-c[1])*sin, -(x-c[0])*sin + (y-c[1])*cos}
		k := 1.0
		if s.Kind == "box" {
			k = 2
		}
		if handle < 2 && handle < len(out.Sizes) {
			out.Sizes[handle] = math.Max(least, k*math.Abs(u[handle]))
		}
	}
	return out
}

// Hit says what of a shape lies within reach of (x, y): a handle from 0, or −1 for
// the shape itself.
func Hit(s regions.Shape, x, y, reach float64) (handle int, ok bool) {
	for i, h := range Handles(s) {
		if math.Hypot(h[0]-x, h[1]-y) <= reach {
			return i, true
		}
	}
	switch s.Kind {
	case "point", "text":
		return -1, len(s.Points) > 0 && math.Hypot(s.Points[0][0]-x, s.Points[0][1]-y) <= reach
	case "line":
		return -1, len(s.Points) > 1 && toLine(s.Points[0], s.Points[1], x, y) <= reach
	}
	in := s
	in.Exclude = false
	return -1, in.Contains(x, y)
}

func toLine(a, b [2]float64, x, y float64) float64 {
	dx, dy := b[0]-a[0], b[1]-a[1]
	t := 0.0
	if n := dx*dx + dy*dy; n > 0 {
		t = min(1, max(0, ((x-a[0])*dx+(y-a[1])*dy)/n))
	}
	return math.Hypot(a[0]+t*dx-x, a[1]+t*dy-y)
}

// Draft is the shape that a drag from a to b draws; ok is false while it is too
// small to be meant.
func Draft(kind string, a, b [2]float64) (s regions.Shape, ok bool) {
	d := [2]float64{b[0] - a[0], b[1] - a[1]}
	r := math.Hypot(d[0], d[1])
	s = regions.Shape{Kind: kind, Points: [][2]float64{a}}
	const least = 0.5
	switch kind {
	case "circle":
		s.Sizes = []float64{r}
	case "annulus":
		s.Sizes = []float64{r / 2, r}
	case "ellipse":
		s.Sizes = []float64{math.Abs(d[0]), math.Abs(d[1])}
	case "box":
		s.Points[0] = [2]float64{(a[0] + b[0]) / 2, (a[1] + b[1]) / 2}
		s.Sizes = []float64{math.Abs(d[0]), math.Abs(d[1])}
	case "line":
		s.Points = append(s.Points, b)
	case "point":
		return s, true
	default:
		return s, false
	}
	if kind == "box" || kind == "ellipse" {
		return s, math.Abs(d[0]) >= least && math.Abs(d[1]) >= least
	}
	return s, r >= least
}
