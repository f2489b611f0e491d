package header

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func parseCards(t *testing.T, lines ...string) (*Header, []string) {
	t.Helper()
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(pad80(l))
	}
	h, findings := Parse([]byte(b.String()))
	var notes []string
	for _, f := range findings {
		notes = append(notes, f.Where+": "+f.What)
	}
	return h, notes
}

func TestParseHeader_EveryValueType_IsRead(t *testing.T) {
	h, notes := parseCards(t,
		"STR     = 'it''s a string'    / comment with / slash",
		"EMPTY   = ''",
		"INT     =                  -42 / c",
		"BIG     = 12345678901234567890",
		"FLT     =           -1.25E-007",
		"DEXP    = 1.5D+03",
		"T       =                    T",
		"CPLX    = (1.5, -2D0)",
		"UNDEF   =                      / nothing",
		"FREE    =3",
		"HIERARCH ESO DET CHIP1 ID  = 'CCD-1' / hier",
		"LONG    = 'one &'",
		"CONTINUE  'two &'  / first",
		"CONTINUE  'three' / second",
		"QUOTED  = '3.25'",
	)
	for key, want := range map[string]any{
		"STR": "it's a string", "EMPTY": "", "INT": int64(-42), "BIG": 12345678901234567890.0,
		"FLT": -1.25e-7, "DEXP": 1500.0, "T": true, "CPLX": complex(1.5, -2), "UNDEF": nil, "FREE": int64(3),
		"ESO DET CHIP1 ID": "CCD-1", "LONG": "one two three",
	} {
		if c, ok := h.Get(key); !ok || c.Value != want {
			t.Errorf("%s = %#v, want %#v", key, c.Value, want)
		}
	}
	if c, _ := h.Get("STR"); c.Comment != "comment with / slash" {
		t.Errorf("comment %q", c.Comment)
	}
	if c, _ := h.Get("long"); c.Comment != "first second" {
		t.Errorf("comment of a continued string %q", c.Comment)
	}
	if v, ok := h.Float("QUOTED"); !ok || v != 3.25 {
		t.Errorf("quoted number %v %v", v, ok)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "no blank after") {
		t.Errorf("notes %q", notes)
	}
}

func TestParseHeader_Violations_AreRepairedWithFindings(t *testing.T) {
	for _, c := range []struct {
		card, note string
		value      any
	}{
		{"exptime = 3.5", "lower case", 3.5},
		{"EXPTIME=3.5 / s", "column 9", 3.5},
		{"EXPTIME = 'no end", "closing quote", "no end"},
		{"EXPTIME = NaN", "not allowed", nil},
		{"EXPTIME = 12:30:00", "neither number", "12:30:00"},
		{"EXPTIME = 'x' comment", "without slash", "x"},
		{"EXPTIME = 'caf\xe9'", "printable", "caf?"},
	} {
		h, notes := parseCards(t, c.card)
		got, _ := h.Get("EXPTIME")
		if f, ok := got.Value.(float64); ok && math.IsNaN(f) {
			got.Value = nil
		}
		if got.Value != c.value || len(notes) != 1 || !strings.Contains(notes[0], c.note) {
			t.Errorf("%q: %#v %q", c.card, got.Value, notes)
		}
	}
	h, notes := parseCards(t, "GAIN    = 1.0", "GAIN    = 2.0", "GAIN    = 1.0")
	if v, _ := h.Float("GAIN"); v != 1 || len(notes) != 1 || !strings.Contains(notes[0], "twice") {
		t.Errorf("duplicates: %v %q", v, notes)
	}
}

func TestHeader_SetAndDelete_KeepOrder(t *testing.T) {
	h, _ := parseCards(t, "A       = 1 / first", "COMMENT c1", "B       = 2", "HISTORY h1", "A       = 3")
	h.Set("B", 2.5, "changed")
	h.Set("A", "text", "")
	h.Set("C", true, "new")
	h.AddHistory("h2")
	var got []string
	for _, c := range h.Cards() {
		got = append(got, strings.TrimSpace(fmt.Sprint(c.Key, "=", c.Value, "/", c.Comment)))
	}
	want := "A=text/first|COMMENT=<nil>/c1|B=2.5/changed|HISTORY=<nil>/h1|A=3/|C=true/new|HISTORY=<nil>/h2"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	h.Delete("A", "HISTORY")
	if h.Has("A") || h.Has("HISTORY") || h.Len() != 3 {
		t.Errorf("after Delete %d cards", h.Len())
	}
	if c := h.Comments(); len(c) != 1 || c[0] != "c1" {
		t.Errorf("comments %q", c)
	}
}

func TestHeader_Clone_IsIndependent(t *testing.T) {
	h, _ := parseCards(t, "A       = 1")
	c := h.Clone()
	c.Set("A", 2, "")
	c.AddComment("x")
	if v, _ := h.Int("A"); v != 1 || h.Len() != 1 {
		t.Errorf("the source changed: A = %d, %d cards", v, h.Len())
	}
	var zero Header
	if zero.Has("A") || zero.Len() != 0 {
		t.Error("the zero header is not empty")
	}
	zero.Set("A", 1, "")
	if v, _ := zero.Int("A"); v != 1 {
		t.Error("Set on the zero header")
	}
}

