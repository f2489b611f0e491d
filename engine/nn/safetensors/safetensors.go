// Package safetensors reads and writes files of named tensors in the safetensors
// format (huggingface.co/docs/safetensors): eight bytes with the length of a JSON
// header, the header, the data.
//
// Reading is strict, since such files come from anywhere: every claim of the header
// is checked against the size of the file before anything is allocated. Names are
// unique, types known, shapes and ranges agree, and the ranges cover the data without
// overlap or gap.
package safetensors

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sort"
)

// Limits on what is believed.
const (
	MaxHeader = 16 << 20 // bytes
	maxRank   = 8
	maxCount  = 1 << 16 // tensors
)

// Tensor is an entry of a file's header.
type Tensor struct {
	Name  string
	Type  string // F32, F16, BF16 or F64
	Shape []int
	start int64 // in the file
	bytes int64
}

// Len is the number of elements.
func (t Tensor) Len() int { return int(t.bytes) / sizes[t.Type] }

// File is an open file.
type File struct {
	Metadata map[string]string
	Tensors  []Tensor // by name
	index    map[string]int
	r        io.ReaderAt
	size     int64
}

var sizes = map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2}

// Read reads and checks the header of a file of size bytes.
func Read(r io.ReaderAt, size int64) (*File, error) {
	f, err := read(r, size)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return f, nil
}

func read(r io.ReaderAt, size int64) (*File, error) {
	var n8 [8]byte
	if size < 8 {
		return nil, fmt.Errorf("%d bytes are no safetensors file", size)
	}
	if _, err := r.ReadAt(n8[:], 0); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(n8[:])
	switch {
	case n > MaxHeader:
		return nil, fmt.Errorf("a header of %d bytes (at most %d): no safetensors file", n, MaxHeader)
	case int64(n) > size-8:
		return nil, fmt.Errorf("a header of %d bytes in a file of %d: the file is cut short", n, size)
	}
	h := make([]byte, n)
	if _, err := r.ReadAt(h, 8); err != nil {
		return nil, err
	}
	f := &File{index: map[string]int{}, r: r, size: size}
	if err := f.header(h); err != nil {
		return nil, err
	}
	return f, f.ranges(8 + int64(n))
}

// entry is a tensor in the header.
type entry struct {
	Type    *string  `json:"dtype"`
	Shape   *[]int64 `json:"shape"`
	Offsets *[]int64 `json:"data_offsets"`
}

