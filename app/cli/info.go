package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"limpid/app/session"
	"limpid/engine"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
)

// hduJSON is one HDU of info --json.
type hduJSON struct {
	Index       int         `json:"hdu"`
	Name        string      `json:"name"`
	Role        string      `json:"role"`
	Shape       []int       `json:"shape,omitempty"`
	Bitpix      int         `json:"bitpix,omitempty"`
	Compression string      `json:"compression,omitempty"`
	Rows        int         `json:"rows,omitempty"`
	Unit        string      `json:"unit,omitempty"`
	Frame       string      `json:"frame,omitempty"`
	PixelScale  float64     `json:"pixel_scale_arcsec,omitempty"`
	Center      *[2]float64 `json:"center_deg,omitempty"`
}

func info(ctx context.Context, e *Env, args []string) error {
	f := newFlags(e, "info")
	asJSON, header := f.Bool("json", false, ""), f.Bool("header", false, "")
	var only optionalInt
	f.Var(&only, "hdu", "")
	if err := f.parse(args, 1, "one file"); err != nil {
		return err
	}
	s := session.New(noDevice{})
	doc, err := s.Open(ctx, f.operands[0])
	if err != nil {
		return err
	}
	defer doc.Close()
	if only.v != nil && *only.v >= len(doc.HDUs) {
		return fmt.Errorf("%s: HDU %d does not exist: there are %d (0 to %d): %w", doc.Name, *only.v, len(doc.HDUs), len(doc.HDUs)-1, fitsio.ErrNoHDU)
	}
	var list []hduJSON
	for _, h := range doc.HDUs {
		if only.v != nil && h.Index != *only.v {
			continue
		}
		if *header {
			head, err := doc.Header(h.Index)
			if err != nil {
				return err
			}
			printHeader(e, h, head)
			continue
		}
		item, err := describe(doc, h)
		if err != nil {
			return err
		}
		list = append(list, item)
	}
	switch {
	case *header:
	case *asJSON:
		text, err := json.MarshalIndent(map[string]any{"file": f.operands[0], "hdus": list, "findings": doc.Findings}, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintln(e.Out, string(text))
		return nil
	default:
		for _, i := range list {
			fmt.Fprintln(e.Out, i.line())
		}
	}
	for _, x := range doc.Findings {
		fmt.Fprintln(e.Out, x)
	}
	return nil
}

func printHeader(e *Env, h session.HDUInfo, head *fitsio.Header) {
	fmt.Fprintf(e.Out, "HDU %d %s\n", h.Index, h.Name)
	text := head.Bytes()
	for i := 0; i+80 <= len(text); i += 80 {
		line := strings.TrimRight(string(text[i:i+80]), " ")
		if line == "" {
			continue
		}
		fmt.Fprintln(e.Out, "  "+line)
		if line == "END" {
			break
		}
	}
}

func describe(doc *session.Document, h session.HDUInfo) (hduJSON, error) {
	out := hduJSON{Index: h.Index, Name: h.Name, Role: string(h.Role), Shape: h.Shape, Bitpix: h.Bitpix, Compression: h.Packed, Rows: h.Rows, Unit: h.Unit}
	if len(h.Shape) < 2 {
		return out, nil
	}
	head, err := doc.Header(h.Index)
	if err != nil {
		return out, err
	}
	w, err := wcs.FromHeader(head, "")
	if err != nil {
		return out, nil //nolint:nilerr // no WCS is not an error of the file
	}
	out.Frame, out.PixelScale = w.Frame.String(), w.PixelScale()
	n := len(h.Shape)
	if lon, lat, ok := w.PixelToSky(float64(h.Shape[n-1]-1)/2, float64(h.Shape[n-2]-1)/2); ok {
		out.Center = &[2]float64{lon, lat}
	}
	return out, nil
}

func (h hduJSON) line() string {
	size := make([]string, len(h.Shape))
	for i, n := range h.Shape { // as NAXIS1 × NAXIS2 …
		size[len(size)-1-i] = fmt.Sprint(n)
	}
	line := fmt.Sprintf("%3d  %-12s %-9s", h.Index, h.Name, h.Role)
	switch {
	case len(size) > 0:
		line += fmt.Sprintf(" %-16s BITPIX %d", strings.Join(size, "×"), h.Bitpix)
	case h.Rows > 0:
		line += fmt.Sprintf(" %d rows", h.Rows)
	}
	if h.Compression != "" {
		line += " " + h.Compression
	}
	if h.Unit != "" {
		line += "  [" + h.Unit + "]"
	}
	if h.Center != nil {
		line += fmt.Sprintf("  %s %s %s, %.4g″/px", h.Frame, wcs.HMS(h.Center[0], 1), wcs.DMS(h.Center[1], 0), h.PixelScale)
	}
	return line
}

// noDevice is for commands that do not compute.
type noDevice struct{}

var errNoDevice = errors.New("cli: this command has no device")

func (noDevice) Info() engine.Info                          { return engine.Info{} }
func (noDevice) Alloc(engine.Shape) (*engine.Tensor, error) { return nil, errNoDevice }
func (noDevice) NewStream() engine.Stream                   { panic(errNoDevice) }
func (noDevice) Close() error                               { return nil }
