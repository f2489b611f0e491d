package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestStore_SavedAndOpened_IsTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "window.json")
	s := OpenFile(path)
	s.Theme, s.Width = "light", 1600
	for i := range most + 3 {
		s.Used(fmt.Sprintf("/data/%d/a.fits", i))
	}
	s.Used("/data/5/a.fits")
	s.Forget("/data/6/a.fits")
	s.Save()
	got := OpenFile(path)
	if got.Theme != "light" || got.Width != 1600 || len(got.Files) != most-1 || got.Files[0] != "/data/5/a.fits" || got.Dirs[0] != "/data/5" {
		t.Errorf("came back as %+v", got.State)
	}
	if list, _ := os.ReadDir(filepath.Dir(path)); len(list) != 1 {
		t.Errorf("%d files were left beside the store", len(list)-1)
	}
}

func TestStore_BrokenFile_IsEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "window.json")
	if err := os.WriteFile(path, []byte(`{"files":`), 0o644); err != nil {
		t.Fatal(err)
	}
	if s := OpenFile(path); len(s.Files) != 0 {
		t.Errorf("has files %v", s.Files)
	}
}
