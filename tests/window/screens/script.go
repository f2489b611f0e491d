package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"limpid/app/recipe"
	"limpid/assets"
	"limpid/tests/window/xwin"
)

// scene is a window: how it is started, and the pictures that are taken of it one after
// another.
type scene struct {
	recent bool   // files used before are listed
	more   string // of what the window remembers, as JSON
	args   func(*stage) []string
	shots  []shot
}

// shot is one picture: what is done before it and, to go on, after it.
type shot struct {
	name        string
	play, after func(*stage) error
}

const german = `,"language":"de"`

// keys presses keys and lets the window come to rest.
func keys(names ...string) func(*stage) error {
	return func(s *stage) error { return do(s.key(names...), s.rest) }
}

func one(name string, play func(*stage) error) []shot { return []shot{{name: name, play: play}} }

func scenes() []scene {
	galaxy := func(s *stage) []string { return []string{s.gal} }
	sample := func(*stage) []string { return []string{"--sample"} }
	esc := keys("Escape")
	return []scene{
		{shots: []shot{{name: "01-empty"}, {name: "38-tour", play: (*stage).tour}}},
		{recent: true, shots: []shot{{name: "02-recent"}}},
		{args: galaxy, shots: []shot{
			{name: "03-open", play: (*stage).measured},
			{name: "14-browser", play: func(s *stage) error { return do(s.key("ctrl+o"), s.rest, s.key("Down", "Down", "Down"), s.rest) }, after: esc},
			{name: "15-keys", play: keys("F1"), after: esc},
			{name: "23-header", play: func(s *stage) error { return do(s.key("ctrl+h"), func() error { return s.Type("c") }, s.rest) }, after: keys("Escape", "Escape")},
			{name: "31-settings", play: keys("ctrl+comma"), after: esc},
			{name: "32-priors", play: (*stage).priors, after: esc},
			{name: "22-catalogue", play: (*stage).catalogue},
		}},
		{args: galaxy, shots: one("10-failed", (*stage).badFiles)},
		{args: galaxy, shots: one("11-cannot-run", (*stage).cannotRun)},
		{args: func(s *stage) []string { return []string{s.stars} }, shots: one("04-psf-from-stars", (*stage).openPSF)},
		{args: sample, shots: []shot{
			{name: "05-running", play: (*stage).halfway},
			{name: "06-finished", play: (*stage).finished},
			{name: "07-mean-std", play: keys("alt+7", "plus", "plus"), after: keys("f")},
			{name: "08-sample", play: keys("alt+4", "period", "period")},
			{name: "09-residual", play: keys("alt+5")},
			{name: "19-split-grid-magnifier", play: keys("alt+6", "d", "g", "c", "m"), after: keys("g", "c", "m")},
			{name: "37-difference", play: keys("d", "d"), after: keys("d")},
			{name: "12-export", play: keys("ctrl+e")},
			{name: "13-exported", play: func(s *stage) error { return do(s.key("Return"), s.exported, s.rest) }, after: esc},
			{name: "17-why-uncertain", play: (*stage).why, after: keys("F8")},
			{name: "18-regions", play: (*stage).regions, after: keys("F8")},
			{name: "16-cancelled", play: func(s *stage) error { return do(s.key("ctrl+r"), s.halfway, s.key("Escape"), s.rest) }},
		}},
		{args: func(s *stage) []string { return []string{s.bands} }, shots: one("20-rgb", func(s *stage) error {
			return do(s.measured, s.pictured, s.changed(s.above(), s.key("alt+8")), s.rest, s.pictured, s.rest)
		})},
		{args: func(s *stage) []string { return []string{s.cube} }, shots: one("21-cube", func(s *stage) error {
			return do(s.measured, s.key("greater", "greater", "c", "ctrl+5"), s.rest, s.pictured)
		})},
		{args: space("massmap"), shots: []shot{
			{name: "29-massmap-empty", play: (*stage).rest},
			{name: "33-help-massmap", play: keys("F1"), after: esc},
			{name: "24-massmap-open", play: func(s *stage) error {
				return do(func() error { return s.Drop(s.d.W/2, s.d.H/2, s.shear) }, s.measured, s.key("Right", "Right", "Right"), s.rest)
			}},
			{name: "25-massmap", play: (*stage).ran},
			{name: "26-massmap-export", play: keys("ctrl+e"), after: esc},
		}},
		{args: space("deblend"), shots: []shot{
			{name: "30-deblend-empty", play: (*stage).rest},
			{name: "27-deblend-open", play: func(s *stage) error {
				return do(func() error { return s.Drop(s.d.W/2, s.d.H/2, s.blend) }, s.measured, s.pictured, s.rest)
			}},
			{name: "28-deblend", play: (*stage).ran},
			{name: "39-corner", play: (*stage).corner},
		}},
		{shots: one("34-recover", (*stage).crashed)},
		{args: sample, more: german, shots: []shot{
			{name: "35-german", play: (*stage).finished},
			{name: "40-german-export", play: keys("ctrl+e"), after: esc},
			{name: "41-german-settings", play: keys("ctrl+comma"), after: esc},
			{name: "42-german-pixel", play: (*stage).why},
			{name: "36-deblend-german-empty", play: keys("F3")},
		}},
		{args: galaxy, shots: one("43-calibration", (*stage).calibration)},
		{shots: one("44-unlike", (*stage).unlike)},
		{shots: one("45-learned", (*stage).learned)},
		{shots: one("46-exposures", (*stage).exposures)},
		{shots: one("47-stamp", (*stage).stamp)},
	}
}

