package tile

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

func FuzzRice(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, bytepix := range []int{1, 2, 4} {
		for _, x := range samples(100, bytepix, r) {
			b, _ := EncodeRice(nil, x, 32, bytepix)
			f.Add(b, 100, 32, bytepix)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, n, block, bytepix int) {
		dst := make([]int32, max(0, min(n, 5000)))
		if Rice(dst, data, block, bytepix) != nil || len(dst) == 0 {
			return
		}
		b, err := EncodeRice(nil, dst, block, bytepix)
		if err != nil {
			t.Fatal(err)
		}
		again := make([]int32, len(dst))
		if err := Rice(again, b, block, bytepix); err != nil {
			t.Fatal(err)
		}
		for i := range dst {
			if dst[i] != again[i] {
				t.Fatalf("pixel %d: %d became %d", i, dst[i], again[i])
			}
		}
	})
}

func FuzzPLIO(f *testing.F) {
	f.Add([]byte{0, 0, 0, 7, 0xff, 0x9c, 0, 9, 0, 0, 0, 0, 0, 0, 0x40, 5, 0x50, 3}, 20)
	f.Fuzz(func(_ *testing.T, data []byte, n int) {
		_ = PLIO(make([]int32, max(0, min(n, 5000))), data)
	})
}

func FuzzHCompress(f *testing.F) {
	head := []byte{0xdd, 0x99, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 100, 3, 2, 2}
	f.Add(append(head, 0xf1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0, 0, 0), 4, 5, true)
	f.Add(append(head[:len(head):len(head)], make([]byte, 40)...), 4, 5, false)
	f.Fuzz(func(_ *testing.T, data []byte, rows, cols int, smooth bool) {
		rows, cols = max(1, min(rows, 70)), max(1, min(cols, 70))
		if len(data) > 14 { // the sizes in the stream must match: let them
			data = bytes.Clone(data)
			copy(data[2:10], []byte{0, 0, 0, byte(rows), 0, 0, 0, byte(cols)})
		}
		_ = HCompress(make([]int32, rows*cols), data, rows, cols, smooth)
	})
}

func FuzzGunzip(f *testing.F) {
	b, _ := Gzip([]byte("some pixels some pixels"), 6)
	f.Add(b, 23, 1)
	f.Fuzz(func(_ *testing.T, data []byte, n, size int) {
		out, err := Gunzip(make([]byte, max(0, min(n, 1<<16))), data)
		if size = max(1, min(size, 8)); err == nil && len(out)%size == 0 {
			Unshuffle(make([]byte, len(out)), out, size)
		}
	})
}

func FuzzLZW(f *testing.F) {
	f.Add(packLZW(bytes.Repeat([]byte("abcab"), 300), 12, 700))
	f.Add(packLZW(bytes.Repeat([]byte("abcab"), 300), 10, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		z, err := NewLZWReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, io.LimitReader(z, 1<<20)); err != nil && err.Error() == "" {
			t.Fatal("an error without words")
		}
	})
}
