package nn

import (
	"fmt"
	"math"

	"limpid/engine"
	"limpid/engine/grad"
)

// UNetConfig describes a U-Net (Ronneberger+2015) of residual blocks in the manner
// of score networks (Song+2021, Karras+2022).
type UNetConfig struct {
	In        int         `json:"in"`  // channels of the input
	Out       int         `json:"out"` // and of the output
	Channels  []int       `json:"channels"`
	Blocks    int         `json:"blocks"`    // residual blocks per level on the way down; one more on the way up
	Noise     int         `json:"noise"`     // features that describe the noise, 0 for none
	Embed     int         `json:"embed"`     // width of the noise embedding
	Groups    int         `json:"groups"`    // group normalisation; 0: per pixel, which keeps the network local
	Attention int         `json:"attention"` // heads at the lowest level, 0 for none
	Edge      engine.Edge `json:"edge"`
}

// Check says what is wrong with a configuration.
func (c UNetConfig) Check() error {
	const most = 4096
	bad := func(v, lo, hi int) bool { return v < lo || v > hi }
	switch {
	case bad(c.In, 1, most) || bad(c.Out, 1, most):
		return fmt.Errorf("nn: a U-Net from %d to %d channels", c.In, c.Out)
	case bad(len(c.Channels), 1, 8) || bad(c.Blocks, 1, 16):
		return fmt.Errorf("nn: a U-Net of %d levels with %d blocks", len(c.Channels), c.Blocks)
	case bad(c.Noise, 0, most) || c.Noise > 0 && bad(c.Embed, 1, most):
		return fmt.Errorf("nn: %d noise features, an embedding of %d", c.Noise, c.Embed)
	case bad(int(c.Edge), 0, int(engine.Reflect)):
		return fmt.Errorf("nn: edge %d", c.Edge)
	}
	for _, n := range c.Channels {
		if bad(n, 1, most) || bad(c.Groups, 0, n) || c.Groups > 0 && n%c.Groups != 0 {
			return fmt.Errorf("nn: a level of %d channels in %d groups", n, c.Groups)
		}
	}
	if last := c.Channels[len(c.Channels)-1]; bad(c.Attention, 0, last) || c.Attention > 0 && last%c.Attention != 0 {
		return fmt.Errorf("nn: %d channels in %d heads", last, c.Attention)
	}
	return nil
}

// UNet is the network.
type UNet struct {
	cfg        UNetConfig
	p          *Params
	embed      [2]*Linear
	in, out    *Conv
	norm       *Norm
	down, up   [][]*ResBlock
	shrink     []*Conv
	grow       []*Conv
	mid1, mid2 *ResBlock
	attention  *Attention
}

// NewUNet builds the network; its output starts at 0. The error is about the
// configuration or memory.
func NewUNet(p *Params, c UNetConfig) (*UNet, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	u := &UNet{cfg: c, p: p}
	norm := engine.Norm{Groups: c.Groups, PerPixel: c.Groups == 0, Eps: 1e-5, Act: engine.SiLU}
	conv := engine.Conv{Pad: 1, Edge: c.Edge}
	embed := 0
	if c.Noise > 0 {
		embed = c.Embed
		u.embed[0] = NewLinear(p, "embed.0", c.Noise, embed, 1)
		u.embed[1] = NewLinear(p, "embed.1", embed, embed, 1)
	}
	block := func(name string, a, b int) *ResBlock { return newResBlock(p, name, a, b, embed, norm, conv) }
	ch := c.Channels[0]
	u.in = NewConv(p, "in", 3, c.In, ch, 1, conv)
	skips := []int{ch}
	for l, n := range c.Channels {
		var row []*ResBlock
		for i := range c.Blocks {
			row = append(row, block(fmt.Sprintf("down.%d.%d", l, i), ch, n))
			ch = n
			skips = append(skips, ch)
		}
		u.down = append(u.down, row)
		if l+1 < len(c.Channels) {
			half := conv
			half.Stride = 2
			u.shrink = append(u.shrink, NewConv(p, fmt.Sprintf("shrink.%d", l), 3, ch, ch, 1, half))
			skips = append(skips, ch)
		}
	}
	u.mid1, u.mid2 = block("mid.0", ch, ch), block("mid.1", ch, ch)
	if c.Attention > 0 {
		u.attention = newAttention(p, "attention", ch, c.Attention, norm)
	}
	for l := len(c.Channels) - 1; l >= 0; l-- {
		var row []*ResBlock
		for i := range c.Blocks + 1 {
			row = append(row, block(fmt.Sprintf("up.%d.%d", l, i), ch+skips[len(skips)-1], c.Channels[l]))
			skips = skips[:len(skips)-1]
			ch = c.Channels[l]
		}
		u.up = append(u.up, row)
		if l > 0 {
			u.grow = append(u.grow, NewConv(p, fmt.Sprintf("grow.%d", l), 3, ch, ch, 1, conv))
		}
	}
	u.norm = NewNorm(p, "norm", ch, norm)
	u.out = NewConv(p, "out", 3, ch, c.Out, 0, conv)
	return u, p.Err()
}

