package part

import "fyne.io/fyne/v2"

// FixedWidth lays one object out at a width, as high as it needs.
type FixedWidth struct{ W float32 }

// MinSize is a Layout's.
func (f *FixedWidth) MinSize(o []fyne.CanvasObject) fyne.Size {
	o[0].Resize(fyne.NewSize(f.W, o[0].Size().Height))
	return fyne.NewSize(f.W, o[0].MinSize().Height+48)
}

// Layout is a Layout's.
func (f *FixedWidth) Layout(o []fyne.CanvasObject, size fyne.Size) {
	o[0].Resize(fyne.NewSize(f.W, o[0].Size().Height))
	o[0].Resize(fyne.NewSize(f.W, o[0].MinSize().Height))
	o[0].Move(fyne.NewPos((size.Width-f.W)/2, 24))
}
