package session

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"limpid"
	"limpid/fitsio"
	"limpid/fitsio/wcs"
)

// Role is what an HDU seems to be for, told by its name and shape.
type Role string

// The roles Limpid makes use of.
const (
	RoleImage    Role = "image"
	RoleWeights  Role = "weights"
	RoleVariance Role = "variance"
	RoleStd      Role = "std"
	RoleMask     Role = "mask"
	RolePSF      Role = "psf"
	RoleTable    Role = "table"
	RoleEmpty    Role = "empty"
)

var roleNames = map[Role][]string{
	RoleWeights:  {"WHT", "WEIGHT", "WEIGHTS", "IVM", "IVAR", "INVVAR", "WGT"},
	RoleVariance: {"VAR", "VARIANCE", "VARIMG", "STAT"},
	RoleStd:      {"ERR", "ERROR", "RMS", "SIGMA", "STD", "STDDEV", "UNCERT", "NOISE"},
	RoleMask:     {"MASK", "DQ", "BPM", "BADPIX", "FLAGS"},
	RolePSF:      {"PSF", "PSFIMG", "KERNEL"},
}

// HDUInfo describes one HDU for a list.
type HDUInfo struct {
	Index  int
	Name   string
	Ver    int
	Shape  []int // slowest first; nil for tables
	Bitpix int
	Packed string // compression, "" for none
	Unit   string
	Role   Role
	Rows   int // of a table
}

// Document is an open file. Close it when it is no longer looked at.
type Document struct {
	Path string
	Name string // base name
	HDUs []HDUInfo
	// Findings are the reader's, about the file.
	Findings []limpid.Finding

	file *fitsio.File
}

// Open reads a file's headers.
func (s *Session) Open(ctx context.Context, path string) (*Document, error) {
	f, err := fitsio.OpenWith(ctx, path, fitsio.Options{})
	if err != nil {
		return nil, err
	}
	d := &Document{Path: path, Name: filepath.Base(path), Findings: f.Findings, file: f}
	var size []int // of the first image: maps have the same
	for _, h := range f.HDUs {
		info := HDUInfo{Index: h.Index, Name: h.Name, Ver: h.Ver, Bitpix: h.Bitpix, Packed: h.Compression}
		info.Unit, _ = h.Header.Str("BUNIT")
		switch h.Kind {
		case fitsio.Image:
			info.Shape, info.Role = h.Shape, roleOf(h.Name)
			if size == nil && info.Role == RoleImage && len(h.Shape) >= 2 {
				size = h.Shape
			}
		case fitsio.Empty:
			info.Role = RoleEmpty
		default:
			info.Role, info.Rows = RoleTable, h.Rows()
		}
		d.HDUs = append(d.HDUs, info)
	}
	return d, nil
}

func roleOf(name string) Role {
	name = strings.ToUpper(strings.TrimSpace(name))
	for role, names := range roleNames {
		for _, n := range names {
			if name == n {
				return role
			}
		}
	}
	return RoleImage
}

// FirstImage is the first HDU that is an image of two or more axes and not a map
// of something else; any image of two axes if there is no other.
func (d *Document) FirstImage() (int, error) {
	fallback := -1
	for _, h := range d.HDUs {
		if len(h.Shape) < 2 {
			continue
		}
		if h.Role == RoleImage {
			return h.Index, nil
		}
		if fallback < 0 {
			fallback = h.Index
		}
	}
	if fallback < 0 {
		return 0, fmt.Errorf("session: %s: no HDU holds an image of two axes or more: %w", d.Name, fitsio.ErrNoImage)
	}
	return fallback, nil
}

// WithRole finds the first HDU of a role whose planes are h × w (0: any); −1 for
// none.
func (d *Document) WithRole(r Role, h, w int) int {
	for _, info := range d.HDUs {
		n := len(info.Shape)
		if info.Role == r && n >= 2 && (h == 0 || info.Shape[n-2] == h && info.Shape[n-1] == w) {
			return info.Index
		}
	}
	return -1
}

// Header is an HDU's header.
func (d *Document) Header(hdu int) (*fitsio.Header, error) {
	h, err := d.file.HDU(hdu)
	if err != nil {
		return nil, err
	}
	return h.Header, nil
}

// Plane is one plane of an image as a viewer needs it.
type Plane struct {
	H, W int
	Pix  []float32 // row 0 first, as in the file
	Unit string
	WCS  *wcs.WCS // nil: none
}

// Planes is the number of planes of an image HDU.
func (i HDUInfo) Planes() int {
	n := 1
	for k := 0; k+2 < len(i.Shape); k++ {
		n *= i.Shape[k]
	}
	return n
}

// ReadPlane reads plane k, counted over all leading axes, of an image HDU.
func (d *Document) ReadPlane(ctx context.Context, hdu, k int) (*Plane, error) {
	h, err := d.image(hdu)
	if err != nil {
		return nil, err
	}
	n := len(h.Shape)
	pix, err := h.ReadPlane(ctx, planeIndex(h.Shape, k)...)
	if err != nil {
		return nil, err
	}
	p := &Plane{H: h.Shape[n-2], W: h.Shape[n-1], Pix: pix}
	p.Unit, _ = h.Header.Str("BUNIT")
	p.WCS, _ = celestial(h.Header)
	return p, nil
}

func (d *Document) image(hdu int) (*fitsio.HDU, error) {
	h, err := d.file.HDU(hdu)
	if err != nil {
		return nil, err
	}
	if h.Kind != fitsio.Image || len(h.Shape) < 2 {
		return nil, fmt.Errorf("session: %s: HDU %d (%s) is not an image of two axes or more: %w", d.Name, hdu, h.Name, ErrShape)
	}
	return h, nil
}

// planeIndex splits a running plane number into one index per leading axis.
func planeIndex(shape []int, k int) []int {
	lead := shape[:len(shape)-2]
	idx := make([]int, len(lead))
	for i := len(lead) - 1; i >= 0; i-- {
		idx[i] = k % lead[i]
		k /= lead[i]
	}
	return idx
}

// celestial is the WCS of a header if it has a celestial one.
func celestial(h *fitsio.Header) (*wcs.WCS, error) {
	w, err := wcs.FromHeader(h, "")
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Close closes the file.
func (d *Document) Close() error { return d.file.Close() }