// Config is what the network was built from.
func (u *UNet) Config() UNetConfig { return u.cfg }

// Params are its parameters.
func (u *UNet) Params() *Params { return u.p }

// Align is what the sides of images must be multiples of.
func (u *UNet) Align() int { return 1 << (len(u.cfg.Channels) - 1) }

// Reach bounds how far an output depends on the input: every 3×3 convolution adds a
// pixel of its level, a change of level up to two.
func (u *UNet) Reach() int {
	if u.cfg.Groups > 0 || u.attention != nil {
		return -1
	}
	levels := len(u.cfg.Channels)
	r := 2 // the first and the last
	for l := range levels {
		blocks := 2*u.cfg.Blocks + 1
		if l == levels-1 {
			blocks += 2
		}
		r += 2 * blocks << l
		if l+1 < levels {
			r += 4 << l // shrink, grow and the rounding between them
		}
	}
	return r
}

// Forward runs the network on images (B, H, W, In) with noise features (B, Noise) to
// (B, H, W, Out).
func (u *UNet) Forward(t *grad.Tape, x, noise *grad.Var) *grad.Var {
	s := x.Shape()
	if len(s) != 4 || s[3] != u.cfg.In || s[1]%u.Align() != 0 || s[2]%u.Align() != 0 {
		panic(fmt.Sprintf("nn: U-Net of %d channels, sides multiples of %d, on %v", u.cfg.In, u.Align(), s))
	}
	var e *grad.Var
	if u.cfg.Noise > 0 {
		a := u.embed[0].Forward(t, noise)
		b := t.Map(engine.SiLU, a)
		c := u.embed[1].Forward(t, b)
		e = t.Map(engine.SiLU, c)
		t.Drop(a, b, c)
	}
	h := u.in.Forward(t, x, nil)
	skips := []*grad.Var{h}
	for l, row := range u.down {
		for _, b := range row {
			h = b.Forward(t, h, e)
			skips = append(skips, h)
		}
		if l < len(u.shrink) {
			h = u.shrink[l].Forward(t, h, nil)
			skips = append(skips, h)
		}
	}
	m := u.mid1.Forward(t, h, e)
	if u.attention != nil {
		a := u.attention.Forward(t, m)
		t.Drop(m)
		m = a
	}
	h = u.mid2.Forward(t, m, e)
	t.Drop(m)
	for i, row := range u.up {
		for _, b := range row {
			skip := skips[len(skips)-1]
			skips = skips[:len(skips)-1]
			both := t.Concat(h, skip)
			t.Drop(h, skip)
			h = b.Forward(t, both, e)
			t.Drop(both)
		}
		if i < len(u.grow) {
			big := t.Upsample(h, 2)
			t.Drop(h)
			h = u.grow[i].Forward(t, big, nil)
			t.Drop(big)
		}
	}
	a := u.norm.Forward(t, h)
	t.Drop(h, e)
	y := u.out.Forward(t, a, nil)
	t.Drop(a)
	return y
}

// NoiseFeatures describes noise levels σ to a network: cosines and sines of ln σ / 4
// (Karras+2022, Table 1) at n/2 frequencies from 1 to 64, (len(sigmas), n) row by
// row.
func NoiseFeatures(sigmas []float64, n int) []float32 {
	out := make([]float32, len(sigmas)*n)
	for b, s := range sigmas {
		for i := range n / 2 {
			f := math.Exp(math.Log(64) * float64(i) / float64(max(n/2-1, 1)))
			sin, cos := math.Sincos(f * math.Log(s) / 4)
			out[b*n+i], out[b*n+n/2+i] = float32(cos), float32(sin)
		}
	}
	return out
}

// Precondition gives the factors of Karras+2022, Table 1, for data of standard
// deviation data: the denoiser is D(x) = skip·x + out·F(in·x).
func Precondition(sigma, data float64) (skip, out, in float64) {
	s2, d2 := sigma*sigma, data*data
	r := math.Sqrt(s2 + d2)
	return d2 / (s2 + d2), sigma * data / r, 1 / r
}
