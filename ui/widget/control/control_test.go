package control

import (
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"
)

// wide measures text in a font whose letters are all 10 wide.
func wide(s string) float32 { return float32(10 * len([]rune(s))) }

func TestWrap_Text_StaysWithinWidth(t *testing.T) {
	for _, c := range []struct {
		text  string
		width float32
		most  int
		want  []string
	}{
		{"one two three", 75, 0, []string{"one two", "three"}},
		{"one\ntwo", 1000, 0, []string{"one", "two"}},
		{"", 100, 0, []string{""}},
		{"abcdefghij", 40, 0, []string{"abcd", "efgh", "ij"}},
		{"one two three four", 75, 2, []string{"one two", "three…"}},
		{"ααα βββ", 40, 0, []string{"ααα", "βββ"}},
		{"αααααα", 30, 0, []string{"ααα", "ααα"}},
		{"abc", 5, 0, []string{"a", "b", "c"}},
		{"no limit at all", 0, 0, []string{"no limit at all"}},
	} {
		got := Wrap(c.text, c.width, c.most, wide)
		if strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%q at %g: %q, expected %q", c.text, c.width, got, c.want)
		}
	}
}

func FuzzWrap_AnyText_EndsAndKeepsItsLetters(f *testing.F) {
	f.Add("one two", float32(30))
	f.Add("日本語 a\n\nb", float32(7))
	f.Fuzz(func(t *testing.T, s string, width float32) {
		if len(s) > 1000 {
			return
		}
		got := strings.Join(Wrap(s, width, 0, wide), "")
		clean := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if clean(got) != clean(s) {
			t.Errorf("%q at %g became %q", s, width, got)
		}
	})
}

func TestColumn_WrappedText_IsAsHighAsItNeeds(t *testing.T) {
	test.NewTempApp(t)
	text := NewText("a few words that do not fit into a narrow column at all", "", "")
	box := NewColumn(4, 100, text, widget.NewButton("x", nil))
	narrow := box.MinSize().Height
	box.Resize(fyne.NewSize(100, narrow))
	if y := box.Objects[1].Position().Y; y < text.MinSize().Height {
		t.Errorf("the button at %g lies over the text of %g", y, text.MinSize().Height)
	}
	broad := NewColumn(4, 900, NewText(text.Text(), "", ""), widget.NewButton("x", nil)).MinSize().Height
	if broad >= narrow {
		t.Errorf("%g high when narrow, %g when broad", narrow, broad)
	}
}

func TestRow_SharesAndFixedWidths_FillTheRow(t *testing.T) {
	test.NewTempApp(t)
	a, b, c := widget.NewLabel("a"), widget.NewLabel("b"), widget.NewLabel("c")
	box := NewRow(10, []float32{50, -1, -3}, a, b, c)
	box.Resize(fyne.NewSize(470, 30))
	if a.Size().Width != 50 || b.Size().Width != 100 || c.Size().Width != 300 || c.Position().X != 170 {
		t.Errorf("widths %g %g %g, last at %g", a.Size().Width, b.Size().Width, c.Size().Width, c.Position().X)
	}
}

func TestEntry_Committed_OnReturnAndOnLeaving(t *testing.T) {
	test.NewTempApp(t)
	var got []string
	e := NewEntry(func(s string) { got = append(got, s) })
	other := widget.NewEntry()
	w := test.NewTempWindow(t, container.NewVBox(e, other))
	e.Set("1", false)
	w.Canvas().Focus(e)
	test.Type(e, "2")
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	w.Canvas().Focus(other)
	w.Canvas().Focus(e)
	test.Type(e, "3")
	e.Set("99", false)
	if len(e.Text) != 3 {
		t.Errorf("what is being typed was replaced by %q", e.Text)
	}
	w.Canvas().Focus(other)
	if len(got) != 2 || !strings.Contains(got[1], "3") {
		t.Errorf("committed %q", got)
	}
	w.Canvas().Focus(e)
	test.Type(e, "7")
	e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	w.Canvas().Focus(other)
	if len(got) != 2 {
		t.Errorf("Escape did not give back what was there: %q", got)
	}
}

func TestSelect_EqualLabels_AreToldApart(t *testing.T) {
	test.NewTempApp(t)
	var got string
	s := NewSelect("", func(v string) { got = v })
	s.Set([]Option{{"1", "same"}, {"2", "same"}, {"3", "other"}}, "1")
	if got != "" {
		t.Error("Set called back")
	}
	s.SetSelectedIndex(1)
	if got != "2" || s.Value() != "2" {
		t.Errorf("chose %q", got)
	}
}

