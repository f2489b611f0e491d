#!/usr/bin/env python3
"""Errors of the shear that reconstructions of single galaxies give, and the least that any unbiased estimate can have.

    limpid-cli calibrate --single ... --keep pairs.fits
    go run ./tests/bench/quality pairs.fits estimates.fits
    python3 tests/bench/quality/shapes.py pairs.fits estimates.fits [margin]

Needs scipy and what table.py does. The shear of an image is that of its Fourier power in polar shapelets (Li+2018, MNRAS
481, 4445) with a scale of 4 modes of the stamp, which is what fpfs 2.0.3 takes for an image without a PSF: the estimator of Li &
Alexander (2023, MNRAS 522, L31). The table has medians of |g - g_truth|. "bound": of Cramér and Rao, were the galaxy's profile
known but for its flux, place, size and shear, 1.18 (median of Rayleigh's distribution) times sigma of g; noise 1.
"""
import sys

import numpy as np
from scipy.ndimage import affine_transform, spline_filter
from table import inner, read, rl, transfer


def shear(im):
    """g1, g2 of an image."""
    n = im.shape[0]
    power = np.abs(np.fft.fft2(im)) ** 2
    k = np.fft.fftfreq(n) * n
    kx, ky = np.meshgrid(k, k)
    r2, phase = (kx ** 2 + ky ** 2) / 16, np.arctan2(ky, kx)
    weighed = power * np.exp(-r2 / 2)
    m00 = weighed.sum()
    e = (weighed * r2 * np.exp(2j * phase)).sum() / np.sqrt(2) / m00
    m40 = (weighed * (1 - 2 * r2 + r2 ** 2 / 2)).sum() / m00
    g = e / ((1 - m40 + abs(e) ** 2) / np.sqrt(2))
    return np.array([g.real, g.imag])


def bound(truth, psf, wide=16, step=0.05):
    """Standard deviation of a component of g: the root of the mean of both variances; noise 1."""
    t = np.pad(truth, wide)
    n = t.shape[0]
    yy, xx = np.mgrid[:n, :n]
    at = np.array([(t * yy).sum(), (t * xx).sum()]) / t.sum()
    spline, hk = spline_filter(t, 3), transfer(psf, n)

    def seen(matrix=np.eye(2), shift=(0, 0)):
        im = affine_transform(spline, matrix, offset=at - matrix @ (at + shift), prefilter=False) * np.linalg.det(matrix)
        return np.fft.ifft2(np.fft.fft2(im) * hk).real.ravel()

    def sheared(g1, g2, size):
        return np.array([[1 + g1, -g2], [-g2, 1 - g1]]) / np.sqrt(1 - g1 * g1 - g2 * g2) * np.exp(size)

    h = step
    change = [seen()] + [(seen(shift=s) - seen(shift=-s)) / 2 / h for s in (np.array([h, 0]), np.array([0, h]))]
    change += [(seen(sheared(*p)) - seen(sheared(*-p))) / 2 / h for p in h * np.eye(3)]
    cov = np.linalg.inv(np.array([[a @ b for b in change] for a in change]))
    return np.sqrt((cov[3, 3] + cov[4, 4]) / 2)


def main():
    truth, data, psf, methods = read(*sys.argv[1:3])
    m = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    methods["sk richardson_lucy, 50"] = [rl(d, psf, 50) for d in data]
    methods["data as they are"] = data
    n = truth.shape[1]
    g = [shear(inner(t, m)) for t in truth]
    least = 1.1774 * np.array([bound(t, psf) for t in truth])
    s = np.sqrt((truth ** 2).sum((1, 2)))
    print(f"{len(truth)} stamps of {n}^2, margin {m}; median |g| {np.median(np.hypot(*np.array(g).T)):.3f}; S/N of the truth before the PSF {np.median(s):.0f}")
    print(f"{'method':26s} {'|dg|':>7s} {'quartiles':>15s}")
    for name, xs in methods.items():
        e = [np.hypot(*(shear(inner(x, m)) - t)) for x, t in zip(xs, g)]
        print(f"{name:26s} {np.median(e):7.4f} {np.percentile(e, 25):7.4f} {np.percentile(e, 75):7.4f}")
    print(f"{'bound':26s} {np.median(least):7.4f} {np.percentile(least, 25):7.4f} {np.percentile(least, 75):7.4f}")


if __name__ == "__main__":
    main()
