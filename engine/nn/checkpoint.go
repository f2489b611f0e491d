package nn

import (
	"fmt"
	"os"
	"strconv"

	"limpid/engine"
	"limpid/engine/nn/safetensors"
)

// Prefixes of the tensors of a training state.
const (
	prefixParam  = "param."
	prefixFirst  = "adam.m."
	prefixSecond = "adam.v."
	prefixEMA    = "ema."
)

// SaveTraining writes everything a training needs to go on as if nothing had
// happened: parameters, moments, average and step, and the caller's metadata (its
// configuration and seed).
func (o *AdamW) SaveTraining(path string, metadata map[string]string) error {
	p := o.p
	var d []safetensors.Data
	for _, part := range []struct {
		prefix string
		values []*engine.Tensor
	}{{prefixParam, nil}, {prefixFirst, o.m}, {prefixSecond, o.v}, {prefixEMA, o.ema}} {
		d = append(d, p.data(part.prefix, part.values)...)
	}
	if err := p.s.Err(); err != nil {
		return err
	}
	m := map[string]string{"step": strconv.Itoa(o.step)}
	for k, v := range metadata {
		m[k] = v
	}
	return safetensors.WriteFile(path, d, m)
}

// LoadTraining reads what SaveTraining wrote for the same network, and returns the
// metadata. Nothing is changed where anything is wrong.
func (o *AdamW) LoadTraining(path string) (map[string]string, error) {
	f, done, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer done()
	step, err := strconv.Atoi(f.Metadata["step"])
	if err != nil || step < 0 {
		return nil, fmt.Errorf("nn: %s: step %q: no state of a training", path, f.Metadata["step"])
	}
	if want := 4 * len(o.p.list); len(f.Tensors) != want {
		return nil, fmt.Errorf("nn: %s: %d tensors, want %d: the state of another network", path, len(f.Tensors), want)
	}
	parts := []struct {
		prefix string
		values []*engine.Tensor
	}{{prefixParam, nil}, {prefixFirst, o.m}, {prefixSecond, o.v}, {prefixEMA, o.ema}}
	for _, part := range parts {
		if err := o.p.check(f, part.prefix); err != nil {
			return nil, fmt.Errorf("nn: %s: %w", path, err)
		}
	}
	for _, part := range parts {
		if err := o.p.load(f, part.prefix, part.values); err != nil {
			return nil, fmt.Errorf("nn: %s: %w", path, err)
		}
	}
	o.step = step
	return f.Metadata, nil
}

// SaveAverage writes the averaged parameters as a file that Params.Load reads.
func (o *AdamW) SaveAverage(path string, metadata map[string]string) error {
	d := o.p.data("", o.ema)
	if err := o.p.s.Err(); err != nil {
		return err
	}
	return safetensors.WriteFile(path, d, metadata)
}

// OpenFile opens a safetensors file; done closes it.
func OpenFile(path string) (f *safetensors.File, done func(), err error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("nn: %w", err)
	}
	st, err := r.Stat()
	if err == nil {
		f, err = safetensors.Read(r, st.Size())
	}
	if err != nil {
		r.Close()
		return nil, nil, fmt.Errorf("nn: %s: %w", path, err)
	}
	return f, func() { r.Close() }, nil
}
