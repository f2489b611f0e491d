// Command frames measures the window: from start to the first picture on the
// screen, and the pictures while someone pans, at rest and during a run.
//
//	go run ./tests/window/frames -binary bin/limpid
package main

import (
	"flag"
	"fmt"
	goimage "image"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"limpid/tests/window/xwin"
)

func main() {
	binary := flag.String("binary", "bin/limpid", "")
	side := flag.Int("side", 512, "of the image, in pixels")
	large := flag.Bool("open", false, "only open an image of that side: how long, how much memory")
	marks := flag.Bool("marks", false, "pan with regions and sources instead of during a run")
	flag.Parse()
	if err := measure(*binary, *side, *marks, *large); err != nil {
		fmt.Fprintln(os.Stderr, "frames:", err)
		os.Exit(1)
	}
}

func measure(binary string, side int, marks, large bool) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "limpid-frames-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d, err := xwin.Start(dir, 1600, 1000)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Remember(""); err != nil {
		return err
	}
	if large {
		return opening(d, binary, dir, side)
	}
	for range 3 {
		if err := firstPicture(d, binary); err != nil {
			return err
		}
	}
	image := filepath.Join(dir, "field.fits")
	if err := xwin.WriteStars(image, side, side); err != nil {
		return err
	}
	return panning(d, binary, dir, image, side, marks)
}

// opening times from start to the picture of a large image, and measures memory.
func opening(d *xwin.Display, binary, dir string, side int) error {
	image := filepath.Join(dir, "large.fits")
	if err := xwin.WriteLarge(image, side); err != nil {
		return err
	}
	began := time.Now()
	a, err := d.Start(binary, image)
	if err != nil {
		return err
	}
	defer a.Kill()
	middle := goimage.Rect(500, 200, 1000, 700)
	for time.Since(began) < 2*time.Minute {
		im, err := d.Shot()
		if err != nil {
			return err
		}
		if xwin.Colours(im, middle) > 60 {
			fmt.Printf("%d² pixels, %.2f GB of values: picture after %.1f s, at most %.2f GB of memory\n", side, 4e-9*float64(side)*float64(side), time.Since(began).Seconds(), 1e-9*float64(a.Peak()))
			time.Sleep(5 * time.Second)
			fmt.Printf("5 s later: at most %.2f GB\n", 1e-9*float64(a.Peak()))
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("no picture of %d² in two minutes", side)
}

// firstPicture times a start until the screen shows the start page.
func firstPicture(d *xwin.Display, binary string) error {
	began := time.Now()
	a, err := d.Start(binary)
	if err != nil {
		return err
	}
	defer a.Kill()
	for time.Since(began) < time.Minute {
		im, err := d.Shot()
		if err != nil {
			return err
		}
		if xwin.Colours(im, im.Rect) > 50 {
			fmt.Printf("start to first picture: %d ms, %d ms of processor (the screen was looked at every 30 ms or so)\n", time.Since(began).Milliseconds(), a.CPU().Milliseconds())
			return nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return fmt.Errorf("no picture in a minute")
}

func panning(d *xwin.Display, binary, dir, image string, side int, marks bool) error {
	log := filepath.Join(dir, "frames")
	a, err := d.Launch(binary, "--frames", log, image)
	if err != nil {
		return err
	}
	defer a.Kill()
	if err := a.WaitTitle("the file", func(s string) bool { return strings.Contains(s, "field") }); err != nil {
		return err
	}
	time.Sleep(4 * time.Second) // the measurement of the PSF
	if err := a.Key("plus"); err != nil {
		return err
	}
	if err := pan(a, log, "at rest"); err != nil {
		return err
	}
	if marks {
		return marked(a, log, dir, side)
	}
	run := []string{"ctrl+r"}
	if side >= 2048 { // a part of it, several times: all of it takes longer than anybody waits here
		run = []string{"plus", "plus", "ctrl+u", "ctrl+r", "ctrl+r", "ctrl+r", "minus"}
	}
	if err := a.Key(run...); err != nil {
		return err
	}
	err = a.WaitTitle("samples", func(s string) bool { return strings.Contains(s, "%") && !strings.HasPrefix(s, "0 %") })
	if err != nil {
		return err
	}
	if err := pan(a, log, "during a run"); err != nil {
		return err
	}
	if !strings.Contains(a.Title(), "%") {
		return fmt.Errorf("the run ended before the pan did: use a larger -side")
	}
	return nil
}

// marked pans with 2,000 regions, then with 100,000 sources as well.
func marked(a *xwin.App, log, dir string, side int) error {
	var b strings.Builder
	b.WriteString("image\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "circle(%d,%d,9)\n", 1+(i*7919)%side, 1+(i*104729)%side)
	}
	reg, csv := filepath.Join(dir, "many.reg"), filepath.Join(dir, "many.csv")
	if err := os.WriteFile(reg, []byte(b.String()), 0o644); err != nil {
		return err
	}
	b.Reset()
	b.WriteString("id,x,y\n")
	for i := range 100000 {
		fmt.Fprintf(&b, "%d,%d,%d\n", i, 1+(i*7919)%side, 1+(i*10007)%side)
	}
	if err := os.WriteFile(csv, []byte(b.String()), 0o644); err != nil {
		return err
	}
	for _, x := range []struct{ path, what string }{{reg, "with 2,000 regions"}, {csv, "with 100,000 sources as well"}} {
		if err := a.Drop(600, 400, x.path); err != nil {
			return err
		}
		time.Sleep(3 * time.Second)
		if err := pan(a, log, x.what); err != nil {
			return err
		}
	}
	return nil
}

// pan drags to and fro for some seconds and prints what came of it.
func pan(a *xwin.App, log, what string) error {
	before := len(times(log))
	used := a.Times()
	began := time.Now()
	for range 4 {
		if err := a.Drag(500, 350, 700, 550, 60, 16*time.Millisecond); err != nil {
			return err
		}
		if err := a.Drag(700, 550, 500, 350, 60, 16*time.Millisecond); err != nil {
			return err
		}
	}
	took := time.Since(began)
	used = a.Times().Sub(used)
	all := times(log)[before:]
	var gaps []float64
	for i := 1; i < len(all); i++ {
		gaps = append(gaps, float64(all[i]-all[i-1])/1000)
	}
	if len(gaps) < 10 {
		return fmt.Errorf("%s: only %d pictures", what, len(all))
	}
	slices.Sort(gaps)
	at := func(q float64) float64 { return gaps[int(q*float64(len(gaps)-1))] }
	each := func(d time.Duration) float64 { return 1000 * d.Seconds() / float64(len(all)) }
	fmt.Printf("panning %s: %d pictures in %.1f s; between pictures median %.0f ms, 95 %% %.0f ms, longest %.0f ms\n",
		what, len(all), took.Seconds(), at(0.5), at(0.95), at(1))
	fmt.Printf("  a picture costs %.1f CPU ms: %.1f in the window's thread, %.1f in those of software GL; all other threads used %.1f besides\n",
		each(used.Window+used.GL), each(used.Window), each(used.GL), each(used.Computed))
	return nil
}

func times(path string) []int64 {
	text, _ := os.ReadFile(path)
	var out []int64
	for line := range strings.Lines(string(text)) {
		if v, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64); err == nil {
			out = append(out, v)
		}
	}
	return out
}
