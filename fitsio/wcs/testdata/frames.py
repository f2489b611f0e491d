"""Makes frames.json with astropy.coordinates: python frames.py"""
import json
import os

import numpy as np
from astropy.coordinates import FK4, FK5, FK4NoETerms, BarycentricMeanEcliptic, Galactic, SkyCoord

rng = np.random.default_rng(5)
lon = np.concatenate([rng.uniform(0, 360, 16), [0, 10, 192.8, 359.999]])
lat = np.concatenate([np.degrees(np.arcsin(rng.uniform(-1, 1, 16))), [90, -90, 27.1, 0]])
icrs = SkyCoord(lon, lat, unit="deg")
rows = []
for name, eq, fr in [("FK5", 2000, FK5(equinox="J2000")), ("FK5", 1975, FK5(equinox="J1975")), ("FK5", 2050.5, FK5(equinox="J2050.5")),
                     ("FK4", 1950, FK4(equinox="B1950")), ("FK4", 1900, FK4(equinox="B1900")), ("FK4", 1975, FK4(equinox="B1975")),
                     ("FK4-NO-E", 1950, FK4NoETerms(equinox="B1950")), ("FK4-NO-E", 1975, FK4NoETerms(equinox="B1975")), ("Galactic", 0, Galactic()), ("Ecliptic", 2000, BarycentricMeanEcliptic(equinox="J2000")),
                     ("Ecliptic", 2025, BarycentricMeanEcliptic(equinox="J2025"))]:
    c = icrs.transform_to(fr)
    a = [float(v) for v in c.spherical.lon.deg]
    b = [float(v) for v in c.spherical.lat.deg]
    back = SkyCoord(fr.realize_frame(c.data)).icrs
    rows.append(dict(frame=name, equinox=eq, icrs=[[float(x), float(y)] for x, y in zip(lon, lat)], to=[list(p) for p in zip(a, b)],
                     back=[[float(x), float(y)] for x, y in zip(back.ra.deg, back.dec.deg)]))
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "frames.json"), "w") as f:
    json.dump(rows, f, separators=(",", ":"))
