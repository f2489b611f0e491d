package engine

import "testing"

// Known answers of the reference implementation (Random123 kat_vectors,
// philox4x32 10 rounds).
func TestPhilox_KnownAnswers(t *testing.T) {
	for _, c := range []struct {
		key, hi, lo uint64
		want        [4]uint32
	}{
		{0, 0, 0, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{^uint64(0), ^uint64(0), ^uint64(0), [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{0x299f31d0_a4093822, 0x03707344_13198a2e, 0x85a308d3_243f6a88, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		if got := Philox(c.key, c.hi, c.lo); got != c.want {
			t.Errorf("Philox(%x, %x, %x) = %x, want %x", c.key, c.hi, c.lo, got, c.want)
		}
	}
}

func TestKeyFold_ChildrenDiffer(t *testing.T) {
	seen := map[Key]bool{}
	k := NewKey(1)
	for i := range uint64(1000) {
		c := k.Fold(i)
		if seen[c] {
			t.Fatalf("child %d repeats", i)
		}
		seen[c] = true
	}
}
