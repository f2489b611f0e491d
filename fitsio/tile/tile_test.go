package tile

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os/exec"
	"testing"
)

// samples are pixel rows that exercise every kind of Rice block.
func samples(n, bytepix int, r *rand.Rand) map[string][]int32 {
	cut := func(v int64) int32 {
		switch bytepix {
		case 1:
			return int32(uint8(v))
		case 2:
			return int32(int16(v))
		}
		return int32(v)
	}
	out := map[string][]int32{}
	for name, f := range map[string]func(i int) int64{
		"constant": func(int) int64 { return 7 },
		"slope":    func(i int) int64 { return int64(i) * 3 },
		"noise":    func(int) int64 { return int64(r.NormFloat64() * 20) },
		"wild":     func(int) int64 { return int64(r.Uint64()) },
		"spikes": func(i int) int64 {
			if i%37 == 5 {
				return math.MaxInt32
			}
			return 100
		},
		"extremes": func(i int) int64 { return []int64{math.MinInt32, math.MaxInt32}[i&1] },
	} {
		x := make([]int32, n)
		for i := range x {
			x[i] = cut(f(i))
		}
		out[name] = x
	}
	return out
}

func TestRice_AfterEncodeRice_GivesThePixelsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, bytepix := range []int{1, 2, 4} {
		for _, n := range []int{1, 2, 31, 32, 33, 1000} {
			for name, x := range samples(n, bytepix, r) {
				b, err := EncodeRice(nil, x, 32, bytepix)
				if err != nil {
					t.Fatal(err)
				}
				got := make([]int32, n)
				if err := Rice(got, b, 32, bytepix); err != nil {
					t.Errorf("%s, %d bytes, %d pixels: %v", name, bytepix, n, err)
					continue
				}
				for i := range x {
					if got[i] != x[i] {
						t.Errorf("%s, %d bytes: pixel %d of %d is %d, want %d", name, bytepix, i, n, got[i], x[i])
						break
					}
				}
			}
		}
	}
}

func TestRice_Truncated_IsCorrupt(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	x := samples(500, 4, r)["noise"]
	b, _ := EncodeRice(nil, x, 32, 4)
	got := make([]int32, len(x))
	for n := range len(b) - 1 {
		if err := Rice(got, b[:n], 32, 4); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if err := Rice(got, b, 32, 3); !errors.Is(err, ErrCorrupt) {
		t.Errorf("BYTEPIX 3: %v", err)
	}
	if err := Rice(got, b, 0, 4); !errors.Is(err, ErrCorrupt) {
		t.Errorf("BLOCKSIZE 0: %v", err)
	}
}

func TestUnshuffle_AfterShuffle_IsTheSame(t *testing.T) {
	for _, size := range []int{1, 2, 4, 8} {
		src := make([]byte, 13*size)
		for i := range src {
			src[i] = byte(i * 7)
		}
		mid, back := make([]byte, len(src)), make([]byte, len(src))
		Shuffle(mid, src, size)
		Unshuffle(back, mid, size)
		if !bytes.Equal(src, back) {
			t.Errorf("size %d: %v", size, back)
		}
		if size > 1 && mid[1] != src[size] {
			t.Errorf("size %d: the first bytes do not come together", size)
		}
	}
}

func TestGunzip_TooLongOrDamaged_IsCorrupt(t *testing.T) {
	b, err := Gzip(bytes.Repeat([]byte("pixels"), 100), 6)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Gunzip(make([]byte, 600), b); err != nil || len(got) != 600 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := Gunzip(make([]byte, 700), b); err != nil || len(got) != 600 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := Gunzip(make([]byte, 599), b); !errors.Is(err, ErrCorrupt) {
		t.Errorf("too long: %v", err)
	}
	b[len(b)-6] ^= 1 // the checksum
	if _, err := Gunzip(make([]byte, 600), b); !errors.Is(err, ErrCorrupt) {
		t.Errorf("wrong checksum: %v", err)
	}
}

// The end of the random sequence is given in FITS 4.0, appendix I.
func TestDithers_LastSeed_IsTheStandards(t *testing.T) {
	d := dithers()
	if got := math.Round(float64(d[randoms-1]) * 2147483647 / 256); math.Abs(got-1043618065/256) > 1 {
		t.Errorf("last value %v", d[randoms-1])
	}
	if want := float32(16807.0 / 2147483647.0); d[0] != want {
		t.Errorf("first value %v, want %v", d[0], want)
	}
}

func TestUnquantize_AfterQuantize_IsWithinHalfAStep(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	x := make([]float64, 30000) // wraps around the random sequence
	for i := range x {
		x[i] = r.NormFloat64() * 10
	}
	x[77], x[99] = math.NaN(), 0
	q := make([]int32, len(x))
	const step = 0.3
	a := NewDither(12345, 678)
	a.Quantize(q, x, step, -50, 0, true)
	if q[77] != NullValue || q[99] != ZeroValue {
		t.Errorf("special values %d %d", q[77], q[99])
	}
	b := NewDither(12345, 678)
	y := make([]float64, len(x))
	for i := 0; i < len(x); i += 999 { // in pieces, as the reader does
		end := min(i+999, len(x))
		b.Unquantize(y[i:end], q[i:end], step, -50, true)
	}
	for i := range x {
		if i != 77 && math.Abs(x[i]-y[i]) > step/2*(1+1e-9) {
			t.Fatalf("value %d: %v became %v", i, x[i], y[i])
		}
	}
	if y[99] != 0 {
		t.Errorf("zero became %v", y[99])
	}
}

func TestPLIO_EveryInstruction_IsDone(t *testing.T) {
	words := []uint16{
		0, 7, 0xff9c, 15, 0, 0, 0, // header: 15 words from 7
		0<<12 | 2, // 2 zeros
		4<<12 | 2, // 2 of 1
		2<<12 | 4, // 5
		5<<12 | 3, // 2 zeros, one 5
		3<<12 | 2, // 3
		6<<12 | 1, // 4
		7<<12 | 3, // 1
		1<<12 | 9, // high value from two words
	}
	words = append(words, 1, 4<<12|1)
	words[3] = uint16(len(words))
	b := make([]byte, 0, 2*len(words))
	for _, w := range words {
		b = append(b, byte(w>>8), byte(w))
	}
	dst := make([]int32, 12)
	for i := range dst {
		dst[i] = -1
	}
	want := []int32{0, 0, 1, 1, 0, 0, 5, 4, 1, 1<<12 + 9, 0, 0}
	if err := PLIO(dst, b); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if dst[i] != want[i] {
			t.Fatalf("%v, want %v", dst, want)
		}
	}
	if err := PLIO(dst[:5], b); !errors.Is(err, ErrCorrupt) {
		t.Errorf("more pixels than fit: %v", err)
	}
	for n := range len(b) - 1 {
		_ = PLIO(dst, b[:n]) // must not panic
	}
}

