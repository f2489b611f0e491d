package header

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// CardSize and BlockSize are the units of every FITS file, in bytes.
const (
	CardSize  = 80
	BlockSize = 2880
)

// Big is an integer that is written exactly though int64 cannot hold it.
type Big string

// Card is one entry of a header (FITS 4.0, section 4).
type Card struct {
	// Key is in upper case and without trailing blanks; "" for a blank card.
	// A HIERARCH keyword is its name without "HIERARCH".
	Key string
	// Value is a string, bool, int64, float64 or complex128; nil where the card
	// has none (COMMENT, HISTORY, blank, undefined).
	Value any
	// Comment follows the slash; for COMMENT, HISTORY and blank cards it is
	// their text.
	Comment string

	raw  string // the card as read (n × 80 characters), kept until it is changed
	hier bool
}

func isCommentary(key string) bool { return key == "COMMENT" || key == "HISTORY" || key == "" }

// parseCard reads one 80-character card. note is not empty where the card broke
// the standard and was repaired.
func parseCard(raw string) (c Card, note string) {
	c.raw = raw
	key := strings.TrimRight(raw[:8], " \x00\t")
	value := raw[8:]
	if i := strings.IndexByte(key, '='); i > 0 { // "GAIN=2.5"
		key, value, note = strings.TrimRight(key[:i], " "), "= "+raw[i+1:], "'=' is not in column 9"
	}
	if up := strings.ToUpper(key); up != key {
		key, note = up, join(note, "keyword in lower case")
	}
	c.Key = strings.TrimSpace(key)
	if c.Key == "HIERARCH" {
		if eq := strings.IndexByte(raw, '='); eq > 8 && strings.TrimSpace(raw[8:eq]) != "" {
			c.Key, c.hier = normalKey(raw[8:eq]), true
			n := c.parseValue(raw[eq+1:])
			return c, join(note, n)
		}
	}
	if isCommentary(c.Key) || c.Key == "CONTINUE" || value[0] != '=' {
		c.Comment = strings.TrimRight(raw[8:], " \x00")
		return c, note
	}
	if value[1] != ' ' {
		note = join(note, "no blank after '='")
	}
	return c, join(note, c.parseValue(value[1:]))
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
}

// parseValue reads "  value / comment".
func (c *Card) parseValue(s string) (note string) {
	s = strings.TrimLeft(s, " \t")
	if strings.HasPrefix(s, "'") {
		v, rest, closed := parseString(s)
		c.Value = v
		if !closed {
			return "string without closing quote"
		}
		c.Comment, note = afterSlash(rest)
		return note
	}
	val, comment, found := strings.Cut(s, "/")
	if found {
		c.Comment = strings.TrimSpace(comment)
	}
	c.Value, note = parseScalar(strings.TrimSpace(strings.ReplaceAll(val, "\x00", " ")))
	return note
}

// parseString reads a quoted string; quotes inside are doubled, trailing blanks
// carry no meaning (but one blank is kept of a string of blanks).
func parseString(s string) (v, rest string, closed bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return strings.TrimRight(b.String(), " "), s[i+1:], true
	}
	return strings.TrimRight(b.String(), " "), "", false
}

func afterSlash(s string) (comment, note string) {
	s = strings.TrimSpace(strings.ReplaceAll(s, "\x00", " "))
	if s == "" {
		return "", ""
	}
	if s[0] != '/' {
		return s, "comment without slash"
	}
	return strings.TrimSpace(s[1:]), ""
}

// parseScalar reads a value that is not quoted.
func parseScalar(s string) (v any, note string) {
	switch s {
	case "":
		return nil, ""
	case "T":
		return true, ""
	case "F":
		return false, ""
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i, ""
	}
	if f, ok := ParseFloat(s); ok {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return f, "the value " + s + " is not allowed by FITS"
		}
		return f, ""
	}
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		re, im, _ := strings.Cut(s[1:len(s)-1], ",")
		a, ok1 := ParseFloat(strings.TrimSpace(re))
		b, ok2 := ParseFloat(strings.TrimSpace(im))
		if ok1 && ok2 {
			return complex(a, b), ""
		}
	}
	return s, "the value is neither number, logical nor quoted"
}

