// Package header holds the keywords of a FITS HDU (FITS 4.0, section 4): cards that
// keep their order, their comments and, until they are changed, every byte.
package header

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"limpid"
)

// Header is an ordered list of cards. What is not changed is written back as it
// was read, byte for byte. The zero value is an empty header.
type Header struct {
	cards []Card
	index map[string]int // first card of each key
}

// Cards is the list in file order, without END; do not change it.
func (h *Header) Cards() []Card {
	if h == nil {
		return nil
	}
	return h.cards
}

// Len is the number of cards, END not counted.
func (h *Header) Len() int { return len(h.Cards()) }

// Clone makes an independent copy.
func (h *Header) Clone() *Header {
	c := &Header{cards: slices.Clone(h.Cards())}
	c.find("")
	return c
}

func normalKey(key string) string {
	key = strings.ToUpper(strings.TrimSpace(key))
	for strings.HasPrefix(key, "HIERARCH ") {
		key = strings.TrimSpace(key[len("HIERARCH "):])
	}
	return key
}

func (h *Header) find(key string) int {
	if h == nil {
		return -1
	}
	if h.index == nil {
		h.index = make(map[string]int, len(h.cards))
		for i := range h.cards {
			if _, dup := h.index[h.cards[i].Key]; !dup {
				h.index[h.cards[i].Key] = i
			}
		}
	}
	if i, ok := h.index[normalKey(key)]; ok {
		return i
	}
	return -1
}

// Get finds the first card of that key.
func (h *Header) Get(key string) (Card, bool) {
	if i := h.find(key); i >= 0 {
		return h.cards[i], true
	}
	return Card{}, false
}

// Has reports whether a card of that key exists.
func (h *Header) Has(key string) bool { return h.find(key) >= 0 }

// Str gives a string value, or the text of any other value.
func (h *Header) Str(key string) (string, bool) {
	c, ok := h.Get(key)
	if !ok || c.Value == nil {
		return "", false
	}
	if s, ok := c.Value.(string); ok {
		return s, true
	}
	return strings.TrimSpace(formatScalar(c.Value)), true
}

// Float gives a number; a quoted number counts (some programs write them so).
func (h *Header) Float(key string) (float64, bool) {
	c, _ := h.Get(key)
	switch v := c.Value.(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case Big:
		return ParseFloat(string(v))
	case string:
		return ParseFloat(strings.TrimSpace(v))
	}
	return 0, false
}

// FloatOr is Float with a default.
func (h *Header) FloatOr(key string, def float64) float64 {
	if v, ok := h.Float(key); ok {
		return v
	}
	return def
}

// Int gives an integer; "2.0" and a quoted integer count.
func (h *Header) Int(key string) (int64, bool) {
	c, _ := h.Get(key)
	switch v := c.Value.(type) {
	case int64:
		return v, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), true
		}
	case string:
		i, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return i, err == nil
	}
	return 0, false
}

// Bool gives a logical value; a quoted T or F counts.
func (h *Header) Bool(key string) (value, ok bool) {
	c, _ := h.Get(key)
	switch v := c.Value.(type) {
	case bool:
		return v, true
	case string:
		v = strings.TrimSpace(v)
		return v == "T", v == "T" || v == "F"
	}
	return false, false
}

// History gives the text of the HISTORY cards, one line each.
func (h *Header) History() []string { return h.texts("HISTORY") }

// Comments gives the text of the COMMENT cards.
func (h *Header) Comments() []string { return h.texts("COMMENT") }

func (h *Header) texts(key string) (out []string) {
	for _, c := range h.Cards() {
		if c.Key == key {
			out = append(out, strings.TrimSpace(c.Comment))
		}
	}
	return out
}

// Set changes the first card of that key, in place, or appends one. An empty
// comment keeps the comment there was. Value is a string, bool, any integer or
// float type, complex128, or nil for undefined; NaN and infinities, which FITS
// cannot hold, become undefined. A key of more than 44 characters is cut when it
// is written, so that any number fits.
func (h *Header) Set(key string, value any, comment string) {
	c := newCard(key, value, comment)
	i := h.find(c.Key)
	if i < 0 {
		h.add(c)
		return
	}
	if comment == "" {
		c.Comment = h.cards[i].Comment
	}
	h.cards[i] = c
}

