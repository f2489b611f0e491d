package fitsio

import (
	"context"
	"encoding/binary"
	"io"
	"strconv"
	"strings"

	"limpid"
)

// sum32 is the 32-bit ones' complement sum of FITS 4.0, appendix J. It takes
// data in pieces of any length.
type sum32 struct {
	sum  uint64
	part [4]byte
	n    int
}

func (s *sum32) Write(p []byte) (int, error) {
	total := len(p)
	for s.n > 0 && s.n < 4 && len(p) > 0 {
		s.part[s.n] = p[0]
		s.n++
		p = p[1:]
	}
	if s.n == 4 {
		s.sum += uint64(binary.BigEndian.Uint32(s.part[:]))
		s.n = 0
	}
	for len(p) >= 4 {
		// 2³² additions of 32 bits fit; carries are folded in at the end.
		s.sum += uint64(binary.BigEndian.Uint32(p))
		p = p[4:]
	}
	if len(p) > 0 {
		s.n = copy(s.part[:], p)
	}
	s.sum = s.sum&0xffffffff + s.sum>>32
	return total, nil
}

// value folds the carries; a part of a word counts as padded with zeros.
func (s *sum32) value() uint32 {
	v := s.sum
	if s.n > 0 {
		last := s.part
		clear(last[s.n:])
		v += uint64(binary.BigEndian.Uint32(last[:]))
	}
	for v>>32 != 0 {
		v = v&0xffffffff + v>>32
	}
	return uint32(v)
}

// encodeSum writes a sum as 16 letters and digits whose own sum is the complement
// of it (FITS 4.0, appendix J.3).
func encodeSum(sum uint32, complement bool) string {
	if complement {
		sum = ^sum
	}
	var out [16]byte
	for i := range 4 {
		b := byte(sum >> (24 - 8*i))
		quot := b/4 + '0'
		ch := [4]byte{quot + b%4, quot, quot, quot}
		for again := true; again; {
			again = false
			for j := 0; j < 4; j += 2 {
				if punctuation(ch[j]) || punctuation(ch[j+1]) {
					ch[j]++
					ch[j+1]--
					again = true
				}
			}
		}
		for j := range 4 {
			out[4*j+i] = ch[j]
		}
	}
	return string(out[15]) + string(out[:15])
}

func punctuation(c byte) bool {
	return (c >= 0x3a && c <= 0x40) || (c >= 0x5b && c <= 0x60)
}

const zeroSum = "0000000000000000"

// addChecksums runs over the data once more and adds DATASUM and CHECKSUM.
func (h *NewHDU) addChecksums(head *Header) error {
	var data sum32
	if err := h.body(&data); err != nil {
		return err
	}
	head.Append("CHECKSUM", zeroSum, "HDU checksum")
	head.Append("DATASUM", strconv.FormatUint(uint64(data.value()), 10), "data unit checksum")
	all := data
	all.sum, all.n = uint64(data.value()), 0
	if _, err := all.Write(head.Bytes()); err != nil {
		return err
	}
	head.Set("CHECKSUM", encodeSum(all.value(), true), "HDU checksum")
	return nil
}

// Checks is the result of VerifyChecksum.
type Checks struct {
	HasData, DataOK   bool // DATASUM
	HasWhole, WholeOK bool // CHECKSUM
}

// VerifyChecksum compares DATASUM and CHECKSUM with the file.
func (h *HDU) VerifyChecksum() (Checks, error) {
	var c Checks
	ds, hasData := h.raw.Str("DATASUM")
	cs, hasWhole := h.raw.Str("CHECKSUM")
	c.HasData = hasData && strings.TrimSpace(ds) != ""
	c.HasWhole = hasWhole && strings.TrimSpace(cs) != ""
	if !c.HasData && !c.HasWhole {
		return c, nil
	}
	end := min(padded(h.size), h.file.src.Size()-h.off)
	if end < h.size {
		return c, h.fail(ErrTruncated)
	}
	var data, all sum32
	if _, err := io.Copy(&data, io.NewSectionReader(h.file.src, h.off, end)); err != nil {
		return c, h.fail(err)
	}
	want, err := strconv.ParseUint(strings.TrimSpace(ds), 10, 32)
	c.DataOK = err == nil && uint32(want) == data.value()
	all.sum = uint64(data.value())
	if _, err := io.Copy(&all, io.NewSectionReader(h.file.src, h.start, h.off-h.start)); err != nil {
		return c, h.fail(err)
	}
	v := all.value()
	c.WholeOK = v == 0 || v == 0xffffffff
	return c, nil
}

// VerifyChecksums compares the checksums of every HDU that has them and gives a
// finding for each that does not match. It reads the whole file.
func (f *File) VerifyChecksums(ctx context.Context) ([]limpid.Finding, error) {
	var out []limpid.Finding
	for _, h := range f.HDUs {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		c, err := h.VerifyChecksum()
		if err != nil {
			return out, err
		}
		bad := ""
		switch {
		case c.HasData && !c.DataOK:
			bad = "the data do not match DATASUM"
		case c.HasWhole && !c.WholeOK:
			bad = "the header does not match CHECKSUM"
		}
		if bad != "" {
			out = append(out, limpid.Finding{
				Severity: limpid.Warning, Code: "fits.checksum", What: bad, Where: where(f.Path, h.Index),
				Advice: "The file was changed after it was written, or damaged: compare it with the original",
			})
		}
	}
	return out, nil
}
