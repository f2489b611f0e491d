package control

import (
	"image"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/layout"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"
)

// Column stacks objects below each other at one width, each as high as it needs to
// be at that width. Its own MinSize is true once it has a width: give it one with
// NewColumn, or lay it out in another Column.
type column struct {
	gap   float32
	width float32
}

// NewColumn makes a container of objects below each other with a gap between
// them; width is the one expected (0: not known before it is laid out).
func NewColumn(gap, width float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(&column{gap, width}, objects...)
}

func (c *column) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var least, height float32
	n := 0
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		if c.width > 0 && o.Size().Width != c.width {
			o.Resize(fyne.NewSize(c.width, o.Size().Height))
		}
		m := o.MinSize()
		least = max(least, m.Width)
		height += m.Height
		n++
	}
	return fyne.NewSize(least, height+float32(max(0, n-1))*c.gap)
}

func (c *column) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	c.width = size.Width
	y := float32(0)
	for _, o := range objects {
		if !o.Visible() {
			continue
		}
		o.Resize(fyne.NewSize(size.Width, o.Size().Height)) // the height follows from the width
		h := o.MinSize().Height
		o.Resize(fyne.NewSize(size.Width, h))
		o.Move(fyne.NewPos(0, y))
		y += h + c.gap
	}
}

// NewRow puts objects side by side with a gap: a width above 0 is fixed, 0 is as
// wide as the object needs, below 0 a share of the rest. They are centred
// vertically.
func NewRow(gap float32, widths []float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(&row{gap, widths, false}, objects...)
}

// NewTopRow is NewRow with the objects at its upper edge.
func NewTopRow(gap float32, widths []float32, objects ...fyne.CanvasObject) *fyne.Container {
	return container.New(&row{gap, widths, true}, objects...)
}

type row struct {
	gap    float32
	widths []float32
	top    bool
}

func (r *row) width(i int) float32 {
	if i < len(r.widths) {
		return r.widths[i]
	}
	return 0
}

func (r *row) MinSize(objects []fyne.CanvasObject) fyne.Size {
	var out fyne.Size
	n := 0
	for i, o := range objects {
		if !o.Visible() {
			continue
		}
		m := o.MinSize()
		if w := r.width(i); w > 0 {
			m.Width = w
		}
		out.Width += m.Width
		out.Height = max(out.Height, m.Height)
		n++
	}
	out.Width += float32(max(0, n-1)) * r.gap
	return out
}

func (r *row) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	var fixed, shares float32
	n := 0
	for i, o := range objects {
		if !o.Visible() {
			continue
		}
		n++
		switch w := r.width(i); {
		case w > 0:
			fixed += w
		case w == 0:
			fixed += o.MinSize().Width
		default:
			shares -= w
		}
	}
	rest := max(0, size.Width-fixed-float32(max(0, n-1))*r.gap)
	x := float32(0)
	for i, o := range objects {
		if !o.Visible() {
			continue
		}
		w := r.width(i)
		if w == 0 {
			w = o.MinSize().Width
		} else if w < 0 {
			w = rest * -w / shares
		}
		o.Resize(fyne.NewSize(w, o.Size().Height))
		h := min(size.Height, o.MinSize().Height)
		o.Resize(fyne.NewSize(w, h))
		y := (size.Height - h) / 2
		if r.top {
			y = 0
		}
		o.Move(fyne.NewPos(x, y))
		x += w + r.gap
	}
}

// Inset puts margins around an object: left, top, right, bottom.
func Inset(left, top, right, bottom float32, o fyne.CanvasObject) *fyne.Container {
	return container.New(&inset{left, top, right, bottom}, o)
}

type inset struct{ l, t, r, b float32 }

func (i *inset) MinSize(objects []fyne.CanvasObject) fyne.Size {
	m := objects[0].MinSize()
	return fyne.NewSize(m.Width+i.l+i.r, m.Height+i.t+i.b)
}

func (i *inset) Layout(objects []fyne.CanvasObject, size fyne.Size) {
	objects[0].Resize(fyne.NewSize(max(0, size.Width-i.l-i.r), max(0, size.Height-i.t-i.b)))
	objects[0].Move(fyne.NewPos(i.l, i.t))
}

// Ground is a surface of a theme colour behind an object.
func Ground(name fyne.ThemeColorName, radius float32, o fyne.CanvasObject) *fyne.Container {
	return container.NewStack(newSurface(name, radius), o)
}

// surface is a plate that follows the theme. It is painted as a picture of one pixel: where
// GL is software that takes a third of what a rectangle takes.
type surface struct {
	widget.BaseWidget
	name   fyne.ThemeColorName
	radius float32
}

func newSurface(name fyne.ThemeColorName, radius float32) *surface {
	s := &surface{name: name, radius: radius}
	s.ExtendBaseWidget(s)
	return s
}