// Append adds a card at the end even where the key exists.
func (h *Header) Append(key string, value any, comment string) {
	h.add(newCard(key, value, comment))
}

// AddHistory appends HISTORY cards; long text takes several.
func (h *Header) AddHistory(text string) { h.addText("HISTORY", text) }

// AddComment appends COMMENT cards.
func (h *Header) AddComment(text string) { h.addText("COMMENT", text) }

func (h *Header) addText(key, text string) {
	const width = CardSize - 8
	text = ASCII(text)
	for {
		n := min(len(text), width)
		if cut := strings.LastIndexByte(text[:n], ' '); n < len(text) && cut > width/2 {
			n = cut + 1 // break between words
		}
		h.add(Card{Key: key, Comment: strings.TrimRight(text[:n], " ")})
		if text = text[n:]; text == "" {
			return
		}
	}
}

// AppendCard adds a card of another header as it is.
func (h *Header) AppendCard(c Card) { h.add(c) }

func (h *Header) add(c Card) {
	h.find("") // the index exists from here on
	h.cards = append(h.cards, c)
	if _, ok := h.index[c.Key]; !ok {
		h.index[c.Key] = len(h.cards) - 1
	}
}

// Delete removes every card of these keys.
func (h *Header) Delete(keys ...string) {
	for i, k := range keys {
		keys[i] = normalKey(k)
	}
	h.filter(func(c *Card) bool { return !slices.Contains(keys, c.Key) })
}

// filter keeps the cards that keep accepts.
func (h *Header) filter(keep func(*Card) bool) {
	out := h.cards[:0:0]
	for i := range h.cards {
		if keep(&h.cards[i]) {
			out = append(out, h.cards[i])
		}
	}
	h.cards, h.index = out, nil
	h.find("")
}

