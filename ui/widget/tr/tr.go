// Package tr puts the words of the window into the user's language. The key of a text
// is the English text itself; a text without a translation stays English. CODE.json has
// the texts of the window, sentences.CODE.json those of what is measured and found, and
// patterns.CODE.json those with places: "{}" for names and numbers, "{n}" for numbers alone.
package tr

import (
	"cmp"
	"embed"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

//go:embed *.json
var files embed.FS

// Language is one that the window speaks.
type Language struct{ Code, Name string }

// Languages lists them.
func Languages() []Language {
	return []Language{{"en", "English"}, {"de", "Deutsch"}}
}

var (
	current   = "en"
	words     map[string]string // texts of the window
	sentences map[string]string // texts of what is measured and found
	patterns  []form            // those with places for names and numbers

	mu    sync.Mutex
	known map[string]string
)

// Table is a language's words; nil for English, whose keys are its words.
func Table(code string) map[string]string { return read(code) }

func read(name string) map[string]string {
	text, err := files.ReadFile(name + ".json")
	if err != nil {
		return nil
	}
	var out map[string]string
	if json.Unmarshal(text, &out) != nil {
		return nil
	}
	return out
}

// Use chooses a language: a code, or "" for that of the system. Call it before the
// window is made.
func Use(code string) {
	if code == "" {
		for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
			if v := os.Getenv(name); v != "" {
				code = v
				break
			}
		}
	}
	current, words, sentences, patterns, known = "en", nil, nil, nil, nil
	for _, l := range Languages() {
		if strings.HasPrefix(strings.ToLower(code), l.Code) {
			current = l.Code
		}
	}
	if current != "en" {
		words, sentences, patterns = Table(current), read("sentences."+current), forms(current)
		known = map[string]string{}
	}
}

// Current is the code of the language in use.
func Current() string { return current }

// T is a text in the language in use. A text that is not in its table is looked for
// among its sentences: as it is, without its full stop, with places for names and
// numbers, or part by part ("64 samples, seed 1").
func T(text string) string {
	if words == nil || text == "" {
		return text
	}
	mu.Lock()
	defer mu.Unlock()
	if w, ok := known[text]; ok {
		return w
	}
	const most = 5000 // texts with numbers are many
	if len(known) >= most {
		clear(known)
	}
	w := translate(text)
	known[text] = w
	return w
}

func translate(text string) string {
	for _, try := range []func(string) (string, bool){whole, said, pattern, numbered, sentence, parts} {
		if w, ok := try(text); ok {
			return w
		}
	}
	return text
}

// whole finds a text as it is.
func whole(text string) (string, bool) {
	w := words[text]
	if w == "" {
		w = sentences[text]
	}
	return w, w != ""
}

// numbered finds the words before a number: "Sample 3/64".
func numbered(text string) (string, bool) {
	if i := strings.IndexAny(text, "0123456789"); i > 1 && text[i-1] == ' ' {
		if w, ok := whole(text[:i-1]); ok {
			return w + text[i-1:], true
		}
	}
	return text, false
}

// said finds a whole sentence with its capital letter and full stop.
func said(text string) (string, bool) { return inSentence(text, whole) }

// sentence finds a text that was given a full stop or a capital letter.
func sentence(text string) (string, bool) { return inSentence(text, either) }

func inSentence(text string, either func(string) (string, bool)) (string, bool) {
	plain, stop := strings.CutSuffix(text, ".")
	w, ok := either(plain)
	if !ok {
		first, n := utf8.DecodeRuneInString(plain)
		low := unicode.ToLower(first)
		if low == first {
			return text, false
		}
		if w, ok = either(string(low) + plain[n:]); !ok {
			return text, false
		}
		r, n := utf8.DecodeRuneInString(w)
		if unicode.Is(unicode.Latin, r) { // not σ and χ
			w = string(unicode.ToUpper(r)) + w[n:]
		}
	}
	if stop {
		w += "."
	}
	return w, true
}

