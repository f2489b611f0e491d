package tr

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"limpid/app/training"
)

// calls are the functions whose texts are put into the user's language, and which of
// their arguments hold one.
var calls = map[string][]int{
	"NewText": {0}, "NewWhole": {0}, "NewButton": {0, 1}, "Quiet": {0, 1}, "NewCheck": {0, 1}, "NewSelect": {0},
	"SetText": {0}, "Set": {0}, "SetPlaceHolder": {0}, "NewChart": {0}, "NewCorner": {0}, "SetMessage": {0}, "SetTitle": {0},
	"NewList": {0, 1}, "heading": {0}, "open": {0}, "item": {0}, "entry": {0}, "menuOf": {0},
	"row": {0}, "label": {0, 1}, "line": {0}, "small": {0}, "T": {0},
	"Text": {1, 2, 3, 4}, "Choice": {1, 2}, "Toggle": {1, 2}, "File": {1, 2, 3}, "opt": {1}, "setRun": {0}, "set": {0}, "say": {0},
}

// fields are those of composite literals that hold a text.
var fields = map[string]bool{"Title": true, "About": true, "Label": true, "XLabel": true, "Tip": true, "Blank": true, "Help": true, "Unit": true, "Row": true}

// tables are variables that are lists of texts.
var tables = map[string]bool{"keysHelp": true, "spaceNames": true, "Names": true, "helpPages": true, "tourSteps": true, "columns": true, "names": true, "pageNames": true}

// Used are the texts that the window takes from its source.
func used(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	note := func(e ast.Expr, where string) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		text, err := strconv.Unquote(lit.Value)
		if err == nil && worth(text) {
			out[text] = where
		}
	}
	for _, root := range []string{"../../view", "../../viewmodel", "../../widget/browse"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool { collect(n, path, note); return true })
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func collect(n ast.Node, where string, note func(ast.Expr, string)) {
	switch x := n.(type) {
	case *ast.CallExpr:
		name := ""
		switch f := x.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		for _, i := range calls[name] {
			if i < len(x.Args) {
				note(x.Args[i], where)
			}
		}
	case *ast.FuncDecl:
		if returns[x.Name.Name] {
			ast.Inspect(x, func(n ast.Node) bool {
				if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) > 0 {
					note(r.Results[0], where)
				}
				return true
			})
		}
	case *ast.CompositeLit:
		rows(x, where, note)
	case *ast.KeyValueExpr:
		if k, ok := x.Key.(*ast.Ident); ok && fields[k.Name] {
			note(x.Value, where)
		}
	case *ast.ValueSpec:
		for _, id := range x.Names {
			if tables[id.Name] {
				for _, v := range x.Values {
					ast.Inspect(v, func(n ast.Node) bool {
						if e, ok := n.(ast.Expr); ok {
							note(e, where)
						}
						return true
					})
				}
			}
		}
	}
}

// returns are functions that give a text.
var returns = map[string]bool{"Title": true, "About": true, "sourceName": true, "Label": true, "name": true}

// rows are labels of rows of numbers, and texts by source.
func rows(x *ast.CompositeLit, where string, note func(ast.Expr, string)) {
	name := ""
	switch t := x.Type.(type) {
	case *ast.Ident:
		name = t.Name
	case *ast.SelectorExpr:
		name = t.Sel.Name
	case *ast.MapType:
		if k, ok := t.Key.(*ast.Ident); ok && k.Name == "Source" {
			for _, e := range x.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					note(kv.Value, where)
				}
			}
		}
	}
	if name == "Row" && len(x.Elts) > 0 {
		note(x.Elts[0], where)
	}
}

// worth says whether a text has words to translate: not a sign, a name of a file type,
// a key, or the text of a format.
func worth(s string) bool {
	letters := 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	return letters >= 3 && !strings.Contains(s, "%") && !keys(s) && !slices.Contains(same, s) && s != strings.ToUpper(s)
}

// keys says whether a text names keys only.
func keys(s string) bool {
	return (strings.HasPrefix(s, "Ctrl+") || strings.HasPrefix(s, "Alt+")) && len(s) < 24
}

// same are texts that are the same in every language.
var same = []string{"px", "arcmin", "Limpid", "Seed", "ICRS", "gray", "viridis", "magma", "cividis", "auto", "linear", "asinh", "Esc", "Alt", "g, c, m"}

