// Package viewer is the middle of the window: tabs, one or two linked image panes,
// and the tools that say how values become colours.
package viewer

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"

	"limpid/app/figure"
	"limpid/fitsio/regions"
	"limpid/ui/view/scale"
	"limpid/ui/viewmodel"
	"limpid/ui/widget"
	"limpid/ui/widget/control"
)

// Keys are the window's handlers of what a pane does not use: a pane that has the
// keyboard keeps it from the window.
type Keys struct {
	Key      func(*fyne.KeyEvent)
	Rune     func(rune)
	Shortcut func(fyne.Shortcut)
}

// Viewer shows the panes of a Model.
type Viewer struct {
	// OnHover is called when the place under the cursor changed: the tile and its
	// pixel, ok false when there is none.
	OnHover func(tile int, x, y float64, ok bool)
	// OnView is called when zoom or position changed.
	OnView func()
	// OnTool is called when another drawing tool was chosen.
	OnTool func()
	// Inspecting marks the pixel that is looked at closely.
	Inspecting bool

	m     *viewmodel.Model
	port  *widget.Viewport
	panes [2]*widget.ImageView
	heads [2]*control.Select
	bars  [2]*widget.ColorBar
	sides [2]*fyne.Container // head, pane, bar
	tabs  *control.Tabs
	band  *control.Select
	steps *stepper
	tools *scale.Tools
	cube  *planes
	rgb   *colours
	how   *control.Select
	mag   *magnifier

	tool    string           // that left drags draw with
	corners [][2]float64     // of the polygon being drawn
	sketch  *regions.Shape   // being drawn
	seam    float64          // of a split, 0 to 1
	names   []viewmodel.Pane // of the tabs shown

	links [2]widget.Link
	grid  gridKey
	north bool
	shown [2]*viewmodel.Tile
	body  *fyne.Container
	frame *fyne.Container
}

// gridKey tells when another image is looked at.
type gridKey struct {
	file *viewmodel.File
	grid viewmodel.Grid
	hdu  int
}

// New makes a viewer.
func New(m *viewmodel.Model, keys Keys) *Viewer {
	v := &Viewer{m: m, port: widget.NewViewport(), seam: 0.5}
	v.port.OnChange = func() {
		if v.OnView != nil {
			v.OnView()
		}
	}
	for i := range v.panes {
		v.panes[i] = v.newPane(i, keys)
		v.heads[i] = control.NewSelect("what this half shows", func(s string) {
			m.SetSide(m.Pane(), i, viewmodel.Source(s))
		})
		head := control.Inset(4, 2, 4, 2, v.heads[i])
		v.bars[i] = widget.NewColorBar()
		v.sides[i] = container.NewBorder(head, control.Inset(8, 5, 8, 1, v.bars[i]), nil, nil, v.panes[i])
	}
	v.tabs = control.NewTabs(func(i int) { m.SetPane(v.names[i]) })
	v.tabs.Shrinks = true
	v.band = control.NewSelect("band or plane (< and >)", func(s string) {
		var k int
		if _, err := fmt.Sscan(s, &k); err == nil {
			m.SetBand(k)
		}
	})
	v.how = control.NewSelect("how the two halves are compared (d)", func(s string) { m.SetCompare(viewmodel.Compare(s)) })
	v.steps, v.tools, v.cube, v.rgb, v.mag = newStepper(m), newTools(m), newPlanes(m), newColours(m), newMagnifier()
	v.body = container.New(halves{}, v.sides[0], v.sides[1])
	top := control.Inset(4, 2, 6, 2, control.NewRow(8, []float32{-1, 140, 120}, v.tabs, v.how, v.band))
	v.frame = container.NewBorder(container.NewVBox(top, v.steps.box, v.cube.box, v.rgb.box), v.tools.Object(), nil, nil, container.NewStack(v.body, v.mag.box))
	v.Update()
	return v
}

// Object is what to put into the window.
func (v *Viewer) Object() fyne.CanvasObject { return v.frame }

