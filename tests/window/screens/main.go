// Command screens makes the pictures of docs/screens: it drives the built window
// through its states on a screen of its own, dark and light.
//
//	go build -tags gles -o bin/limpid ./app/cmd/limpid
//	go run ./tests/window/screens -binary bin/limpid -out docs/screens
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"limpid/assets"
	"limpid/tests/window/xwin"
)

func main() {
	c := config{}
	flag.StringVar(&c.binary, "binary", "bin/limpid", "the window to show")
	flag.StringVar(&c.out, "out", "docs/screens", "where the pictures go")
	size := flag.String("size", "1600x1000", "of the screen")
	flag.IntVar(&c.scale, "scale", 1, "of letters and lines: 2 on a screen of twice the pixels")
	only := flag.String("only", "", "screens whose names begin with one of these, comma-separated")
	themes := flag.String("themes", "dark,light", "")
	flag.Parse()
	c.only = strings.Split(*only, ",")
	if err := run(c, *size, strings.Split(*themes, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "screens:", err)
		os.Exit(1)
	}
}

type config struct {
	binary, out string
	w, h, scale int
	only        []string
}

// wants says whether a screen was asked for.
func (c config) wants(name string) bool {
	return slices.ContainsFunc(c.only, func(x string) bool { return strings.HasPrefix(name, x) })
}

func run(c config, size string, themes []string) error {
	if missing := xwin.Missing(); len(missing) > 0 {
		return fmt.Errorf("needs %s", strings.Join(missing, ", "))
	}
	var err error
	if c.binary, err = filepath.Abs(c.binary); err != nil {
		return err
	}
	if _, err := fmt.Sscanf(size, "%dx%d", &c.w, &c.h); err != nil {
		return fmt.Errorf("-size %s: %w", size, err)
	}
	failed := make([]error, len(themes))
	var wg sync.WaitGroup
	for i, theme := range themes { // side by side
		wg.Go(func() {
			for _, s := range scenes() {
				if err := c.take(theme, s); err != nil {
					failed[i] = errors.Join(failed[i], err)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

// stage is what a screen's script works with.
type stage struct {
	*xwin.App
	d     *xwin.Display
	dir   string
	data  string // folder of what is opened
	unit  int    // pixels of the screen for one of the window's
	stars string // a field of stars
	gal   string // the sample, cut loose from the program
	bands string // five bands of one field
	cube  string // many planes
	shear string // a shear catalogue
	blend string // overlapping sources

	binary string
	args   []string
}

// do runs steps until one fails.
func do(steps ...func() error) error {
	for _, f := range steps {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// take plays a scene in a window of its own and saves the screens that were asked for.
func (c config) take(theme string, s scene) error {
	last := -1
	for i, x := range s.shots {
		if c.wants(x.name) {
			last = i
		}
	}
	if last < 0 {
		return nil
	}
	st, err := newStage(c, s, theme)
	if err != nil {
		return err
	}
	defer os.RemoveAll(st.dir)
	defer st.d.Close()
	st.binary, st.args = c.binary, []string{"--theme", theme}
	if s.args != nil {
		st.args = append(st.args, s.args(st)...)
	}
	if st.App, err = st.d.Launch(c.binary, st.args...); err != nil {
		return err
	}
	defer func() { st.Kill() }() // the script may have started another
	for _, x := range s.shots[:last+1] {
		if x.play != nil {
			if err := x.play(st); err != nil {
				return fmt.Errorf("%s (%s): %w", x.name, theme, err)
			}
		}
		if c.wants(x.name) {
			im, err := st.d.Shot()
			if err != nil {
				return err
			}
			path := filepath.Join(c.out, x.name+"-"+theme+".png")
			if err := xwin.Save(path, im); err != nil {
				return err
			}
			fmt.Println(path)
		}
		if x.after != nil {
			if err := x.after(st); err != nil {
				return fmt.Errorf("after %s (%s): %w", x.name, theme, err)
			}
		}
	}
	return nil
}

// newStage makes a screen and the files that scenes open.
func newStage(c config, s scene, theme string) (*stage, error) {
	dir, err := os.MkdirTemp("", "limpid-screens-*")
	if err != nil {
		return nil, err
	}
	d, err := xwin.Start(dir, c.w, c.h)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	data := filepath.Join(dir, "data", "2026-11")
	in := func(name string) string { return filepath.Join(data, name) }
	st := &stage{d: d, dir: dir, data: data, unit: max(1, c.scale), stars: in("field.fits"), gal: in("galaxy.fits.gz"), bands: in("grizy.fits"), cube: in("cube.fits"), shear: in("shear.fits.gz"), blend: in("blend.fits.gz")}
	d.Scale, d.Work = c.scale, data
	err = os.MkdirAll(data, 0o755)
	if err == nil {
		err = st.files()
	}
	more := s.more
	if s.recent {
		more += fmt.Sprintf(`,"files":[%q,%q]`, st.gal, st.stars)
	}
	if err == nil {
		err = d.Remember(more)
	}
	if err != nil {
		d.Close()
		os.RemoveAll(dir)
		return nil, err
	}
	return st, nil
}

// files writes what the screens open.
func (s *stage) files() error {
	if err := xwin.WriteStars(s.stars, 384, 320); err != nil {
		return err
	}
	if err := xwin.WriteCube(s.bands, 5, 220, 180); err != nil {
		return err
	}
	if err := xwin.WriteCube(s.cube, 24, 120, 100); err != nil {
		return err
	}
	for i, path := range []string{s.gal, s.blend, s.shear} {
		data, err := assets.ReadSample(assets.Samples()[i].File)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
