package choose

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"limpid"
)

// tensor ends the names of cards that multiply on tensor cores, to the accuracy of
// float32.
const tensor = "-tf32x3"

// parse splits a request into a kind and a number, −1 without one.
func parse(request string) (kind string, number int, err error) {
	if request == "" {
		return "auto", -1, nil
	}
	kind, n, numbered := strings.Cut(request, ":")
	number = -1
	if numbered {
		// cuda:0-tf32x3 is card 0 with its tensor cores.
		if kind == "cuda" {
			n, _ = strings.CutSuffix(n, tensor)
		}
		v, convErr := strconv.ParseUint(n, 10, 16)
		if convErr != nil {
			return "", 0, fmt.Errorf("device %q: %q is not a number; give %s", request, n, Requests)
		}
		number = int(v)
	}
	switch kind {
	case "auto", "cpu", "gpu":
		if !numbered {
			return kind, number, nil
		}
	case "cuda", "webgpu":
		return kind, number, nil
	}
	return "", 0, fmt.Errorf("device %q is not one of %s", request, Requests)
}

// key names a device, its driver and this program's version: what a test holds for.
func key(r Report) string {
	return strings.Join([]string{r.ID, r.Name, r.Detail, limpid.Version}, "|")
}

func (c *Chooser) load() map[string]Report {
	known := map[string]Report{}
	if c.Cache == "" {
		return known
	}
	if text, err := os.ReadFile(c.Cache); err == nil {
		if json.Unmarshal(text, &known) != nil {
			return map[string]Report{}
		}
	}
	return known
}

// save keeps what is known; that it cannot be kept only costs time.
func (c *Chooser) save(known map[string]Report) {
	if c.Cache == "" || len(known) == 0 {
		return
	}
	text, err := json.MarshalIndent(known, "", "  ")
	if err == nil && os.MkdirAll(filepath.Dir(c.Cache), 0o755) == nil {
		_ = os.WriteFile(c.Cache, text, 0o644)
	}
}

// CacheFile is where results of tests are kept, "" where there is no such place.
func CacheFile() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "limpid", "devices.json")
}
