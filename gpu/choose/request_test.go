package choose

import "testing"

func TestParse_Requests_KindAndNumber(t *testing.T) {
	for _, c := range []struct {
		request, kind string
		number        int
		bad           bool
	}{
		{"", "auto", -1, false},
		{"gpu", "gpu", -1, false},
		{"webgpu:2", "webgpu", 2, false},
		{"cuda", "cuda", -1, false},
		{"cuda:1", "cuda", 1, false},
		{"cuda:1-tf32x3", "cuda", 1, false},
		{"webgpu:1-tf32x3", "", 0, true},
		{"cuda:1-bf16", "", 0, true},
		{"cuda:x", "", 0, true},
		{"cpu:0", "", 0, true},
		{"tpu", "", 0, true},
	} {
		kind, number, err := parse(c.request)
		if (err != nil) != c.bad || kind != c.kind || number != c.number {
			t.Errorf("%q: %q, %d, %v", c.request, kind, number, err)
		}
	}
}
