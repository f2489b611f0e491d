"""Makes lookup.json, distortion by lookup tables, with astropy.wcs: python lookup.py"""
import json
import os
import warnings

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

warnings.simplefilter("ignore")
rng = np.random.default_rng(3)
rows = []
for name, use_sip, det, cp, swap in [("cpdis", False, False, True, False), ("cpdis+sip", True, False, True, False),
                                     ("d2im", False, True, False, False), ("all", True, True, True, False), ("axis", False, False, True, True)]:
    h = fits.Header()
    h["CTYPE1"], h["CTYPE2"] = ("RA---TAN-SIP", "DEC--TAN-SIP") if use_sip else ("RA---TAN", "DEC--TAN")
    h["CRVAL1"], h["CRVAL2"], h["CRPIX1"], h["CRPIX2"] = 5.6, -72.1, 128.0, 100.0
    h["CD1_1"], h["CD1_2"], h["CD2_1"], h["CD2_2"] = -1.2e-5, 2e-6, 3e-6, 1.3e-5
    if use_sip:
        h["A_ORDER"], h["B_ORDER"], h["A_2_0"], h["A_1_1"], h["B_0_2"], h["B_2_0"] = 2, 2, 8e-6, -5e-6, 7e-6, 2e-6
    img = fits.PrimaryHDU(np.zeros((200, 256), "f4"), h)
    hl = fits.HDUList([img])
    tabs = []
    for flag, dis, rec, ext, shape in [(det, "D2IMDIS", "D2IM", "D2IMARR", (5, 9)), (cp, "CPDIS", "DP", "WCSDVARR", (8, 6))]:
        if not flag:
            continue
        for j in (1, 2):
            img.header[f"{dis}{j}"] = "LOOKUP"
            img.header[f"{rec}{j}.EXTVER"] = float(j)
            img.header[f"{rec}{j}.NAXES"] = 2.0
            img.header[f"{rec}{j}.AXIS.1"] = 1.0 if not (swap and j == 1) else 2.0
            img.header[f"{rec}{j}.AXIS.2"] = 2.0 if not (swap and j == 2) else 1.0
            t = fits.ImageHDU(rng.normal(0, 0.3, shape).astype("f4"))
            t.header["EXTNAME"], t.header["EXTVER"] = ext, j
            t.header["CRPIX1"], t.header["CRPIX2"] = 1.0, 1.0
            t.header["CRVAL1"], t.header["CRVAL2"] = 1.0, 1.0
            t.header["CDELT1"], t.header["CDELT2"] = 48.0, 40.0
            if j == 2:
                t.header["CRPIX1"], t.header["CRVAL2"] = 1.5, 20.0
            hl.append(t)
            tabs.append(dict(name=ext, ver=j, shape=list(shape), data=t.data.ravel().astype(float).tolist(),
                             header=[c.image for c in t.header.cards if c.keyword[:5] in ("CRPIX", "CRVAL", "CDELT")]))
    header = [c.image for c in img.header.cards]
    xy = rng.uniform(-5, 262, (60, 2)).round(3)
    w = WCS(img.header.copy(), hl)
    rows.append(dict(name=name, header=header, tables=tabs, pixels=xy.tolist(), sky=np.array(w.all_pix2world(xy, 0)).tolist()))
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "lookup.json"), "w") as f:
    json.dump(rows, f, separators=(",", ":"))
print(len(rows))