// space starts the window in a workspace.
func space(name string, more ...string) func(*stage) []string {
	return func(*stage) []string { return append([]string{"--workspace", name}, more...) }
}

func (s *stage) key(names ...string) func() error { return func() error { return s.Key(names...) } }

// rest lets the window come to rest: it waits until the screen has not changed for a second,
// ten at most, as a cursor may blink.
func (s *stage) rest() error {
	time.Sleep(time.Second)
	var last *image.NRGBA
	for range 10 {
		im, err := s.d.Shot()
		if err != nil {
			return err
		}
		if last != nil && bytes.Equal(im.Pix, last.Pix) {
			return nil
		}
		last = im
		time.Sleep(time.Second)
	}
	return nil
}

func (s *stage) measured() error {
	return do(func() error {
		return s.WaitTitle("the file", func(t string) bool { return strings.Contains(t, ".fits") })
	}, s.rest, func() error { return s.Move(s.d.W*45/100, s.d.H*45/100) })
}

// openPSF opens the step of the PSF. Its header lies below that of the data, both
// closed and without findings of weight.
func (s *stage) openPSF() error {
	return do(s.measured, func() error { return s.Click(s.d.W-200*s.unit, 163*s.unit) }, func() error { return s.Move(s.d.W*45/100, s.d.H*45/100) }, s.rest)
}

func (s *stage) running() error {
	return s.WaitTitle("the run", func(t string) bool { return strings.Contains(t, "%") })
}

func (s *stage) halfway() error {
	return do(s.running, func() error {
		return s.WaitTitle("a third of the samples", func(t string) bool {
			var done float64
			_, err := fmt.Sscanf(t, "%f", &done)
			return err == nil && done >= 33
		})
	}, func() error { return s.Move(s.d.W*45/100, s.d.H*45/100) })
}

func (s *stage) finished() error {
	return do(s.running, func() error {
		return s.WaitTitle("the end of the run", func(t string) bool { return !strings.Contains(t, "%") })
	}, func() error { return s.Move(s.d.W*45/100, s.d.H*45/100) }, s.rest)
}

// ran starts a run as soon as that can be done, and waits for its end.
func (s *stage) ran() error {
	for range 200 { // what was dropped may still be being read
		if err := s.Key("ctrl+r"); err != nil {
			return err
		}
		if strings.Contains(s.Title(), "%") {
			break
		}
	}
	return s.finished()
}

// pictured waits for a picture above the middle, where the empty page has no letters.
func (s *stage) pictured() error {
	return s.Wait("the picture", func() bool {
		im, err := s.d.Shot()
		return err == nil && xwin.Colours(im, s.above()) > 80
	})
}

func (s *stage) above() image.Rectangle {
	return image.Rect(s.d.W*30/100, s.d.H*15/100, s.d.W*60/100, s.d.H*30/100)
}

// why explains a pixel of a finished result.
func (s *stage) why() error {
	return do(s.key("alt+2", "ctrl+1"), s.rest,
		func() error { return s.Click(s.d.W*46/100, s.d.H*34/100) }, s.rest)
}

