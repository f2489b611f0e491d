package session

import (
	"math"

	"limpid/fitsio"
)

// Keywords are the numbers about the detector that a header may hold; 0 is
// unknown.
type Keywords struct {
	Gain       float64 // electrons per data unit
	ReadNoise  float64 // electrons
	Saturation float64 // data unit
}

// KeywordsOf reads them under the names in common use.
func KeywordsOf(h *fitsio.Header) Keywords {
	first := func(keys ...string) float64 {
		for _, k := range keys {
			if v, ok := h.Float(k); ok && v > 0 && !math.IsInf(v, 0) {
				return v
			}
		}
		return 0
	}
	return Keywords{
		Gain:       first("GAIN", "EGAIN", "CCDGAIN"),
		ReadNoise:  first("RDNOISE", "READNOIS", "RON"),
		Saturation: first("SATURATE", "SATLEVEL"),
	}
}
