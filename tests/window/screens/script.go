package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"limpid/assets"
)

// screen is one picture: how the window is started and what is done to it.
type screen struct {
	name   string
	recent bool   // files used before are listed
	more   string // of what the window remembers, as JSON
	args   func(*stage) []string
	play   func(*stage) error
}

func screens() []screen {
	galaxy := func(s *stage) []string { return []string{s.gal} }
	stars := func(s *stage) []string { return []string{s.stars} }
	sample := func(*stage) []string { return []string{"--sample"} }
	return []screen{
		{name: "01-empty"},
		{name: "02-recent", recent: true},
		{name: "03-open", args: galaxy, play: (*stage).measured},
		{name: "04-psf-from-stars", args: stars, play: (*stage).openPSF},
		{name: "05-running", args: sample, play: (*stage).halfway},
		{name: "06-finished", args: sample, play: (*stage).finished},
		{name: "07-mean-std", args: sample, play: func(s *stage) error { return do(s.finished, s.key("alt+7"), s.zoomIn, s.rest) }},
		{name: "08-sample", args: sample, play: func(s *stage) error { return do(s.finished, s.key("alt+4", "period", "period"), s.rest) }},
		{name: "09-residual", args: sample, play: func(s *stage) error { return do(s.finished, s.key("alt+5"), s.rest) }},
		{name: "10-failed", args: galaxy, play: (*stage).badFiles},
		{name: "11-cannot-run", args: galaxy, play: (*stage).cannotRun},
		{name: "12-export", args: sample, play: func(s *stage) error { return do(s.finished, s.key("ctrl+e"), s.rest) }},
		{name: "13-exported", args: sample, play: func(s *stage) error { return do(s.finished, s.key("ctrl+e", "Return"), s.exported, s.rest) }},
		{name: "14-browser", args: galaxy, play: func(s *stage) error { return do(s.measured, s.key("ctrl+o"), s.rest) }},
		{name: "15-keys", args: galaxy, play: func(s *stage) error { return do(s.measured, s.key("F1"), s.rest) }},
		{name: "17-why-uncertain", args: sample, play: (*stage).why},
		{name: "18-regions", args: sample, play: (*stage).regions},
		{name: "19-split-grid-magnifier", args: sample, play: func(s *stage) error { return do(s.finished, s.key("alt+6", "d", "g", "c", "m"), s.rest) }},
		{name: "37-difference", args: sample, play: func(s *stage) error { return do(s.finished, s.key("alt+6", "d", "d", "d"), s.rest) }},
		{name: "20-rgb", args: func(s *stage) []string { return []string{s.bands} }, play: func(s *stage) error { return do(s.measured, s.key("alt+8"), s.rest) }},
		{name: "21-cube", args: func(s *stage) []string { return []string{s.cube} }, play: func(s *stage) error { return do(s.measured, s.key("greater", "greater", "c", "ctrl+5"), s.rest) }},
		{name: "22-catalogue", args: func(s *stage) []string { return []string{s.gal} }, play: (*stage).catalogue},
		{name: "23-header", args: galaxy, play: func(s *stage) error {
			return do(s.measured, s.key("ctrl+h"), func() error { return s.Type("c") }, s.rest)
		}},
		{name: "24-massmap-open", args: space("massmap"), play: func(s *stage) error {
			return do(func() error { return s.Drop(s.d.W/2, s.d.H/2, s.shear) }, s.measured, s.key("Right", "Right", "Right"), s.rest)
		}},
		{name: "25-massmap", args: space("massmap", "--sample"), play: (*stage).finished},
		{name: "27-deblend-open", args: space("deblend"), play: func(s *stage) error {
			return do(func() error { return s.Drop(s.d.W/2, s.d.H/2, s.blend) }, s.measured, s.rest)
		}},
		{name: "28-deblend", args: space("deblend", "--sample"), play: (*stage).finished},
		{name: "29-massmap-empty", args: space("massmap"), play: (*stage).rest},
		{name: "30-deblend-empty", args: space("deblend"), play: (*stage).rest},
		{name: "31-settings", args: galaxy, play: func(s *stage) error { return do(s.measured, s.key("ctrl+comma"), s.rest) }},
		{name: "32-priors", args: galaxy, play: func(s *stage) error { return do(s.measured, s.key("ctrl+l"), s.rest) }},
		{name: "33-help-massmap", args: space("massmap"), play: func(s *stage) error { return do(s.rest, s.key("F1"), s.rest) }},
		{name: "34-recover", play: (*stage).crashed},
		{name: "35-german", args: sample, more: `,"language":"de"`, play: (*stage).finished},
		{name: "36-deblend-german-empty", args: space("deblend"), more: `,"language":"de"`, play: (*stage).rest},
		{name: "16-cancelled", args: sample, play: func(s *stage) error { return do(s.halfway, s.key("Escape"), s.rest) }},
	}
}

