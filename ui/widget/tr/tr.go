// Package tr puts the words of the window into the user's language. The key of a text
// is the English text itself; a text without a translation stays English.
package tr

import (
	"embed"
	"encoding/json"
	"os"
	"strings"
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
	current = "en"
	words   map[string]string
)

// Table is a language's words; nil for English, whose keys are its words.
func Table(code string) map[string]string {
	text, err := files.ReadFile(code + ".json")
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
	current, words = "en", nil
	for _, l := range Languages() {
		if strings.HasPrefix(strings.ToLower(code), l.Code) {
			current = l.Code
		}
	}
	if current != "en" {
		words = Table(current)
	}
}

// Current is the code of the language in use.
func Current() string { return current }

// T is a text in the language in use. "A | B" is translated by its parts, and of
// "Sample 3/64" the words before the number.
func T(text string) string {
	if words == nil {
		return text
	}
	if w, ok := words[text]; ok && w != "" {
		return w
	}
	if a, b, ok := strings.Cut(text, " | "); ok {
		return T(a) + " | " + T(b)
	}
	if i := strings.IndexAny(text, "0123456789"); i > 1 && text[i-1] == ' ' {
		if w, ok := words[text[:i-1]]; ok && w != "" {
			return w + text[i-1:]
		}
	}
	return text
}