// ParseFloat reads FITS and Fortran numbers: exponents E and D, NaN and Inf.
func ParseFloat(s string) (float64, bool) {
	if s == "" || len(s) > 70 || strings.ContainsAny(s, "xX_pP") {
		return 0, false
	}
	if i := strings.IndexAny(s, "dD"); i > 0 {
		s = s[:i] + "E" + s[i+1:]
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// maxKey leaves room on a HIERARCH card for any number.
const maxKey = CardSize - len("HIERARCH ") - len(" = ") - 24

// Text gives the card as one or more lines of 80 characters, as in a file.
func (c Card) Text() string {
	if c.raw != "" {
		return c.raw
	}
	if isCommentary(c.Key) || (c.Value == nil && c.Key == "CONTINUE") {
		return commentaryText(c.Key, c.Comment)
	}
	head := fmt.Sprintf("%-8s= ", c.Key)
	if c.hier {
		head = "HIERARCH " + strings.TrimRight(c.Key[:min(len(c.Key), maxKey)], " ") + " = "
	}
	if s, ok := c.Value.(string); ok {
		return stringText(head, ASCII(s), ASCII(c.Comment))
	}
	v := formatScalar(c.Value)
	if !c.hier {
		v = fmt.Sprintf("%20s", v)
	}
	line := head + v
	if c.Comment != "" {
		line += " / " + ASCII(c.Comment)
	}
	return pad80(line)
}

func pad80(s string) string {
	if len(s) >= CardSize {
		return s[:CardSize]
	}
	return s + strings.Repeat(" ", CardSize-len(s))
}

// commentaryText splits a long text over several cards.
func commentaryText(key, text string) string {
	text = ASCII(text)
	var b strings.Builder
	for first := true; first || text != ""; first = false {
		n := min(len(text), CardSize-8)
		b.WriteString(pad80(fmt.Sprintf("%-8s%s", key, text[:n])))
		text = text[n:]
	}
	return b.String()
}

// stringText writes a string, with CONTINUE cards where it does not fit
// (FITS 4.0, section 4.2.1.2).
func stringText(head, s, comment string) string {
	q := strings.ReplaceAll(s, "'", "''")
	if len(q) < 8 {
		q += strings.Repeat(" ", 8-len(q))
	}
	room := CardSize - len(head) - 2
	if len(q) <= room {
		line := head + "'" + q + "'"
		if comment != "" {
			if len(line) < 30 {
				line += strings.Repeat(" ", 30-len(line))
			}
			line += " / " + comment
		}
		return pad80(line)
	}
	var b strings.Builder
	for len(q) > room {
		n := room - 1 // one place for '&'
		quotes := 0
		for quotes < n && q[n-1-quotes] == '\'' {
			quotes++
		}
		n -= quotes % 2 // never split a doubled quote
		b.WriteString(pad80(head + "'" + q[:n] + "&'"))
		q, head = q[n:], "CONTINUE  "
		room = CardSize - len(head) - 2
	}
	line := head + "'" + q + "'"
	if comment != "" {
		line += " / " + comment
	}
	b.WriteString(pad80(line))
	return b.String()
}

// formatScalar writes a value that is not a string. What FITS cannot hold (NaN,
// infinities) becomes undefined.
func formatScalar(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case bool:
		if v {
			return "T"
		}
		return "F"
	case int64:
		return strconv.FormatInt(v, 10)
	case Big:
		return string(v)
	case float64:
		return formatFloat(v)
	case complex128:
		return "(" + formatFloat(real(v)) + ", " + formatFloat(imag(v)) + ")"
	}
	panic(fmt.Sprintf("header: a card cannot hold %T", v))
}

// formatFloat gives the shortest text that reads back to the same number.
func formatFloat(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	s := strconv.FormatFloat(v, 'G', -1, 64)
	mant, exp, hasExp := strings.Cut(s, "E")
	if !strings.Contains(mant, ".") {
		mant += ".0"
	}
	if hasExp {
		return mant + "E" + exp
	}
	return mant
}

// ASCII replaces what FITS does not allow in a header.
func ASCII(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return strings.Map(func(r rune) rune {
				switch {
				case r == '\n' || r == '\t' || r == '\r':
					return ' '
				case r < 0x20 || r > 0x7e:
					return '?'
				}
				return r
			}, s)
		}
	}
	return s
}
