"""Reads an image with astropy several times: python astropy_bench.py FILE REPEATS [x0 y0 x1 y1]

Pixels from 1, inclusive. Data are made float32 in native byte order, as the other
two programs give them.
"""
import sys
import time

import astropy
import numpy as np
from astropy.io import fits

path, n = sys.argv[1], int(sys.argv[2])
box = [int(v) for v in sys.argv[3:7]]
times = []
for _ in range(n):
    t = time.perf_counter()
    with fits.open(path, memmap=bool(box)) as h:
        hdu = h[0] if h[0].header["NAXIS"] else h[1]
        d = hdu.section[box[1] - 1:box[3], box[0] - 1:box[2]] if box else hdu.data
        d = np.ascontiguousarray(d, np.float32)
    times.append(time.perf_counter() - t)
times.sort()
print(f"astropy {astropy.__version__} {path}: best {times[0] * 1e3:.1f} ms  median {times[n // 2] * 1e3:.1f} ms  (sum {d.ravel()[::997].astype('f8').sum():g})")
