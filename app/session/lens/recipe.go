package lens

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"limpid/app/file"
	"limpid/engine"
	"limpid/priors/gaussian"
	"limpid/priors/gaussian/theory"
	"limpid/solvers/massmap"
	"limpid/solvers/massmap/binning"
	"limpid/solvers/massmap/measure"
)

// Task is what a recipe of a mass map says it is.
const Task = "massmap"

// RecipeVersion of the format.
const RecipeVersion = 1

// Recipe is a mass map as the user asked for it: with the same input file it gives the
// same result. Either File or Maps is set.
type Recipe struct {
	Version int             `json:"version"`
	Task    string          `json:"task"`
	File    string          `json:"file,omitempty"`   // catalogue
	SHA256  string          `json:"sha256,omitempty"` // of File; checked when present
	HDU     int             `json:"hdu,omitempty"`
	Columns Columns         `json:"columns"`
	Binning binning.Options `json:"binning"`
	Maps    *MapFiles       `json:"maps,omitempty"`

	Method massmap.Method `json:"method"`          // or Auto
	Prior  string         `json:"prior,omitempty"` // of score; of unet: its network
	// Spectrum is "theory", "fit" (from theory, by the shear), "prior" (that of the
	// learned prior) or a file of k in cycles per pixel and P; "": prior with score, theory
	// else.
	Spectrum  string    `json:"spectrum"`
	SourceZ   float64   `json:"source_z,omitempty"` // one plane of sources; 0: at 1
	NZ        string    `json:"nz,omitempty"`       // file of z and n(z) instead
	Shift     float64   `json:"shift,omitempty"`
	Reduced   int       `json:"reduced"`
	Smoothing float64   `json:"smoothing,omitempty"` // arcmin
	FillGaps  int       `json:"fill_gaps,omitempty"`
	Pad       int       `json:"pad"`     // negative: automatic
	Samples   int       `json:"samples"` // 0: LearnedSamples or DefaultSamples
	Seed      uint64    `json:"seed"`
	Device    string    `json:"device,omitempty"`
	Aperture  *Aperture `json:"aperture,omitempty"`
	Profile   *Profile  `json:"profile,omitempty"`
	Inject    *Halo     `json:"inject,omitempty"`
	// Marks is a catalogue and Contours an image to lay over the map.
	Marks    string `json:"marks,omitempty"`
	Contours string `json:"contours,omitempty"`
}

// Aperture asks for a map of aperture mass.
type Aperture struct {
	Filter measure.ApertureFilter `json:"filter"`
	Radius float64                `json:"radius"` // arcmin
}

// Profile asks for rings of Width about a position out to Radius, arcmin.
type Profile struct {
	RA     float64 `json:"ra"`
	Dec    float64 `json:"dec"`
	Width  float64 `json:"width"`
	Radius float64 `json:"radius"`
}

// Halo is one to inject: mass in Msun/h within 200 times the critical density.
type Halo struct {
	RA            float64 `json:"ra"`
	Dec           float64 `json:"dec"`
	Mass          float64 `json:"mass"`
	Concentration float64 `json:"concentration"`
	Z             float64 `json:"z"`
}

// DefaultRecipe is what a user gets who changes nothing but the file.
func DefaultRecipe(file string) Recipe {
	return Recipe{
		Version: RecipeVersion, Task: Task, File: file, Method: Auto,
		Shift: massmap.DefaultShift, Reduced: 1, Smoothing: 1, Pad: -1, Seed: 1,
	}
}

// files are the paths inside a recipe.
func (r *Recipe) files() []*string {
	out := []*string{&r.File, &r.NZ, &r.Marks, &r.Contours}
	switch r.Spectrum {
	case "theory", "fit", "prior", "":
	default:
		out = append(out, &r.Spectrum)
	}
	if m := r.Maps; m != nil {
		out = append(out, &m.G1, &m.G2, &m.Std1, &m.Std2, &m.Mask, &m.Count)
	}
	return out
}

// IsRecipe reports whether JSON is a recipe of a mass map.
func IsRecipe(text []byte) bool {
	var head struct {
		Task string `json:"task"`
	}
	return json.Unmarshal(text, &head) == nil && head.Task == Task
}

// LoadRecipe reads a recipe; paths in it are relative to its folder.
func LoadRecipe(path string) (Recipe, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Recipe{}, fmt.Errorf("lens: %w", err)
	}
	r := DefaultRecipe("")
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("lens: recipe %s: %v: %w", filepath.Base(path), err, massmap.ErrSetting)
	}
	if r.Task != Task || r.Version < 1 || r.Version > RecipeVersion {
		return r, fmt.Errorf("lens: recipe %s is of the task %q, version %d: %s, version 1 to %d, can be read: %w", filepath.Base(path), r.Task, r.Version, Task, RecipeVersion, massmap.ErrSetting)
	}
	for _, f := range r.files() {
		if *f != "" && !filepath.IsAbs(*f) {
			*f = filepath.Join(filepath.Dir(path), *f)
		}
	}
	return r, nil
}

// Save writes the recipe with its files relative to the folder it goes to.
func (r Recipe) Save(path string) error {
	if r.Maps != nil {
		m := *r.Maps
		r.Maps = &m
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("lens: %w", err)
	}
	for _, f := range r.files() {
		if *f == "" {
			continue
		}
		if abs, e := filepath.Abs(*f); e == nil {
			*f = abs
			if rel, e := filepath.Rel(dir, abs); e == nil {
				*f = filepath.ToSlash(rel)
			}
		}
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("lens: %w", err)
	}
	return file.WriteBytes(path, append(text, '\n'))
}

