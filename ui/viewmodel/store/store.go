// Package store remembers between sessions what a window should: files and
// folders used before, its theme, its size. It is a small JSON file in the user's
// configuration folder; a store that cannot be read is empty, one that cannot be
// written is forgotten.
package store

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"limpid/app/file"
)

// State is what is kept.
type State struct {
	Files  []string `json:"files,omitempty"`   // opened last, the newest first
	Dirs   []string `json:"folders,omitempty"` // likewise
	Theme  string   `json:"theme,omitempty"`   // "dark", "light"
	Width  int      `json:"width,omitempty"`
	Height int      `json:"height,omitempty"`
	Left   float32  `json:"left,omitempty"`  // width of the side panels
	Right  float32  `json:"right,omitempty"` //

	Device   string `json:"device,omitempty"`   // "": auto
	Threads  int    `json:"threads,omitempty"`  // 0: all but one
	Language string `json:"language,omitempty"` // "": the system's
	Degrees  bool   `json:"degrees,omitempty"`  // positions on the sky
	FromOne  bool   `json:"from_one,omitempty"` // pixels
}

// most is how many files and folders are remembered.
const most = 10

// Store holds the State. Its methods belong to one goroutine, Save excepted.
type Store struct {
	State
	path string
	mu   sync.Mutex
}

// None is a store that remembers nothing beyond the session.
func None() *Store { return &Store{} }

// Open reads the store of this user.
func Open() *Store {
	dir, err := os.UserConfigDir()
	if err != nil {
		return None()
	}
	return OpenFile(filepath.Join(dir, "limpid", "window.json"))
}

// OpenFile reads a store from a file that may not exist.
func OpenFile(path string) *Store {
	s := &Store{path: path}
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &s.State) != nil {
		s.State = State{}
	}
	s.Files, s.Dirs = clip(s.Files), clip(s.Dirs)
	return s
}

func clip(list []string) []string {
	var out []string
	for _, p := range list {
		if p != "" && !slices.Contains(out, p) && len(out) < most {
			out = append(out, p)
		}
	}
	return out
}

// Used puts a file and its folder to the front.
func (s *Store) Used(path string) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	s.Files = clip(append([]string{path}, s.Files...))
	s.Dirs = clip(append([]string{filepath.Dir(path)}, s.Dirs...))
}

// Forget takes a file off the list, for one that is gone.
func (s *Store) Forget(path string) {
	s.Files = slices.DeleteFunc(s.Files, func(p string) bool { return p == path })
}

// Save writes the file anew and renames it into place.
func (s *Store) Save() {
	if s.path == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := json.MarshalIndent(s.State, "", "  ")
	if err != nil || os.MkdirAll(filepath.Dir(s.path), 0o755) != nil {
		return
	}
	_ = file.WriteBytes(s.path, append(text, '\n')) // what is remembered is a comfort
}
