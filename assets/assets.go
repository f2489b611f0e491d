// Package assets holds the files that Limpid ships: sample images and the
// references it cites. Everything in it was made by the project's own programs.
package assets

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
)

//go:generate go run ./internal/makesamples samples

//go:embed icon/limpid-256.png
var icon []byte

// Icon is the program's icon, a PNG of 256².
func Icon() []byte { return icon }

//go:embed references.bib samples/*.fits.gz priors
var files embed.FS

// Sample is a file that ships with the program.
type Sample struct {
	Name  string // for a menu
	Task  string // the workspace it is for: "deconvolve", "deblend", "massmap"
	File  string // its file name
	About string
}

// Samples lists them, the image to deconvolve first.
func Samples() []Sample {
	return []Sample{{
		Name:  "Blurred spiral galaxy",
		Task:  "deconvolve",
		File:  "galaxy.fits.gz",
		About: "A simulated spiral with a bulge, arms and star-forming knots, blurred by a Moffat PSF of 0.7″ and with photon and read noise. HDUs: SCI, WHT (inverse variance), PSF, TRUTH.",
	}, {
		Name:  "Blend in five bands",
		Task:  "deblend",
		File:  "blend.fits.gz",
		About: "Three simulated galaxies on top of each other, others about them and two stars, in g r i z y with a PSF for each band.",
	}, {
		Name:  "Shear field",
		Task:  "massmap",
		File:  "shear.fits.gz",
		About: "18,000 simulated galaxies behind simulated mass, with shape noise: RA, Dec, e1, e2 and weight.",
	}}
}

// ReadSample is the content of a sample's file.
func ReadSample(file string) ([]byte, error) {
	b, err := files.ReadFile("samples/" + file)
	if err != nil {
		return nil, fmt.Errorf("assets: no sample %q", file)
	}
	return b, nil
}

// References are the BibTeX entries of the keys, in the order of the keys,
// duplicates dropped. An unknown key is a bug of ours and panics.
func References(keys []string) []byte {
	text, err := files.ReadFile("references.bib")
	if err != nil {
		panic(err)
	}
	entries := map[string]string{}
	for e := range strings.SplitSeq("\n"+string(text), "\n@") {
		if _, rest, ok := strings.Cut(e, "{"); ok {
			key, _, _ := strings.Cut(rest, ",")
			entries[strings.TrimSpace(key)] = "@" + strings.TrimSpace(e) + "\n"
		}
	}
	var out bytes.Buffer
	var done []string
	for _, k := range keys {
		if slices.Contains(done, k) {
			continue
		}
		e, ok := entries[k]
		if !ok {
			panic("assets: no reference " + k)
		}
		if len(done) > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(e)
		done = append(done, k)
	}
	return out.Bytes()
}
