"""Makes the golden files of package wcs with astropy.wcs (wcslib).

    python golden.py                 synthetic headers -> golden.json.gz
    python golden.py DATAFOLDER      every celestial HDU below it -> datafiles.json.gz

Needs numpy and astropy. Pixels count from 0. null: no place on the sky.
"""
import gzip
import json
import os
import sys
import warnings

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

warnings.simplefilter("ignore")
N = 360  # synthetic images are N x N


def header(code, crval=(30.0, 40.0), scale=1.0, rot=0.0, pv=None, extra=None, swap=False, style="CD", frame=("RA--", "DEC-")):
    """Cards of a synthetic header; scale in degrees per pixel."""
    h = fits.Header()
    h["NAXIS"], h["NAXIS1"], h["NAXIS2"] = 2, N, N
    lon, lat = (2, 1) if swap else (1, 2)
    h[f"CTYPE{lon}"] = f"{frame[0]}-{code}"
    h[f"CTYPE{lat}"] = f"{frame[1]}-{code}"
    h[f"CRVAL{lon}"], h[f"CRVAL{lat}"] = crval
    h["CRPIX1"], h["CRPIX2"] = N / 2 + 0.5, N / 2 - 3.25
    c, s = np.cos(np.radians(rot)), np.sin(np.radians(rot))
    if style == "CD":
        h["CD1_1"], h["CD1_2"], h["CD2_1"], h["CD2_2"] = -scale * c, scale * s, scale * s, scale * c
    else:
        h["CDELT1"], h["CDELT2"] = -scale, scale * 1.1
        if style == "PC":
            h["PC1_1"], h["PC1_2"], h["PC2_1"], h["PC2_2"] = c, -s, s, c
        elif style == "CROTA":
            h["CROTA2"] = rot
    for k, v in (pv or {}).items():
        h[k] = v
    for k, v in (extra or {}).items():
        h[k] = v
    return h


