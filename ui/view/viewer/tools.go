package viewer

import (
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"limpid/app/figure"
	"limpid/ui/viewmodel"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// tools are the controls below the images. They act on the active tile.
type tools struct {
	m       *viewmodel.Model
	name    *control.Text
	stretch *control.Select
	rule    *control.Select
	lo, hi  *control.Entry
	colours *control.Select
	invert  *control.Check
	match   *control.Check
	hist    *widget.Histogram
	box     fyne.CanvasObject

	counted *viewmodel.Picture
	range1  figure.Limits // of the counts shown
}

func newTools(m *viewmodel.Model) *tools {
	t := &tools{m: m}
	t.stretch = control.NewSelect("how brightness rises between the limits", func(s string) {
		t.look(func(l *viewmodel.Look) { l.Stretch = figure.Stretch(s) })
	})
	t.rule = control.NewSelect("how the limits are found (z: zscale)", func(s string) { t.act(func(x *viewmodel.Tile) { m.SetRule(x, s) }) })
	t.lo, t.hi = control.NewEntry(func(string) { t.typed() }), control.NewEntry(func(string) { t.typed() })
	t.colours = control.NewSelect("colour map", func(s string) {
		if c, err := figure.ColormapByName(s); err == nil {
			t.look(func(l *viewmodel.Look) { l.Map = c })
		}
	})
	t.invert = control.NewCheck("invert", "turn the colour map round", func(on bool) { t.look(func(l *viewmodel.Look) { l.Invert = on }) })
	t.match = control.NewCheck("same scale", "draw data, mean and samples with the same limits", m.SetMatched)
	t.hist = widget.NewHistogram()
	t.hist.OnLimits = func(l figure.Limits, _ bool) { t.act(func(x *viewmodel.Tile) { m.SetLimits(x, l) }) }
	t.name = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	t.name.Lines = 3
	controls := control.NewRow(6, []float32{104, 128, -1, -1, 104, 0, 0}, t.stretch, t.rule, t.lo, t.hi, t.colours, t.invert, t.match)
	scales := control.NewRow(8, []float32{104, -1}, t.name, t.hist)
	t.box = control.Inset(6, 4, 6, 5, container.NewVBox(controls, scales))
	return t
}

// act does something to the active tile.
func (t *tools) act(f func(*viewmodel.Tile)) {
	if tiles := t.m.Tiles(); len(tiles) > 0 {
		f(tiles[t.m.ActiveTile()])
	}
}

func (t *tools) look(f func(*viewmodel.Look)) {
	t.act(func(x *viewmodel.Tile) { t.m.SetLook(x, f) })
}

func (t *tools) typed() {
	t.act(func(x *viewmodel.Tile) {
		err := t.m.TypeLimits(x, t.lo.Text, t.hi.Text)
		t.lo.Set(t.lo.Text, err != nil)
		t.hi.Set(t.hi.Text, err != nil)
	})
}

// rules are the ways to find limits, by the words of a menu.
var rules = []control.Option{
	{Value: viewmodel.RuleAuto, Label: "automatic"},
	{Value: "zscale", Label: "zscale"},
	{Value: "minmax", Label: "min–max"},
	{Value: "99.9%", Label: "99.9 %"},
	{Value: "99.5%", Label: "99.5 %"},
	{Value: "99%", Label: "99 %"},
	{Value: "95%", Label: "95 %"},
	{Value: "sym 99.7%", Label: "± 99.7 %"},
	{Value: viewmodel.RuleManual, Label: "by hand"},
}

func (t *tools) update() {
	tiles := t.m.Tiles()
	if len(tiles) == 0 || tiles[t.m.ActiveTile()].Picture == nil || tiles[t.m.ActiveTile()].Source == viewmodel.Colour {
		t.box.Hide()
		return
	}
	t.box.Show()
	x := tiles[t.m.ActiveTile()]
	look, style := t.m.Look(x), t.m.Style(x)
	var stretches, maps []control.Option
	for _, s := range figure.Stretches() {
		stretches = append(stretches, control.Option{Value: string(s), Label: string(s)})
	}
	for _, c := range figure.Colormaps() {
		maps = append(maps, control.Option{Value: c.Name, Label: c.Name})
	}
	t.stretch.Set(stretches, string(look.Stretch))
	t.colours.Set(maps, look.Map.Name)
	t.rule.Set(rules, t.m.Rule(x))
	t.lo.Set(limitText(style.Limits.Lo, style.Limits), false)
	t.hi.Set(limitText(style.Limits.Hi, style.Limits), false)
	t.invert.ShowChecked(look.Invert)
	t.match.ShowChecked(t.m.Matched())
	t.name.SetText("Values and limits of: " + x.Title)
	counts := t.m.Counts(x)
	if span := (figure.Limits{Lo: counts.Lo, Hi: counts.Hi}); x.Picture != t.counted || span != t.range1 {
		t.counted, t.range1 = x.Picture, span
		t.hist.SetData(counts)
	}
	t.hist.SetLimits(style.Limits)
}

// limitText writes a limit with as many digits as matter between the two.
func limitText(v float64, l figure.Limits) string {
	text := strconv.FormatFloat(v, 'g', 4, 64)
	if back, err := strconv.ParseFloat(text, 64); err == nil && l.Hi-l.Lo > 0 {
		if d := (back - v) / (l.Hi - l.Lo); d > 0.01 || d < -0.01 {
			return strconv.FormatFloat(v, 'g', 8, 64)
		}
	}
	return text
}
