package file_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"limpid/app/file"
)

func TestWrite_AnError_LeavesWhatWasThere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.json")
	if err := file.WriteBytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	full := errors.New("disk full")
	err := file.Write(path, func(w io.Writer) error {
		if _, err := w.Write([]byte("ne")); err != nil {
			t.Fatal(err)
		}
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("error %v, want the writer's", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%d files in the folder, %v: want only the old one", len(left), err)
	}
	if err := file.WriteBytes(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	if err := file.WriteBytes(filepath.Join(dir, "none", "a"), nil); err == nil {
		t.Error("a folder that is not there was no error")
	}
}
