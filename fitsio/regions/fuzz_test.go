package regions

import (
	"strings"
	"testing"

	"limpid/fitsio"
	"limpid/fitsio/wcs"
)

func FuzzParse(f *testing.F) {
	f.Add("fk5;circle(202.4696,47.1952,0.01\") # text={one}\nimage\n-box(1,2,3,4,5)\npolygon 1 2 3 4 5 6")
	f.Add("physical\nannulus(10,20,1,2,3)\ngalactic\nellipse(1:2:3,4d5m6s,1',2p,20)\n# text(5,6) text={a}")
	f.Add("wcs;box(10,20,3\",4\",0.5r) ||\nannulus(1,2,3,4,n=3)")
	h := &fitsio.Header{}
	wcs.SetTAN(h, 10, 20, 1, 50, 50)
	w, err := wcs.FromHeader(h, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		regs, _, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		for i, r := range regs {
			if i > 20 {
				break
			}
			if s, err := r.Pixels(h, w); err == nil {
				s.Mask(50, 50)
			}
		}
		var b strings.Builder
		if err := Write(&b, regs); err != nil {
			t.Fatal(err)
		}
		again, _, err := Parse(strings.NewReader(b.String()))
		if len(regs) > 0 && (err != nil || len(again) != len(regs)) {
			t.Fatalf("%d regions, read back %d: %v\n%s", len(regs), len(again), err, b.String())
		}
	})
}
