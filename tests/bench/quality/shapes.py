#!/usr/bin/env python3
"""Errors of the shear that reconstructions of single galaxies give, and the least that any unbiased estimate can have.

    limpid-cli calibrate --single --scene-snr ... --keep pairs.fits [--keep-draws]
    go run ./tests/bench/quality pairs.fits estimates.fits
    python3 tests/bench/quality/shapes.py pairs.fits estimates.fits [margin]

Needs scipy and what table.py does. As Li & Alexander (2023, MNRAS 522, L31) in the program that they published: g is that
of polar shapelets of .6", 3 pixels, about the middle of the stamp (fpfs 3, Li+2018, MNRAS 481, 4445), their error the median
of ||g| - |g of the truth||, and S/N that of the truth before the PSF. "|dg|": median of |g - g of the truth|. "RL 50 as
published": data below 0 are set to 0, from a flat image. "bound": of Cramer and Rao for |dg|, were the galaxy's profile known
but for its flux, place, size and shear, 1.18 (median of Rayleigh's distribution) times sigma of g; noise 1.
"""
import sys

import numpy as np
from astropy.io import fits
from scipy.ndimage import affine_transform, spline_filter
from table import inner, read, rl, transfer

SCALE = 3.0  # px


def shear(im):
    """g1, g2 of an image."""
    n = im.shape[0]
    y, x = (np.mgrid[:n, :n] - n // 2) / SCALE
    r2 = x * x + y * y
    w = im * np.exp(-r2 / 2)
    m00, m40 = w.sum(), (w * (1 - 2 * r2 + r2 ** 2 / 2)).sum()
    e = (w * (x + 1j * y) ** 2).sum() / np.sqrt(2) / m00
    g = e / ((1 - m40 / m00 + 2 * e.real ** 2) / np.sqrt(2))
    return np.array([g.real, g.imag])


def rl_as_published(data, psf, its):
    n = data.shape[0]
    h, d = transfer(psf, n), np.maximum(data, 0)
    x = np.full((n, n), 0.5)
    for _ in range(its):
        seen = np.maximum(np.fft.ifft2(np.fft.fft2(x) * h).real, 1e-6)
        x = x * np.fft.ifft2(np.fft.fft2(d / seen) * h.conj()).real
    return x - x.min()


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
    methods["RL 50 as published"] = [rl_as_published(d, psf, 50) for d in data]
    methods["data as they are"] = data
    n = truth.shape[1]
    g = np.array([shear(inner(t, m)) for t in truth])
    size = np.hypot(*g.T)
    least = 1.1774 * np.array([bound(t, psf) for t in truth])
    s = np.sqrt((truth ** 2).sum((1, 2)))
    print(f"{len(truth)} stamps of {n}^2, margin {m}; median |g| {np.median(size):.3f}; S/N of the truth before the PSF {np.median(s):.0f}")
    # half the width of a median's 68 % interval, by the order statistics of a sample
    half = lambda e: (np.quantile(e, 0.5 + 0.5 / np.sqrt(len(e))) - np.quantile(e, 0.5 - 0.5 / np.sqrt(len(e)))) / 2

    def row(name, error, other=None):
        print(f"{name:28s} {np.median(error):7.4f} {half(error):7.4f}" + ("" if other is None else f" {np.median(other):7.4f}"))

    print(f"{'method':28s} {'d|g|':>7s} {'+-':>7s} {'|dg|':>7s}")
    for name, xs in methods.items():
        x = np.array([shear(inner(x, m)) for x in xs])
        row(name, abs(np.hypot(*x.T) - size), np.hypot(*(x - g).T))
    with fits.open(sys.argv[1]) as f:
        if "DRAWS" in f:
            d = np.array([[shear(inner(x, m)) for x in draws.astype(float)] for draws in f["DRAWS"].data])
            mod = np.hypot(d[..., 0], d[..., 1])
            row("learned, median |g| of draws", abs(np.median(mod, 1) - size))
            inside = (size >= mod.min(1)) & (size <= mod.max(1))
            k = mod.shape[1]
            print(f"|g| between the least and the greatest of {k} draws: {inside.mean():.3f}, {(k - 1) / (k + 1):.3f} where they are right")
    row("nothing known, one |g|", abs(size - np.median(size)))
    print(f"{'bound':28s} {'':7s} {'':7s} {np.median(least):7.4f}")


if __name__ == "__main__":
    main()
