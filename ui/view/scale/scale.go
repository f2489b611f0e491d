// Package scale is the strip of controls below images that say how values become
// colours: stretch, limits, colour map, and a histogram with limits to drag.
package scale

import (
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"limpid/app/figure"
	"limpid/ui/viewmodel/board"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
	"limpid/ui/widget/tr"
)

// State is what the controls show.
type State struct {
	Title   string
	Look    board.Look
	Style   figure.Style
	Rule    string
	Counts  figure.Histogram
	Of      any // the picture that was counted: another one is drawn anew
	Matched bool
}

// Actions are what they do. Match nil leaves its box out.
type Actions struct {
	Look   func(func(*board.Look))
	Rule   func(string)
	Limits func(figure.Limits)
	Type   func(lo, hi string) error
	Match  func(bool)
}

// Tools are the controls.
type Tools struct {
	act     Actions
	name    *control.Text
	stretch *control.Select
	rule    *control.Select
	lo, hi  *control.Entry
	colours *control.Select
	invert  *control.Check
	match   *control.Check
	hist    *widget.Histogram
	box     fyne.CanvasObject

	counted any
	span    figure.Limits // of the counts shown
}

// New makes the controls.
func New(act Actions) *Tools {
	t := &Tools{act: act}
	t.stretch = control.NewSelect("how brightness rises between the limits", func(s string) {
		act.Look(func(l *board.Look) { l.Stretch = figure.Stretch(s) })
	})
	t.rule = control.NewSelect("how the limits are found (z: zscale)", act.Rule)
	t.lo, t.hi = control.NewEntry(func(string) { t.typed() }), control.NewEntry(func(string) { t.typed() })
	t.colours = control.NewSelect("colour map", func(s string) {
		if c, err := figure.ColormapByName(s); err == nil {
			act.Look(func(l *board.Look) { l.Map = c })
		}
	})
	t.invert = control.NewCheck("invert", "turn the colour map round", func(on bool) { act.Look(func(l *board.Look) { l.Invert = on }) })
	t.match = control.NewCheck("same scale", "draw data, mean and samples with the same limits", func(on bool) {
		if act.Match != nil {
			act.Match(on)
		}
	})
	t.match.Hidden = act.Match == nil
	t.hist = widget.NewHistogram()
	t.hist.OnLimits = func(l figure.Limits, _ bool) { act.Limits(l) }
	t.name = control.NewText("", theme.SizeNameCaptionText, theme.ColorNamePlaceHolder)
	t.name.Lines = 3
	controls := control.NewRow(6, []float32{96, 118, -1, -1, 96, 0, 0}, t.stretch, t.rule, t.lo, t.hi, t.colours, t.invert, t.match)
	scales := control.NewRow(8, []float32{104, -1}, t.name, t.hist)
	t.box = control.Inset(6, 4, 6, 5, container.NewVBox(controls, scales))
	return t
}

// Object is what to put into the window.
func (t *Tools) Object() fyne.CanvasObject { return t.box }

func (t *Tools) typed() {
	err := t.act.Type(t.lo.Text, t.hi.Text)
	t.lo.Set(t.lo.Text, err != nil)
	t.hi.Set(t.hi.Text, err != nil)
}

// rules are the ways to find limits, by the words of a menu.
var rules = []control.Option{
	{Value: board.RuleAuto, Label: "automatic"},
	{Value: "zscale", Label: "zscale"},
	{Value: "minmax", Label: "min–max"},
	{Value: "99.9%", Label: "99.9 %"},
	{Value: "99.5%", Label: "99.5 %"},
	{Value: "99%", Label: "99 %"},
	{Value: "95%", Label: "95 %"},
	{Value: "sym 99.7%", Label: "± 99.7 %"},
	{Value: board.RuleManual, Label: "by hand"},
}

// Show brings the controls up to date; nil hides them.
func (t *Tools) Show(s *State) {
	if s == nil {
		t.box.Hide()
		return
	}
	t.box.Show()
	var stretches, maps []control.Option
	for _, x := range figure.Stretches() {
		stretches = append(stretches, control.Option{Value: string(x), Label: string(x)})
	}
	for _, c := range figure.Colormaps() {
		maps = append(maps, control.Option{Value: c.Name, Label: c.Name})
	}
	t.stretch.Set(stretches, string(s.Look.Stretch))
	t.colours.Set(maps, s.Look.Map.Name)
	t.rule.Set(rules, s.Rule)
	t.lo.Set(limitText(s.Style.Limits.Lo, s.Style.Limits), false)
	t.hi.Set(limitText(s.Style.Limits.Hi, s.Style.Limits), false)
	t.invert.ShowChecked(s.Look.Invert)
	t.match.ShowChecked(s.Matched)
	t.name.SetText(tr.T("Values and limits of:") + " " + tr.T(s.Title))
	if span := (figure.Limits{Lo: s.Counts.Lo, Hi: s.Counts.Hi}); s.Of != t.counted || span != t.span {
		t.counted, t.span = s.Of, span
		t.hist.SetData(s.Counts)
	}
	t.hist.SetLimits(s.Style.Limits)
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