// space starts the window in a workspace.
func space(name string, more ...string) func(*stage) []string {
	return func(*stage) []string { return append([]string{"--workspace", name}, more...) }
}

func (s *stage) key(names ...string) func() error { return func() error { return s.Key(names...) } }

// rest lets the window come to rest: nothing that it does by itself can be seen
// from outside.
func (s *stage) rest() error { time.Sleep(2 * time.Second); return nil }

func (s *stage) measured() error {
	return do(func() error {
		return s.WaitTitle("the file", func(t string) bool { return strings.Contains(t, ".fits") })
	}, s.rest, func() error { return s.Move(s.d.W*45/100, s.d.H*45/100) })
}

// openPSF opens the step of the PSF. Its header lies below that of the data, both
// closed and without findings of weight.
func (s *stage) openPSF() error {
	return do(s.measured, func() error { return s.Click(s.d.W-200, 163) }, func() error { return s.Move(s.d.W*45/100, s.d.H*45/100) }, s.rest)
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

// why explains a pixel of a finished result.
func (s *stage) why() error {
	return do(s.finished, s.key("alt+2", "ctrl+1"), s.rest,
		func() error { return s.Click(s.d.W*46/100, s.d.H*34/100) }, s.rest)
}

// regions draws a circle round the galaxy, and a line.
func (s *stage) regions() error {
	x, y := s.d.W*31/100, s.d.H*36/100
	drag := func(dx, dy int) func() error {
		return func() error { return s.Drag(x, y, x+dx, y+dy, 6, 30*time.Millisecond) }
	}
	return do(s.finished, s.key("ctrl+3"), s.rest, s.key("r", "r", "r", "r", "r", "r"), drag(90, -60), s.rest,
		s.key("r"), drag(70, 40), s.rest)
}

// catalogue drops a table of sources and chooses one.
func (s *stage) catalogue() error {
	path := filepath.Join(s.dir, "sources.csv")
	text := "name,x,y,mag,flux\n"
	for i, p := range [][2]float64{{156, 24}, {73, 25}, {153, 46}, {80, 90}, {30, 30}, {112, 70}, {99, 96}, {170, 40}} {
		text += fmt.Sprintf("src-%d,%g,%g,%.2f,%.1f\n", i+1, p[0]+1, p[1]+1, 18+0.37*float64(i), 1e4/float64(i+1))
	}
	return do(s.measured, func() error { return os.WriteFile(path, []byte(text), 0o644) },
		func() error { return s.Drop(s.d.W/2, s.d.H/2, path) }, s.rest, s.key("ctrl+4"), s.rest,
		func() error { return s.Click(s.d.W*30/100, s.d.H*80/100) }, s.rest)
}

func (s *stage) zoomIn() error { return s.Key("plus", "plus") }

// badFiles drops what cannot be opened.
func (s *stage) badFiles() error {
	html, cut := filepath.Join(s.dir, "page.fits"), filepath.Join(s.dir, "truncated.fits.gz")
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
		func() error { return s.Drop(s.d.W/2, s.d.H/2, html, cut, filepath.Join(s.dir, "missing.fits")) },
		s.rest)
}

// cannotRun asks for a cut-out beyond the image.
func (s *stage) cannotRun() error {
	return do(s.measured, func() error { return s.Click(s.d.W-200, 105) }, func() error { return s.Click(s.d.W-180, 186) },
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
func (s *stage) exported() error { return s.WaitFile(filepath.Join(s.dir, "galaxy-posterior.bib")) }
