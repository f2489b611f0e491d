package session

import (
	"fmt"

	"limpid/app/recipe"
	"limpid/app/training"
	"limpid/engine"
	"limpid/priors/card"
	"limpid/priors/score"
	"limpid/solvers/deconv"
)

// learnedPrior says how to load the recipe's learned prior, after reading its card, so
// that a wrong file is refused before anything is computed.
func learnedPrior(p recipe.Prior) (func(engine.Device, engine.Stream) (deconv.LearnedPrior, error), card.Card, error) {
	name := p.Kind
	if p.Kind == recipe.PriorWeights {
		name = p.File
	}
	entry, err := training.Find(name)
	if err != nil {
		return nil, card.Card{}, fmt.Errorf("%w: %w", recipe.ErrInvalid, err)
	}
	if entry.Card.Kind != card.Score {
		return nil, entry.Card, fmt.Errorf("%w: the prior %q is of the kind %q: it is not for images", recipe.ErrInvalid, name, entry.Card.Kind)
	}
	return func(dev engine.Device, s engine.Stream) (deconv.LearnedPrior, error) {
		f, done, err := entry.Open()
		if err != nil {
			return nil, fmt.Errorf("session: prior %s: %w", name, err)
		}
		defer done()
		prior, err := score.From(dev, s, f)
		if err != nil { // a nil *Prior must not become an interface that is not nil
			return nil, err
		}
		return prior, nil
	}, entry.Card, nil
}