// Publish saves the recipe beside a result: with the digest of its catalogue, without the
// device.
func (r Recipe) Publish(path string) error {
	var err error
	if r.File != "" {
		if r.SHA256, err = Sum(r.File); err != nil {
			return err
		}
	}
	r.Device = ""
	return r.Save(path)
}

// Sum is the SHA-256 of a file.
func Sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("lens: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("lens: %s: %w", filepath.Base(path), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Field opens what the recipe names. Columns in use come with it.
func (r *Recipe) Field(ctx context.Context) (*massmap.Field, Columns, error) {
	if r.Maps != nil {
		f, err := OpenMaps(ctx, *r.Maps)
		if err == nil {
			f.Flip(r.Binning.Flip1, r.Binning.Flip2)
		}
		return f, Columns{}, err
	}
	if r.SHA256 != "" {
		sum, err := Sum(r.File)
		if err != nil {
			return nil, Columns{}, err
		}
		if sum != r.SHA256 {
			return nil, Columns{}, fmt.Errorf("lens: %s has changed since the recipe was written: take sha256 out of the recipe to use it as it is: %w", filepath.Base(r.File), massmap.ErrSetting)
		}
	}
	c, err := Open(ctx, r.File, r.HDU)
	if err != nil {
		return nil, Columns{}, err
	}
	defer c.Close()
	return r.Bin(ctx, c)
}

// Bin puts a catalogue on pixels. Where neither pixel nor method are named, the pixel is
// the learned prior's if that suits the catalogue; it is then written to the recipe.
func (r *Recipe) Bin(ctx context.Context, c *Catalogue) (*massmap.Field, Columns, error) {
	f, cols, err := c.Bin(ctx, r.Columns, r.Binning)
	if err != nil || r.Binning.Arcmin != 0 || r.Binning.W != 0 || (r.Method != Auto && r.Method != "" && r.Method != massmap.Score) {
		return f, cols, err
	}
	pixel := autoPixel(r.prior(), f)
	if pixel == 0 {
		return f, cols, nil
	}
	o := r.Binning
	o.Arcmin = pixel
	g, cols, err := c.Bin(ctx, r.Columns, o)
	if err != nil {
		return f, cols, nil //nolint:nilerr // the first pixel did
	}
	r.Binning.Arcmin = pixel
	return g, cols, nil
}

// Sources are those of the recipe.
func (r *Recipe) Sources() (theory.Sources, error) {
	if r.NZ == "" {
		z := r.SourceZ
		if z == 0 {
			z = 1
		}
		s, err := theory.SinglePlane(z)
		if err != nil {
			return s, fmt.Errorf("lens: sources at z = %g: %v: %w", z, err, massmap.ErrSetting)
		}
		return s, nil
	}
	z, n, err := readPairs(r.NZ)
	if err != nil {
		return theory.Sources{}, err
	}
	s, err := theory.NewSources(z, n)
	if err != nil {
		return s, fmt.Errorf("lens: %s: %v: %w", filepath.Base(r.NZ), err, massmap.ErrSetting)
	}
	return s, nil
}

// spectrum is the prior's, for pixels of arcmin; learned may be nil.
func (r *Recipe) spectrum(ctx context.Context, dev engine.Device, f *massmap.Field, learned *LearnedPrior) (gaussian.Spectrum, error) {
	switch r.Spectrum {
	case "theory", "fit", "":
		src, err := r.Sources()
		if err != nil {
			return gaussian.Spectrum{}, err
		}
		sp, err := Theory(theory.Cosmology{}, src, f.Arcmin)
		if err == nil && r.Spectrum == "fit" {
			return massmap.FitSpectrum(ctx, dev, f, sp, r.Pad, r.Seed)
		}
		return sp, err
	case "prior":
		if learned == nil {
			return gaussian.Spectrum{}, fmt.Errorf("lens: spectrum %q is for the method score: %w", r.Spectrum, massmap.ErrSetting)
		}
		return learned.Spectrum, nil
	}
	k, p, err := readPairs(r.Spectrum)
	if err != nil {
		return gaussian.Spectrum{}, err
	}
	sp, err := gaussian.NewSpectrum(k, p)
	if err != nil {
		return sp, fmt.Errorf("lens: %s: %v: %w", filepath.Base(r.Spectrum), err, massmap.ErrSetting)
	}
	return sp, nil
}

// readPairs reads two columns of numbers, with commas or blanks between; lines that begin
// with # or a letter are passed over.
func readPairs(path string) (a, b []float64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("lens: %w", err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for line := 1; sc.Scan(); line++ {
		text := strings.TrimSpace(sc.Text())
		if text == "" || strings.ContainsAny(text[:1], "#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\"%") {
			continue
		}
		v := strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ';' || c == ' ' || c == '\t' })
		if len(v) < 2 {
			return nil, nil, fmt.Errorf("lens: %s: line %d has one column, two are needed: %w", filepath.Base(path), line, massmap.ErrSetting)
		}
		x, err1 := strconv.ParseFloat(v[0], 64)
		y, err2 := strconv.ParseFloat(v[1], 64)
		if err1 != nil || err2 != nil {
			return nil, nil, fmt.Errorf("lens: %s: line %d: %q is not two numbers: %w", filepath.Base(path), line, text, massmap.ErrSetting)
		}
		a, b = append(a, x), append(b, y)
	}
	if err := sc.Err(); err != nil {
		return nil, nil, fmt.Errorf("lens: %s: %w", filepath.Base(path), err)
	}
	if len(a) < 2 {
		return nil, nil, fmt.Errorf("lens: %s holds %d rows of two numbers, at least 2 are needed: %w", filepath.Base(path), len(a), massmap.ErrSetting)
	}
	return a, b, nil
}
