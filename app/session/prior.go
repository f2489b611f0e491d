package session

import (
	"bytes"
	"fmt"
	"os"

	"limpid/app/recipe"
	"limpid/engine"
	"limpid/engine/nn/safetensors"
	"limpid/priors/score"
	"limpid/solvers/deconv"
)

// shipped gives the weights of a prior by its name; the session refuses names that it
// does not know.
var shipped = func(name string) ([]byte, error) {
	return nil, fmt.Errorf("prior %q does not ship with this version; give a weights file", name)
}

// learnedPrior says how to load the recipe's learned prior.
func learnedPrior(p recipe.Prior) (func(engine.Device, engine.Stream) (deconv.LearnedPrior, error), error) {
	if p.Kind == recipe.PriorWeights {
		if _, err := os.Stat(p.File); err != nil {
			return nil, wrapf(err, "session: prior")
		}
		return func(dev engine.Device, s engine.Stream) (deconv.LearnedPrior, error) {
			return loaded(score.Load(dev, s, p.File))
		}, nil
	}
	data, err := shipped(p.Kind)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", recipe.ErrInvalid, err)
	}
	return func(dev engine.Device, s engine.Stream) (deconv.LearnedPrior, error) {
		f, err := safetensors.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return nil, fmt.Errorf("session: prior %s: %w", p.Kind, err)
		}
		return loaded(score.From(dev, s, f))
	}, nil
}

// loaded keeps a nil prior from becoming an interface that is not nil.
func loaded(p *score.Prior, err error) (deconv.LearnedPrior, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}
