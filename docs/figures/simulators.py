"""Draws docs/figures/simulators.png: what the simulators draw, beside what was measured.

    go test ./priors/sims -args -tables DIR && python simulators.py DIR [KAPPA_MAPS.fits ...]

Needs matplotlib, and astropy for maps to compare with (not part of the project).
"""
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

Q = [0.05, 0.16, 0.5, 0.84, 0.95]
MEASURED = {  # COSMOS, I < 23.5
    "half-light radius / arcsec": [0.12, 0.19, 0.34, 0.61, 0.91],
    "axis ratio": [0.20, 0.33, 0.56, 0.80, 0.90],
    "I magnitude": [20.2, 21.1, 22.5, 23.25, 23.4],
    "bulge / total": [0, 0, 0.10, 0.63, 0.89],
}


def power(maps):
    n = maps.shape[-1]
    p = np.mean(np.abs(np.fft.fft2(maps - maps.mean((1, 2), keepdims=True))) ** 2, 0) / n**2
    k = np.hypot(*np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(n)))
    edges = np.geomspace(1 / n, 0.5, 14)
    i = np.digitize(k.ravel(), edges)
    return [k.ravel()[i == j].mean() for j in range(1, 14)], [p.ravel()[i == j].mean() for j in range(1, 14)]


def main(folder, *maps):
    g = np.loadtxt(folder + "/galaxies.csv", delimiter=",").T
    fig, axes = plt.subplots(2, 3, figsize=(10, 5.6))
    for a, x, (name, q) in zip(axes.flat, g, MEASURED.items()):
        log = name.startswith("half")
        bins = np.geomspace(0.03, 3, 50) if log else np.linspace(x.min(), x.max(), 50)
        a.hist(x, bins, color="0.75")
        for p, m in zip(Q, q):
            a.axvline(np.quantile(x, p), color="k", lw=0.8)
            a.axvline(m, color="C3", ls="--", lw=0.8)
        a.set_xlabel(name)
        a.set_yticks([])
        if log:
            a.set_xscale("log")
    k = np.loadtxt(folder + "/kappa.csv")
    bins = np.linspace(-0.06, 0.5, 113)
    axes[1, 1].hist(k, bins, density=True, histtype="step", color="k", label="simulator")
    ours = k.reshape(-1, 96, 96)
    axes[1, 2].loglog(*power(ours), "k", label="simulator")
    if maps:
        from astropy.io import fits

        real = np.array([fits.getdata(m) for m in maps], float)
        real -= real.mean((1, 2), keepdims=True)
        axes[1, 1].hist(real.ravel(), bins, density=True, histtype="step", color="C3", ls="--", label="κTNG")
        axes[1, 2].loglog(*power(real), "C3--", label="κTNG")
    axes[1, 1].set_yscale("log")
    axes[1, 1].set_xlabel("κ")
    axes[1, 2].set_xlabel("k / cycles per pixel of 0.29′")
    axes[1, 2].set_ylabel("P(k)")
    axes[1, 1].legend(frameon=False)
    fig.tight_layout()
    fig.savefig("simulators.png", dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
