package session

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"limpid/app/figure"
	"limpid/app/figure/panel"
	"limpid/app/file"
	"limpid/app/recipe"
	"limpid/solvers/observe"
)

// DefaultPSF is what a user gets who names no PSF: the file's PSF HDU if it has
// one, else measured from stars.
func DefaultPSF(ctx context.Context, file string) (recipe.PSF, error) {
	doc, err := New(nil).Open(ctx, file)
	if err != nil {
		return recipe.PSF{}, err
	}
	defer doc.Close()
	if i := doc.WithRole(RolePSF, 0, 0); i >= 0 {
		return recipe.PSF{Kind: observe.PSFFile, HDU: &i}, nil
	}
	return recipe.PSF{Kind: observe.PSFMeasure}, nil
}

// FigureOf draws the figure of a result file that Limpid wrote, for one band: the
// panel as .png, .pdf or .svg, the mean in 16 bits as .tif, the samples as .gif.
func FigureOf(ctx context.Context, path string, band int, out string) error {
	doc, err := New(nil).Open(ctx, path)
	if err != nil {
		return err
	}
	defer doc.Close()
	byName := map[string]HDUInfo{}
	for _, h := range doc.HDUs {
		byName[h.Name] = h
	}
	mean, hasMean := byName["MEAN"]
	if data := byName["DATA"]; !hasMean || len(mean.Shape) < 2 || len(data.Shape) < 2 {
		return fmt.Errorf("session: %s has no MEAN and DATA: it is not a result of Limpid: %w", doc.Name, ErrShape)
	}
	bands := mean.Planes()
	if band < 0 || band >= bands {
		return fmt.Errorf("session: %s: band %d does not exist: it has 0 to %d: %w", doc.Name, band, bands-1, ErrShape)
	}
	p := panel.Posterior{Title: doc.Name, Unit: mean.Unit}
	read := func(name string, plane int) (*figure.Plane, error) {
		h, ok := byName[name]
		if !ok || plane >= h.Planes() {
			return nil, nil
		}
		got, err := doc.ReadPlane(ctx, h.Index, plane)
		if err != nil {
			return nil, err
		}
		if got.WCS != nil {
			p.Sky = got.WCS
		}
		return &figure.Plane{Data: got.Pix, W: got.W, H: got.H}, nil
	}
	for _, t := range []struct {
		to   **figure.Plane
		name string
	}{{&p.Data, "DATA"}, {&p.Mean, "MEAN"}, {&p.Std, "STD"}, {&p.Residual, "RESIDUAL"}} {
		if *t.to, err = read(t.name, band); err != nil {
			return err
		}
	}
	samples := 2
	if strings.EqualFold(filepath.Ext(out), ".gif") {
		samples = byName["SAMPLES"].Planes() / bands
	}
	for i := range samples {
		s, err := read("SAMPLES", i*bands+band)
		if err != nil {
			return err
		}
		if s != nil {
			p.Samples = append(p.Samples, *s)
		}
	}
	if err := writePosterior(out, p); err != nil {
		return fmt.Errorf("session: %w: %s: %w", ErrOutput, out, err)
	}
	return nil
}

// writePosterior draws a posterior in the format of the file's ending.
func writePosterior(path string, p panel.Posterior) error {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".gif":
		frames, err := p.Film()
		if err != nil {
			return err
		}
		return file.Write(path, func(w io.Writer) error { return panel.WriteGIF(w, frames) })
	case ".tif", ".tiff":
		return file.Write(path, p.WriteTIFF)
	}
	fig, err := p.Figure()
	if err != nil {
		return err
	}
	return writeDrawing(path, fig)
}

// writeDrawing writes a figure in the format of its ending.
func writeDrawing(path string, fig panel.Figure) error {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".png":
		return file.Write(path, fig.WritePNG)
	case ".pdf":
		return file.Write(path, fig.WritePDF)
	case ".svg":
		return file.Write(path, fig.WriteSVG)
	default:
		return fmt.Errorf("a figure is .png, .pdf, .svg, of a posterior also .tif or .gif, not %q", ext)
	}
}
