package massmap

import (
	"fmt"

	"limpid/engine"
	"limpid/priors"
)

// Learned is a prior known by its score.
type Learned struct {
	Prior priors.Prior
	Batch int
}

func (p *Problem) score(engine.Device) error {
	return fmt.Errorf("massmap: method score needs a learned prior: %w", ErrSetting)
}
