package panel

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strconv"
)

// num writes a coordinate with three decimals at most.
func num(v float64) string {
	return strconv.FormatFloat(math.Round(v*1000)/1000+0, 'f', -1, 64)
}

// svg is ink as SVG elements.
type svg struct {
	bytes.Buffer
	err error
}

func (s *svg) fill(p path, c color.RGBA) {
	if len(p) == 0 {
		return
	}
	fmt.Fprintf(s, `<path fill="#%02x%02x%02x" d="`, c.R, c.G, c.B)
	for i, seg := range p {
		if seg.op == opMove && i > 0 {
			s.WriteByte('Z')
		}
		s.WriteByte("MLQC"[seg.op])
		for k, q := range seg.p[:seg.op.points()] {
			if k > 0 {
				s.WriteByte(' ')
			}
			s.WriteString(num(q[0]) + " " + num(q[1]))
		}
	}
	s.WriteString("Z\"/>\n")
}

func (s *svg) picture(x, y, w, h float64, pic *image.RGBA) {
	var buf bytes.Buffer
	if err := png.Encode(&buf, pic); err != nil {
		s.err = fmt.Errorf("panel: %w", err)
	}
	fmt.Fprintf(s, `<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none" style="image-rendering:pixelated" href="data:image/png;base64,`,
		num(x), num(y), num(w), num(h))
	s.WriteString(base64.StdEncoding.EncodeToString(buf.Bytes()))
	s.WriteString("\"/>\n")
}

// WriteSVG writes the figure as SVG 1.1 with the planes as embedded PNG.
func (f Figure) WriteSVG(w io.Writer) error {
	turn, rows, height, err := f.plan()
	if err != nil {
		return err
	}
	s := &svg{}
	fmt.Fprintf(s, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%spt\" height=\"%spt\" viewBox=\"0 0 %s %s\">\n",
		num(f.Width), num(height), num(f.Width), num(height))
	fmt.Fprintf(s, "<title>%s</title>\n", html.EscapeString(f.alt()))
	if err := f.draw(s, turn, rows, height); err != nil {
		return err
	}
	if s.err != nil {
		return s.err
	}
	s.WriteString("</svg>\n")
	if _, err := w.Write(s.Bytes()); err != nil {
		return fmt.Errorf("panel: write SVG: %w", err)
	}
	return nil
}

// alt is what the figure shows, in words: letters are outlines in these files.
func (f *Figure) alt() string {
	s := f.Title
	for i, t := range f.Tiles {
		switch {
		case s == "":
		case i == 0:
			s += ": "
		default:
			s += ", "
		}
		s += t.Title
	}
	return s
}

// pdf is ink as a page's content, with pictures kept for the end.
type pdf struct {
	bytes.Buffer
	height float64
	pics   []*image.RGBA
}

func (d *pdf) y(v float64) float64 { return d.height - v }

func (d *pdf) fill(p path, c color.RGBA) {
	if len(p) == 0 {
		return
	}
	fmt.Fprintf(d, "%s %s %s rg\n", num(float64(c.R)/255), num(float64(c.G)/255), num(float64(c.B)/255))
	var at [2]float64
	for i, s := range p {
		end := s.p[s.op.points()-1]
		switch s.op {
		case opMove:
			if i > 0 {
				d.WriteString("h\n")
			}
			fmt.Fprintf(d, "%s %s m\n", num(end[0]), num(d.y(end[1])))
		case opLine:
			fmt.Fprintf(d, "%s %s l\n", num(end[0]), num(d.y(end[1])))
		case opQuad: // PDF has cubic curves only: raise the degree
			q := s.p[0]
			d.curve([2]float64{at[0] + 2.0/3*(q[0]-at[0]), at[1] + 2.0/3*(q[1]-at[1])},
				[2]float64{end[0] + 2.0/3*(q[0]-end[0]), end[1] + 2.0/3*(q[1]-end[1])}, end)
		case opCube:
			d.curve(s.p[0], s.p[1], end)
		}
		at = end
	}
	d.WriteString("h f\n")
}