func TestHeader_Floats_ReadBackExactly(t *testing.T) {
	for _, v := range []float64{0, 1, -1, 0.1, 1e-300, 1.7976931348623157e308, 5e-324, 123456789.123456789, 1e15, 1e16, 1e21, math.Pi} {
		var h Header
		h.Set("X", v, "some comment that is rather long, so that it is cut and the value is not")
		b := h.Bytes()
		back, notes := Parse(b)
		got, ok := back.Float("X")
		if !ok || got != v || len(notes) > 0 || len(b) != 2880 {
			t.Errorf("%g reads back as %g from %q", v, got, b[:80])
		}
		if c, _ := back.Get("X"); v != 0 {
			if _, isFloat := c.Value.(float64); !isFloat {
				t.Errorf("%g became %T", v, c.Value)
			}
		}
	}
}

func TestHeader_LongHistory_BreaksBetweenWords(t *testing.T) {
	var h Header
	text := strings.Repeat("limpid deconvolve ", 12)
	h.AddHistory(text)
	got := strings.Join(h.History(), " ")
	if got != strings.TrimSpace(text) {
		t.Errorf("%q", got)
	}
	h.AddHistory(strings.Repeat("x", 200))
	back, _ := Parse(h.Bytes())
	if n := len(back.History()); n != h.Len() {
		t.Errorf("%d cards read back, %d written", n, h.Len())
	}
}

func TestHeader_LongString_ContinuesAndReadsBack(t *testing.T) {
	for n := range 300 {
		s := ""
		for i := range n {
			s += string("ab'c &"[(i*7+n)%6])
		}
		var h Header
		h.Set("LONGSTR", s+"x", "a comment")
		back, findings := Parse(h.Bytes())
		if got, _ := back.Str("LONGSTR"); got != s+"x" || len(findings) > 0 {
			t.Fatalf("length %d: %q, want %q (%v)", n, got, s+"x", findings)
		}
	}
}

func TestParse_NothingButContinue_TakesLinearTime(t *testing.T) {
	text := []byte(pad80("LONG    = 'one &' / first"))
	const n = 100_000 // 8 MB; joined one by one this would copy 350 GB
	text = append(text, bytes.Repeat([]byte(pad80("CONTINUE  'and more &'")), n)...)
	start := time.Now()
	h, _ := Parse(append(text, pad80("CONTINUE  'end' / last")...))
	if s, _ := h.Str("LONG"); len(s) != 4+9*n+3 || !strings.HasSuffix(s, "more end") {
		t.Errorf("%d characters", len(s))
	}
	if c, _ := h.Get("LONG"); c.Comment != "first last" {
		t.Errorf("comment %q", c.Comment)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	h, _ = Parse([]byte(pad80("A       = 'x&'") + pad80("CONTINUE  'y'") + pad80("CONTINUE  'z'") + pad80("B       = 'p&'") + pad80("CONTINUE  'q&'")))
	if s, _ := h.Str("A"); s != "xy" {
		t.Errorf("A %q", s)
	}
	if s, _ := h.Str("B"); s != "pq&" || h.Len() != 3 {
		t.Errorf("B %q of %d cards", s, h.Len())
	}
}

func TestSet_EveryNumberAndLongKey_ReadsBack(t *testing.T) {
	for _, v := range []any{int8(-3), int16(-3), int32(-3), -3, int64(-3)} {
		var h Header
		h.Set("N", v, "")
		if got, ok := reread(t, &h).Int("N"); !ok || got != -3 {
			t.Errorf("%T: %v", v, got)
		}
	}
	for _, v := range []any{uint8(200), uint16(200), uint32(200), uint(200), uint64(200)} {
		var h Header
		h.Set("N", v, "")
		if got, ok := reread(t, &h).Int("N"); !ok || got != 200 {
			t.Errorf("%T: %v", v, got)
		}
	}
	var h Header
	h.Set("BIG", uint64(1<<64-1), "")
	if v, ok := h.Float("BIG"); !ok || v != 1<<64 || !strings.Contains(string(h.Bytes()), "18446744073709551615") {
		t.Errorf("BIG %v", v)
	}
	key := strings.Repeat("ABCD ", 30)
	for _, v := range []any{-1.2345678901234567e-300, "a string that is longer than what is left of the card by far, 'quoted'", true} {
		var h Header
		h.Set(key, v, "comment")
		cards := reread(t, &h).Cards()
		if len(cards) != 1 || cards[0].Value != v {
			t.Errorf("%v became %v", v, cards)
		}
	}
}

func reread(t *testing.T, h *Header) *Header {
	t.Helper()
	out, _ := Parse(h.Bytes())
	return out
}