// regions draws a circle round the galaxy, and a line.
func (s *stage) regions() error {
	x, y := s.d.W*31/100, s.d.H*36/100
	drag := func(dx, dy int) func() error {
		return func() error { return s.Drag(x, y, x+dx, y+dy, 6, 30*time.Millisecond) }
	}
	return do(s.key("alt+6", "ctrl+3"), s.rest, s.key("r", "r", "r", "r", "r", "r"), drag(90, -60), s.rest,
		s.key("r"), drag(70, 40), s.rest)
}

// catalogue drops a table of sources and chooses one.
func (s *stage) catalogue() error {
	path := filepath.Join(s.data, "sources.csv")
	text := "name,x,y,mag,flux\n"
	for i, p := range [][2]float64{{29, 168}, {86, 168}, {157, 145}, {157, 122}, {99, 94}, {138, 107}, {130, 79}, {69, 44}} {
		text += fmt.Sprintf("src-%d,%g,%g,%.2f,%.1f\n", i+1, p[0]+1, p[1]+1, 18+0.37*float64(i), 1e4/float64(i+1))
	}
	return do(func() error { return os.WriteFile(path, []byte(text), 0o644) },
		func() error { return s.Drop(s.d.W/2, s.d.H/2, path) }, s.rest, s.key("ctrl+4"), s.rest,
		func() error { return s.Click(s.d.W*30/100, s.d.H-150*s.unit) }, s.rest)
}

// tour begins the tour and goes to its third step.
func (s *stage) tour() error {
	return do(s.key("Alt_L", "Left", "Down", "Down", "Return"), s.measured, s.key("Return"), s.finished, s.key("Return"), s.rest)
}

// priors draws images from the prior that is looked at.
func (s *stage) priors() error {
	return do(s.key("ctrl+l"), s.rest, s.key("shift+Tab"), s.rest, func() error { return s.Click(s.d.W/2-352*s.unit, s.d.H/2+138*s.unit) }, s.drawn)
}

// drawn waits until the page of priors shows images, above the letters of its empty pane.
func (s *stage) drawn() error {
	u := s.unit
	pane := image.Rect(s.d.W/2-340*u, s.d.H/2-190*u, s.d.W/2-40*u, s.d.H/2-110*u)
	return s.Wait("the images of the prior", func() bool {
		im, err := s.d.Shot()
		return err == nil && xwin.Colours(im, pane) > 80
	})
}

// corner shows the fluxes of a bright source over the samples.
func (s *stage) corner() error {
	u := s.unit
	tabs, below := image.Rect(s.d.W/4, 24*u, s.d.W*3/5, 62*u), image.Rect(s.d.W/4, s.d.H-240*u, s.d.W*3/5, s.d.H-40*u)
	return do(
		s.changed(tabs, func() error { return s.Click(s.d.W*29/100, s.d.H-180*u) }),
		s.changed(below, func() error { return s.Click(s.d.W/2-440*u, s.d.H-257*u) }),
		s.rest)
}

// changed does something and waits until a part of the screen is another than before.
func (s *stage) changed(part image.Rectangle, f func() error) func() error {
	return func() error {
		before, err := s.d.Shot()
		if err != nil {
			return err
		}
		if err := f(); err != nil {
			return err
		}
		return s.Wait("a change of the screen", func() bool {
			im, err := s.d.Shot()
			if err != nil {
				return false
			}
			for y := part.Min.Y; y < part.Max.Y; y++ {
				i, n := im.PixOffset(part.Min.X, y), 4*part.Dx()
				if !bytes.Equal(im.Pix[i:i+n], before.Pix[i:i+n]) {
					return true
				}
			}
			return false
		})
	}
}

// calibration opens a report of limpid-cli calibrate.
func (s *stage) calibration() error {
	path := filepath.Join(s.data, "calibration.json")
	cli := filepath.Join(filepath.Dir(s.binary), "limpid-cli")
	return do(func() error {
		out, err := exec.Command(cli, "calibrate", "--prior", "galaxies", "--side", "32", "--pairs", "20", "--draws", "9", "--margin", "4", "--quiet", "-o", path).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s calibrate: %w: %s", cli, err, out)
		}
		return nil
	}, s.measured, func() error { return s.Drop(s.d.W/2, s.d.H/2, path) }, s.rest)
}

// unlike runs a learned prior on an image of squares, which it was not trained on.
func (s *stage) unlike() error {
	path := filepath.Join(s.data, "squares.fits")
	return do(func() error { return xwin.WriteSquares(path, 64) }, func() error {
		return s.runLearned(recipe.PriorGalaxies, recipe.Input{File: path}, `"psf":{"kind":"gaussian","fwhm":2.5},"noise":{"kind":"sigma","sigma":1},"sky":{"kind":"none"}`, 2)
	})
}

