package training

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"limpid/assets"
	"limpid/engine/nn/safetensors"
	"limpid/priors/card"
)

// Entry is a learned prior that can be used.
type Entry struct {
	Name    string
	Path    string // "" for one that ships
	Card    card.Card
	Problem string // why its card cannot be read
}

// Folder is where a user's priors are kept and looked for.
func Folder() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("training: no folder for priors: %w", err)
	}
	return filepath.Join(dir, "limpid", "priors"), nil
}

// List is all priors: those that ship, then the user's.
func List() []Entry {
	var out []Entry
	for _, name := range assets.Priors() {
		out = append(out, describe(Entry{Name: name}))
	}
	dir, err := Folder()
	if err != nil {
		return out
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	sort.Strings(paths)
	for _, p := range paths {
		out = append(out, describe(Entry{Name: stem(p), Path: p}))
	}
	return out
}

func stem(path string) string { return strings.TrimSuffix(filepath.Base(path), ".safetensors") }

func describe(e Entry) Entry {
	f, done, err := e.Open()
	if err == nil {
		e.Card, err = card.Of(f)
		done()
	}
	if err != nil {
		e.Problem = err.Error()
	}
	return e
}

// Find is the prior of a name or of a file.
func Find(name string) (Entry, error) {
	var known []string
	for _, e := range List() {
		if e.Name == name {
			if e.Problem != "" {
				return e, fmt.Errorf("training: prior %q: %s", name, e.Problem)
			}
			return e, nil
		}
		known = append(known, e.Name)
	}
	if _, err := os.Stat(name); err == nil {
		e := describe(Entry{Name: stem(name), Path: name})
		if e.Problem != "" {
			return e, fmt.Errorf("training: %s: %s", name, e.Problem)
		}
		return e, nil
	}
	return Entry{}, fmt.Errorf("training: no prior %q: there are %s, and any file of weights", name, strings.Join(known, ", "))
}

// Open gives the weights; done closes them.
func (e Entry) Open() (f *safetensors.File, done func(), err error) {
	if e.Path == "" {
		b, err := assets.ReadPrior(e.Name)
		if err != nil {
			return nil, nil, err
		}
		f, err := safetensors.Read(bytes.NewReader(b), int64(len(b)))
		return f, func() {}, err
	}
	r, err := os.Open(e.Path)
	if err != nil {
		return nil, nil, err
	}
	st, err := r.Stat()
	if err == nil {
		f, err = safetensors.Read(r, st.Size())
	}
	if err != nil {
		r.Close()
		return nil, nil, err
	}
	return f, func() { r.Close() }, nil
}
