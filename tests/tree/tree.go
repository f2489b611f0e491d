// Package tree lets a test that runs the go command on the module depend on its files.
package tree

import (
	"io/fs"
	"path/filepath"
)

// Read reads the folders of the module below root. The cache of tests sees what a test reads,
// not what a command does that it runs: without this a result from before a change would stand.
func Read(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == ".git" || d.Name() == "bin" || d.Name() == "out") {
			return filepath.SkipDir
		}
		return err
	})
}