// learned runs the sample galaxy with the learned prior.
func (s *stage) learned() error {
	return s.runLearned(recipe.PriorGalaxies, recipe.Input{File: s.gal}, `"psf":{"kind":"file","hdu":2},"noise":{"kind":"weights","hdu":1},"sky":{"kind":"auto"}`, 8)
}

// exposures runs the learned prior on dithered exposures of a quasar, whose images are sampled as stars, on pixels half
// as large.
func (s *stage) exposures() error {
	paths, err := xwin.WriteExposures(s.data, 96, 4)
	if err != nil {
		return err
	}
	in := recipe.Input{File: paths[0], Scale: 2}
	for _, p := range paths[1:] {
		in.Others = append(in.Others, recipe.Exposure{File: p})
	}
	q := xwin.Quasars
	return s.runLearned(recipe.PriorGalaxies, in, fmt.Sprintf(`"psf":{"kind":"gaussian","fwhm":2},"noise":{"kind":"sigma","sigma":1},"sky":{"kind":"none","free":true},"stars":{"at":[[%g,%g],[%g,%g]]}`,
		q[0][0], q[0][1], q[1][0], q[1][1]), 8)
}

// stamp runs the prior of one galaxy, in the middle, on a postage stamp.
func (s *stage) stamp() error {
	path := filepath.Join(s.data, "stamp.fits")
	return do(func() error { return xwin.WriteStamp(path, 48) }, func() error {
		return s.runLearned(recipe.PriorSingle, recipe.Input{File: path}, fmt.Sprintf(`"psf":{"kind":"gaussian","fwhm":%g},"noise":{"kind":"sigma","sigma":1},"sky":{"kind":"none"}`, xwin.StampFWHM), 16)
	})
}

// runLearned drops the recipe of a learned prior for an image, and runs it; model is its PSF,
// noise and sky.
func (s *stage) runLearned(prior string, in recipe.Input, model string, samples int) error {
	path := filepath.Join(s.data, "learned.recipe.json")
	input, err := json.Marshal(in)
	if err != nil {
		return err
	}
	text := fmt.Sprintf(`{"version":1,"task":"deconvolve","input":%s,%s,"mask":{},"method":{"kind":"learned"},"prior":{"kind":%q},"draw":{"samples":%d,"seed":1}}`,
		input, model, prior, samples)
	return do(func() error { return os.WriteFile(path, []byte(text), 0o644) },
		func() error { return s.Drop(s.d.W/2, s.d.H/2, path) }, s.measured, s.key("ctrl+r"), s.finished)
}

// badFiles drops what cannot be opened.
func (s *stage) badFiles() error {
	html, cut := filepath.Join(s.data, "page.fits"), filepath.Join(s.data, "truncated.fits.gz")
	data, err := assets.ReadSample(assets.Samples()[0].File)
	if err != nil {
		return err
	}
	return do(
		func() error {
			return os.WriteFile(html, []byte("<!DOCTYPE html>\n<html><title>404 not found</title></html>\n"), 0o644)
		},
		func() error { return os.WriteFile(cut, data[:len(data)/2], 0o644) },
		s.measured,
		func() error { return s.Drop(s.d.W/2, s.d.H/2, html, cut, filepath.Join(s.data, "missing.fits")) },
		s.rest, s.rest, s.rest)
}

// cannotRun asks for a cut-out beyond the image.
func (s *stage) cannotRun() error {
	return do(s.measured, func() error { return s.Click(s.d.W-200*s.unit, 105*s.unit) }, func() error { return s.Click(s.d.W-180*s.unit, 186*s.unit) },
		func() error { return s.Type("0:500,0:120") }, s.key("Return"), s.rest)
}

// crashed kills a window and starts another.
func (s *stage) crashed() error {
	if err := do(func() error { return s.Drop(s.d.W/2, s.d.H/2, s.gal, s.stars) }, s.measured, s.rest); err != nil {
		return err
	}
	s.Kill()
	var err error
	s.App, err = s.d.Launch(s.binary, s.args...)
	if err != nil {
		return err
	}
	return s.rest()
}

// exported waits for the last file of an export.
func (s *stage) exported() error { return s.WaitFile(filepath.Join(s.data, "galaxy-posterior.bib")) }
