package tile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"sync"
)

var gzipReaders sync.Pool

// Gunzip unpacks GZIP_1 data into dst and returns the part of it that was
// filled; more than len(dst) bytes are an error.
func Gunzip(dst, src []byte) ([]byte, error) {
	zr, _ := gzipReaders.Get().(*gzip.Reader)
	if zr == nil {
		zr = new(gzip.Reader)
	}
	defer gzipReaders.Put(zr)
	if err := zr.Reset(bytes.NewReader(src)); err != nil {
		return nil, fmt.Errorf("gzip: %w: %w", ErrCorrupt, err)
	}
	n := 0
	for n < len(dst) {
		k, err := zr.Read(dst[n:])
		n += k
		if err == io.EOF {
			return dst[:n], nil
		}
		if err != nil {
			return nil, fmt.Errorf("gzip: after %d bytes: %w: %w", n, ErrCorrupt, err)
		}
	}
	var one [1]byte
	k, err := zr.Read(one[:]) // also checks the checksum
	if k > 0 {
		return nil, fmt.Errorf("gzip: the tile holds more than its %d bytes: %w", len(dst), ErrCorrupt)
	}
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("gzip: %w: %w", ErrCorrupt, err)
	}
	return dst, nil
}

// Unshuffle undoes the byte order of GZIP_2: src holds all first bytes of the
// elements, then all second bytes …; dst gets the elements of size bytes. Both
// have the same length, a multiple of size.
func Unshuffle(dst, src []byte, size int) {
	n := len(src) / size
	switch size {
	case 1:
		copy(dst, src)
	case 2:
		a, b, dst := src[:n], src[n:2*n], dst[:2*n]
		for i := range a {
			dst[2*i] = a[i]
			dst[2*i+1] = b[i]
		}
	case 4:
		a, b, c, d, dst := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n], dst[:4*n]
		for i := range a {
			dst[4*i] = a[i]
			dst[4*i+1] = b[i]
			dst[4*i+2] = c[i]
			dst[4*i+3] = d[i]
		}
	default:
		for j := range size {
			for i, v := range src[j*n : (j+1)*n] {
				dst[i*size+j] = v
			}
		}
	}
}