func (d *pdf) curve(a, b, c [2]float64) {
	fmt.Fprintf(d, "%s %s %s %s %s %s c\n", num(a[0]), num(d.y(a[1])), num(b[0]), num(d.y(b[1])), num(c[0]), num(d.y(c[1])))
}

func (d *pdf) picture(x, y, w, h float64, pic *image.RGBA) {
	d.pics = append(d.pics, pic)
	fmt.Fprintf(d, "q %s 0 0 %s %s %s cm /P%d Do Q\n", num(w), num(h), num(x), num(d.y(y+h)), len(d.pics))
}

// WritePDF writes the figure as one page of PDF 1.4, cropped to it.
func (f Figure) WritePDF(w io.Writer) error {
	turn, rows, height, err := f.plan()
	if err != nil {
		return err
	}
	d := &pdf{height: height}
	if err := f.draw(d, turn, rows, height); err != nil {
		return err
	}
	var out pdfFile
	out.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	names := ""
	for i := range d.pics {
		names += fmt.Sprintf("/P%d %d 0 R ", i+1, 5+i)
	}
	out.object(1, "<< /Type /Catalog /Pages 2 0 R >>", nil)
	out.object(2, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", nil)
	out.object(3, fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %s %s] /Contents 4 0 R /Resources << /XObject << %s>> >> >>",
		num(f.Width), num(height), names), nil)
	out.object(4, "", d.Bytes())
	for i, pic := range d.pics {
		b := pic.Rect
		rgb := make([]byte, 0, 3*b.Dx()*b.Dy())
		for k := 0; k+4 <= len(pic.Pix); k += 4 {
			rgb = append(rgb, pic.Pix[k:k+3]...)
		}
		out.object(5+i, fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB /BitsPerComponent 8 ",
			b.Dx(), b.Dy()), rgb)
	}
	info := 5 + len(d.pics)
	out.object(info, "<< /Producer (Limpid) /Title <"+utf16Hex(f.alt())+"> >>", nil)
	out.finish(info)
	if out.err != nil {
		return out.err
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("panel: write PDF: %w", err)
	}
	return nil
}

// pdfFile collects numbered objects and where they start.
type pdfFile struct {
	bytes.Buffer
	starts []int
	err    error
}

// object writes a dictionary, or with data a compressed stream whose dictionary
// has the entries given.
func (o *pdfFile) object(n int, dict string, data []byte) {
	o.starts = append(o.starts, o.Len())
	if data == nil {
		fmt.Fprintf(o, "%d 0 obj\n%s\nendobj\n", n, dict)
		return
	}
	var z bytes.Buffer
	zw := zlib.NewWriter(&z)
	if _, err := zw.Write(data); err != nil {
		o.err = fmt.Errorf("panel: %w", err)
	}
	if err := zw.Close(); err != nil {
		o.err = fmt.Errorf("panel: %w", err)
	}
	fmt.Fprintf(o, "%d 0 obj\n<< %s/Filter /FlateDecode /Length %d >>\nstream\n", n, dict, z.Len())
	o.Write(z.Bytes())
	o.WriteString("\nendstream\nendobj\n")
}

func (o *pdfFile) finish(info int) {
	xref := o.Len()
	fmt.Fprintf(o, "xref\n0 %d\n0000000000 65535 f \n", len(o.starts)+1)
	for _, s := range o.starts {
		fmt.Fprintf(o, "%010d 00000 n \n", s)
	}
	fmt.Fprintf(o, "trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(o.starts)+1, info, xref)
}

// utf16Hex is a PDF text string, with byte order mark, in hexadecimal.
func utf16Hex(s string) string {
	out := "FEFF"
	for _, r := range s {
		if r > 0xffff {
			r = '?'
		}
		out += fmt.Sprintf("%04X", r)
	}
	return out
}
