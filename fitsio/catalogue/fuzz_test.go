package catalogue

import (
	"context"
	"strings"
	"testing"
)

func FuzzReadText(f *testing.F) {
	f.Add("id,ra,dec\n1,10:20:30,-5\n\"a,\"\"b\",2,3\n")
	f.Add("# a b\n 1 2\n|x|y|\n")
	f.Add("# 1 A first\n# 3 B second [deg]\n1 2 3\n")
	f.Add("|ra |dec |\n|double|double|\n|deg|deg|\n 1   2\n")
	f.Add("|a|b|\n|1|2|\n")
	f.Add("a\tb\ndeg\t \n---\t---\n9007199254740993\tx\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ReadText(context.Background(), strings.NewReader(text), "fuzz", Options{MaxRows: 10000})
		if err != nil {
			return
		}
		for _, col := range c.Columns {
			if col.Ints != nil && len(col.Ints) != c.Rows {
				t.Fatalf("column %q has %d whole numbers in %d rows", col.Name, len(col.Ints), c.Rows)
			}
			if max(len(col.Numbers), len(col.Text)) != c.Rows {
				t.Fatalf("column %q has %d numbers and %d texts in %d rows", col.Name, len(col.Numbers), len(col.Text), c.Rows)
			}
		}
		if c.RA != nil && (len(c.RA) != c.Rows || len(c.Dec) != c.Rows) {
			t.Fatal("positions do not match the rows")
		}
	})
}