func (v *Viewer) newPane(i int, keys Keys) *widget.ImageView {
	p := widget.NewImageView(v.port)
	p.Grab = &drawer{v: v, pane: i}
	p.OnHover = func(h widget.Hover) {
		v.magnify(i, h)
		if v.OnHover != nil {
			v.OnHover(i, h.X, h.Y, h.Inside)
		}
	}
	p.OnStyle = func(s figure.Style) { v.styled(i, s) }
	p.OnTapped = func(h widget.Hover, second bool, _ fyne.Position) {
		v.m.SetActiveTile(i)
		if !second && h.Inside {
			v.tapped(i, h.X, h.Y)
		}
	}
	p.OnKey = keys.Key
	p.OnRune = keys.Rune
	p.OnShortcut = keys.Shortcut
	return p
}

// styled takes over what the user did to a pane: contrast and bias, or zscale.
func (v *Viewer) styled(i int, s figure.Style) {
	tiles := v.m.Tiles()
	if i >= len(tiles) {
		return
	}
	if s.Limits != v.m.Style(tiles[i]).Limits {
		v.m.SetRule(tiles[i], string(figure.ZScale))
		return
	}
	v.m.SetLook(tiles[i], func(l *viewmodel.Look) { l.Contrast, l.Bias = s.Contrast, s.Bias })
}

// CountFrames has a function called after each picture of the first pane.
func (v *Viewer) CountFrames(f func()) { v.panes[0].OnFrame = f }

// Active is the pane the tools act on.
func (v *Viewer) Active() *widget.ImageView {
	if v.splitting() {
		return v.panes[0]
	}
	return v.panes[min(v.m.ActiveTile(), 1)]
}

// Focus gives the active pane the keyboard.
func (v *Viewer) Focus(c fyne.Canvas) { c.Focus(v.Active()) }

// Zoom is screen pixels per image pixel.
func (v *Viewer) Zoom() float64 { return v.port.Zoom() }

// Region is the part of the file's image in sight, in its pixels from 0 with upper
// ends excluded.
func (v *Viewer) Region() (x0, x1, y0, y1 int, ok bool) {
	fx0, fx1, fy0, fy1, ok := v.panes[0].InSight()
	tiles := v.m.Tiles()
	if !ok || len(tiles) == 0 {
		return 0, 0, 0, 0, false
	}
	o := tiles[0].Grid().Origin
	round := func(f float64, origin int) int { return int(f+0.5) + origin }
	return round(fx0+0.5, o[0]), round(fx1+0.5, o[0]), round(fy0+0.5, o[1]), round(fy1+0.5, o[1]), true
}

// Look centres the panes on a pixel of the file's image and marks it.
func (v *Viewer) Look(x, y float64) {
	tiles := v.m.Tiles()
	if len(tiles) == 0 {
		return
	}
	o := tiles[0].Grid().Origin
	x, y = x-float64(o[0]), y-float64(o[1])
	v.port.SetView(x, y, max(4, v.port.Zoom()))
	v.port.SetCursor(x, y)
}

// LookAt centres the panes on a pixel of the first tile, at the zoom in use or more.
func (v *Viewer) LookAt(x, y float64) {
	v.port.SetView(x, y, max(1, v.port.Zoom()))
	v.port.SetCursor(x, y)
}

// NorthUp says whether pictures are turned so that north is nearly up.
func (v *Viewer) NorthUp() bool { return v.north }

// SetNorthUp turns them.
func (v *Viewer) SetNorthUp(on bool) {
	v.north = on
	v.Update()
}

// Update shows the Model as it is now.
func (v *Viewer) Update() {
	tiles := v.m.Tiles()
	v.showTabs()
	v.showReference(tiles)
	two := len(tiles) == 2
	for i := range v.panes {
		if i >= len(tiles) || i == 1 && v.splitting() {
			v.sides[i].Hide()
			v.panes[i].Hide()
			v.shown[i] = nil
			if i == 0 {
				v.panes[0].SetImage(nil)
			}
			v.bars[i].Hide()
			continue
		}
		v.sides[i].Show()
		v.panes[i].Show()
		v.showHead(i, two)
		v.showTile(i, tiles)
	}
	if len(tiles) == 0 {
		v.sides[0].Show()
		v.panes[0].Show()
	}
	v.body.Refresh()
	before := v.bars5()
	v.steps.update()
	v.showTools()
	v.cube.update()
	v.rgb.update()
	if before != v.bars5() {
		v.frame.Refresh()
	}
}