func TestLanguages_EveryTextOfTheWindow_IsInEach(t *testing.T) {
	texts := used(t)
	if len(texts) < 200 {
		t.Fatalf("found %d texts: does the test still know how texts are made?", len(texts))
	}
	for _, l := range Languages() {
		if l.Code == "en" {
			continue // its texts are the keys
		}
		table := Table(l.Code)
		for text, where := range texts {
			if table[text] == "" {
				t.Errorf("%s has no %q (%s)", l.Code, text, filepath.Base(where))
			}
		}
		for text, w := range table {
			if _, ok := texts[text]; !ok {
				t.Errorf("%s: %q is not used", l.Code, text)
			}
			for _, pair := range []string{" …", "\n", "("} {
				if strings.Contains(text, pair) != strings.Contains(w, pair) {
					t.Errorf("%s: %q has another %q than %q", l.Code, w, pair, text)
				}
			}
		}
	}
}

func TestUse_German_TranslatesAndUnknownStaysEnglish(t *testing.T) {
	defer Use("en")
	Use("de_DE.UTF-8")
	if Current() != "de" || T("Close") != "Schließen" || T("m31.fits") != "m31.fits" {
		t.Errorf("%s: %q %q", Current(), T("Close"), T("m31.fits"))
	}
	Use("xx")
	if Current() != "en" || T("Close") != "Close" {
		t.Errorf("%s: %q", Current(), T("Close"))
	}
}

