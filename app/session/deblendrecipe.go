package session

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"limpid/app/file"
	"limpid/app/recipe"
	"limpid/solvers/deblend"
)

// DeblendTask is what a recipe of a deblending says it is.
const DeblendTask = "deblend"

// DeblendRecipeVersion of the format.
const DeblendRecipeVersion = 1

// DeblendRecipe is a deblending as the user asked for it: with the same files it
// gives the same result.
type DeblendRecipe struct {
	Version int                    `json:"version"`
	Task    string                 `json:"task"`
	SHA256  []string               `json:"sha256,omitempty"` // of Input.Files; checked where present
	Input   DeblendInput           `json:"input"`
	Options deblend.Options        `json:"options"`
	Sample  *deblend.SampleOptions `json:"sample,omitempty"` // nil: errors from the curvature
	Figure  bool                   `json:"figure,omitempty"`
}

// IsDeblendRecipe reports whether JSON is a recipe of a deblending.
func IsDeblendRecipe(text []byte) bool {
	var head struct {
		Task string `json:"task"`
	}
	return json.Unmarshal(text, &head) == nil && head.Task == DeblendTask
}

// LoadDeblendRecipe reads a recipe; paths in it are relative to its folder.
func LoadDeblendRecipe(path string) (DeblendRecipe, error) {
	var r DeblendRecipe
	text, err := os.ReadFile(path)
	if err != nil {
		return r, fmt.Errorf("session: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("%w: %s: %v", recipe.ErrInvalid, filepath.Base(path), err)
	}
	if r.Task != DeblendTask || r.Version != DeblendRecipeVersion {
		return r, fmt.Errorf("%w: %s is of the task %q, version %d: %s, version %d, can be read", recipe.ErrInvalid, filepath.Base(path), r.Task, r.Version, DeblendTask, DeblendRecipeVersion)
	}
	for _, f := range r.files() {
		if *f != "" && !filepath.IsAbs(*f) {
			*f = filepath.Join(filepath.Dir(path), *f)
		}
	}
	return r, nil
}

// files are the paths inside a recipe. Entries of PSF are paths only where a file
// of that name is there.
func (r *DeblendRecipe) files() []*string {
	out := []*string{&r.Input.Catalogue}
	for i := range r.Input.Files {
		out = append(out, &r.Input.Files[i])
	}
	return out
}

// Seal notes what the files are now, so that a changed one is refused later.
func (r *DeblendRecipe) Seal() error {
	r.Version, r.Task, r.SHA256 = DeblendRecipeVersion, DeblendTask, nil
	for _, f := range r.Input.Files {
		sum, err := sumOf(f)
		if err != nil {
			return err
		}
		r.SHA256 = append(r.SHA256, sum)
	}
	return nil
}

// Check compares the files with what Seal noted.
func (r *DeblendRecipe) Check() error {
	for i, f := range r.Input.Files {
		if i >= len(r.SHA256) || r.SHA256[i] == "" {
			continue
		}
		sum, err := sumOf(f)
		if err != nil {
			return err
		}
		if sum != r.SHA256[i] {
			return fmt.Errorf("session: %s has sha256 %.12s…, the recipe was made for %.12s…: %w", fileName(f), sum, r.SHA256[i], ErrChanged)
		}
	}
	return nil
}

func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("session: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("session: %s: %w", fileName(path), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Save writes the recipe with its files relative to the folder it goes to. PSF
// files are written as absolute paths.
func (r DeblendRecipe) Save(path string) error {
	r.Input.Files = append([]string(nil), r.Input.Files...)
	r.Input.PSF = append([]string(nil), r.Input.PSF...)
	r.Options.Workers = 0
	for i, p := range r.Input.PSF {
		if _, err := os.Stat(p); err == nil {
			if abs, err := filepath.Abs(p); err == nil {
				r.Input.PSF[i] = abs
			}
		}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	for _, f := range r.files() {
		if *f == "" {
			continue
		}
		if abs, err := filepath.Abs(*f); err == nil {
			*f = abs
			if rel, err := filepath.Rel(dir, abs); err == nil {
				*f = filepath.ToSlash(rel)
			}
		}
	}
	return file.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	})
}
