// Package browse is a file browser that selects several files at once: a path to
// type, folders used before, a sortable list worked by mouse and keyboard, and a
// preview that the window supplies.
//
// Like everything in the window it belongs to the main goroutine; only the
// reading of folders, which may be on a slow disk, happens elsewhere.
package browse

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Entry is one file or folder.
type Entry struct {
	Name   string
	Path   string
	Folder bool
	Size   int64
	Time   time.Time
}

// ReadFolder lists a folder of the local disk; links are followed, and what
// cannot be looked at is left out.
func ReadFolder(dir string) ([]Entry, error) {
	names, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(names))
	for _, n := range names {
		path := filepath.Join(dir, n.Name())
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		out = append(out, Entry{Name: n.Name(), Path: path, Folder: info.IsDir(), Size: info.Size(), Time: info.ModTime()})
	}
	return out, nil
}

// Filter says which files a browser shows. Folders are always shown.
type Filter struct {
	Name     string
	Suffixes []string // in lower case, with the dot; none: every file
}

// Filters are those of the open dialog, the usual one first.
func Filters() []Filter {
	return []Filter{
		{"Images, recipes, regions, tables", []string{".fits", ".fit", ".fts", ".fz", ".gz", ".json", ".limpid", ".reg", ".csv", ".tsv", ".txt", ".cat", ".dat"}},
		{"FITS images", []string{".fits", ".fit", ".fts", ".fz", ".gz"}},
		{"Recipes (.json)", []string{".json"}},
		{"All files", nil},
	}
}

func (f Filter) shows(e Entry) bool {
	if e.Folder || len(f.Suffixes) == 0 {
		return true
	}
	name := strings.ToLower(e.Name)
	return slices.ContainsFunc(f.Suffixes, func(s string) bool { return strings.HasSuffix(name, s) })
}

// column is what a list is sorted by.
type column int

const (
	byName column = iota
	bySize
	byTime
)

// arrange filters and sorts; folders come first.
func arrange(all []Entry, f Filter, hidden bool, by column, down bool) []Entry {
	var out []Entry
	for _, e := range all {
		if (hidden || !strings.HasPrefix(e.Name, ".")) && f.shows(e) {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b Entry) int {
		if a.Folder != b.Folder {
			if a.Folder {
				return -1
			}
			return 1
		}
		c := 0
		switch by {
		case bySize:
			c = cmp.Compare(a.Size, b.Size)
		case byTime:
			c = a.Time.Compare(b.Time)
		}
		if c == 0 {
			c = natural(a.Name, b.Name)
		}
		if down {
			c = -c
		}
		return c
	})
	return out
}

// natural compares names without case and numbers by value: img2 before img10.
func natural(a, b string) int {
	x, y := strings.ToLower(a), strings.ToLower(b)
	for x != "" && y != "" {
		dx, dy := digits(x), digits(y)
		if dx > 0 && dy > 0 {
			m, n := strings.TrimLeft(x[:dx], "0"), strings.TrimLeft(y[:dy], "0")
			if c := cmp.Or(cmp.Compare(len(m), len(n)), strings.Compare(m, n)); c != 0 {
				return c
			}
			x, y = x[dx:], y[dy:]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// sizeText writes a size as file managers do.
func sizeText(n int64) string {
	const k = 1000
	if n < k {
		return fmt.Sprintf("%d B", n)
	}
	v := float64(n)
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		v /= k
		if v < 99.5 {
			return fmt.Sprintf("%.1f %s", v, u)
		}
		if v < 999.5 || u == "TB" {
			return fmt.Sprintf("%.0f %s", v, u)
		}
	}
	return ""
}

// Expand makes an absolute path of what was typed: ~ is the home folder, and what
// is not absolute is meant in the working folder.
func Expand(typed string) string {
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	return expand(typed, dir)
}

// expand makes a path of what was typed: ~ is the home folder, and what is not
// absolute is meant in dir.
func expand(typed, dir string) string {
	typed = strings.TrimSpace(typed)
	if typed == "~" || strings.HasPrefix(typed, "~/") {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, typed[1:])
		}
	}
	if !filepath.IsAbs(typed) {
		typed = filepath.Join(dir, typed)
	}
	return filepath.Clean(typed)
}