func TestHCompress_DamagedHeader_IsCorrupt(t *testing.T) {
	for _, b := range [][]byte{nil, {0xdd, 0x99}, bytes.Repeat([]byte{0xdd, 0x99}, 40), make([]byte, 100)} {
		if err := HCompress(make([]int32, 16), b, 4, 4, false); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
}

// packLZW is compress(1), for the test: codes of 9 to maxBits bits in groups of
// eight, the table cleared after every clearEvery bytes (0: never).
func packLZW(text []byte, maxBits uint, clearEvery int) []byte {
	out := []byte{0x1f, 0x9d, byte(maxBits) | 0x80}
	type pair struct {
		prefix int
		b      byte
	}
	table := map[pair]int{}
	next, bits := 257, uint(9)
	var group []byte // bits, one per byte
	flush := func() {
		for i := 0; i < len(group); i += 8 {
			v := byte(0)
			for k := 0; k < 8 && i+k < len(group); k++ {
				v |= group[i+k] << k
			}
			out = append(out, v)
		}
		group = group[:0]
	}
	put := func(code int, last bool) {
		for i := range bits {
			group = append(group, byte(code>>i&1))
		}
		widen := next >= 1<<bits && bits < maxBits
		if uint(len(group)) == 8*bits || last {
			flush()
		}
		if widen || code == 256 {
			for len(group) > 0 && uint(len(group)) < 8*bits {
				group = append(group, 0)
			}
			flush()
		}
		if widen {
			bits++
		}
	}
	ent := int(text[0])
	for i, b := range text[1:] {
		if code, ok := table[pair{ent, b}]; ok {
			ent = code
			continue
		}
		put(ent, false)
		if next < 1<<maxBits {
			table[pair{ent, b}] = next
			next++
		}
		if clearEvery > 0 && i%clearEvery == clearEvery-1 {
			put(256, false)
			table, next, bits = map[pair]int{}, 257, 9
		}
		ent = int(b)
	}
	put(ent, true)
	return out
}

func TestLZWReader_EveryWidthAndClear_GivesTheTextBack(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	text := make([]byte, 300000) // long enough to fill the largest table
	for i := range text {
		text[i] = byte(r.IntN(1 + i/2000%60))
	}
	gzip, _ := exec.LookPath("gzip") // reads .Z too: it judges the packer above
	for _, bits := range []uint{10, 12, 16} {
		for _, every := range []int{0, 7777} {
			packed := packLZW(text, bits, every)
			z, err := NewLZWReader(bytes.NewReader(packed))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(z)
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("%d bits, clear %d: %d bytes of %d, %v", bits, every, len(got), len(text), err)
			}
			if gzip == "" {
				continue
			}
			cmd := exec.Command(gzip, "-dc")
			cmd.Stdin = bytes.NewReader(packed)
			if out, err := cmd.Output(); err != nil || !bytes.Equal(out, text) {
				t.Errorf("%d bits, clear %d: gzip reads %d bytes of %d, %v", bits, every, len(out), len(text), err)
			}
		}
	}
}

func TestLZWReader_Damaged_IsCorruptOrEnds(t *testing.T) {
	if _, err := NewLZWReader(bytes.NewReader([]byte{0x1f, 0x9d, 0xff})); !errors.Is(err, ErrCorrupt) {
		t.Errorf("header: %v", err)
	}
	packed := packLZW([]byte("abababababababababab"), 16, 0)
	packed[5] = 0xff // a code far ahead of the table
	z, err := NewLZWReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(z); !errors.Is(err, ErrCorrupt) {
		t.Errorf("undefined code: %v", err)
	}
}
