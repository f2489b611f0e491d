package catalogue

import (
	"strconv"
	"strings"
)

// list takes a comment that describes one column: "#  3 ALPHA_J2000  Right ascension
// [deg]" (SExtractor's ASCII_HEAD).
func (t *textTable) list(words []string) {
	if len(words) < 2 {
		return
	}
	n, err := strconv.Atoi(words[0])
	if err != nil || n <= len(t.listed) || n > 10000 {
		return
	}
	for len(t.listed) < n {
		t.listed = append(t.listed, "")
		t.units = append(t.units, "")
	}
	t.listed[n-1] = words[1]
	if last := words[len(words)-1]; len(words) > 2 && last[0] == '[' && last[len(last)-1] == ']' {
		t.units[n-1] = last[1 : len(last)-1]
	}
}

// spread names n columns by the list; a name without a successor holds all columns up
// to the next one.
func (t *textTable) spread(n int) {
	t.names = make([]string, n)
	name, k := "", 0
	for i := range n {
		if i < len(t.listed) && t.listed[i] != "" {
			name, k = t.listed[i], 0
		} else {
			k++
		}
		if t.names[i] = name; k > 0 {
			t.names[i] += "_" + strconv.Itoa(k)
		}
	}
}

// firstIsUnits takes the only row there is as units, if it holds no number.
func (t *textTable) firstIsUnits() bool {
	units := make([]string, len(t.cells))
	for i, c := range t.cells {
		if _, isNumber := number(c[0]); isNumber && c[0] != "" {
			return false
		}
		units[i] = strings.Trim(c[0], `"`)
	}
	for i := range t.cells {
		t.cells[i] = nil
	}
	t.units, t.rows, t.ragged = units, 0, 0
	return true
}

// ipac reads the names of an IPAC table, whose bars say where the columns begin and
// end.
func (t *textTable) ipac(line string) error {
	for i := range len(line) {
		if line[i] == '|' {
			t.bars = append(t.bars, i)
		}
	}
	t.names = t.split(strings.ReplaceAll(line, "|", " "))
	t.cells = make([][]string, len(t.names))
	return nil
}

// fixed cuts a line between the bars.
func (t *textTable) fixed(s string) []string {
	out := make([]string, len(t.bars)-1)
	for i := range out {
		from, to := min(t.bars[i], len(s)), min(t.bars[i+1], len(s))
		if i == len(out)-1 {
			to = len(s)
		}
		out[i] = strings.TrimSpace(s[from:to])
	}
	return out
}