func (s *surface) CreateRenderer() fyne.WidgetRenderer {
	r := &surfaceRenderer{s: s, plate: canvas.NewImageFromImage(image.NewRGBA(image.Rect(0, 0, 1, 1)))}
	r.plate.ScaleMode, r.plate.FillMode = canvas.ImageScalePixels, canvas.ImageFillStretch
	r.plate.CornerRadius = s.radius
	r.colour()
	return r
}

type surfaceRenderer struct {
	s     *surface
	plate *canvas.Image
}

func (r *surfaceRenderer) Destroy()                     {}
func (r *surfaceRenderer) Layout(size fyne.Size)        { r.plate.Resize(size) }
func (r *surfaceRenderer) MinSize() fyne.Size           { return fyne.Size{} }
func (r *surfaceRenderer) Objects() []fyne.CanvasObject { return []fyne.CanvasObject{r.plate} }

func (r *surfaceRenderer) colour() {
	r.plate.Image.(*image.RGBA).Set(0, 0, theme.ColorForWidget(r.s.name, r.s))
}

func (r *surfaceRenderer) Refresh() {
	r.colour()
	r.plate.Refresh()
}

// Sides is a window of three columns: a left and a right one of widths that can be
// dragged, and what is between them. A width of 0 hides a side.
type Sides struct {
	Left, Right float32
	// Resized is called when a divider was let go.
	Resized func(left, right float32)

	box                 *fyne.Container
	left, middle, right fyne.CanvasObject
	grips               [2]*grip
}

// Bounds of the side columns' widths.
const (
	LeastSide = 160
	MostSide  = 560
	gripWidth = 5
)

// NewSides makes the columns.
func NewSides(leftWidth, rightWidth float32, left, middle, right fyne.CanvasObject) *Sides {
	s := &Sides{Left: leftWidth, Right: rightWidth, left: left, middle: middle, right: right}
	for i := range s.grips {
		s.grips[i] = newGrip(s, i)
	}
	s.box = container.New(s, left, s.grips[0], middle, s.grips[1], right)
	return s
}

// Object is what to put into a window.
func (s *Sides) Object() fyne.CanvasObject { return s.box }

// Set changes the widths; 0 hides.
func (s *Sides) Set(left, right float32) {
	s.Left, s.Right = left, right
	s.box.Refresh()
}

// MinSize is a Layout's.
func (s *Sides) MinSize([]fyne.CanvasObject) fyne.Size {
	m := s.middle.MinSize()
	return fyne.NewSize(m.Width+s.Left+s.Right+2*gripWidth, max(m.Height, max(s.left.MinSize().Height, s.right.MinSize().Height)))
}

// Layout is a Layout's.
func (s *Sides) Layout(_ []fyne.CanvasObject, size fyne.Size) {
	x := float32(0)
	place := func(o fyne.CanvasObject, w float32) {
		if w <= 0 {
			o.Hide()
			return
		}
		o.Show()
		o.Resize(fyne.NewSize(w, size.Height))
		o.Move(fyne.NewPos(x, 0))
		x += w
	}
	g := func(w float32) float32 {
		if w > 0 {
			return gripWidth
		}
		return 0
	}
	middle := max(0, size.Width-s.Left-s.Right-g(s.Left)-g(s.Right))
	place(s.left, s.Left)
	place(s.grips[0], g(s.Left))
	place(s.middle, middle)
	place(s.grips[1], g(s.Right))
	place(s.right, s.Right)
}

// grip is the line between two columns that can be dragged.
type grip struct {
	widget.BaseWidget
	s     *Sides
	which int
}

func newGrip(s *Sides, which int) *grip {
	g := &grip{s: s, which: which}
	g.ExtendBaseWidget(g)
	return g
}

func (g *grip) CreateRenderer() fyne.WidgetRenderer {
	line := newSurface(theme.ColorNameSeparator, 0)
	return widget.NewSimpleRenderer(container.New(layout.NewCustomPaddedLayout(0, 0, 2, 2), line))
}

// Cursor says that it can be dragged.
func (g *grip) Cursor() desktop.Cursor { return desktop.HResizeCursor }

// Dragged changes the width of its side.
func (g *grip) Dragged(ev *fyne.DragEvent) {
	side, sign := &g.s.Left, float32(1)
	if g.which == 1 {
		side, sign = &g.s.Right, -1
	}
	*side = min(MostSide, max(LeastSide, *side+sign*ev.Dragged.DX))
	g.s.box.Refresh()
}

// DragEnd tells the width.
func (g *grip) DragEnd() {
	if g.s.Resized != nil {
		g.s.Resized(g.s.Left, g.s.Right)
	}
}
