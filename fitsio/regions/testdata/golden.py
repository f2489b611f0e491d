"""Makes golden.json with astropy-regions: python golden.py

Masks of regions on a turned TAN image; one string of 0 and 1 per region.
"""
import json
import os

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from regions import PixCoord, Regions

N = 60
h = fits.Header()
h["NAXIS"], h["NAXIS1"], h["NAXIS2"] = 2, N, N
h["CTYPE1"], h["CTYPE2"] = "RA---TAN", "DEC--TAN"
h["CRVAL1"], h["CRVAL2"], h["CRPIX1"], h["CRPIX2"] = 150.0, 60.0, 30.0, 31.0
c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
k = 0.5 / 3600
h["CD1_1"], h["CD1_2"], h["CD2_1"], h["CD2_2"] = -k * c, k * s, k * s, k * c
h["RADESYS"] = "ICRS"
w = WCS(h)
TEXT = """# Region file format: DS9 version 4.1
global color=green dashlist=8 3 width=1
image
circle(20.3,30.1,8.2)
-ellipse(30,30,15.5,6.5,33) # color=red text={a # in text}
box(25.2,22.1,20.6,10.4,-20)
polygon(10,10,40.3,12.1,50.2,45.5,12.2,33.3)
annulus(30.1,30.2,5.5,12.5)
fk5
circle(10:00:00.2,+59:59:58,4.1")
icrs
ellipse(150.0003d,60.0004d,8.2",3.3",40)
box(150.001,59.999,9.5",4.5",70)
galactic
"""
regs = Regions.parse(TEXT, format="ds9")
y, x = np.mgrid[:N, :N]
rows = []
for r in regs:
    p = r.to_pixel(w) if hasattr(r, "to_pixel") else r
    rows.append(dict(shape=type(r).__name__, mask="".join("1" if v else "0" for v in p.contains(PixCoord(x, y)).ravel())))
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "golden.json"), "w") as f:
    json.dump(dict(text=TEXT, header=[c.image for c in h.cards], size=N, regions=rows), f, indent=0)
print(len(rows), [r["shape"] for r in rows])
