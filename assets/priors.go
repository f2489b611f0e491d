package assets

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// digests lists the weights with their SHA-256, in the format of sha256sum.
const digests = "priors/SHA256SUMS"

// Priors are the names of the learned priors that ship.
func Priors() []string {
	text, err := files.ReadFile(digests)
	if err != nil {
		return nil
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		if _, file, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			names = append(names, strings.TrimSuffix(file, ".safetensors"))
		}
	}
	return names
}

// ReadPrior is the safetensors file of a prior, after a check of its digest.
func ReadPrior(name string) ([]byte, error) {
	text, err := files.ReadFile(digests)
	if err != nil {
		return nil, fmt.Errorf("assets: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		want, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if file != name+".safetensors" {
			continue
		}
		b, err := files.ReadFile("priors/" + file)
		if err != nil {
			return nil, fmt.Errorf("assets: prior %q: %w", name, err)
		}
		if got := sha256.Sum256(b); hex.EncodeToString(got[:]) != want {
			return nil, fmt.Errorf("assets: the weights of the prior %q are not those that were tested: SHA-256 %x, want %s", name, got, want)
		}
		return b, nil
	}
	return nil, fmt.Errorf("assets: no prior %q ships with this version: %s do", name, strings.Join(Priors(), ", "))
}

// ReadCalibrations are the calibrations of a prior that ships, as package calibration
// stores them; fs.ErrNotExist where it has none.
func ReadCalibrations(name string) ([]byte, error) {
	return files.ReadFile("priors/" + name + ".calibrations.json")
}

// ReadFaint is the table of faint pixels of a prior that ships, as package calibrate writes
// it; fs.ErrNotExist where it has none.
func ReadFaint(name string) ([]byte, error) {
	return files.ReadFile("priors/" + name + ".faint.json")
}
