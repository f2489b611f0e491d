#!/usr/bin/env python3
"""Errors of reconstructions of simulated pairs, Limpid's and scikit-image's, in one table.

    limpid-cli calibrate ... --keep pairs.fits
    go run ./tests/bench/quality pairs.fits estimates.fits
    python3 tests/bench/quality/table.py pairs.fits estimates.fits [margin]

Needs numpy, astropy, scikit-image, galsim. Every method sees the same data and PSF.
"best": stopped or tuned where it is nearest to the truth, which no user can. NMSE and PSNR (peak of the truth) are
of the image less margin pixels (default 5) at the border; flux is |sum/truth - 1| of the same;
ellipticity is |g - g_truth| of adaptive moments (Hirata & Seljak 2003) about the truth's
brightest pixel, on stamps of 25 pixels; failed moments count as 1.
"""
import sys

import galsim
import numpy as np
from astropy.io import fits
from skimage.restoration import richardson_lucy, unsupervised_wiener, wiener


def inner(im, m):
    return im[m:im.shape[0] - m, m:im.shape[1] - m] if m else im


def moments(im, y, x, half=12):
    y0, x0 = max(0, y - half), max(0, x - half)
    cut = np.ascontiguousarray(im[y0:y + half + 1, x0:x + half + 1], dtype=float)
    try:
        shape = galsim.hsm.FindAdaptiveMom(galsim.Image(cut), guess_sig=2.0, guess_centroid=galsim.PositionD(x - x0 + 1, y - y0 + 1)).observed_shape
        return np.array([shape.g1, shape.g2])
    except galsim.errors.GalSimHSMError:
        return None


def rl(data, psf, its):
    low = max(0.0, -data.min()) + 1e-3  # lifted above zero, as Limpid lifts it
    return richardson_lucy(data + low, psf, num_iter=its, clip=False, filter_epsilon=1e-6) - low


def rl_best(data, psf, truth, m):
    best, err, done = None, np.inf, 0
    for its in (2, 5, 10, 15, 20, 30, 50, 80, 120):
        x = rl(data, psf, its)
        e = ((inner(x, m) - inner(truth, m)) ** 2).sum()
        if e < err:
            best, err = x, e
    return best


def wiener_best(data, psf, truth, m):
    best, err = None, np.inf
    for balance in np.logspace(-4, 2, 13):
        x = wiener(data, psf, balance, clip=False)
        e = ((inner(x, m) - inner(truth, m)) ** 2).sum()
        if e < err:
            best, err = x, e
    return best


def transfer(psf, n):
    """The transfer function of a PSF on n x n pixels, periodic."""
    k = np.zeros((n, n))
    h, w = psf.shape
    for y in range(h):
        for x in range(w):
            k[(y - h // 2) % n, (x - w // 2) % n] += psf[y, x]
    return np.fft.fft2(k)


def read(pairs, estimates):
    """Truths, data, PSF, and reconstructions by the name of their method."""
    pairs, estimates = fits.open(pairs), fits.open(estimates)
    truth, data, psf, mean = (pairs[n].data.astype(float) for n in ("TRUTH", "DATA", "PSF", "MEAN"))
    methods = {"learned, mean": mean}
    for h in estimates:
        methods[{"rl": "Richardson-Lucy, best"}.get(h.name.lower(), h.name.lower())] = h.data.astype(float)
    return truth, data, psf, methods


def oracle_wiener(data, psf, power):
    """The Wiener filter with the mean power spectrum of the truths, noise 1, periodic."""
    hk = transfer(psf, data.shape[0])
    return np.real(np.fft.ifft2(np.fft.fft2(data) * hk.conj() * power / (abs(hk) ** 2 * power + 1)))


def main():
    truth, data, psf, methods = read(*sys.argv[1:3])
    m = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    power = (abs(np.fft.fft2(truth)) ** 2).mean(0) / truth[0].size
    rng = np.random.default_rng(1)
    extra = {"sk richardson_lucy, best": [], "sk wiener, best": [], "sk unsupervised_wiener": [], "Wiener, true power": []}
    for d, t in zip(data, truth):
        extra["sk richardson_lucy, best"].append(rl_best(d, psf, t, m))
        extra["sk wiener, best"].append(wiener_best(d, psf, t, m))
        extra["sk unsupervised_wiener"].append(unsupervised_wiener(d, psf, clip=False, rng=rng)[0])
        extra["Wiener, true power"].append(oracle_wiener(d, psf, power))
    methods.update(extra)
    shapes = []
    for t in truth:
        c = inner(t, m)
        y, x = np.unravel_index(c.argmax(), c.shape)
        shapes.append((y + m, x + m, moments(t, y + m, x + m)))
    print(f"{len(truth)} pairs of {truth.shape[1]}^2, margin {m}; medians [mean NMSE]")
    print(f"{'method':26s} {'NMSE':>8s} {'[mean]':>9s} {'PSNR':>6s} {'flux':>7s} {'g error':>8s} {'failed':>6s}")
    for name, xs in methods.items():
        nmse, psnr, flux, g, failed = [], [], [], [], 0
        for t, x, (py, px, gt) in zip(truth, xs, shapes):
            a, b = inner(t, m), inner(x, m)
            e = ((a - b) ** 2).sum()
            nmse.append(e / (a ** 2).sum())
            psnr.append(10 * np.log10(a.max() ** 2 * a.size / e))
            flux.append(abs(b.sum() / a.sum() - 1))
            if gt is None:
                continue
            gx = moments(x, py, px)
            failed += gx is None
            g.append(1.0 if gx is None else np.hypot(*(gx - gt)))
        print(f"{name:26s} {np.median(nmse):8.4f} {np.mean(nmse):9.4f} {np.median(psnr):6.2f} {np.median(flux):7.4f} {np.median(g):8.4f} {failed:6d}")


if __name__ == "__main__":
    main()
