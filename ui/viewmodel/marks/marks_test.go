package marks

import (
	"math"
	"testing"

	"limpid/fitsio/regions"
)

func TestSet_Edits_LeaveTheOldOneAlone(t *testing.T) {
	var s Set
	a, id := s.Add(regions.Region{Shape: "point", System: "image"})
	b := a.Replace(id, regions.Region{Shape: "circle", System: "image"})
	c := b.Remove(id)
	if s.Len() != 0 || a.Len() != 1 || c.Len() != 0 {
		t.Errorf("%d, %d, %d regions", s.Len(), a.Len(), c.Len())
	}
	if r, _ := a.Get(id); r.Shape != "point" {
		t.Errorf("the old set holds a %s", r.Shape)
	}
	if d, next := c.Add(regions.Region{}); next == id || d.Len() != 1 {
		t.Error("a number was used twice")
	}
}

func TestDrag_EveryShape_FollowsTheHandle(t *testing.T) {
	for _, s := range []regions.Shape{
		{Kind: "circle", Points: [][2]float64{{10, 20}}, Sizes: []float64{5}},
		{Kind: "ellipse", Points: [][2]float64{{10, 20}}, Sizes: []float64{5, 3}, Angle: 30},
		{Kind: "box", Points: [][2]float64{{10, 20}}, Sizes: []float64{8, 6}, Angle: -40},
		{Kind: "annulus", Points: [][2]float64{{10, 20}}, Sizes: []float64{5, 9}},
		{Kind: "polygon", Points: [][2]float64{{0, 0}, {5, 0}, {5, 5}}},
		{Kind: "line", Points: [][2]float64{{0, 0}, {5, 0}}},
	} {
		for i, h := range Handles(s) {
			if got, ok := Hit(s, h[0], h[1], 0.1); !ok || got != i {
				t.Errorf("%s: handle %d is hit as %d, %v", s.Kind, i, got, ok)
			}
			c := s.Points[0]
			to := [2]float64{c[0] + 1.3*(h[0]-c[0]), c[1] + 1.3*(h[1]-c[1])}
			now := Handles(Drag(s, i, to[0], to[1]))[i]
			if math.Hypot(now[0]-to[0], now[1]-to[1]) > 1e-9 {
				t.Errorf("%s: handle %d is at %v, want %v", s.Kind, i, now, to)
			}
		}
		m := Move(s, 2, -1)
		if m.Points[0][0] != s.Points[0][0]+2 || m.Points[0][1] != s.Points[0][1]-1 {
			t.Errorf("%s did not move: %v", s.Kind, m.Points)
		}
	}
}

func TestDraft_EveryKind_CanBeWrittenAndRead(t *testing.T) {
	for _, kind := range []string{"circle", "ellipse", "box", "annulus", "line", "point"} {
		s, ok := Draft(kind, [2]float64{10, 12}, [2]float64{16, 20})
		if !ok {
			t.Errorf("%s: not drawn", kind)
			continue
		}
		r := FromShape(s, regions.Region{Text: "a"})
		back, err := ParseLine(Text(r))
		if err != nil {
			t.Errorf("%s: %v", Text(r), err)
			continue
		}
		sh, err := back.Pixels(nil, nil)
		if err != nil || math.Abs(sh.Points[0][0]-s.Points[0][0]) > 0.01 || len(sh.Sizes) != len(s.Sizes) {
			t.Errorf("%s came back as %+v (%v), was %+v", Text(r), sh, err, s)
		}
	}
	if _, ok := Draft("circle", [2]float64{1, 1}, [2]float64{1.1, 1}); ok {
		t.Error("a click draws a circle")
	}
	for _, bad := range []string{"", "hello", "circle(1)", "circle(1,2,3)\ncircle(1,2,3)"} {
		if _, err := ParseLine(bad); err == nil {
			t.Errorf("%q is a region", bad)
		}
	}
}