func TestT_ComposedTexts_AreTranslated(t *testing.T) {
	defer Use("en")
	Use("de")
	for text, want := range map[string]string{
		"64 samples, seed 1":                                           "64 Ziehungen, Startzahl 1",
		"Finished: 64 samples in 21 s.":                                "Fertig: 64 Ziehungen in 21 s.",
		"finished: 64 samples in 1 min 02 s":                           "fertig: 64 Ziehungen in 1 min 02 s",
		"exact posterior, Gaussian prior, spectrum fitted to the data": "exakter Posterior, Gauß-Prior, Spektrum an die Daten angepasst",
		"The model explains the data within the noise (χ²/pixel of the samples 0.99); 64 posterior samples.": "Das Modell erklärt die Daten im Rahmen des Rauschens (χ²/Pixel der Ziehungen 0.99); 64 Ziehungen des Posteriors.",
		"σ 4.6 adu from HDU 1 (weights)":       "σ 4.6 adu aus HDU 1 (Gewichte)",
		"Cannot run yet: there are no sources": "Noch kein Lauf möglich: es gibt keine Quellen",
		"Data | Mean":                          "Daten | Mittel",
		"Sample 3/64":                          "Ziehung 3/64",
		"The Gaussian prior has one power spectrum for the whole image: it does not know that light is positive or where the sources are.": "Der Gauß-Prior hat ein Leistungsspektrum für das ganze Bild: er weiß nicht, dass Licht positiv ist oder wo die Quellen sind.",
		"image · adu":                         "Bild · adu",
		"SCI 192×192 px, 0.2″/px, adu":        "SCI 192×192 px, 0.2″/px, adu",
		"m31.fits":                            "m31.fits",
		"Data − Mean":                         "Daten − Mittel",
		"Moffat β 3, FWHM 2.5 px (recentred)": "Moffat β 3, FWHM 2.5 px (zentriert)",
		"Richardson–Lucy, 30 iterations, total variation 0.002, at most: no uncertainty": "Richardson–Lucy, 30 Iterationen, Totalvariation 0.002, höchstens: keine Unsicherheit",
		"mapping: 3 of 64 samples, about 3 s left":                                       "kartiert: 3 von 64 Ziehungen, noch etwa 3 s",
		"fitting: 3 of 10 steps, about 12 s left":                                        "passt an: 3 von 10 Schritten, noch etwa 12 s",
		"drawing 32 samples: 120 of 970 trajectories, about 1 min 02 s left":             "zieht 32 Proben: 120 von 970 Trajektorien, noch etwa 1 min 02 s",
		// an error has its colons, and those of its file and its cause
		"m31.fits: the PSF has 2 planes, the image 3: choose one plane of each, or give one PSF for all: shapes do not match": "m31.fits: die PSF hat 2 Ebenen, das Bild 3: je eine Ebene wählen oder eine PSF für alle angeben: Formen passen nicht zusammen",
		"x.fits: the image has no scatter to measure its noise from: give the noise":                                          "x.fits: das Bild hat keine Streuung, an der sich Rauschen messen ließe: das Rauschen angeben",
		"Its error bars hold on average over the image; they are too wide in empty sky and too narrow in bright cores.":       "Seine Fehlerbalken stimmen im Mittel über das Bild; am leeren Himmel sind sie zu weit, in hellen Kernen zu eng.",
	} {
		if got := T(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// A pattern keeps its places, and a text made of it is found again.
// What shipped priors say of themselves comes from their files.
func TestLanguages_CardsOfShippedPriors_AreInEach(t *testing.T) {
	defer Use(Current())
	for _, l := range Languages()[1:] {
		Use(l.Code)
		for _, e := range training.List() {
			if e.Path != "" {
				continue
			}
			for _, text := range []string{e.Card.About, e.Card.Validity} {
				if _, ok := whole(text); !ok {
					t.Errorf("%s, %s: %q became %q", l.Code, e.Name, text, T(text))
				}
			}
			if got := T(e.Card.Scenes); strings.Contains(got, " of ") || strings.Contains(got, " and ") || got == e.Card.Scenes {
				t.Errorf("%s, %s: %q became %q", l.Code, e.Name, e.Card.Scenes, got)
			}
		}
	}
}

func TestPatterns_EveryOne_KeepsItsPlaces(t *testing.T) {
	defer Use("en")
	Use("de")
	if len(patterns) < 100 || len(sentences) < 60 {
		t.Fatalf("%d patterns, %d sentences", len(patterns), len(sentences))
	}
	for k, v := range read("patterns.de") {
		k = strings.ReplaceAll(k, "{n}", "{}")
		if n := strings.Count(k, "{}"); n == 0 || n != strings.Count(v, "{}") {
			t.Errorf("%q has other places than %q", v, k)
		}
		text := strings.ReplaceAll(k, "{}", "7")
		if got, want := T(text), strings.ReplaceAll(v, "{}", "7"); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// A short pattern whose places take in all the words of a sentence with a capital letter gives way to
// the sentence's own; what a recipe says in one line has no English word.
func TestT_SentencesWithPlacesAndRecipeLines_AreGerman(t *testing.T) {
	defer Use("en")
	Use("de")
	for text, want := range map[string]string{
		"The sky looks subtracted already (level -0.108, σ 1.94).": "Der Himmel scheint schon abgezogen (Wert -0.108, σ 1.94).",
		"posterior, learned prior: galaxies, publication":          "Posterior, gelernter Prior: Galaxien, Veröffentlichung",
		"e⁻/data unit": "e⁻/Dateneinheit",
		"this image has a peak of 900 σ, for which error bars were not calibrated; calibrated on 200 simulated fields (peak S/N 5 to 300, PSF Moffat, FWHM 2 px), where 90 % intervals held 95 % of the pixels, 87 % of the brightest 1 % and 94 % of the fluxes (χ²/pixel of samples 1.01); truths and samples were compared at a target resolution of 3 px; their noise was correlated as if smoothed with σ 0.7 px; 10 % of them was masked; that was with a PSF of FWHM 2 px, this one has 12 px; that was of noise that is independent from pixel to pixel": "dieses Bild hat eine Spitze von 900 σ, für die Fehlerbalken nicht kalibriert wurden; kalibriert an 200 simulierten Feldern (Spitzen-S/N 5 bis 300, PSF Moffat, FWHM 2 px), wo 90-%-Intervalle 95 % der Pixel, 87 % der hellsten 1 % und 94 % der Flüsse enthielten (χ²/Pixel der Ziehungen 1.01); Wahrheiten und Ziehungen wurden bei einer Zielauflösung von 3 px verglichen; ihr Rauschen war korreliert, als wäre es mit σ 0.7 px geglättet; 10 % davon waren maskiert; das galt für eine PSF mit FWHM 2 px, diese hat 12 px; das galt für Rauschen, das von Pixel zu Pixel unabhängig ist",
		"Calibrated on 200 simulated fields (peak S/N 5 to 300, PSF of HSC, FWHM 4.5 px), where 90 % intervals held 95 % of the pixels, 87 % of the brightest 1 % and 94 % of the fluxes (χ²/pixel of samples 1.01); that was with the standard budget; that was without faint pixels recalibrated; this image is unlike those fields.":                                                                                                                                                                                                                          "Kalibriert an 200 simulierten Feldern (Spitzen-S/N 5 bis 300, PSF of HSC, FWHM 4.5 px), wo 90-%-Intervalle 95 % der Pixel, 87 % der hellsten 1 % und 94 % der Flüsse enthielten (χ²/Pixel der Ziehungen 1.01); das galt für den Aufwand „üblich“; das galt ohne neu kalibrierte schwache Pixel; dieses Bild gleicht jenen Feldern nicht.",
		"The error bars come from 2 samples and are themselves uncertain by 71 %.": "Die Fehlerbalken stammen aus 2 Ziehungen und sind selbst auf 71 % unsicher.",
	} {
		if got := T(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
