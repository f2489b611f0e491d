package header

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	f.Add([]byte(pad80("SIMPLE  = T") + pad80("LONG    = 'one &'") + pad80("CONTINUE  'two'") + pad80("HIERARCH ESO A B = 1.5D3 / c") + pad80("X       = (1,2)") + pad80("END")))
	f.Add([]byte(pad80("HIERARCH") + pad80("CONTINUE  'x'") + pad80("A       = '''''&'") + pad80("CONTINUE")))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, _ := Parse(data)
		for _, c := range h.Cards() {
			h.Float(c.Key)
			h.Int(c.Key)
			h.Str(c.Key)
		}
		out := h.Bytes()
		if len(out)%BlockSize != 0 {
			t.Fatalf("%d bytes", len(out))
		}
		again, _ := Parse(out)
		if !bytes.Equal(again.Bytes(), out) {
			t.Fatalf("written header changes when read and written again")
		}
		// Changed cards must stay readable.
		for _, c := range h.Cards() {
			if s, ok := c.Value.(string); ok && legalKey(c.Key) {
				var one Header
				one.Set(c.Key, s, c.Comment)
				back, _ := Parse(one.Bytes())
				if got, _ := back.Str(c.Key); got != strings.TrimRight(s, " ") {
					t.Fatalf("%q = %q reads back %q", c.Key, s, got)
				}
			}
		}
	})
}

// legalKey accepts what the standard allows as a keyword with a value.
func legalKey(k string) bool {
	return k != "" && len(k) <= 8 && k != "CONTINUE" && k != "END" && k != "HIERARCH" &&
		strings.Trim(k, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}
