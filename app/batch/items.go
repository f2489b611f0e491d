// Package batch runs one recipe over many images. It is resumable, and as many
// processes as share the output folder may work on the same batch at once, on one
// machine or on a cluster: what is done, failed or being done is kept in files
// beside the results, never in memory alone.
package batch

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"limpid/app/recipe"
	"limpid/app/session"
)

// Item is one image of a batch.
type Item struct {
	Name  string // of the result, unique in the batch: OUTDIR/Name.fits
	Image string // path
	// Settings of this image alone, by column of the manifest, in the words of
	// the command line.
	Settings map[string]string
	Line     int // of the manifest; 0: from a folder
}

// ErrManifest marks a list of images that cannot be used.
var ErrManifest = fmt.Errorf("batch: %w", recipe.ErrInvalid)

func bad(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrManifest, fmt.Sprintf(format, a...))
}

// columns are the settings that a manifest may give per image.
var columns = map[string]func(r *recipe.Recipe, v string) error{
	"hdu":   func(r *recipe.Recipe, v string) error { return whole(v, &r.Input.HDU) },
	"plane": func(r *recipe.Recipe, v string) error { return whole(v, &r.Input.Plane) },
	"cutout": func(r *recipe.Recipe, v string) (err error) {
		r.Input.Cutout, err = recipe.ParseCutout(v)
		return err
	},
	"psf": func(r *recipe.Recipe, v string) error {
		p, err := recipe.ParsePSF(v)
		p.Recenter, p.Error = r.PSF.Recenter, r.PSF.Error
		r.PSF = p
		return err
	},
	"noise": func(r *recipe.Recipe, v string) (err error) {
		r.Noise, err = recipe.ParseNoise(v)
		return err
	},
	"sky": func(r *recipe.Recipe, v string) (err error) {
		free := r.Sky.Free
		r.Sky, err = recipe.ParseSky(v)
		r.Sky.Free = free
		return err
	},
	"mask": func(r *recipe.Recipe, v string) (err error) {
		if n, convErr := strconv.Atoi(v); convErr == nil {
			r.Mask.File, r.Mask.HDU = "", &n
			return nil
		}
		r.Mask.File, r.Mask.HDU, err = recipe.ParseFile(v)
		return err
	},
	"saturation": func(r *recipe.Recipe, v string) error {
		x, err := strconv.ParseFloat(v, 64)
		r.Mask.Saturation = &x
		return err
	},
	"samples": func(r *recipe.Recipe, v string) (err error) {
		r.Draw.Samples, err = strconv.Atoi(v)
		return err
	},
	"seed": func(r *recipe.Recipe, v string) (err error) {
		r.Draw.Seed, err = strconv.ParseUint(v, 10, 64)
		return err
	},
}

// files are the columns that name files, relative to the manifest.
var files = []string{"psf", "noise", "mask"}

func whole(v string, to **int) error {
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		return errors.New("must be a whole number from 0")
	}
	*to = &n
	return nil
}

// Recipe is the batch's recipe with the item's image and settings.
func (it Item) Recipe(r recipe.Recipe) (recipe.Recipe, error) {
	r.Input.File, r.Input.SHA256 = it.Image, ""
	for name, v := range it.Settings {
		if err := columns[name](&r, v); err != nil {
			return r, bad("line %d: %s %q: %v", it.Line, name, v, err)
		}
	}
	return r, r.Validate()
}

// endings of the images that are taken from a folder.
var endings = []string{".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fts.gz", ".fits.fz"}

// List reads a manifest or a folder. A manifest is a CSV file with a header line:
// image (required), name, and any of hdu, plane, cutout, psf, noise, sky, mask,
// saturation, samples, seed, as on the command line; an empty cell leaves the
// recipe's setting. Paths are relative to the manifest. Of a folder every FITS
// file is taken, subfolders are not looked into.
func List(path string) ([]Item, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	var items []Item
	if info.IsDir() {
		items, err = folder(path)
	} else {
		items, err = manifest(path)
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]string{}
	for _, it := range items {
		key := strings.ToLower(it.Name) // some file systems know no case
		if other, ok := seen[key]; ok {
			return nil, bad("%s and %s would both be written to %s.fits: name them apart in the manifest's column \"name\"", other, it.Image, it.Name)
		}
		seen[key] = it.Image
	}
	return items, nil
}

