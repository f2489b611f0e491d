// Package preview looks into a file before it is opened: what it holds, and its first
// image.
package preview

import (
	"context"
	"fmt"
	"strings"

	"limpid/app/figure"
	"limpid/app/session"
	"limpid/ui/viewmodel/form"
)

// Preview is what there is to see of a file.
type Preview struct {
	Lines  []string // "0 SCI 192×192, adu"
	Image  *figure.Image
	Limits figure.Limits
	Turn   figure.Transform
}

// most is the side of the largest plane that is read for a look: 64 MB.
const most = 4096

// Of looks into a FITS file; what is none gives an error.
func Of(ctx context.Context, s *session.Session, path string) (*Preview, error) {
	doc, err := s.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer doc.Close()
	p := &Preview{}
	for i, h := range doc.HDUs {
		line := form.Label(h)
		if h.Unit != "" {
			line += ", " + form.UnitText(h.Unit)
		}
		const lines = 8
		if i == lines && len(doc.HDUs) > lines+1 {
			p.Lines = append(p.Lines, fmt.Sprintf("and %d more", len(doc.HDUs)-lines))
			break
		}
		p.Lines = append(p.Lines, line)
	}
	for _, h := range doc.HDUs {
		n := len(h.Shape)
		if n < 2 || h.Role == session.RoleTable {
			continue
		}
		if h.Shape[n-1]*h.Shape[n-2] > most*most {
			p.Lines = append(p.Lines, "too large for a look")
			break
		}
		pl, err := doc.ReadPlane(ctx, h.Index, 0)
		if err != nil {
			return p, err
		}
		if p.Image, err = figure.NewImage(figure.Plane{Data: pl.Pix, W: pl.W, H: pl.H}); err != nil {
			return p, err
		}
		p.Limits = figure.Range{Kind: figure.Percentile, Percent: 99.5}.Of(p.Image)
		if pl.WCS != nil {
			p.Turn = figure.Orient(pl.WCS, pl.W, pl.H)
		}
		break
	}
	if head, err := doc.Header(0); err == nil {
		var about []string
		for _, key := range []string{"OBJECT", "FILTER", "DATE-OBS", "EXPTIME"} {
			if c, ok := head.Get(key); ok {
				if text := strings.TrimSpace(fmt.Sprint(c.Value)); text != "" {
					about = append(about, text)
				}
			}
		}
		if len(about) > 0 {
			p.Lines = append(p.Lines, strings.Join(about, " · "))
		}
	}
	return p, nil
}
