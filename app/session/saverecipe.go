package session

import (
	"fmt"
	"path/filepath"

	"limpid/app/recipe"
)

// SaveRecipe writes a recipe that has not been run, its files named relative to
// the recipe's own folder.
func SaveRecipe(path string, r recipe.Recipe) error {
	portable := (&Result{Recipe: r}).portableRecipe(filepath.Dir(path))
	if err := writeFile(path, bytesOf(portable.JSON())); err != nil {
		return fmt.Errorf("session: %w: %s: %w", ErrOutput, path, err)
	}
	return nil
}
