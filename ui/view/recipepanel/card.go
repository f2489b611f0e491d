package recipepanel

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"limpid"
	"limpid/ui/view/part"
	"limpid/ui/viewmodel"
	"limpid/ui/viewmodel/form"
	"limpid/ui/widget/control"
	"limpid/ui/widget/tr"
)

func stepTitle(n int, s form.Step) string { return fmt.Sprintf("%d  %s", n, tr.T(s.Title())) }

// card is one step of the recipe.
type card struct {
	p      *Panel
	step   form.Step
	head   *part.Header
	fields *part.Fields
	extra  fyne.CanvasObject // of the PSF step
	found  *fyne.Container
	notes  []*part.Note
	body   *fyne.Container
	box    *fyne.Container
}

func newCard(p *Panel, n int, s form.Step) *card {
	c := &card{p: p, step: s}
	c.head = part.NewHeader(stepTitle(n, s), func() { p.m.SetOpen(s, !c.head.Open()) })
	c.fields = part.NewFields(fieldActions(p))
	c.body = control.NewColumn(6, 0, c.fields.Object())
	if s == form.StepPSF {
		c.extra = p.psf.box
		c.body.Add(c.extra)
	}
	if s == form.StepPrior {
		c.extra = p.prior.box
		c.body.Add(c.extra)
	}
	c.found = control.NewColumn(5, 0)
	inner := control.NewColumn(7, 0, c.body, c.found)
	c.box = container.NewBorder(nil, part.Line(), nil, nil, control.NewColumn(0, 0, c.head, control.Inset(32, 0, 10, 7, inner)))
	return c
}

func (c *card) update(s viewmodel.StepState) {
	c.head.Set(s.Level, s.Verdict, s.Open)
	if s.Open {
		c.body.Show()
		c.fields.Update(s.Fields)
	} else {
		c.body.Hide()
	}
	shown := 0
	for _, f := range s.Findings {
		if !s.Open && f.Severity == limpid.Info {
			continue
		}
		if shown == len(c.notes) {
			c.notes = append(c.notes, part.NewNote(c.p.m.Apply))
			c.found.Add(c.notes[shown].Object())
		}
		c.notes[shown].Set(f, fileName(c.p.m.File()))
		c.notes[shown].Object().Show()
		shown++
	}
	for _, n := range c.notes[shown:] {
		n.Object().Hide()
	}
	c.found.Hidden = shown == 0
}

func fileName(f *viewmodel.File) string {
	if f == nil {
		return ""
	}
	return f.Name
}

// fieldActions are what the lines of a step do; the cut-out has buttons of its own.
func fieldActions(p *Panel) part.FieldActions {
	return part.FieldActions{
		Set: p.m.Set, Browse: p.act.Browse,
		Below: func(id form.ID) fyne.CanvasObject {
			if id != form.Cutout {
				return nil
			}
			use := control.NewButton("Use what is in view", "zoom and pan first; the part in sight becomes the cut-out (Ctrl+U)", nil, p.act.InView)
			whole := control.NewButton("Whole", "take the whole image", nil, func() { p.m.Set(form.Cutout, "") })
			return container.NewHBox(use, whole)
		},
	}
}
