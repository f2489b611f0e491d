// Package nn builds networks from the operations of a tape: layers, a
// noise-conditional U-Net, a residual network, optimisers, and training that can be
// saved and resumed.
//
// Images are channels-last (B, H, W, C). The same Forward serves inference (a tape in
// mode Forward), gradients in the input (Input) and training (Train).
package nn

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn/safetensors"
)

// Params are the named tensors of a network. They own their storage.
type Params struct {
	dev   engine.Device
	s     engine.Stream
	key   engine.Key
	list  []Param
	index map[string]int
	err   error
}

// Param is one of them.
type Param struct {
	Name  string
	Value *engine.Tensor
}

// NewParams returns an empty set whose initial values follow from key.
func NewParams(dev engine.Device, s engine.Stream, key engine.Key) *Params {
	return &Params{dev: dev, s: s, key: key, index: map[string]int{}}
}

// Err is the first failure to allocate; look at it once a network is built.
func (p *Params) Err() error { return p.err }

// All are the parameters in the order they were made; do not change the slice.
func (p *Params) All() []Param { return p.list }

// Count is the number of numbers.
func (p *Params) Count() (n int) {
	for _, q := range p.list {
		n += q.Value.Len()
	}
	return n
}

// add makes a tensor; what fills it comes after.
func (p *Params) add(name string, s engine.Shape) *engine.Tensor {
	if _, ok := p.index[name]; ok {
		panic(fmt.Sprintf("nn: two parameters are named %q", name))
	}
	x, err := p.dev.Alloc(s)
	if err != nil {
		if p.err == nil {
			p.err = fmt.Errorf("nn: parameter %s: %w", name, err)
		}
		return nil
	}
	p.index[name] = len(p.list)
	p.list = append(p.list, Param{name, x})
	return x
}

// Normal makes a tensor of normal numbers of the given standard deviation.
func (p *Params) Normal(name string, std float64, s ...int) *engine.Tensor {
	x := p.add(name, s)
	if x != nil && std > 0 {
		p.s.Normal(x, p.key.Fold(uint64(len(p.list))))
		p.s.Scale(x, float32(std), x)
	}
	return x
}

// Fill makes a tensor of one value.
func (p *Params) Fill(name string, v float32, s ...int) *engine.Tensor {
	x := p.add(name, s)
	if x != nil && v != 0 {
		p.s.Fill(x, v)
	}
	return x
}

// Free gives the storage back.
func (p *Params) Free() {
	for _, q := range p.list {
		q.Value.Free()
	}
	p.list = nil
}

// data reads the values for a file, with a prefix to the names.
func (p *Params) data(prefix string, values []*engine.Tensor) []safetensors.Data {
	var out []safetensors.Data
	for i, q := range p.list {
		x := q.Value
		if values != nil {
			x = values[i]
		}
		v := make([]float32, x.Len())
		p.s.Download(v, x)
		out = append(out, safetensors.Data{Name: prefix + q.Name, Shape: append([]int(nil), x.Shape()...), Values: v})
	}
	return out
}

// Save writes the parameters to a file.
func (p *Params) Save(path string, metadata map[string]string) error {
	d := p.data("", nil)
	if err := p.s.Err(); err != nil {
		return err
	}
	return safetensors.WriteFile(path, d, metadata)
}

// Load sets every parameter from a file that has these names with these shapes and
// no others.
func (p *Params) Load(f *safetensors.File) error {
	for _, t := range f.Tensors {
		if _, ok := p.index[t.Name]; !ok {
			return fmt.Errorf("nn: the file has a tensor %q that the network has not", t.Name)
		}
	}
	return p.load(f, "", nil)
}

// check asks that a file has a tensor of the right shape for every parameter.
func (p *Params) check(f *safetensors.File, prefix string) error {
	var missing []string
	for _, q := range p.list {
		t, ok := f.Lookup(prefix + q.Name)
		if !ok {
			missing = append(missing, prefix+q.Name)
		} else if !engine.Shape(t.Shape).Equal(q.Value.Shape()) {
			return fmt.Errorf("nn: tensor %q has the shape %v, the network wants %v", t.Name, t.Shape, q.Value.Shape())
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("nn: the file lacks %d of %d tensors: %s …", len(missing), len(p.list), strings.Join(missing[:min(3, len(missing))], ", "))
	}
	return nil
}

// load sets values (nil: the parameters) from tensors named with a prefix. Nothing is
// changed where anything is wrong.
func (p *Params) load(f *safetensors.File, prefix string, values []*engine.Tensor) error {
	if err := p.check(f, prefix); err != nil {
		return err
	}
	all := make([][]float32, len(p.list))
	for i, q := range p.list {
		t, _ := f.Lookup(prefix + q.Name)
		v, err := f.Float32(t)
		if err != nil {
			return err
		}
		for _, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return fmt.Errorf("nn: tensor %q holds a number that is not finite", t.Name)
			}
		}
		all[i] = v
	}
	for i, q := range p.list {
		x := q.Value
		if values != nil {
			x = values[i]
		}
		p.s.Upload(x, all[i])
	}
	return p.s.Err()
}

// Network is anything a tape can run. noise describes the noise of each image, see
// NoiseFeatures, and may be nil for networks without condition.
type Network interface {
	Forward(t *grad.Tape, x, noise *grad.Var) *grad.Var
	Params() *Params
	// Reach is how far, in pixels, an output depends on the input, or −1 for
	// everywhere; Align is what sides of images must be multiples of.
	Reach() int
	Align() int
}

var errGlobal = errors.New("nn: this network sees whole images (group normalisation or attention) and cannot work on tiles")