// bars5 says which of the rows around the images are shown.
func (v *Viewer) bars5() [5]bool {
	return [5]bool{v.steps.box.Visible(), v.tools.Object().Visible(), v.cube.box.Visible(), v.rgb.box.Visible(), v.how.Visible()}
}

// splitting says whether one half is shown over the other with a seam.
func (v *Viewer) splitting() bool { return v.m.Halves() && v.m.Comparing() == viewmodel.Splitting }

// SetSeam moves the seam of a split, 0 to 1.
func (v *Viewer) SetSeam(at float64) {
	v.seam = min(1, max(0, at))
	if v.splitting() {
		v.Update()
	}
}

// Seam is where the seam of a split is.
func (v *Viewer) Seam() float64 { return v.seam }

// Magnifier says whether the magnifier is shown.
func (v *Viewer) Magnifier() bool { return v.mag.box.Visible() }

// SetMagnifier shows or hides it.
func (v *Viewer) SetMagnifier(on bool) {
	show(v.mag.box, on)
	canvas.Refresh(v.frame) // nobody else asks for a picture while the mouse stands still
	x, y, ok := v.port.Cursor()
	if !ok {
		x, y = v.Active().View().X, v.Active().View().Y
	}
	v.magnify(v.m.ActiveTile(), widget.Hover{X: x, Y: y, Inside: true})
}

func (v *Viewer) magnify(i int, h widget.Hover) {
	if !h.Inside || i >= len(v.shown) || v.shown[i] == nil {
		return
	}
	t := v.shown[i]
	v.mag.look(t, func() (widget.ColourImage, bool) { return v.colourOf(t) }, h.X, h.Y, v.port.Zoom(), v.panes[i])
}

// colourOf is a tile as a colour picture; ok is false for others.
func (v *Viewer) colourOf(t *viewmodel.Tile) (widget.ColourImage, bool) {
	if t.Picture == nil || t.Picture.Bands[0] == nil {
		return widget.ColourImage{}, false
	}
	return widget.ColourImage{Bands: t.Picture.Bands, Colour: v.m.ColourOf(t)}, true
}

func (v *Viewer) showTabs() {
	var names []string
	v.names = v.names[:0]
	chosen := -1
	for _, p := range viewmodel.Panes() {
		if !v.m.Available(p) {
			continue
		}
		if p == v.m.Pane() {
			chosen = len(names)
		}
		names, v.names = append(names, v.m.Label(p)), append(v.names, p)
	}
	v.tabs.Set(names, chosen)
	var ways []control.Option
	for _, o := range viewmodel.Compares() {
		ways = append(ways, control.Option{Value: o.Value, Label: o.Label})
	}
	v.how.Set(ways, string(v.m.Comparing()))
	show(v.how, v.m.Halves())
	k, n := v.m.Band()
	if n < 2 || n > fewPlanes || v.m.Pane() == viewmodel.PaneColour {
		v.band.Hide()
		return
	}
	list := make([]control.Option, n)
	for i := range list {
		list[i] = control.Option{Value: fmt.Sprint(i), Label: v.m.BandName(i)}
	}
	v.band.Set(list, fmt.Sprint(k))
	v.band.Show()
}

// showReference makes the first picture of the file itself the one that panes are
// linked to.
func (v *Viewer) showReference(tiles []*viewmodel.Tile) {
	t := reference(tiles)
	if t == nil {
		return
	}
	g := t.Grid()
	turn := figure.Upright
	if w := t.WCS(); w != nil && v.north {
		turn = figure.Orient(w, g.W, g.H)
	}
	key := gridKey{v.m.File(), g, v.m.HDU()}
	if key.grid != v.grid.grid || key.file != v.grid.file {
		v.port.Fit()
	}
	v.grid = key
	v.port.SetReference(g.W, g.H, turn)
}

