"""Makes the files of the fitsio benchmark: python make_data.py FOLDER [--big]

plain.fits   4096 x 4096 float32: sky noise and 2000 Gaussian sources
rice.fits    the same, RICE_1, quantised at q = 4 with dither 1, row tiles
rice16.fits  the same as int16, RICE_1
big.fits     16384 x 32768 float32 (2 GiB), only with --big
Needs numpy and astropy.
"""
import os
import sys

import numpy as np
from astropy.io import fits

N = 4096


def scene():
    rng = np.random.default_rng(1)
    img = rng.normal(100, 5, (N, N)).astype("f4")
    y, x = np.mgrid[-12:13, -12:13]
    for _ in range(2000):
        cy, cx = rng.integers(16, N - 16, 2)
        s = rng.uniform(1, 3)
        img[cy - 12:cy + 13, cx - 12:cx + 13] += rng.exponential(2000) * np.exp(-(x * x + y * y) / (2 * s * s))
    return img


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    img = scene()
    fits.PrimaryHDU(img).writeto(f"{out}/plain.fits", overwrite=True)
    fits.CompImageHDU(img, compression_type="RICE_1", quantize_level=4, quantize_method=1,
                      dither_seed=1).writeto(f"{out}/rice.fits", overwrite=True)
    fits.CompImageHDU(img.astype("i2"), compression_type="RICE_1").writeto(f"{out}/rice16.fits", overwrite=True)
    if "--big" in sys.argv:
        h = fits.PrimaryHDU(np.zeros((1, 1), "f4")).header
        h["NAXIS1"], h["NAXIS2"] = 32768, 16384
        with open(f"{out}/big.fits", "wb") as f:
            f.write(h.tostring().encode())
            row = np.arange(32768, dtype=">f4")
            for i in range(16384):
                f.write((row + i).astype(">f4").tobytes())
            f.write(b"\0" * (-f.tell() % 2880))


main()
