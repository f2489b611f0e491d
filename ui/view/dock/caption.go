package dock

import "limpid/ui/widget/control"

type captionText = control.Text

func newCaption() *captionText {
	t := caption()
	t.Lines = 1
	return t
}
