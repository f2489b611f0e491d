package tr

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// scanned are the folders whose texts reach the window: those of the window itself, and
// those whose findings and errors it shows. What a composed text takes from elsewhere is
// a place of it.
var scanned = []string{
	"ui/view", "ui/viewmodel", "ui/widget",
	"app/session", "app/recipe", "app/training",
	"solvers/observe", "solvers/deblend", "solvers/deconv", "solvers/massmap",
	"gpu/choose",
	"priors/evaluate", "priors/card", "priors/gaussian/theory", "priors/sims", "priors/train", "fitsio", "app/file",
	"app/calibration", "engine/memory.go",
}

// unseen are files and folders whose texts are not shown, with the reason.
var unseen = map[string]string{
	"app/session/fitsout.go":     "cards of files",
	"app/session/deblendout.go":  "cards of files",
	"app/session/textfiles.go":   "lines of files",
	"app/session/lens/export.go": "cards of files",
	"app/session/state.go":       "states of runs are kept by limpid-cli alone",
	"app/session/reload.go":      "figures of files are made by limpid-cli alone",
	"app/calibration/report.go":  "tables and figures of limpid-cli",
	"fitsio/tile/":               "where in a tile its bytes are wrong, behind a translated error",
	"fitsio/ztable.go":           "packed tables, which the window does not open",
	"app/training/training.go":   "what a job is resumed from is said by limpid-cli",
	"ui/widget/tr/tr.go":         "signs between parts",
}

func hidden(path string) bool {
	for p := range unseen {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// silent are calls whose arguments are not shown: they compare, take apart, or write files.
var silent = []string{
	"TrimPrefix", "TrimSuffix", "CutPrefix", "CutSuffix", "Cut", "HasPrefix", "HasSuffix", "Contains", "ContainsRune", "ContainsAny", "Trim", "Split", "Join",
	"Sscanf", "Format", "panic", "Fprintf", "MustCompile", "NewReplacer", "ReplaceAll", "Replace", "Set", "AddHistory", "Append", "Index", "noted",
}

// oneWord are fields whose texts are shown even where they are one word.
var oneWord = []string{"Phase", "YLabel", "What", "Advice", "Verdict", "Message", "short"}

// code are texts that are the same in every language: units, names and numbers.
var code = regexp.MustCompile(`\b(px|arcmin|arcsec|HDU|FITS|Limpid|limpid-cli|GiB|GFLOPS|mas|FWHM|RGB|RA|Dec|PSF|NaN|WCS|Moffat|ESS|hat|NFW|min|std|Schirmer|BITPIX|EXTVER|CUNIT[0-9]|CRVAL|CDELT|HIERARCH|WAT[0-9]|MiB|CUDA|WebGPU|Kaiser|Squires|Ctrl|Shift|Alt|Return|R-hat|Msun)\b`)

// inside are texts that are not shown, or composed before they are.
var inside = map[string]string{
	"Q7, Q7 left":    "a time has units",
	"rad s-1":        "a unit",
	"HIERARCH Q7 = ": "a card",
	"sym 99.7%":      "the value of a choice",
	"Q7 color=Q7":    "a region file",
	"Q7 text={Q7}":   "a region file",
}

var verb = regexp.MustCompile(`%[-+#0]*[0-9*]*(\.[0-9*]+)?(\[[0-9]+\])?[a-zA-Z]`)

// place stands for a name in a composed text, 7 for a number.
const place = "Q7"

// fill puts names and numbers into a format.
func fill(format string) string {
	return strings.ReplaceAll(verb.ReplaceAllStringFunc(strings.ReplaceAll(format, "%%", "\x00"), func(v string) string {
		if strings.ContainsAny(v[len(v)-1:], "dgf") {
			return "7"
		}
		return place
	}), "\x00", "%")
}

// template is the text of an expression, with places for what is not known from the
// source; ok: there is such a text. Further are the expressions at its places.
func template(e ast.Expr) (text string, further []ast.Expr, ok bool) {
	switch x := e.(type) {
	case *ast.BasicLit:
		if x.Kind == token.STRING {
			s, err := strconv.Unquote(x.Value)
			return s, nil, err == nil
		}
	case *ast.ParenExpr:
		return template(x.X)
	case *ast.BinaryExpr:
		if x.Op == token.ADD {
			a, fa, oka := template(x.X)
			b, fb, okb := template(x.Y)
			return a + b, append(fa, fb...), oka || okb
		}
	case *ast.CallExpr:
		if n := callee(x); (n == "Sprintf" || n == "Errorf") && len(x.Args) > 0 {
			if f, _, ok := template(x.Args[0]); ok {
				return fill(f), x.Args[1:], true
			}
		}
	}
	return place, []ast.Expr{e}, false
}

func callee(x *ast.CallExpr) string {
	switch f := x.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// scan gives the texts under a node.
func scan(n ast.Node, note func(text string)) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.ImportSpec, *ast.Field:
			return false
		case *ast.CaseClause:
			for _, s := range x.Body {
				scan(s, note)
			}
			return false
		case *ast.KeyValueExpr:
			if k, ok := x.Key.(*ast.Ident); ok && slices.Contains(oneWord, k.Name) {
				if text, _, ok := template(x.Value); ok {
					note(place + colon + fill(text))
				}
			}
		case *ast.ValueSpec:
			if k, ok := x.Type.(*ast.Ident); ok && k.Name == "Phase" && len(x.Values) == 1 {
				if text, _, ok := template(x.Values[0]); ok {
					note(place + colon + text)
				}
			}
		case *ast.AssignStmt:
			if x.Tok == token.ADD_ASSIGN && len(x.Rhs) == 1 {
				if text, further, ok := template(x.Rhs[0]); ok {
					if r, _ := utf8.DecodeRuneInString(text); !unicode.IsLetter(r) { // else a sentence of its own
						text = place + text
					}
					note(fill(text))
					for _, f := range further {
						scan(f, note)
					}
					return false
				}
			}
		case *ast.CallExpr:
			name := callee(x)
			if _, _, ok := template(x); !ok && slices.Contains(silent, name) {
				if name == "Set" && len(x.Args) == 2 { // the text of a label, and its colour
					scan(x.Args[0], note)
				}
				return false
			}
		case *ast.BinaryExpr:
			if x.Op == token.EQL || x.Op == token.NEQ {
				return false
			}
		}
		if e, ok := n.(ast.Expr); ok {
			if text, further, ok := template(e); ok {
				note(fill(text)) // it may be a format that another function is given
				for _, f := range further {
					scan(f, note)
				}
				return false
			}
		}
		return true
	})
}