func either(text string) (string, bool) {
	if w, ok := whole(text); ok {
		return w, true
	}
	return pattern(text)
}

// pattern finds a text with places for others.
func pattern(text string) (string, bool) {
	return patternOf(text, 0)
}

// patternOf finds one with so many colons of its own at least.
func patternOf(text string, colons int) (string, bool) {
	for _, p := range patterns {
		m := p.match(text)
		if m == nil || p.colons < colons || p.beyond(m) {
			continue
		}
		out := p.give[0]
		for i, piece := range p.give[1:] {
			out += translate(m[i+1]) + piece
		}
		if out != text { // else its places took in the words of another
			return out, true
		}
	}
	return text, false
}

// parts takes a list apart.
func parts(text string) (string, bool) {
	for _, sep := range []string{" | ", " · ", colon, semicolon, ", "} {
		list := split(text, sep)
		if len(list) == 1 {
			continue
		}
		changed := false
		for i, x := range list {
			list[i] = translate(x)
			changed = changed || list[i] != x
		}
		if changed {
			return strings.Join(list, sep), true
		}
	}
	return text, false
}

// colon stands between an error, what it is about and its cause. Between the words of a
// text it stands as well.
const (
	colon     = ": "
	semicolon = "; "
)

// split takes a text apart at a separator. Of one with colons, the longest parts that are
// known stay whole.
func split(text, sep string) []string {
	list := strings.Split(text, sep)
	if sep != colon || len(list) < 3 {
		return list
	}
	var out []string
	for len(list) > 0 {
		n := 1
		for k := len(list); k > 1; k-- {
			if k == len(list) && out == nil {
				continue // all of it is not known
			}
			known := func(s string) (string, bool) {
				if w, ok := whole(s); ok {
					return w, true
				}
				return patternOf(s, k-1) // the places of others would take in anything
			}
			if _, ok := inSentence(strings.Join(list[:k], sep), known); ok {
				n = k
				break
			}
		}
		out = append(out, strings.Join(list[:n], sep))
		list = list[n:]
	}
	return out
}

// beyond says whether a place at an end of a pattern reaches over a colon or semicolon of
// the text: then it took in the words of another. Next to one of its own it may.
func (f form) beyond(m []string) bool {
	n := len(f.pieces) - 1
	for _, sep := range []string{colon, semicolon} {
		first := f.pieces[0] == "" && strings.Contains(m[1], sep) && !strings.HasPrefix(f.pieces[1], colon) && !strings.HasPrefix(f.pieces[1], semicolon)
		last := f.pieces[n] == "" && strings.Contains(m[n], sep) && !strings.HasSuffix(f.pieces[n-1], colon) && !strings.HasSuffix(f.pieces[n-1], semicolon)
		if first || last {
			return true
		}
	}
	return false
}

// form is a sentence with places.
type form struct {
	find   *regexp.Regexp
	pieces []string // around its places
	has    string   // the longest of them
	colons int      // in its pieces
	give   []string // around the places, which keep their order
}

// match gives what stands at the places of a text; nil: it is another.
func (f form) match(text string) []string {
	if !strings.Contains(text, f.has) {
		return nil
	}
	return f.find.FindStringSubmatch(text)
}

// forms are the sentences with places of a language, those with the most words first.
func forms(code string) []form {
	table := read("patterns." + code)
	keys := slices.SortedFunc(maps.Keys(table), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
	})
	var out []form
	for _, k := range keys {
		find := strings.NewReplacer(`\{\}`, `(.+?)`, `\{n\}`, `([0-9.,]+)`).Replace(regexp.QuoteMeta(k))
		pieces := strings.Split(strings.ReplaceAll(k, "{n}", "{}"), "{}")
		has := slices.MaxFunc(pieces, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
		out = append(out, form{regexp.MustCompile(`(?s)^` + find + `$`), pieces, has, strings.Count(k, colon), strings.Split(table[k], "{}")})
	}
	return out
}