func TestControls_UnusedKeys_ReachTheWindow(t *testing.T) {
	test.NewTempApp(t)
	pressed := 0
	b := NewButton("b", "", nil, func() { pressed++ })
	c := NewCheck("c", "", nil)
	s := NewSelect("", nil)
	tabs := NewTabs(nil)
	w := test.NewTempWindow(t, container.NewVBox(b, c, s, tabs))
	keys, runes := 0, 0
	w.Canvas().SetOnTypedKey(func(*fyne.KeyEvent) { keys++ })
	w.Canvas().SetOnTypedRune(func(rune) { runes++ })
	for _, o := range []fyne.Focusable{b, c, s, tabs} {
		o.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
		o.TypedRune('b')
	}
	if keys != 4 || runes != 4 {
		t.Errorf("%d of 4 keys and %d of 4 letters reached the window", keys, runes)
	}
	b.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	c.TypedRune(' ')
	if pressed != 1 || !c.Checked {
		t.Errorf("pressed %d, checked %v", pressed, c.Checked)
	}
}

func TestTabs_KeysAndClicks_Choose(t *testing.T) {
	test.NewTempApp(t)
	got := -1
	tabs := NewTabs(func(i int) { got = i })
	tabs.Set([]string{"Data", "Mean", "Std"}, 1)
	tabs.Resize(tabs.MinSize())
	tabs.TypedKey(&fyne.KeyEvent{Name: fyne.KeyRight})
	if got != 2 {
		t.Errorf("Right chose %d", got)
	}
	tabs.Tapped(&fyne.PointEvent{Position: fyne.NewPos(5, 5)})
	if got != 0 {
		t.Errorf("a click on the first chose %d", got)
	}
	tabs.Tapped(&fyne.PointEvent{Position: fyne.NewPos(5000, 5)})
	if got != 0 {
		t.Errorf("a click beside the names chose %d", got)
	}
}

func TestTabs_TooNarrow_ShowTheChosenAndOfferAll(t *testing.T) {
	test.NewTempApp(t)
	got := -1
	tabs := NewTabs(func(i int) { got = i })
	names := []string{"Data", "Mean", "Std", "Sample 1/64", "Residual", "Data | Mean", "Mean | Std"}
	tabs.Set(names, 0)
	full := tabs.MinSize().Width
	tabs.Shrinks = true
	if m := tabs.MinSize().Width; m > full/2 {
		t.Errorf("needs %g of %g", m, full)
	}
	inside := func(width float32) (seen int) {
		end := float32(0)
		spans, more := tabs.spans(width)
		for _, s := range spans {
			if s.w == 0 {
				continue
			}
			seen++
			if s.x < end-0.01 || s.x+s.w > width+0.01 || more >= 0 && s.x+s.w > more+0.01 {
				t.Errorf("width %g: a name at %g of width %g after one that ends at %g", width, s.x, s.w, end)
			}
			end = s.x + s.w
		}
		if (seen < len(names)) != (more >= 0) {
			t.Errorf("width %g: %d of %d names, menu at %g", width, seen, len(names), more)
		}
		return seen
	}
	for width := tabs.MinSize().Width; width < full+50; width += 7 {
		for chosen := range names {
			tabs.Set(names, chosen)
			inside(width)
			if spans, _ := tabs.spans(width); spans[chosen].w == 0 {
				t.Errorf("width %g: the chosen name %d is not shown", width, chosen)
			}
		}
	}
	if n := inside(full - 30); n != len(names) {
		t.Errorf("%d names where standing closer was enough", n)
	}
	tabs.Set(names, 0)
	w := test.NewTempWindow(t, tabs)
	w.SetPadded(false)
	w.Resize(fyne.NewSize(tabs.MinSize().Width+60, 200))
	tabs.Tapped(&fyne.PointEvent{Position: fyne.NewPos(tabs.Size().Width-5, 5)})
	if w.Canvas().Overlays().Top() == nil {
		t.Fatal("no menu")
	}
	tabs.all().Items[6].Action()
	if got != 6 {
		t.Errorf("the last of the menu chose %d", got)
	}
}

func TestSides_Dragged_StaysUsable(t *testing.T) {
	test.NewTempApp(t)
	l, m, r := widget.NewLabel("l"), widget.NewLabel("m"), widget.NewLabel("r")
	s := NewSides(200, 300, l, m, r)
	s.Object().Resize(fyne.NewSize(1000, 400))
	s.grips[0].Dragged(&fyne.DragEvent{Dragged: fyne.NewDelta(-500, 0)})
	if s.Left != LeastSide || l.Size().Width != LeastSide {
		t.Errorf("left is %g", s.Left)
	}
	s.Set(0, 300)
	s.Object().Resize(fyne.NewSize(1001, 400))
	if l.Visible() || m.Size().Width != 1001-300-gripWidth {
		t.Errorf("hidden left side %v, middle %g", l.Visible(), m.Size().Width)
	}
}