// header parses the JSON object by hand at the top level, since the library takes
// repeated names without a word.
func (f *File) header(h []byte) error {
	if len(h) == 0 || h[0] != '{' {
		return errors.New("the header is no JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(h))
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	seen := map[string]bool{}
	for d.More() {
		tok, err := d.Token()
		if err != nil {
			return fmt.Errorf("header: %w", err)
		}
		name, _ := tok.(string)
		if seen[name] {
			return fmt.Errorf("the name %q occurs twice", name)
		}
		seen[name] = true
		if name == "__metadata__" {
			if err := d.Decode(&f.Metadata); err != nil {
				return fmt.Errorf("metadata: %w", err)
			}
			continue
		}
		var e entry
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		strict := json.NewDecoder(bytes.NewReader(raw))
		strict.DisallowUnknownFields()
		if err := strict.Decode(&e); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		t, err := e.tensor(name)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		if len(f.Tensors) == maxCount {
			return fmt.Errorf("more than %d tensors", maxCount)
		}
		f.Tensors = append(f.Tensors, t)
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if rest := bytes.TrimRight(h[d.InputOffset():], " "); len(rest) > 0 {
		return errors.New("the header goes on after its JSON object")
	}
	return nil
}

// tensor checks an entry by itself; start is relative to the data.
func (e entry) tensor(name string) (Tensor, error) {
	if e.Type == nil || e.Shape == nil || e.Offsets == nil || len(*e.Offsets) != 2 {
		return Tensor{}, errors.New("dtype, shape or data_offsets are missing")
	}
	size := int64(sizes[*e.Type])
	if size == 0 {
		return Tensor{}, fmt.Errorf("type %q is none of F32, F16, BF16, F64", *e.Type)
	}
	if len(*e.Shape) > maxRank {
		return Tensor{}, fmt.Errorf("%d dimensions (at most %d)", len(*e.Shape), maxRank)
	}
	bytes, shape := size, make([]int, len(*e.Shape))
	for i, d := range *e.Shape {
		if d < 0 || d > math.MaxInt32 || d > 0 && bytes > math.MaxInt64/4/d {
			return Tensor{}, fmt.Errorf("shape %v", *e.Shape)
		}
		bytes *= d
		shape[i] = int(d)
	}
	lo, hi := (*e.Offsets)[0], (*e.Offsets)[1]
	if lo < 0 || hi < lo || hi-lo != bytes {
		return Tensor{}, fmt.Errorf("offsets %d to %d for %d bytes of shape %v", lo, hi, bytes, shape)
	}
	return Tensor{Name: name, Type: *e.Type, Shape: shape, start: lo, bytes: bytes}, nil
}

// ranges checks that the tensors fill the data, which starts at base.
func (f *File) ranges(base int64) error {
	byStart := append([]Tensor(nil), f.Tensors...)
	sort.Slice(byStart, func(i, j int) bool {
		a, b := byStart[i], byStart[j]
		return a.start < b.start || a.start == b.start && a.bytes < b.bytes
	})
	at := int64(0)
	for _, t := range byStart {
		if t.start < at {
			return fmt.Errorf("tensor %q overlaps the one before it", t.Name)
		}
		if t.start > at {
			return fmt.Errorf("%d bytes before tensor %q belong to none", t.start-at, t.Name)
		}
		at += t.bytes
	}
	if have := f.size - base; at != have {
		return fmt.Errorf("the tensors need %d bytes of data, the file has %d", at, have)
	}
	sort.Slice(f.Tensors, func(i, j int) bool { return f.Tensors[i].Name < f.Tensors[j].Name })
	for i := range f.Tensors {
		f.Tensors[i].start += base
		f.index[f.Tensors[i].Name] = i
	}
	return nil
}

// Lookup finds a tensor by name.
func (f *File) Lookup(name string) (Tensor, bool) {
	i, ok := f.index[name]
	if !ok {
		return Tensor{}, false
	}
	return f.Tensors[i], true
}

// Float32 reads the elements of a tensor.
func (f *File) Float32(t Tensor) ([]float32, error) {
	b := make([]byte, t.bytes)
	if _, err := f.r.ReadAt(b, t.start); err != nil && !(err == io.EOF && t.bytes == 0) {
		return nil, fmt.Errorf("safetensors: tensor %q: %w", t.Name, err)
	}
	v := make([]float32, t.Len())
	for i := range v {
		switch t.Type {
		case "F32":
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		case "F64":
			v[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
		case "BF16":
			v[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
		case "F16":
			v[i] = half(binary.LittleEndian.Uint16(b[2*i:]))
		}
	}
	return v, nil
}

// half is an IEEE 754 binary16 number.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, int(h>>10&31), uint32(h&1023)
	switch {
	case exp == 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	case exp == 0: // subnormal: frac · 2⁻²⁴
		v := float32(frac) * 0x1p-24
		if sign != 0 {
			v = -v
		}
		return v
	}
	return math.Float32frombits(sign | uint32(exp+112)<<23 | frac<<13)
}

// Data is a tensor to be written.
type Data struct {
	Name   string
	Shape  []int
	Values []float32
}

// Write writes tensors as F32, sorted by name, so that equal contents give equal
// files.
func Write(w io.Writer, tensors []Data, metadata map[string]string) error {
	ts := append([]Data(nil), tensors...)
	sort.Slice(ts, func(i, j int) bool { return ts[i].Name < ts[j].Name })
	var h bytes.Buffer
	h.WriteByte('{')
	if len(metadata) > 0 {
		m, err := json.Marshal(metadata)
		if err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
		fmt.Fprintf(&h, `"__metadata__":%s`, m)
	}
	at := int64(0)
	for i, t := range ts {
		n := 1
		for _, d := range t.Shape {
			n *= d
		}
		if n != len(t.Values) || t.Name == "__metadata__" || i > 0 && t.Name == ts[i-1].Name {
			return fmt.Errorf("safetensors: tensor %q of shape %v and %d numbers cannot be written", t.Name, t.Shape, len(t.Values))
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
		shape, err := json.Marshal(append([]int{}, t.Shape...))
		if err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
		if h.Len() > 1 {
			h.WriteByte(',')
		}
		end := at + 4*int64(n)
		fmt.Fprintf(&h, `%s:{"dtype":"F32","shape":%s,"data_offsets":[%d,%d]}`, name, shape, at, end)
		at = end
	}
	h.WriteByte('}')
	for h.Len()%8 != 0 {
		h.WriteByte(' ')
	}
	if h.Len() > MaxHeader {
		return fmt.Errorf("safetensors: a header of %d bytes (at most %d)", h.Len(), MaxHeader)
	}
	buf := binary.LittleEndian.AppendUint64(nil, uint64(h.Len()))
	if _, err := w.Write(append(buf, h.Bytes()...)); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	for _, t := range ts {
		buf = buf[:0]
		for _, v := range t.Values {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		if _, err := w.Write(buf); err != nil {
			return fmt.Errorf("safetensors: %w", err)
		}
	}
	return nil
}

// WriteFile writes by way of a temporary file beside path, so that a failure leaves
// what was there.
func WriteFile(path string, tensors []Data, metadata map[string]string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".safetensors-*")
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	defer os.Remove(tmp.Name())
	if err := Write(tmp, tensors, metadata); err != nil {
		tmp.Close()
		return err
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("safetensors: write %s: %w", path, err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	return nil
}

// Digest is the SHA-256 of everything r gives, in hexadecimal.
func Digest(r io.Reader) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return "", fmt.Errorf("safetensors: digest: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
