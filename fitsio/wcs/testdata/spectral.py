"""Makes spectral.json, spectral axes that are not linear, with astropy.wcs: python spectral.py"""
import json
import os
import warnings

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

warnings.simplefilter("ignore")
F0 = 1.42040575e9
C = 299792458.0
rows = []
for ctype, unit, si, crval, cdelt, rest in [
    ("FREQ-W2F", "Hz", 1, 1.37e9, 1e6, {}), ("FREQ-V2F", "GHz", 1e9, 1.37, 1e-3, {"RESTFRQ": F0}),
    ("WAVE-F2W", "m", 1, 5e-7, 2e-10, {}), ("WAVE-V2W", "Angstrom", 1e-10, 6600.0, 1.5, {"RESTWAV": 6.5646e-7}),
    ("AWAV-F2A", "nm", 1e-9, 500.0, 0.3, {}), ("WAVE-A2W", "um", 1e-6, 0.7, 1e-3, {}), ("AWAV-W2A", "m", 1, 4e-7, 1e-10, {}),
    ("VOPT-F2W", "m/s", 1, 8e6, 2e4, {"RESTFRQ": F0}), ("VRAD-W2F", "km/s", 1e3, 8e3, 20.0, {"RESTFRQ": F0}),
    ("VELO-F2V", "km/s", 1e3, -300.0, 5.0, {"RESTFRQ": F0}), ("VELO-W2V", "m/s", 1, 9e7, 1e5, {"RESTWAV": C / F0}),
    ("BETA-F2V", "", 1, 0.3, 1e-3, {"RESTFRQ": F0}), ("ZOPT-F2W", "", 1, 2.0, 1e-2, {"RESTFRQ": F0}), ("ZOPT-V2W", "", 1, 0.5, 1e-3, {"RESTFRQ": F0}),
    ("ENER-W2F", "eV", 1.602176634e-19, 2.0, 1e-3, {}), ("WAVN-W2F", "m-1", 1, 2e6, 1e3, {}), ("AFRQ-W2F", "rad/s", 1, 9e9, 1e6, {}),
    ("FELO-HEL", "m/s", 1, 8e6, 2e4, {"RESTFRQ": F0}), ("WAVE-LOG", "m", 1, 5e-7, 2e-10, {}),
]:
    h = fits.Header()
    for k, v in {"WCSAXES": 3, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 20.0, "CRPIX1": 1.0, "CRPIX2": 1.0, "CDELT1": -0.1,
                 "CDELT2": 0.1, "CTYPE3": ctype, "CUNIT3": unit, "CRVAL3": crval, "CDELT3": cdelt, "CRPIX3": 31.5, **rest}.items():
        h[k] = v
    if ctype.startswith("FELO"):
        h["VELREF"] = 2
    pix = np.array([0.0, 1.0, 12.25, 30.5, 77.0, 200.0])
    w = WCS(h)
    world = w.all_pix2world(np.column_stack([0 * pix, 0 * pix, pix]), 0)[:, 2] / si
    rows.append(dict(name=ctype, header=[c.image for c in h.cards], pixels=pix.tolist(), world=world.tolist()))
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "spectral.json"), "w") as f:
    json.dump(rows, f, separators=(",", ":"))
print(len(rows))
