package safetensors

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// raw makes a file of a header and data, right or wrong.
func raw(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func parse(b []byte) (*File, error) { return Read(bytes.NewReader(b), int64(len(b))) }

func TestWrite_ThenRead_GivesTheSame(t *testing.T) {
	in := []Data{
		{"b", []int{2, 3}, []float32{1, -2, 3e-40, float32(math.Inf(1)), 0, 5}},
		{"a.weight", []int{}, []float32{7}},
		{"empty", []int{0, 4}, nil},
	}
	var buf, again bytes.Buffer
	meta := map[string]string{"σ": "log", "step": "12"}
	if err := Write(&buf, in, meta); err != nil {
		t.Fatal(err)
	}
	if err := Write(&again, []Data{in[2], in[0], in[1]}, meta); err != nil || !bytes.Equal(buf.Bytes(), again.Bytes()) {
		t.Errorf("another order gives another file (%v)", err)
	}
	if buf.Len()%4 != 0 || binary.LittleEndian.Uint64(buf.Bytes())%8 != 0 {
		t.Error("the data are not aligned")
	}
	f, err := parse(buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if f.Metadata["σ"] != "log" || len(f.Tensors) != 3 {
		t.Errorf("read %v, %v", f.Metadata, f.Tensors)
	}
	for _, d := range in {
		e, ok := f.Lookup(d.Name)
		if !ok {
			t.Fatalf("%s is missing", d.Name)
		}
		v, err := f.Float32(e)
		if err != nil || len(v) != len(d.Values) || fmt.Sprint(e.Shape) != fmt.Sprint(d.Shape) {
			t.Fatalf("%s: %v, %v, %v", d.Name, e, v, err)
		}
		for i := range v {
			if math.Float32bits(v[i]) != math.Float32bits(d.Values[i]) {
				t.Errorf("%s[%d] is %v, want %v", d.Name, i, v[i], d.Values[i])
			}
		}
	}
}

func TestRead_OtherTypes_AreConverted(t *testing.T) {
	h := `{"h":{"dtype":"F16","shape":[5],"data_offsets":[0,10]},"g":{"dtype":"BF16","shape":[1],"data_offsets":[10,12]},"d":{"dtype":"F64","shape":[1],"data_offsets":[12,20]}}`
	b := raw(h, 20)
	data := b[len(b)-20:]
	for i, v := range []uint16{0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555} { // 1, −2, 2⁻²⁴, ∞, ≈⅓
		binary.LittleEndian.PutUint16(data[2*i:], v)
	}
	binary.LittleEndian.PutUint16(data[10:], 0x4049)
	binary.LittleEndian.PutUint64(data[12:], math.Float64bits(-0.1))
	f, err := parse(b)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]float32{
		"h": {1, -2, 0x1p-24, float32(math.Inf(1)), 0.33325195}, "g": {3.140625}, "d": {-0.1},
	} {
		e, _ := f.Lookup(name)
		v, err := f.Float32(e)
		if err != nil || fmt.Sprint(v) != fmt.Sprint(want) {
			t.Errorf("%s: %v (%v), want %v", name, v, err, want)
		}
	}
}

func TestRead_MalformedFiles_AreRefused(t *testing.T) {
	good := `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	if _, err := parse(raw(good, 8)); err != nil {
		t.Fatal(err)
	}
	huge := raw(good, 8)
	binary.LittleEndian.PutUint64(huge, 1<<63)
	large := raw(good, 8)
	binary.LittleEndian.PutUint64(large, 1<<40)
	two := `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[%d,%d]}}`
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":            {nil, "no safetensors"},
		"short":            {[]byte{1, 2, 3}, "no safetensors"},
		"header too long":  {huge, "at most"},
		"header beyond":    {large, "at most"},
		"header cut":       {raw(good, 8)[:20], "cut short"},
		"data cut":         {raw(good, 7), "need 8 bytes"},
		"data too long":    {raw(good, 9), "need 8 bytes"},
		"no object":        {raw(`["a"]`, 0), "no JSON object"},
		"broken JSON":      {raw(`{"a":{"dtype":"F32"`, 0), "unexpected"},
		"after the object": {raw(good+"{}", 8), "goes on"},
		"twice":            {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}`, 16), "twice"},
		"overlap":          {raw(fmt.Sprintf(two, 4, 12), 12), "overlaps"},
		"gap":              {raw(fmt.Sprintf(two, 12, 20), 20), "belong to none"},
		"type":             {raw(`{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, 8), "type"},
		"shape":            {raw(`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), "shape"},
		"shape overflow":   {raw(`{"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,8]}}`, 8), "shape"},
		"rank":             {raw(`{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}`, 4), "dimensions"},
		"offsets":          {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), "offsets"},
		"negative offset":  {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}`, 8), "offsets"},
		"offsets of bytes": {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "offsets"},
		"missing":          {raw(`{"a":{"dtype":"F32","shape":[2]}}`, 8), "missing"},
		"three offsets":    {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}`, 8), "missing"},
		"unknown field":    {raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}`, 8), "unknown"},
		"fraction":         {raw(`{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}`, 8), "cannot unmarshal"},
		"metadata":         {raw(`{"__metadata__":{"a":1}}`, 0), "metadata"},
	} {
		_, err := parse(c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestWrite_BadTensors_AreRefused(t *testing.T) {
	for _, d := range [][]Data{
		{{"a", []int{2}, []float32{1}}},
		{{"a", []int{1}, []float32{1}}, {"a", []int{1}, []float32{1}}},
		{{"__metadata__", []int{1}, []float32{1}}},
	} {
		if err := Write(&bytes.Buffer{}, d, nil); err == nil {
			t.Errorf("%v: no error", d)
		}
	}
}

func TestWriteFile_Twice_ReplacesAndLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "w.safetensors")
	for i := range 2 {
		if err := WriteFile(path, []Data{{"a", []int{1}, []float32{float32(i)}}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("%v in the folder (%v)", names, err)
	}
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if d, err := Digest(r); err != nil || len(d) != 64 {
		t.Errorf("digest %q, %v", d, err)
	}
}

// Whatever the bytes: an error or a file whose tensors can all be read.
func FuzzRead(f *testing.F) {
	var buf bytes.Buffer
	if err := Write(&buf, []Data{{"a", []int{2, 1}, []float32{1, 2}}, {"b", []int{}, []float32{3}}}, map[string]string{"k": "v"}); err != nil {
		f.Fatal(err)
	}
	f.Add(buf.Bytes())
	f.Add(raw(`{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[],"data_offsets":[4,6]}}`, 6))
	f.Add(raw(`{}`, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := parse(b)
		if err != nil {
			return
		}
		total := 0
		for _, e := range file.Tensors {
			v, err := file.Float32(e)
			if err != nil {
				t.Fatalf("%q: %v", e.Name, err)
			}
			total += len(v)
		}
		if total > len(b) {
			t.Fatalf("%d numbers out of %d bytes", total, len(b))
		}
	})
}
