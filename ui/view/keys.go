package view

import (
	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/storage"
)

// key handles keys without a character that nothing else uses.
func (w *Window) key(ev *fyne.KeyEvent) {
	switch ev.Name {
	case fyne.KeyEscape:
		w.escape()
		return
	case fyne.KeyF1:
		if w.modal == nil {
			w.helpDialog()
		}
		return
	case fyne.KeyF2, fyne.KeyF3, fyne.KeyF4:
		w.SetSpace(map[fyne.KeyName]Space{fyne.KeyF2: Deconvolve, fyne.KeyF3: Deblend, fyne.KeyF4: MassMap}[ev.Name])
		return
	case fyne.KeyF8:
		w.toggleDock()
		return
	case fyne.KeyF9:
		w.toggleSide(true)
		return
	case fyne.KeyF10:
		w.toggleSide(false)
		return
	}
	if w.modal != nil {
		if w.modal.key != nil {
			w.modal.key(ev)
		}
		return
	}
	switch ev.Name {
	case fyne.KeyUp, fyne.KeyDown, fyne.KeyLeft, fyne.KeyRight, fyne.KeyHome, fyne.KeyPageUp, fyne.KeyPageDown:
		if p := w.pane(); w.win.Canvas().Focused() != fyne.Focusable(p) {
			p.TypedKey(ev)
		}
	case fyne.KeyReturn, fyne.KeyEnter:
		w.view.ClosePolygon()
	case fyne.KeyDelete:
		if w.spaces.shown == Deblend {
			w.spaces.blend.RemoveSource(w.spaces.blend.Chosen())
			return
		}
		if w.spaces.shown != Deconvolve {
			return
		}
		if w.m.RemoveRegion(w.m.SelectedRegion()) {
			return
		}
		if e := w.m.Entry(); e != nil {
			w.m.RemoveResult(e)
		}
	}
}

// escape closes what is open, else cancels the run, else dismisses a notice.
func (w *Window) escape() {
	switch {
	case w.modal != nil:
		w.modal.close()
	case w.view.Tool() != "":
		w.view.SetTool("")
	case w.cancel():
	case w.spaces.shown == Deblend && w.spaces.blend.Adding():
		w.spaces.blend.SetAdding(false)
	case w.m.Dismiss(0):
	default:
		w.focusPane()
	}
}

// rune handles letters that nothing else uses.
func (w *Window) rune(r rune) {
	if w.modal != nil {
		return
	}
	if w.spaces.shown != Deconvolve {
		w.spaceRune(r)
		return
	}
	if len(w.m.Files()) == 0 {
		return
	}
	k, _ := w.m.SampleNumber()
	band, _ := w.m.Band()
	switch r {
	case 'b', 'B':
		w.m.Blink()
	case ',':
		w.m.SetSample(k - 1)
	case '.':
		w.m.SetSample(k + 1)
	case 'p', 'P':
		w.m.Play()
	case '<':
		w.m.SetBand(band - 1)
	case '>':
		w.m.SetBand(band + 1)
	case 's', 'S':
		w.m.MarkStars(!w.m.StarsMarked())
	case 'n', 'N':
		w.view.SetNorthUp(!w.view.NorthUp())
		w.menu.update()
	case 'd', 'D':
		w.m.NextCompare()
	case '[':
		w.view.SetSeam(w.view.Seam() - 0.05)
	case ']':
		w.view.SetSeam(w.view.Seam() + 0.05)
	case 'g', 'G':
		w.m.ShowGrid(!w.m.GridShown())
	case 'c', 'C':
		w.m.ShowContours(!w.m.ContoursShown())
	case 'm', 'M':
		w.view.SetMagnifier(!w.view.Magnifier())
		w.menu.update()
	case 'r', 'R':
		w.view.NextTool()
	case 'i', 'I':
		w.inspectHere()
	default:
		if p := w.view.Active(); w.win.Canvas().Focused() != fyne.Focusable(p) {
			p.TypedRune(r)
		}
	}
}

// keysHelp is what F1 lists.
var keysHelp = [][2]string{
	{"", "Files and runs"},
	{"F2, F3, F4", "deconvolve, deblend, mass map"},
	{"Ctrl+O", "open images or recipes"},
	{"Ctrl+R", "run the recipe; queue it while another runs"},
	{"Ctrl+Shift+R", "go on with a run that was cancelled"},
	{"Esc", "close a dialog; cancel the run and keep what is there; dismiss a notice"},
	{"Ctrl+E", "export the result"},
	{"Ctrl+S, Ctrl+Shift+S", "save the recipe, the project"},
	{"Ctrl+L, Ctrl+,", "learned priors, settings"},
	{"Ctrl+U", "make what is in view the cut-out"},
	{"Ctrl+M", "measure PSF, noise and sky again"},
	{"Ctrl+W, Ctrl+Q", "close the file, quit"},
	{"Ctrl+Z, Ctrl+Shift+Z", "undo, redo changes of recipe and regions"},
	{"Delete", "delete the chosen region, else take the chosen result off the list"},
	{"", "Panes"},
	{"Alt+1 … Alt+8", "data, mean, std, sample, residual, data | mean, mean | std, RGB"},
	{"d, [ and ]", "compare halves: side by side, split, blink, difference; move the seam"},
	{"b", "blink between data and mean"},
	{", and .", "sample before and after"},
	{"p", "play the samples"},
	{"< and >", "band before and after"},
	{"Ctrl+1 … Ctrl+5", "pixel, profile, regions, catalogue, power spectrum"},
	{"F8, F9, F10", "hide or show the panel below, the files, the recipe"},
	{"", "Image"},
	{"wheel, +, −", "zoom at the cursor"},
	{"1, f", "one screen pixel per image pixel; all of the image"},
	{"drag, right-drag", "pan; contrast and bias (0: as they were)"},
	{"arrows, Home", "move the cursor by a pixel; to the middle"},
	{"z", "zscale limits"},
	{"n, s", "north up; mark the stars of the PSF"},
	{"g, c, m", "grid of the sky, contours, magnifier"},
	{"r", "draw a region: circle, ellipse, box, polygon, annulus, line, point"},
	{"click, i", "choose a region, source or pixel; explain the pixel at the cursor"},
	{"Ctrl+G, Ctrl+H", "go to a place; the header"},
	{"Ctrl+C", "copy position and value"},
	{"", "Deblend"},
	{"a, Delete", "clicks add sources; take the chosen one off"},
	{"h", "peel the chosen source off the picture, or put it back"},
	{"", "Everywhere"},
	{"Tab, Shift+Tab", "next and previous control; Space or Return uses it"},
	{"Alt", "the menu; arrows move in it"},
	{"F1", "help on what is in sight"},
}

// dropped opens what was dropped on the window.
func (w *Window) dropped(uris []fyne.URI) {
	var paths []string
	for _, u := range uris {
		if u.Scheme() == "file" || u.Scheme() == "" {
			paths = append(paths, u.Path())
		}
	}
	if len(paths) > 0 {
		if w.modal != nil {
			w.modal.close()
		}
		w.openPaths(paths...)
	}
}

// Drop does what dropping files on the window does; the test driver has no drops.
func (w *Window) Drop(paths ...string) {
	var uris []fyne.URI
	for _, p := range paths {
		uris = append(uris, storage.NewFileURI(p))
	}
	w.dropped(uris)
}
