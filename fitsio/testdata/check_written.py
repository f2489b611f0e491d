"""Compares the files of TestWriteFile_EveryKind with astropy: python check_written.py FOLDER"""
import sys
import warnings

import numpy as np
from astropy.io import fits

warnings.simplefilter("error")
bad = 0


def check(what, ok):
    global bad
    if not ok:
        bad += 1
        print("WRONG", what)


def series(dtype, n=77):
    dt = np.dtype(dtype)
    if dt.kind == "f":
        x = (np.arange(n).astype(dt) / dt.type(7) - dt.type(3)).astype(dt)
        x[5], x[6] = np.nan, np.inf if dt.itemsize == 4 else -np.inf
        return x
    i = np.arange(n, dtype="u8")
    with np.errstate(over="ignore"):
        u = (i * i * np.uint64(7919) + i) * np.uint64(0x9E3779B97F4A7C15)
    return u.view("i8").astype(dt) if dt.kind == "i" else u.astype(dt)


def same(a, b):
    return a.shape == b.shape and np.array_equal(np.asarray(a), b, equal_nan=b.dtype.kind == "f")


TYPES = dict(U8="u1", I8="i1", I16="i2", U16="u2", I32="i4", U32="u4", I64="i8", U64="u8", F32="f4", F64="f8")
folder = sys.argv[1]
for name in ("types.fits", "packed.fits"):
    with fits.open(f"{folder}/{name}", checksum=True) as h:
        check(name + " verifies", h.verify("exception") is None)
        for x in h:
            if x.name in TYPES:
                want = series(TYPES[x.name]).reshape((7, 1, 11) if x.name == "F64" else (7, 11))
                check(f"{name} {x.name} {x.data.dtype}", same(x.data, want) and x.data.dtype.newbyteorder("=") == want.dtype)
        if name == "types.fits":
            hd = h["U8"].header
            check("object", hd["OBJECT"] == "NGC 4993 'quoted' " + ("long text " * 12).rstrip())
            check("exptime", hd["EXPTIME"] == 1.5e-7 and hd["ESO TEL AIRM END"] == 1.25 and hd["GAIN"] == 0.1)
            check("undefined", hd["NOTHING"] is None)
            check("history", " ".join(hd["HISTORY"]) == "one line of history that is longer than the seventy-two characters that fit on a card of a header")
        else:
            rng = {"Q32": 0.25, "Q32D2": 0.125, "Q32ND": 0.125, "QABS": 0.1251}
            for k, tol in rng.items():
                d = h[k].data.astype("f8").ravel()
                check(f"{k} NaN", np.isnan(d[100]) and np.isnan(d).sum() == 1)
                check(f"{k} zeros", np.abs(d[3000:3020]).max() <= (0 if k == "Q32D2" else tol))
                print(k, "mean", np.nanmean(d), "std of row differences", np.nanstd(np.diff(d.reshape(64, 80), axis=0)))
with fits.open(f"{folder}/tables.fits", checksum=True) as h:
    check("tables verifies", h.verify("exception") is None)
    t = h["CAT"].data
    check("ID", list(t["ID"]) == [1, -2, 1 << 60])
    check("RA", same(t["RA"], np.array([10.5, 20.25, np.nan])) and h["CAT"].columns["RA"].unit == "deg")
    check("NAME", list(t["NAME"]) == ["a", "longer name", ""])
    check("FLAG", list(t["FLAG"]) == [True, False, True])
    check("U2", list(t["U2"]) == [0, 65535, 32768])
    check("B1", list(t["B1"]) == [-128, 0, 127])
    check("STAMP", same(t["STAMP"], series("f4", 36).reshape(3, 3, 4)))
    check("CPLX", list(t["CPLX"]) == [1 + 2j, 3, -4j])
    check("LIST", [list(r) for r in t["LIST"]] == [[1, 2, 3], [], [4]])
    check("FLAGS", [list(r) for r in t["FLAGS"]] == [[True], [False, True], []])
for name in ("types.fits", "packed.fits", "tables.fits"):
    with fits.open(f"{folder}/{name}", disable_image_compression=True) as h:
        for i, x in enumerate(h):
            if x.size:
                stored = x.header["DATASUM"]
                x._file.seek(x._data_offset)
                raw = np.frombuffer(x._file.read(x._data_size), "u1")
                check(f"{name} {i} DATASUM", str(x._compute_checksum(raw)) == stored)
print("wrong:", bad)
sys.exit(bad > 0)
