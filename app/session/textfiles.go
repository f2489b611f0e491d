package session

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"limpid/app/file"
	"limpid/app/recipe"
)

// SaveRecipe writes a recipe that has not been run, its files named relative to
// the recipe's own folder.
func SaveRecipe(path string, r recipe.Recipe) error {
	portable := (&Result{Recipe: r}).portableRecipe(filepath.Dir(path))
	if err := file.WriteBytes(path, portable.JSON()); err != nil {
		return fmt.Errorf("session: %w: %s: %w", ErrOutput, path, err)
	}
	return nil
}

// WriteFile writes a file beside its name, syncs it and renames it: after a crash
// the old file or the new one is there, whole.
func WriteFile(path string, b []byte) error {
	if err := file.WriteBytes(path, b); err != nil {
		return fmt.Errorf("session: %w: %s: %w", ErrOutput, path, err)
	}
	return nil
}

// readNumbers reads a text file of numbers in columns separated by commas or
// blanks; lines that start with # or with a word (a header) are passed over.
func readNumbers(path string) ([][]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, wrapf(err, "session")
	}
	defer f.Close()
	var rows [][]float64
	sc := bufio.NewScanner(f)
	for line := 1; sc.Scan(); line++ {
		text := strings.TrimSpace(sc.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		fields := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == ';' })
		row := make([]float64, 0, len(fields))
		for _, s := range fields {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				if len(rows) == 0 && len(row) == 0 { // a header line
					row = nil
					break
				}
				return nil, fmt.Errorf("%w: %s: line %d: %q is not a number", recipe.ErrInvalid, path, line, s)
			}
			row = append(row, v)
		}
		if row != nil {
			rows = append(rows, row)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, wrapf(err, "session: read %s", path)
	}
	return rows, nil
}