// newCard normalises key and value.
func newCard(key string, value any, comment string) Card {
	c := Card{Key: strings.ReplaceAll(normalKey(ASCII(key)), "=", "_"), Comment: ASCII(comment)}
	switch v := value.(type) {
	case nil, bool, int64, float64, complex128, Big:
		c.Value = v
	case string:
		c.Value = ASCII(v)
	case int:
		c.Value = int64(v)
	case int8, int16, int32:
		c.Value = reflect.ValueOf(v).Int()
	case uint8, uint16, uint32, uint, uint64:
		u := reflect.ValueOf(v).Uint()
		if c.Value = int64(u); u > math.MaxInt64 {
			c.Value = Big(strconv.FormatUint(u, 10))
		}
	case float32:
		// The shortest decimal of the float32, not its float64 expansion.
		c.Value, _ = strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	default:
		panic(fmt.Sprintf("header: a card cannot hold %T", value))
	}
	c.hier = len(c.Key) > 8 || strings.Trim(c.Key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != ""
	return c
}

// Bytes is the header as it stands in a file: cards, END, blanks to a multiple
// of 2880.
func (h *Header) Bytes() []byte {
	b := make([]byte, 0, (h.Len()+36)*CardSize)
	for i := range h.Cards() {
		b = append(b, h.cards[i].Text()...)
	}
	b = append(b, pad80("END")...)
	for len(b)%BlockSize != 0 {
		b = append(b, ' ')
	}
	return b
}

// Parse reads cards of 80 characters up to END or the end of text (a
// multiple of 2880 is not asked for). What it repaired is in the findings.
func Parse(text []byte) (*Header, []limpid.Finding) {
	h := &Header{}
	var p headerParser
	for len(text) >= CardSize {
		raw := string(text[:CardSize])
		text = text[CardSize:]
		if IsEnd(raw) {
			break
		}
		p.card(h, raw)
	}
	p.endString(h)
	p.duplicates(h)
	return h, p.findings
}

// IsEnd recognises the END card; what follows the keyword is not looked at unless
// it makes a value.
func IsEnd(card string) bool {
	return strings.HasPrefix(card, "END") && strings.Trim(card[3:8], " \x00\t\r\n") == "" && card[8] != '='
}

type headerParser struct {
	findings []limpid.Finding
	long     longString
}

// longString gathers a string of several cards, so that a header of nothing but
// CONTINUE takes no more than its length.
type longString struct {
	value, comment, raw strings.Builder
	open                bool // the last part ended with '&'
}

// maxCardFindings bounds what one broken header can report.
const maxCardFindings = 20

func (p *headerParser) note(key, what string) {
	if len(p.findings) >= maxCardFindings {
		return
	}
	p.findings = append(p.findings, limpid.Finding{
		Severity: limpid.Info, Code: "fits.card", Where: "card " + key,
		What:   what,
		Advice: "The card was read as well as possible; check it if it matters",
	})
}

func (p *headerParser) card(h *Header, raw string) {
	if clean := printable(raw); clean != raw {
		p.note(strings.TrimSpace(clean[:8]), "characters that are not printable ASCII")
		raw = clean
	}
	c, note := parseCard(raw)
	if c.Key == "CONTINUE" && len(h.cards) > 0 && p.proceed(&h.cards[len(h.cards)-1], raw) {
		return
	}
	p.endString(h)
	if note != "" {
		p.note(c.Key, note)
	}
	h.cards = append(h.cards, c)
}

// proceed joins a CONTINUE card to the string before it.
func (p *headerParser) proceed(last *Card, raw string) bool {
	l := &p.long
	s, ok := last.Value.(string)
	if l.raw.Len() == 0 && (!ok || !strings.HasSuffix(s, "&")) || l.raw.Len() > 0 && !l.open {
		return false
	}
	rest := strings.TrimLeft(raw[8:], " ")
	if !strings.HasPrefix(rest, "'") {
		return false
	}
	if l.raw.Len() == 0 {
		l.value.WriteString(s[:len(s)-1])
		l.comment.WriteString(last.Comment)
		l.raw.WriteString(last.raw)
	}
	v, tail, closed := parseString(rest)
	if !closed {
		p.note(last.Key, "string without closing quote")
	}
	v, l.open = strings.CutSuffix(v, "&")
	l.value.WriteString(v)
	if comment, _ := afterSlash(tail); comment != "" {
		if l.comment.Len() > 0 {
			l.comment.WriteByte(' ')
		}
		l.comment.WriteString(comment)
	}
	l.raw.WriteString(raw)
	return true
}

// endString gives the last card the string of several cards that ends with it.
func (p *headerParser) endString(h *Header) {
	if p.long.raw.Len() == 0 {
		return
	}
	last := &h.cards[len(h.cards)-1]
	v := p.long.value.String()
	if p.long.open { // the '&' of a part that nothing follows is text
		v += "&"
	}
	last.Value, last.Comment, last.raw = v, p.long.comment.String(), p.long.raw.String()
	p.long = longString{}
}

// duplicates reports keywords that come twice with different values.
func (p *headerParser) duplicates(h *Header) {
	h.find("") // the index exists from here on
	for i := range h.cards {
		c := &h.cards[i]
		if isCommentary(c.Key) || c.Key == "CONTINUE" || c.Value == nil || isRecord(c.Value) {
			continue
		}
		if first := h.index[c.Key]; first != i && h.cards[first].Value != c.Value {
			p.note(c.Key, fmt.Sprintf("the keyword comes twice, first %v then %v; the first is used",
				h.cards[first].Value, c.Value))
		}
	}
}

// isRecord recognises record-valued cards, 'EXTVER: 1', which come several times.
func isRecord(v any) bool {
	s, ok := v.(string)
	field, value, found := strings.Cut(s, ": ")
	_, number := ParseFloat(strings.TrimSpace(value))
	return ok && found && number && !strings.Contains(field, " ")
}

// printable replaces, byte by byte, what a header must not hold.
func printable(s string) string {
	clean := func(b byte) bool { return b >= 0x20 && b <= 0x7e }
	i := 0
	for i < len(s) && clean(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	out := []byte(s)
	for ; i < len(out); i++ {
		switch {
		case out[i] == 0 || out[i] == '\t' || out[i] == '\n' || out[i] == '\r':
			out[i] = ' '
		case !clean(out[i]):
			out[i] = '?'
		}
	}
	return string(out)
}
