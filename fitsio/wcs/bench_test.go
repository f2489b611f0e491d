package wcs

import "testing"

func BenchmarkPixelToSky_TAN(b *testing.B) {
	w, err := FromHeader(tanHeader(), "")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.PixelToSky(17, 31)
	}
}

func BenchmarkSkyToPixel_TAN(b *testing.B) {
	w, err := FromHeader(tanHeader(), "")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.SkyToPixel(150.0001, 2.2001)
	}
}

func BenchmarkSkyToPixel_SIP(b *testing.B) {
	h := tanHeader()
	for k, v := range map[string]any{"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 3, "B_ORDER": 3, "A_2_0": 1e-6, "B_0_2": 1e-6, "A_1_2": 1e-9} {
		h.Set(k, v, "")
	}
	w, err := FromHeader(h, "")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.SkyToPixel(150.0001, 2.2001)
	}
}
