// Command screens makes the pictures of docs/screens: it drives the built window
// through its states on a screen of its own, dark and light.
//
//	go build -tags gles -o bin/limpid ./app/cmd/limpid
//	go run ./tests/window/screens -binary bin/limpid -out docs/screens
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"limpid/assets"
	"limpid/tests/window/xwin"
)

func main() {
	binary := flag.String("binary", "bin/limpid", "the window to show")
	out := flag.String("out", "docs/screens", "where the pictures go")
	size := flag.String("size", "1600x1000", "of the screen")
	only := flag.String("only", "", "screens whose names begin with this")
	themes := flag.String("themes", "dark,light", "")
	flag.Parse()
	if err := run(*binary, *out, *size, *only, strings.Split(*themes, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "screens:", err)
		os.Exit(1)
	}
}

func run(binary, out, size, only string, themes []string) error {
	if missing := xwin.Missing(); len(missing) > 0 {
		return fmt.Errorf("needs %s", strings.Join(missing, ", "))
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	var w, h int
	if _, err := fmt.Sscanf(size, "%dx%d", &w, &h); err != nil {
		return fmt.Errorf("-size %s: %w", size, err)
	}
	for _, theme := range themes {
		for _, s := range screens() {
			if !strings.HasPrefix(s.name, only) {
				continue
			}
			path := filepath.Join(out, s.name+"-"+theme+".png")
			if err := take(binary, path, theme, w, h, s); err != nil {
				return fmt.Errorf("%s (%s): %w", s.name, theme, err)
			}
			fmt.Println(path)
		}
	}
	return nil
}

// stage is what a screen's script works with.
type stage struct {
	*xwin.App
	d     *xwin.Display
	dir   string
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

// take plays one screen's script and saves what it shows.
func take(binary, path, theme string, w, h int, s screen) error {
	dir, err := os.MkdirTemp("", "limpid-screens-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	d, err := xwin.Start(dir, w, h)
	if err != nil {
		return err
	}
	defer d.Close()
	st := &stage{
		d: d, dir: dir, stars: filepath.Join(dir, "field.fits"), gal: filepath.Join(dir, "galaxy.fits.gz"),
		bands: filepath.Join(dir, "grizy.fits"), cube: filepath.Join(dir, "cube.fits"),
		shear: filepath.Join(dir, "shear.fits.gz"), blend: filepath.Join(dir, "blend.fits.gz"),
	}
	if err := st.files(); err != nil {
		return err
	}
	more := s.more
	if s.recent {
		more += fmt.Sprintf(`,"files":[%q,%q]`, st.gal, st.stars)
	}
	if err := d.Remember(more); err != nil {
		return err
	}
	args := []string{"--theme", theme}
	if s.args != nil {
		args = append(args, s.args(st)...)
	}
	st.binary, st.args = binary, args
	if st.App, err = d.Launch(binary, args...); err != nil {
		return err
	}
	defer func() { st.Kill() }() // the script may have started another
	if s.play != nil {
		if err := s.play(st); err != nil {
			return err
		}
	}
	im, err := d.Shot()
	if err != nil {
		return err
	}
	return xwin.Save(path, im)
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
