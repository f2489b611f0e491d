#!/usr/bin/env python3
"""Richardson-Lucy, 50 iterations on one image: Limpid and scikit-image in turn.

    go build -o deconv ./tests/bench/deconv
    python3 tests/bench/deconv/peers.py ./deconv [side] [rounds]

Needs numpy, scipy, astropy, scikit-image. Prints the median wall time of the rounds; of
Limpid that of the iterations (with the snapshots that a user sees meanwhile) and of the whole
run. Siril 1.0.6 is left out: its rl takes no PSF and hardly changed the image.
"""
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from astropy.io import fits
from skimage.restoration import richardson_lucy

ITERATIONS, FWHM, BETA, STAMP = 50, 3.5, 3.0, 61


def moffat():
    y, x = np.mgrid[:STAMP, :STAMP] - STAMP // 2
    alpha = FWHM / (2 * np.sqrt(2 ** (1 / BETA) - 1))
    p = (1 + (x * x + y * y) / alpha**2) ** -BETA
    return (p / p.sum()).astype(np.float32)


def main():
    limpid, side = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1024
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    times = {}

    def add(name, t):
        times.setdefault(name, []).append(t)

    with tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "field.fits")
        for i in range(rounds):
            keep = ["-keep", image] if i == 0 else []
            out = subprocess.run([limpid, "-n", str(side), "-method", "rl", "-iterations", str(ITERATIONS), *keep], check=True, capture_output=True, text=True).stdout
            add("Limpid, iterations", float(re.search(r"([\d.]+) s of it iterations", out).group(1)))
            add("Limpid, whole run", float(re.search(r"whole run ([\d.]+) s", out).group(1)))
            data = fits.getdata(image).astype(np.float32)
            positive = np.clip(data, 1e-3, None) / data.max()
            began = time.perf_counter()
            richardson_lucy(positive, moffat(), num_iter=ITERATIONS, clip=False)
            add("scikit-image", time.perf_counter() - began)
    for name, t in times.items():
        print(f"{name:20s} {statistics.median(t):6.2f} s  ({', '.join(f'{v:.2f}' for v in t)})")


if __name__ == "__main__":
    main()
