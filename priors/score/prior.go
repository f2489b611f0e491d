package score

import (
	"encoding/json"
	"fmt"
	"os"

	"limpid/engine"
	"limpid/engine/grad"
	"limpid/engine/nn"
	"limpid/engine/nn/safetensors"
)

// Card describes a trained prior: it travels in the weights' metadata.
type Card struct {
	Name     string        `json:"name"`
	About    string        `json:"about"`
	Trained  string        `json:"trained"` // the command and its seed
	Steps    int           `json:"steps"`
	Loss     float64       `json:"loss"` // of the average weights on held-out scenes
	UNet     nn.UNetConfig `json:"unet"`
	Validity string        `json:"validity"` // what images it is for
	// LowSNR and HighSNR bound the peak signal to noise of the training scenes.
	LowSNR  float64 `json:"low_snr"`
	HighSNR float64 `json:"high_snr"`
}

const cardKey = "limpid.prior"

// Prior is a learned density on images, known by its score at every noise level.
// Bands are taken one by one. It implements priors.Prior.
type Prior struct {
	Card Card
	d    *Denoiser
	tape *grad.Tape
	dev  engine.Device
	s    engine.Stream
	// scratch of the last shape
	z *engine.Tensor
}

// Load reads weights from a safetensors file. The stream is the one that Score
// will be called with.
func Load(dev engine.Device, s engine.Stream, path string) (*Prior, error) {
	f, done, err := nn.OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	defer done()
	return From(dev, s, f)
}

// From makes a prior of an open safetensors file.
func From(dev engine.Device, s engine.Stream, f *safetensors.File) (*Prior, error) {
	var card Card
	if err := json.Unmarshal([]byte(f.Metadata[cardKey]), &card); err != nil {
		return nil, fmt.Errorf("score: the file is not a prior of Limpid: metadata %q: %w", cardKey, err)
	}
	if err := card.UNet.Check(); err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	d, err := NewDenoiser(dev, s, card.UNet, engine.NewKey(0))
	if err != nil {
		return nil, fmt.Errorf("score: %w", err)
	}
	if err := d.net.Params().Load(f); err != nil {
		d.Close()
		return nil, fmt.Errorf("score: %w", err)
	}
	return New(dev, s, d, card), nil
}

// New wraps a denoiser.
func New(dev engine.Device, s engine.Stream, d *Denoiser, card Card) *Prior {
	return &Prior{Card: card, d: d, tape: grad.New(dev, s), dev: dev, s: s}
}

// metadata is the card as it travels.
func (c Card) metadata() map[string]string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return map[string]string{cardKey: string(text)}
}

// Align is what the sides of a grid must be multiples of.
func (p *Prior) Align() int { return p.d.net.Align() }

// Score writes ∇ log p_σ(x) = (D(x, σ) − x)/σ² for x (…, H, W); H and W are
// multiples of Align. A lack of memory shows in the stream's error.
func (p *Prior) Score(s engine.Stream, dst, x *engine.Tensor, sigma float64) {
	shape := x.Shape()
	h, w := shape[len(shape)-2], shape[len(shape)-1]
	n := x.Len() / (h * w)
	if p.z == nil || p.z.Len() != x.Len() {
		p.z.Free()
		var err error
		if p.z, err = p.dev.Alloc(engine.Shape{n, h, w, 1}); err != nil {
			p.z = nil
			s.Fill(dst, 0)
			return
		}
	}
	z := p.z.Reshape(n, h, w, 1)
	s.Scale(z.Reshape(shape...), float32(1/sigma), x)
	// images one at a time keep the activations in cache
	for i := range n {
		p.tape.Reset(grad.Forward)
		r := p.d.Residual(p.tape, p.tape.Const(z.Slice(i, i+1)))
		s.Scale(dst.Reshape(n, h, w, 1).Slice(i, i+1), float32(1/sigma), r.Value())
	}
}

// Err is the first failure of the network's own work, memory as a rule.
func (p *Prior) Err() error { return p.tape.Err() }

// References are keys of assets/references.bib.
func (p *Prior) References() []string { return []string{"Vincent2011", "Karras2022"} }

// Close frees everything.
func (p *Prior) Close() {
	p.z.Free()
	p.tape.Close()
	p.d.Close()
}

// Save writes weights and card.
func (p *Prior) Save(path string) error {
	return p.d.net.Params().Save(path, p.Card.metadata())
}

// ReadCard reads the card of a weights file without loading it.
func ReadCard(path string) (Card, error) {
	var card Card
	f, err := os.Open(path)
	if err != nil {
		return card, fmt.Errorf("score: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return card, fmt.Errorf("score: %w", err)
	}
	st, err := safetensors.Read(f, info.Size())
	if err != nil {
		return card, fmt.Errorf("score: %s: %w", path, err)
	}
	if err := json.Unmarshal([]byte(st.Metadata[cardKey]), &card); err != nil {
		return card, fmt.Errorf("score: %s is not a prior of Limpid: %w", path, err)
	}
	return card, nil
}