func reference(tiles []*viewmodel.Tile) *viewmodel.Tile {
	for _, t := range tiles {
		if t.Picture != nil && !t.Other() {
			return t
		}
	}
	for _, t := range tiles {
		if t.Picture != nil {
			return t
		}
	}
	return nil
}

func (v *Viewer) showHead(i int, two bool) {
	head := v.sides[i].Objects[1] // Border puts what is in the middle first
	if !two {
		if head.Visible() {
			head.Hide()
			v.sides[i].Refresh()
		}
		return
	}
	var list []control.Option
	for _, o := range v.m.SideChoices() {
		list = append(list, control.Option{Value: o.Value, Label: o.Label})
	}
	v.heads[i].Set(list, string(v.m.Sides(v.m.Pane())[i]))
	if !head.Visible() {
		head.Show()
		v.sides[i].Refresh()
	}
}

func (v *Viewer) showTile(i int, tiles []*viewmodel.Tile) {
	t, p := tiles[i], v.panes[i]
	p.SetTitle(t.Title)
	p.SetMessage(t.Message)
	show(v.bars[i], t.Picture != nil)
	if t.Picture == nil {
		p.SetImage(nil)
		v.shown[i] = t
		return
	}
	link := linkOf(reference(tiles), t)
	if link != v.links[i] {
		v.links[i] = link
		p.SetViewport(v.port, link)
	}
	p.SetImage(t.Picture.Image)
	p.SetStyle(v.m.Style(t))
	if c, ok := v.colourOf(t); ok {
		p.SetColour(&c)
	} else {
		p.SetColour(nil)
	}
	p.SetSplit(v.split(i, tiles))
	p.SetOverlays(v.overlays(t)...)
	v.bars[i].Set(p.Style(), t.Picture.Image, t.Unit())
	v.shown[i] = t
	show(v.bars[i], t.Source != viewmodel.Colour)
	if v.splitting() && len(tiles) == 2 {
		p.SetTitle(t.Title + " | " + tiles[1].Title)
	}
}

// split is the second half of a split for the first pane.
func (v *Viewer) split(i int, tiles []*viewmodel.Tile) *widget.Split {
	if i != 0 || !v.splitting() || len(tiles) < 2 || tiles[1].Picture == nil {
		return nil
	}
	t := tiles[1]
	return &widget.Split{Image: t.Picture.Image, Style: v.m.Style(t), Link: linkOf(reference(tiles), t), At: v.seam}
}

// linkOf connects a tile to the reference: pixel by pixel on the same grid, over
// the sky where both know it, else by size.
func linkOf(ref, t *viewmodel.Tile) widget.Link {
	if ref == t || ref.Grid() == t.Grid() && !t.Other() {
		return nil
	}
	if a, b := ref.WCS(), t.WCS(); a != nil && b != nil {
		return widget.SkyLink{Reference: a, Pane: b}
	}
	a, b := ref.Grid(), t.Grid()
	if a.W == b.W && a.H == b.H {
		return nil
	}
	k := float64(b.W) / float64(a.W)
	return widget.Affine{XX: k, YY: k, X0: (k - 1) / 2, Y0: (k - 1) / 2}
}

// halves shows one object, or two side by side with a seam.
type halves struct{}

func (halves) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(200, 120) }

func (halves) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	var shown []fyne.CanvasObject
	for _, o := range objects {
		if o.Visible() {
			shown = append(shown, o)
		}
	}
	const seam = 2
	w := (size.Width - float32(len(shown)-1)*seam) / float32(max(1, len(shown)))
	for i, o := range shown {
		o.Resize(fyne.NewSize(w, size.Height))
		o.Move(fyne.NewPos(float32(i)*(w+seam), 0))
	}
}

func show(o fyne.CanvasObject, on bool) {
	if on != o.Visible() {
		if on {
			o.Show()
		} else {
			o.Hide()
		}
	}
}
