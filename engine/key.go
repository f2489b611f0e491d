package engine

// Key names a stream of random numbers. Element i of a tensor filled from a key
// depends on the key and i alone (Philox4x32-10, Salmon+2011), so results do not
// depend on the device, the thread count or the order of calls.
type Key struct {
	Seed    uint64 // Philox key
	Counter uint64 // upper half of the Philox counter; the lower half is i/4
}

// NewKey starts from a user's seed.
func NewKey(seed uint64) Key { return Key{Seed: seed} }

// Fold derives an independent key for the n-th child: a step, a chain, a tile.
func (k Key) Fold(n uint64) Key {
	o := Philox(k.Seed^0x9e3779b97f4a7c15, k.Counter, n)
	return Key{
		Seed:    uint64(o[0])<<32 | uint64(o[1]),
		Counter: uint64(o[2])<<32 | uint64(o[3]),
	}
}

const (
	philoxM0 = 0xD2511F53
	philoxM1 = 0xCD9E8D57
	philoxW0 = 0x9E3779B9
	philoxW1 = 0xBB67AE85
)

// Philox is the Philox4x32-10 block function of Salmon+2011 (SC'11, doi
// 10.1145/2063384.2063405): four uniform 32-bit words for the 64-bit key and the
// 128-bit counter (lo, hi).
func Philox(key, hi, lo uint64) [4]uint32 {
	c0, c1 := uint32(lo), uint32(lo>>32)
	c2, c3 := uint32(hi), uint32(hi>>32)
	k0, k1 := uint32(key), uint32(key>>32)
	for range 10 {
		p0 := philoxM0 * uint64(c0)
		p1 := philoxM1 * uint64(c2)
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
		k0 += philoxW0
		k1 += philoxW1
	}
	return [4]uint32{c0, c1, c2, c3}
}
