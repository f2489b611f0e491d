// Package fitsio reads and writes FITS files (FITS Standard 4.0, Pence+2010 and
// IAU FWG 2018): images of every BITPIX, multi-extension files, tile-compressed
// images, tables. It uses the standard library alone.
//
// Reading:
//
//	f, err := fitsio.Open("m31.fits.fz")        // also .gz, .bz2, .Z; told by content
//	if errors.Is(err, fitsio.ErrNotFITS) { … }  // fitsio.AsFinding(err) has advice for the user
//	defer f.Close()
//	for _, x := range f.Findings { … }          // what was doubtful or repaired
//	h, err := f.FirstImage()                    // or f.HDU(2), f.Find("SCI", 1)
//	h.Shape                                     // [4096 2048]: NAXIS2, NAXIS1
//	h.Bitpix, h.Compression                     // -32, "RICE_1"
//	exp, ok := h.Header.Float("EXPTIME")
//	pix, err := h.ReadFloat32(ctx)              // BSCALE, BZERO applied; BLANK is NaN
//	cut, err := h.Section(ctx, []int{100, 200}, []int{164, 264}) // rows 100…163, columns 200…263
//	p, err := cube.ReadPlane(ctx, 7)            // plane 7 of (D, H, W)
//	w, err := wcs.FromHeader(h.Header, "")      // package fitsio/wcs
//
// Only headers are read by Open; pixels are read when asked for, tiles are
// decoded on every processor. Arrays are row-major with the slowest axis first;
// pixel (0, 0) is the first one, which FITS calls (1, 1).
//
// Writing:
//
//	hd := h.Header.Clone()                      // cards and comments of the source, in order
//	hd.Set("BUNIT", "Jy/beam", "")
//	hd.AddHistory("limpid " + limpid.Version + ": posterior mean, …")
//	mean, err := fitsio.NewImage("MEAN", []int{512, 512}, pix, hd) // any of the ten pixel types
//	tab, err := fitsio.NewTable("STARS", []fitsio.NewColumn{{Name: "FLUX", Unit: "Jy", Data: flux}}, nil)
//	err = fitsio.WriteFile("out.fits", fitsio.WriteOptions{Checksum: true}, mean, tab)
//
// WriteFile writes beside the target and renames when everything is on disk, so
// a failure leaves no half file; the same input gives the same bytes. Keywords
// that describe the storage (SIMPLE, BITPIX, NAXIS, BSCALE …) are ignored in the
// given header and written as the data need them.
//
// Whatever a file can cause is an error, never a panic: it says which file, HDU
// and card, and wraps one of the Err… values. Sizes are checked against the file
// and Options.MaxBytes before memory is taken.
package fitsio