func folder(dir string) ([]Item, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	var items []Item
	for _, e := range entries {
		name := strings.ToLower(e.Name())
		if e.IsDir() || !slices.ContainsFunc(endings, func(end string) bool { return strings.HasSuffix(name, end) }) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		items = append(items, Item{Name: resultName(path), Image: path})
	}
	if len(items) == 0 {
		return nil, bad("%s holds no FITS files (%s)", dir, strings.Join(endings, " "))
	}
	return items, nil
}

func resultName(image string) string { return filepath.Base(session.Stem(image)) + "-posterior" }

// maxManifest bounds what is read.
const maxManifest = 64 << 20

func manifest(path string) ([]Item, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	defer f.Close()
	rd := csv.NewReader(io.LimitReader(f, maxManifest))
	rd.Comment, rd.TrimLeadingSpace = '#', true
	head, err := rd.Read()
	if err != nil {
		return nil, bad("%s: no header line: %v", path, err)
	}
	for i, h := range head {
		head[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))
		if _, ok := columns[head[i]]; !ok && head[i] != "image" && head[i] != "name" {
			return nil, bad("%s: column %q is not one of image, name, hdu, plane, cutout, psf, noise, sky, mask, saturation, samples, seed", path, h)
		}
		if slices.Contains(head[:i], head[i]) {
			return nil, bad("%s: two columns %q", path, h)
		}
	}
	if !slices.Contains(head, "image") {
		return nil, bad("%s: no column \"image\" in the header line", path)
	}
	var items []Item
	for {
		row, err := rd.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, bad("%s: %v", path, err)
		}
		line, _ := rd.FieldPos(0)
		it, err := item(head, row, filepath.Dir(path), line)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		items = append(items, it)
	}
	if len(items) == 0 {
		return nil, bad("%s lists no image", path)
	}
	return items, nil
}

func item(head, row []string, dir string, line int) (Item, error) {
	it := Item{Line: line, Settings: map[string]string{}}
	at := func(p string) string {
		if filepath.IsAbs(p) {
			return p
		}
		return filepath.Join(dir, filepath.FromSlash(p))
	}
	for i, v := range row {
		v = strings.TrimSpace(v)
		switch name := head[i]; {
		case v == "":
		case name == "image":
			it.Image = at(v)
		case name == "name":
			it.Name = session.Stem(v)
		default:
			if slices.Contains(files, name) {
				v = relocate(v, at)
			}
			it.Settings[name] = v
		}
	}
	if it.Image == "" {
		return it, bad("line %d: no image", line)
	}
	if it.Name == "" {
		it.Name = resultName(it.Image)
	}
	if strings.ContainsAny(it.Name, `/\`) || it.Name == "." || it.Name == ".." {
		return it, bad("line %d: the name %q must be a file name without folders", line, it.Name)
	}
	// what is wrong in a cell is said before anything runs
	_, err := it.Recipe(recipe.Default(it.Image))
	return it, err
}

// relocate makes the file in a setting such as "psf.fits[1]" or "weights:w.fits"
// relative to the manifest, if there is such a file.
func relocate(v string, at func(string) string) string {
	prefix, rest := "", v
	if kind, arg, ok := strings.Cut(v, ":"); ok {
		prefix, rest = kind+":", arg
	}
	name, _, _ := strings.Cut(rest, "[")
	if name == "" {
		return v
	}
	if _, err := os.Stat(at(name)); err != nil {
		return v
	}
	return prefix + at(name) + rest[len(name):]
}

// Shard keeps every n-th item, from the k-th on, 0 ≤ k < n.
func Shard(items []Item, k, n int) []Item {
	var out []Item
	for i := k; i < len(items); i += n {
		out = append(out, items[i])
	}
	return out
}
