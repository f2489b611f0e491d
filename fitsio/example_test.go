package fitsio_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"limpid/fitsio"
	"limpid/fitsio/wcs"
)

func Example() {
	dir, err := os.MkdirTemp("", "fitsio")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "m31.fits")

	// Write a small image with sky coordinates.
	head := &fitsio.Header{}
	head.Set("BUNIT", "Jy/beam", "")
	wcs.SetTAN(head, 10.6847, 41.269, 0.2, 4, 3)
	img, err := fitsio.NewImage("MEAN", []int{3, 4}, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, head)
	if err != nil {
		log.Fatal(err)
	}
	if err := fitsio.WriteFile(path, fitsio.WriteOptions{Checksum: true}, img); err != nil {
		log.Fatal(err)
	}

	// Read it back.
	f, err := fitsio.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	h, err := f.FirstImage()
	if err != nil {
		log.Fatal(err)
	}
	pix, err := h.Section(context.Background(), []int{1, 1}, []int{3, 3})
	if err != nil {
		log.Fatal(err)
	}
	w, err := wcs.FromHeader(h.Header, "")
	if err != nil {
		log.Fatal(err)
	}
	ra, dec, _ := w.PixelToSky(1.5, 1)
	fmt.Println(h)
	fmt.Println(pix)
	fmt.Println(wcs.HMS(ra, 2), wcs.DMS(dec, 1), w.Frame)
	// Output:
	// HDU 0 (MEAN): image 3 × 4, BITPIX -32
	// [5 6 9 10]
	// 00:42:44.33 +41:16:08.4 ICRS
}
