package cpu

import (
	"limpid/engine"
	"limpid/engine/fft"
)

func (s *stream) plan(img *engine.Tensor) *fft.Real {
	h, w := hw(img)
	if p := s.plans[[2]int{h, w}]; p != nil {
		return p
	}
	if s.plans == nil {
		s.plans = map[[2]int]*fft.Real{}
	}
	p := s.dev.plans.Real(h, w)
	s.plans[[2]int{h, w}] = p
	return p
}

// RFFT2 transforms images to half-plane spectra.
func (s *stream) RFFT2(dst, src *engine.Tensor) {
	if n := engine.CheckSpectrum("RFFT2", dst, src); src.Len() > 0 {
		s.job.Forward(s.plan(src), s.out(dst), s.data(src), n)
	}
}

// IRFFT2 transforms them back.
func (s *stream) IRFFT2(dst, src *engine.Tensor) {
	if n := engine.CheckSpectrum("IRFFT2", src, dst); dst.Len() > 0 {
		s.job.Inverse(s.plan(dst), s.out(dst), s.data(src), n)
	}
}