// packages are names in front of errors, which the window takes off.
var packages = regexp.MustCompile(`^(session|observe|massmap|lens|measure|catalogue|recipe|deconv|deblend|training|preview|regions|fitsio|evaluate|choose|calibration|engine|wcs|card|theory|train|sims): `)

// shown says whether the translation of a text leaves no English words: each of its parts
// is in a table, or has no words.
func shown(text string) bool {
	text = strings.TrimSpace(text)
	if _, ok := whole(text); ok || !wordy(text) {
		return true
	}
	text = strings.TrimSuffix(text, ":")
	if _, ok := said(text); ok {
		return true
	}
	if i := strings.IndexAny(text, "0123456789"); i > 0 && !wordy(text[i:]) {
		if _, ok := numbered(text); ok {
			return true
		}
	}
	first, n := utf8.DecodeRuneInString(text)
	for _, t := range []string{text, strings.TrimSuffix(text, "."), string(unicode.ToLower(first)) + strings.TrimSuffix(text[n:], ".")} {
		for _, p := range patterns {
			if m := p.match(t); m != nil && !p.beyond(m) {
				return !slices.ContainsFunc(m[1:], func(s string) bool { return !shown(s) })
			}
		}
	}
	for _, sep := range []string{" | ", " · ", colon, semicolon, ", "} {
		if list := split(text, sep); len(list) > 1 {
			return !slices.ContainsFunc(list, func(s string) bool { return !shown(s) })
		}
	}
	return false
}

// wordy says whether a text has a word of three letters that is not code.
func wordy(s string) bool {
	letters := 0
	for _, r := range code.ReplaceAllString(s, "") {
		if !unicode.IsLetter(r) {
			letters = 0
		} else if letters++; letters == 3 {
			return true
		}
	}
	return false
}

// Texts that are composed, findings and errors are translated as a whole when they are
// shown; a text without a pattern would stay English.
func TestLanguages_ComposedTextsFindingsAndErrors_AreInEach(t *testing.T) {
	defer Use("en")
	Use("de")
	texts := map[string]string{}
	for _, root := range scanned {
		err := filepath.WalkDir("../../../"+root, func(path string, d fs.DirEntry, err error) error {
			rel := strings.TrimPrefix(filepath.ToSlash(path), "../../../")
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || hidden(rel) {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			scan(f, func(text string) {
				text = packages.ReplaceAllString(text, "")
				if strings.Contains(strings.TrimSpace(text), " ") && !keys(text) && inside[text] == "" {
					texts[text] = rel
				}
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(texts) < 1000 {
		t.Fatalf("found %d texts: does the test still know how texts are made?", len(texts))
	}
	for text, where := range texts {
		if !shown(text) {
			t.Errorf("de has no %q (%s)", text, where)
		}
	}
}
