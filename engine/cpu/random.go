package cpu

import (
	"limpid/engine"
	"limpid/engine/internal/par"
)

// filler writes random numbers.
type filler struct {
	dst    []float32
	key    engine.Key
	normal bool
}

func (s *stream) random(dst *engine.Tensor, key engine.Key, normal bool) {
	s.fill = filler{dst: s.out(dst), key: key, normal: normal}
	s.team.Run(chunks(len(s.fill.dst)), &s.fill)
	s.fill = filler{}
}

// Do fills one chunk; chunk is a multiple of a Philox block.
func (t *filler) Do(i int, _ *par.Worker) {
	lo := i * chunk
	hi := min(lo+chunk, len(t.dst))
	for ; lo < hi; lo += 4 {
		w := engine.Philox(t.key.Seed, t.key.Counter, uint64(lo/4))
		var v [4]float32
		if t.normal {
			v = engine.Normals(w)
		} else {
			v = engine.Uniforms(w)
		}
		copy(t.dst[lo:hi], v[:])
	}
}

// Normal fills dst with standard normal numbers.
func (s *stream) Normal(dst *engine.Tensor, key engine.Key) { s.random(dst, key, true) }

// Uniform fills dst with numbers in (0, 1).
func (s *stream) Uniform(dst *engine.Tensor, key engine.Key) { s.random(dst, key, false) }
