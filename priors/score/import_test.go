package score

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"testing"

	"limpid/engine"
)

// npy reads the float32 numbers of a NumPy file.
func npy(t *testing.T, path string) []float32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := 10 + int(binary.LittleEndian.Uint16(b[8:]))
	out := make([]float32, (len(b)-head)/4)
	if err := binary.Read(bytes.NewReader(b[head:]), binary.LittleEndian, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// A network made by PyTorch and exported by docs/pytorch_prior.py has the score that
// PyTorch computed (docs/pytorch_prior.py check), to 1e-4 of its size, at any σ.
func TestFrom_PyTorchExport_SameScore(t *testing.T) {
	dev := newDevice(t)
	s := dev.NewStream()
	p, err := Load(dev, s, "testdata/prior.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	z, want := npy(t, "testdata/input.npy"), npy(t, "testdata/residual.npy")
	x, _ := dev.Alloc(engine.Shape{2, 1, 32, 40})
	y, _ := dev.Alloc(x.Shape())
	for _, sigma := range []float64{1, 1e-3, 50} {
		s.Upload(x, z)
		s.Scale(x, float32(sigma), x)
		p.Score(s, y, x, sigma)
		got := make([]float32, y.Len())
		s.Download(got, y)
		for i, w := range want {
			if d := math.Abs(float64(got[i])*sigma - float64(w)); d > 1e-4*(1+math.Abs(float64(w))) {
				t.Fatalf("σ %g, pixel %d: %g, PyTorch has %g", sigma, i, float64(got[i])*sigma, w)
			}
		}
	}
	if err := p.Err(); err != nil {
		t.Error(err)
	}
}
