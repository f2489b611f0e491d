package ops

import "limpid/engine"

// normal is the shape of a normalisation.
type normal struct {
	b, pixels, c, groups int
	perPixel             int
	gper, bper           int // γ and β have a row for each image
}

func normalOf(x, gamma, beta *engine.Tensor, n engine.Norm) normal {
	d := x.Shape()
	rows := func(t *engine.Tensor) int { return number(t != nil && len(t.Shape()) == 2) }
	return normal{
		b: d[0], pixels: d[1] * d[2], c: d[3], groups: max(n.Groups, 1), perPixel: number(n.PerPixel),
		gper: rows(gamma), bper: rows(beta),
	}
}

// Norm does dst = act(γ (x − mean)/√(variance + ε) + β).
func (s *stream) Norm(dst, stats, x, gamma, beta *engine.Tensor, n engine.Norm) {
	engine.CheckNorm("Norm", dst, stats, x, gamma, beta, n)
	if s.err != nil || x.Len() == 0 {
		return
	}
	o := normalOf(x, gamma, beta, n)
	if n.PerPixel {
		s.begin(PixelMoments, stats, x).ints(o.b*o.pixels, o.c).floats(n.Eps).threads(o.b * o.pixels)
	} else if !s.moments(stats, x, o, n.Eps) {
		return
	}
	s.begin(NormMap, dst, x, stats, gamma, beta).
		ints(x.Len(), o.c, o.pixels, o.groups, o.perPixel, o.gper, o.bper, int(n.Act)).threads(x.Len())
}

func (s *stream) moments(stats, x *engine.Tensor, o normal, eps float32) bool {
	const length = 1 << 13 // elements of a part
	per := o.c / o.groups
	ppp := max(1, length/per)
	parts := (o.pixels + ppp - 1) / ppp
	all := o.b * o.groups
	part := s.room(all, parts, 3)
	if part == nil {
		return false
	}
	s.begin(Moments, part, x).ints(o.pixels, o.c, o.groups, parts, ppp, all*parts).groups(all * parts)
	s.begin(MomentsEnd, stats, part).ints(all, parts).floats(eps).threads(all)
	part.Free()
	return true
}

// NormGrad writes the gradients of Norm.
func (s *stream) NormGrad(dx, dgamma, dbeta, stats, x, gamma, beta, g *engine.Tensor, n engine.Norm) {
	engine.CheckNorm("NormGrad", dx, stats, x, gamma, beta, n)
	engine.CheckSame("NormGrad", dx, g)
	o := normalOf(x, gamma, beta, n)
	engine.CheckVector("NormGrad", dgamma, o.b*o.c)
	engine.CheckVector("NormGrad", dbeta, o.b*o.c)
	if s.err != nil || x.Len() == 0 {
		return
	}
	sums := s.room(2, o.b*o.c)
	if sums == nil {
		return
	}
	defer sums.Free()
	s.channelSums(sums, x, g, stats, gamma, beta, o, n.Act, 2)
	if dbeta != nil {
		s.Copy(dbeta, sums.Slice(0, 1))
	}
	if dgamma != nil {
		s.Copy(dgamma, sums.Slice(1, 2))
	}
	if n.PerPixel {
		s.begin(PixelBack, dx, x, g, stats, gamma, beta).
			ints(o.b*o.pixels, o.c, o.pixels, o.gper, o.bper, int(n.Act)).threads(o.b * o.pixels)
		return
	}
	coef := s.room(o.b*o.groups, 2)
	if coef == nil {
		return
	}
	s.begin(NormCoef, coef, sums, gamma).ints(o.b*o.groups, o.c, o.pixels, o.groups, o.b, o.gper).threads(o.b * o.groups)
	s.begin(NormBack, dx, x, g, stats, gamma, beta, coef).
		ints(x.Len(), o.c, o.pixels, o.groups, o.gper, o.bper, int(n.Act)).threads(x.Len())
	coef.Free()
}

// channelSums runs chansums, see there, and adds its parts.
func (s *stream) channelSums(dst, x, g, stats, gamma, beta *engine.Tensor, o normal, act engine.Unary, mode int) {
	const threads, least = 1 << 15, 32
	bc := o.b * o.c
	parts := max(1, min((threads+bc-1)/bc, o.pixels/least))
	out := dst
	if parts > 1 {
		if out = s.room(parts, dst.Len()); out == nil {
			return
		}
	}
	s.begin(ChanSums, out, x, g, stats, gamma, beta).
		ints(o.b, o.c, o.pixels, o.groups, o.perPixel, o.gper, o.bper, int(act), parts, mode).threads(bc * parts)
	if parts > 1 {
		s.sumLead(dst, out, parts)
		out.Free()
	}
}

// ChannelSums does dst[b,c] = Σ x y over the pixels.
func (s *stream) ChannelSums(dst, x, y *engine.Tensor) {
	engine.CheckPerChannel("ChannelSums", x, nil)
	d := x.Shape()
	engine.CheckVector("ChannelSums", dst, d[0]*d[3])
	mode := 0
	if y != nil {
		engine.CheckSame("ChannelSums", x, y)
		mode = 1
	}
	if s.err != nil || dst.Len() == 0 {
		return
	}
	if x.Len() == 0 {
		s.Fill(dst, 0)
		return
	}
	s.channelSums(dst, x, y, nil, nil, nil, normalOf(x, nil, nil, engine.Norm{}), engine.Identity, mode)
}

// ChannelAffine does dst = x·scale + shift.
func (s *stream) ChannelAffine(dst, x, scale, shift *engine.Tensor) {
	engine.CheckSame("ChannelAffine", dst, x)
	d := x.Shape()
	for _, v := range []*engine.Tensor{scale, shift} {
		if v != nil {
			engine.CheckPerChannel("ChannelAffine", x, v)
			engine.CheckVector("ChannelAffine", v, d[0]*d[3])
		}
	}
	if s.err != nil || x.Len() == 0 {
		return
	}
	s.begin(ChanAffine, dst, x, scale, shift).ints(x.Len(), d[3], d[1]*d[2]).threads(x.Len())
}

func (s *stream) rows(dst, x, g *engine.Tensor, op int) {
	d := x.Shape()
	if s.err != nil || x.Len() == 0 || len(d) == 0 {
		return
	}
	n := d[len(d)-1]
	s.begin(Rows, dst, x, g).ints(x.Len()/n, n, op).groups(x.Len() / n)
}

// Softmax is over the last dimension.
func (s *stream) Softmax(dst, x *engine.Tensor) {
	engine.CheckSame("Softmax", dst, x)
	s.rows(dst, x, nil, 0)
}

// SoftmaxGrad is the gradient from the result y and the gradient g in it.
func (s *stream) SoftmaxGrad(dst, y, g *engine.Tensor) {
	engine.CheckSame("SoftmaxGrad", dst, y, g)
	s.rows(dst, y, g, 1)
}
