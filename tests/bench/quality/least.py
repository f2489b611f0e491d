#!/usr/bin/env python3
"""How well shears of single galaxies can be told from their data at best: an estimator that learns nothing else.

    go run ./tests/bench/quality/stamps -n 60000 stamps.fits
    limpid-cli calibrate --single ... --keep pairs.fits       (its PSF is taken)
    python3 tests/bench/quality/least.py stamps.fits pairs.fits S/N [S/N ...]

Needs torch and what shapes.py does. A network learns the median of |g| (of shapes.py, of the scene before the PSF) given the data, noise 1, of
scenes of one S/N before the PSF: it knows PSF, noise and how galaxies of the simulator are distributed, that one stands in the middle, and minimises
the very error that is compared. It sees the data's polar shapelets to order ORDER about the middle. Judged on stamps that it did not see.
"""
import math
import sys

import numpy as np
import torch
from astropy.io import fits
from shapes import shear
from table import transfer

SIDE, MARGIN = 48, 5
BETA, ORDER = 2.6, 12  # px
HELD, BATCH, STEPS = 10000, 2048, 2500


def laguerre(n, a, x):
    prev, cur = np.zeros_like(x), np.ones_like(x)
    for k in range(n):
        prev, cur = cur, ((2 * k + 1 + a - x) * cur - (k + a) * prev) / (k + 1)
    return cur


def shapelets(n):
    """Polar shapelets (Refregier 2003), complex, (modes, n*n), and the spin of each."""
    y, x = (np.mgrid[:n, :n] - n // 2) / BETA
    r2, phi = (x * x + y * y), np.arctan2(y, x)
    out, spin = [], []
    for q in range(ORDER + 1):
        for m in range(q % 2, q + 1, 2):
            k = (q - m) // 2
            norm = (-1) ** k / BETA * math.sqrt(math.factorial(k) / math.pi / math.factorial(k + m))
            f = norm * np.sqrt(r2) ** m * laguerre(k, m, r2) * np.exp(-r2 / 2) * np.exp(-1j * m * phi)
            out.append(f.ravel())
            spin.append(m)
    return np.array(out), np.array(spin)


def prepare(path, psf):
    """Shapelets of the images without noise, for scenes whose sum of squares is 1; |g|."""
    with fits.open(path, memmap=True) as f:
        stamps = f["STAMPS"].data
        n = stamps.shape[1]
        h, basis = transfer(psf, n), shapelets(SIDE)[0]
        lo = (n - SIDE) // 2
        coef, size = [], []
        for i in range(0, len(stamps), 500):
            t = stamps[i:i + 500].astype(float)
            inner = t[:, lo:lo + SIDE, lo:lo + SIDE]
            t /= np.sqrt((inner ** 2).sum((1, 2)))[:, None, None]
            seen = np.fft.ifft2(np.fft.fft2(t) * h).real[:, lo:lo + SIDE, lo:lo + SIDE]
            coef.append(seen.reshape(len(t), -1) @ basis.T)
            size.append([np.hypot(*shear(im[MARGIN:-MARGIN, MARGIN:-MARGIN])) for im in inner])
    return np.concatenate(coef), np.concatenate(size)


def learn(coef, size, snr, seed=1):
    """Errors of |g| on the stamps held out, and on as many of its own."""
    torch.manual_seed(seed)
    basis, spin = shapelets(SIDE)
    real = np.concatenate([basis.real, basis.imag[spin > 0]])
    noise = torch.tensor(np.linalg.cholesky(real @ real.T), dtype=torch.float32)
    c = snr * torch.tensor(np.concatenate([coef.real, coef.imag[:, spin > 0]], 1), dtype=torch.float32)
    g = torch.tensor(size, dtype=torch.float32)
    modes, turned = len(spin), torch.tensor(spin[spin > 0], dtype=torch.float32)
    at = torch.tensor(np.flatnonzero(spin > 0))
    scale = torch.sqrt((c ** 2).mean(0) + torch.diagonal(noise @ noise.T))

    def seen(which, turn):
        y = c[which] + torch.randn(len(which), len(noise)) @ noise.T
        if turn:  # rotated and mirrored: as likely
            a = 2 * math.pi * torch.rand(len(y), 1) * turned
            sign = torch.where(torch.rand(len(y), 1) < 0.5, -1.0, 1.0)
            re, im = y[:, at], sign * y[:, modes:]
            y[:, at] = re * torch.cos(a) - im * torch.sin(a)
            y = torch.cat([y[:, :modes], re * torch.sin(a) + im * torch.cos(a)], 1)
        return y / scale

    width = 384
    net = torch.nn.Sequential(
        torch.nn.Linear(len(noise), width), torch.nn.SiLU(), torch.nn.Linear(width, width), torch.nn.SiLU(),
        torch.nn.Linear(width, width), torch.nn.SiLU(), torch.nn.Linear(width, 1))
    opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-3)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, 2e-3, STEPS)
    train = len(g) - HELD
    for _ in range(STEPS):
        which = torch.randint(train, (BATCH,))
        loss = (net(seen(which, True))[:, 0] - g[which]).abs().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        plan.step()
    with torch.no_grad():
        return [(net(seen(part, False))[:, 0] - g[part]).abs().numpy() for part in (torch.arange(train, len(g)), torch.arange(HELD))]


def main():
    with fits.open(sys.argv[2]) as f:
        psf = f["PSF"].data.astype(float)
    coef, size = prepare(sys.argv[1], psf)
    print(f"{len(size) - HELD} stamps to learn from, {HELD} to judge; median |g| {np.median(size):.3f}, one |g| for all errs by {np.median(abs(size - np.median(size))):.4f}")
    print(f"{'S/N':>5s} {'median':>8s} {'mean':>8s} {'its own stamps':>15s}")
    for snr in map(float, sys.argv[3:]):
        new, old = learn(coef, size, snr)
        print(f"{snr:5.0f} {np.median(new):8.4f} {new.mean():8.4f} {np.median(old):15.4f}", flush=True)


if __name__ == "__main__":
    main()