def cases():
    """Name and header of every synthetic case."""
    zen = ["TAN", "STG", "SIN", "ARC", "ZEA"]
    flat = ["CAR", "MER", "CEA", "SFL", "PAR", "MOL", "AIT", "TSC", "HPX"]
    for code in zen:
        for name, crval in [("mid", (30.0, 40.0)), ("wrap", (0.001, -20.0)), ("npole", (123.0, 90.0)), ("spole", (10.0, -90.0)),
                            ("nearpole", (200.0, 89.99))]:
            yield f"{code} {name}", header(code, crval, scale=0.25)
        yield f"{code} fine", header(code, (359.9999, 0.0), scale=0.2 / 3600, rot=37.0)
        yield f"{code} lonpole", header(code, (150.0, -33.0), scale=0.3, extra={"LONPOLE": 77.0})
    for code in flat:
        for name, crval in [("equator", (0.0, 0.0)), ("centre", (266.4, 0.0)), ("oblique", (45.0, 30.0))]:
            yield f"{code} {name}", header(code, crval, scale=0.9)
        yield f"{code} south", header(code, (300.0, -60.0), scale=0.5, rot=12.0)
        yield f"{code} lonpole", header(code, (120.0, 25.0), scale=0.5, extra={"LONPOLE": 15.0, "LATPOLE": 40.0})
    yield "CEA lambda", header("CEA", (10.0, 0.0), scale=0.5, pv={"PV2_1": 0.4})
    yield "HPX 6 4", header("HPX", (10.0, 0.0), scale=0.6, pv={"PV2_1": 6.0, "PV2_2": 4.0})
    yield "SIN slant", header("SIN", (40.0, 35.0), scale=0.2, pv={"PV2_1": 0.2, "PV2_2": -0.7})
    yield "SIN slant strong", header("SIN", (40.0, 35.0), scale=0.2, pv={"PV2_1": 0.0, "PV2_2": 1.4281480067421144})
    yield "NCP", header("NCP", (40.0, 60.0), scale=0.1)
    yield "AZP", header("AZP", (40.0, 35.0), scale=0.3, pv={"PV2_1": 2.0, "PV2_2": 30.0})
    yield "AZP inside", header("AZP", (40.0, 35.0), scale=0.3, pv={"PV2_1": -0.6, "PV2_2": 10.0})
    yield "SZP", header("SZP", (40.0, 35.0), scale=0.3, pv={"PV2_1": 2.0, "PV2_2": 180.0, "PV2_3": 60.0})
    yield "ZPN", header("ZPN", (40.0, -35.0), scale=0.2, pv={"PV2_1": 1.0, "PV2_3": 42.0})
    yield "ZPN turning", header("ZPN", (40.0, -35.0), scale=0.3, pv={"PV2_0": 0.05, "PV2_1": 0.975, "PV2_2": -0.807, "PV2_3": 0.337, "PV2_4": -0.065, "PV2_5": 0.01})
    yield "AIR", header("AIR", (40.0, -35.0), scale=0.5, pv={"PV2_1": 45.0})
    yield "CYP", header("CYP", (40.0, -35.0), scale=0.5, pv={"PV2_1": 1.0, "PV2_2": 0.707})
    for code in ["COP", "COE", "COD", "COO"]:
        yield f"{code}", header(code, (40.0, 45.0), scale=0.5, pv={"PV2_1": 45.0, "PV2_2": 25.0})
        yield f"{code} south", header(code, (0.0, -30.0), scale=0.5, pv={"PV2_1": -30.0, "PV2_2": 0.0 if code != "COP" else 10.0})
    yield "BON", header("BON", (40.0, 45.0), scale=0.6, pv={"PV2_1": 45.0})
    yield "PCO", header("PCO", (40.0, 0.0), scale=0.7)
    for code in ["QSC"]:
        yield code, header(code, (40.0, 0.0), scale=0.7)
    yield "PV offset", header("SIN", (40.0, 50.0), scale=0.1, pv={"PV1_0": 1.0, "PV1_1": 10.0, "PV1_2": 80.0})
    yield "PV fiducial", header("CAR", (40.0, 20.0), scale=0.3, pv={"PV1_1": 5.0, "PV1_2": 15.0})
    yield "swapped axes", header("TAN", (40.0, 20.0), scale=0.01, swap=True, rot=20.0)
    yield "PC CDELT", header("TAN", (40.0, 20.0), scale=0.01, style="PC", rot=33.0)
    yield "CROTA", header("TAN", (40.0, 20.0), scale=0.01, style="CROTA", rot=-21.0)
    yield "CDELT alone", header("SIN", (40.0, -20.0), scale=0.01, style="")
    yield "galactic", header("AIT", (0.0, 0.0), scale=1.0, frame=("GLON", "GLAT"))
    yield "arcsec units", header("TAN", (40 * 3600.0, 20 * 3600.0), scale=0.5, extra={"CUNIT1": "arcsec", "CUNIT2": "arcsec"})
    sip = {"A_ORDER": 3, "B_ORDER": 3, "A_2_0": 2e-5, "A_1_1": -1e-5, "A_0_2": 3e-6, "A_3_0": 1e-8, "A_1_2": -2e-8,
           "B_2_0": -4e-6, "B_0_2": 1.5e-5, "B_1_1": 2e-5, "B_0_3": 3e-8, "B_2_1": 1e-8}
    h = header("TAN", (202.5, 47.2), scale=0.4 / 3600, rot=5, extra=sip)
    h["CTYPE1"], h["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    yield "SIP", h
    tpv = {f"PV1_{k}": v for k, v in {0: 1e-4, 1: 1.001, 2: 2e-4, 3: 1e-4, 4: 3e-4, 5: -2e-4, 6: 1e-4, 7: 5e-5, 9: -3e-5, 10: 2e-5, 11: 1e-5,
                                      12: 1e-5, 14: 2e-5, 17: -1e-5, 20: 1e-5, 23: 1e-6, 31: 1e-6, 39: 1e-6}.items()}
    tpv |= {f"PV2_{k}": v for k, v in {0: -2e-4, 1: 0.999, 2: -1e-4, 3: 2e-4, 4: -1e-4, 5: 3e-4, 6: 2e-4, 8: 4e-5, 10: -2e-5, 13: 1e-5, 16: 1e-5,
                                       22: 1e-5, 26: 1e-6, 30: 1e-6, 36: 1e-6}.items()}
    yield "TPV", header("TPV", (310.0, -12.0), scale=0.005, rot=-3, extra=tpv)
    yield "SCAMP", header("TAN", (310.0, -12.0), scale=0.005, rot=-3, extra=tpv)
    for name, ft in [("chebyshev", 1), ("legendre", 2), ("polynomial", 3)]:
        h = header("TNX", (83.0, -5.0), scale=0.005)
        co = {1: "3. 3. 2. -1. 1. -1. 1. 1e-3 2e-3 -1e-3 3e-3 -2e-3 1e-3".split(), 2: "3. 3. 1. -1. 1. -1. 1. 1e-3 2e-3 -1e-3 3e-3 -2e-3 1e-3 4e-4 -5e-4 6e-4".split()}
        for ax, nm in ((1, "lng"), (2, "lat")):
            s = f"wtype=tnx axtype={'ra' if ax == 1 else 'dec'} {nm}cor = \"" + " ".join([f"{ft}."] + co[ax]) + ' "'
            for k in range(0, len(s), 68):
                h[f"WAT{ax}_{k // 68 + 1:03d}"] = s[k:k + 68]
        yield f"TNX {name}", h
    yield from odd_cases(sip, tpv)


def odd_cases(sip, tpv):
    """What other programs write, and what contradicts itself."""
    for crval in [(40.0, 50.0), (0.0, -30.0), (300.0, 0.0)]:
        yield f"GLS {crval}", header("GLS", crval, scale=0.1)
    yield "GLS turned", header("GLS", (83.0, -5.0), scale=0.05, style="CROTA", rot=30.0)
    h = header("TAN", (202.5, 47.2), scale=0.4 / 3600, rot=5, extra=sip | {k: v for k, v in tpv.items() if k in ("PV1_1", "PV2_1", "PV1_7", "PV2_7")})
    h["CTYPE1"], h["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    yield "SIP and SCAMP", h
    h = header("TAN", (202.5, 47.2), scale=0.4 / 3600, rot=5, extra=sip)
    yield "SIP without a code", h
    for m, v in [("LONPOLE", 77.0), ("LATPOLE", -60.0)]:
        yield f"PV1_3, PV1_4 and {m}", header("CAR", (120.0, 25.0), scale=0.5, pv={"PV1_3": 15.0, "PV1_4": 40.0}, extra={m: v})
    yield "PV1_3 in TAN", header("TAN", (150.0, -33.0), scale=0.3, pv={"PV1_3": 30.0})
    for lonpole, latpole in [(0.0, 90.0), (0.0, -90.0), (999.0, 999.0)]:
        for code in ["CAR", "AIT", "HPX"]:
            extra = {} if lonpole > 360 else {"LONPOLE": lonpole, "LATPOLE": latpole}
            yield f"{code} pole {lonpole} {latpole}", header(code, (120.0, 12.0), scale=0.8, extra=extra)
    yield "CAR wide", header("CAR", (0.0, 0.0), scale=1.4)
    yield "MER south", header("MER", (10.0, -40.0), scale=0.7, rot=45.0)
    h = header("TAN", (40.0, 20.0), scale=0.01, style="")
    h["PC001001"], h["PC001002"], h["PC002001"], h["PC002002"] = 0.8, -0.6, 0.6, 0.8
    yield "PC001001", h
    h = header("TAN", (40.0, 20.0), scale=0.01, style="")
    h["CD1_1"], h["CD2_2"] = -2e-4, 2.1e-4
    yield "CD diagonal and CDELT", h
    h = header("SIN", (40.0, 20.0), scale=0.01, style="")
    h["CROTA1"] = 25.0  # of the longitude axis: means nothing
    yield "CROTA1", h
    h = header("TAN", (40.0, 20.0), scale=0.01, rot=10)
    h["CROTA2"], h["CDELT1"], h["CDELT2"] = 25.0, -0.02, 0.02
    yield "CD and CROTA", h
    h = header("TAN", (np.radians(40.0), np.radians(-20.0)), scale=1e-5, extra={"CUNIT1": "rad", "CUNIT2": "rad"})
    yield "radians", h
    h = header("ZPX", (83.0, -5.0), scale=0.0005)
    for ax, nm in ((1, "lng"), (2, "lat")):
        s = f"wtype=zpx axtype={'ra' if ax == 1 else 'dec'} projp1=1. projp3=337.74 {nm}cor = \"3. 3. 3. 2. -1. 1. -1. 1. 0.1 0.2 -0.1 0.3 -0.2 0.1 \""
        for k in range(0, len(s), 68):
            h[f"WAT{ax}_{k // 68 + 1:03d}"] = s[k:k + 68]
    yield "ZPX", h
    for code, pv in [("TAN", {}), ("SIN", {"PV2_1": 0.2, "PV2_2": -0.1}), ("ZPN", {"PV2_1": 1.0, "PV2_3": 42.0}), ("CEA", {"PV2_1": 0.4}), ("TPV", {"PV1_1": 1.001, "PV2_1": 1.0, "PV2_5": -2e-4}),
                     ("GLS", {})]:
        h = header("TAN", (40.0, 20.0), scale=0.01)
        b = header(code, (200.0, -33.0), scale=0.1, rot=21, pv=pv, extra={"LONPOLE": 170.0} if code != "GLS" else {})
        for k in b:
            if not k.startswith("NAXIS"):
                h[k + "K"] = b[k]
        yield f"alternate {code}", h


def points(w, xy):
    sky = np.array(w.all_pix2world(xy, 0))[:, [w.wcs.lng, w.wcs.lat]]
    return [[None, None] if not np.isfinite(p).all() else [float(p[0]), float(p[1])] for p in sky]


def dump(name, rows):
    with gzip.GzipFile(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "wb", mtime=0) as f:
        f.write(json.dumps(rows, separators=(",", ":")).encode())
    print(name, len(rows), "cases")


def synthetic():
    rows = []
    rng = np.random.default_rng(7)
    for name, h in cases():
        try:
            alt = "K" if name.startswith("alternate") else " "
            w = WCS(h, key=alt)
        except Exception as e:  # say so; the Go test then has no such case
            print("astropy refuses", name, str(e).split("\n")[0])
            continue
        xy = np.vstack([rng.uniform(-20, N + 20, (40, 2)).round(3), [[h["CRPIX1"] - 1, h["CRPIX2"] - 1], [0, 0], [N - 1, N - 1]]])
        rows.append(dict(name=name, alt=alt.strip(), header=[c.image for c in h.cards], pixels=xy.tolist(), sky=points(w, xy)))
    dump("golden.json.gz", rows)


def datafiles(folder):
    rows = []
    rng = np.random.default_rng(8)
    for root, dirs, names in os.walk(folder):
        dirs.sort()
        for n in sorted(names):
            path = os.path.join(root, n)
            if not n.lower().endswith((".fits", ".fit", ".fz", ".fits.gz", ".bz2", ".z")) or n.startswith("bad_"):
                continue
            try:
                hdus = fits.open(path)
            except Exception:
                continue
            for i, hdu in enumerate(hdus):
                if not getattr(hdu, "is_image", False) or hdu.header.get("NAXIS", 0) < 2:
                    continue
                for alt in [" "] + list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"):
                    if alt != " " and "CTYPE1" + alt not in hdu.header:
                        continue
                    try:
                        full = WCS(hdu.header, hdus, key=alt)
                        if not full.has_celestial:
                            continue
                        w = full.celestial if full.naxis > 2 else full
                    except Exception as e:
                        print("astropy refuses", path, i, alt, str(e).split("\n")[0])
                        continue
                    ny, nx = hdu.header["NAXIS2"], hdu.header["NAXIS1"]
                    xy = np.column_stack([rng.uniform(0, nx, 200), rng.uniform(0, ny, 200)]).round(2)
                    try:
                        sky = points(w, xy)
                    except Exception as e:
                        print("no sky", path, i, e)
                        continue
                    rows.append(dict(name=os.path.relpath(path, folder), hdu=i, alt=alt.strip(), pixels=xy.tolist(), sky=sky))
            hdus.close()
    dump("datafiles.json.gz", rows)


if len(sys.argv) > 1:
    datafiles(sys.argv[1])
else:
    synthetic()
