"""Digests of every table column below a folder, by astropy: python tables.py FOLDER

Writes tables.json: file, HDU, column -> kind and the first 16 hex of sha256 over
 num   float64 little-endian, row after row (complex as two, logical as 1 and 0,
       TNULL, undefined logicals and empty ASCII fields as NaN)
 vla   the same, with the number of elements (int64) before each row
 str   the strings, blanks at the end cut, each followed by a newline
"""
import hashlib
import json
import os
import signal
import sys
import warnings

import numpy as np
from astropy.io import fits

warnings.simplefilter("ignore")
NAN = np.float64(np.nan)


def sha(b):
    return hashlib.sha256(b).hexdigest()[:16]


def nums(a):
    a = np.asarray(a)
    if a.dtype.kind == "c":
        a = np.stack([a.real, a.imag], -1)
    return np.ascontiguousarray(a, "<f8")


def logical(raw):
    return np.where(raw == ord("T"), 1.0, np.where(raw == ord("F"), 0.0, NAN))


def column(hdu, c, i):
    t = hdu.data
    null = c.null
    if isinstance(hdu, fits.TableHDU):
        if c.format[0] == "A":
            return "str", sha("".join(str(s).rstrip() + "\n" for s in t.field(i)).encode())
        width = int(c.format[1:].split(".")[0] or 1)
        start = hdu.columns.starts[i] - 1
        raw = np.frombuffer(hdu_bytes(hdu), "S1").reshape(len(t), -1)[:, start:start + width]
        txt = [b"".join(r).decode("latin1").strip() for r in raw]
        dig = int(c.format.split(".")[1]) if "." in c.format else 0
        vals = []
        for s in txt:
            if s == "" or (null is not None and s == str(null).strip()):
                vals.append(NAN)
                continue
            s = s.replace("D", "E").replace("d", "e")
            v = float(s)
            if dig and "." not in s:
                v /= 10.0**dig
            vals.append(v * (c.bscale or 1) + (c.bzero or 0))
        return "num", sha(np.array(vals, "<f8").tobytes())
    fmt = c.format
    code = next(ch for ch in fmt if ch.isalpha())
    if code in "PQ":
        el = fmt[fmt.index(code) + 1]
        if el == "A":
            return "str", sha("".join("".join(np.asarray(r).astype(str).ravel()).split("\0")[0].rstrip() + "\n" for r in t.field(i)).encode())
        out = b""
        for r in t.field(i):
            if el == "L":
                return None
            v = nums(r)
            if null is not None and np.asarray(r).dtype.kind in "iu":
                v = np.where(np.asarray(r) == null, NAN, v)
            out += np.int64(np.asarray(r).size).tobytes() + np.ascontiguousarray(v, "<f8").tobytes()
        return "vla", sha(out)
    if code == "A":
        f = t.field(i)
        if f.ndim > 1:
            return None
        return "str", sha("".join(s.split("\0")[0].rstrip() + "\n" for s in f).encode())
    if code == "L":
        raw = np.array(t.view(np.recarray)[t.dtype.names[i]], copy=True)
        return "num", sha(np.ascontiguousarray(logical(raw.view("u1")), "<f8").tobytes())
    v = np.asarray(t.field(i))
    if v.size == 0:
        return "num", sha(b"")
    f = nums(v)
    if null is not None and code in "BIJK":
        raw = np.asarray(t.view(np.recarray)[t.dtype.names[i]])
        f = np.where(raw.reshape(f.shape) == null, NAN, f)
    return "num", sha(np.ascontiguousarray(f, "<f8").tobytes())


def hdu_bytes(hdu):
    with open(hdu._file.name, "rb") as f:
        f.seek(hdu._data_offset)
        return f.read(hdu.header["NAXIS1"] * hdu.header["NAXIS2"])


def main(folder):
    rows = []
    for root, dirs, names in os.walk(folder):
        dirs.sort()
        for n in sorted(names):
            path = os.path.join(root, n)
            if n.startswith("bad_") or not n.lower().endswith((".fits", ".fit", ".fz", ".std", ".gz")):
                continue
            signal.alarm(20)
            try:
                hdus = fits.open(path, disable_image_compression=True)
                hdus = list(hdus)
            except Exception as e:
                print("not opened", n, repr(e)[:60])
                continue
            for i, h in enumerate(hdus):
                if not isinstance(h, (fits.TableHDU, fits.BinTableHDU)) or h.header.get("ZIMAGE") or h.header.get("ZTABLE"):
                    continue
                for k, c in enumerate(h.columns):
                    try:
                        d = column(h, c, k)
                    except Exception as e:
                        print("no value", n, i, k, c.format, repr(e)[:100])
                        continue
                    if d:
                        rows.append(dict(file=os.path.relpath(path, folder), hdu=i, col=k, form=c.format, kind=d[0], sha=d[1]))
            signal.alarm(0)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tables.json"), "w") as f:
        json.dump(rows, f, indent=0)
    print(len(rows), "columns")


main(sys.argv[1])
