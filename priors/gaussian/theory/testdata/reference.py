"""Reference values for the tests of package theory, by CAMB (https://camb.info) and
plain sums in numpy: python reference.py > camb.json. No massive neutrinos."""
import json
import sys

import camb
import numpy as np

COSMOLOGIES = {
    "planck2015": dict(omega_m=0.3089, omega_b=0.0486, h=0.6774, n_s=0.9667, sigma_8=0.8159),
    "low matter": dict(omega_m=0.22, omega_b=0.042, h=0.74, n_s=0.94, sigma_8=0.72),
}
KS = np.geomspace(1e-3, 30, 25)
ZS = [0.0, 0.5, 1.0, 2.0]
ELLS = [30, 100, 300, 1000, 3000, 10000, 30000]


def power(c, nonlinear):
    def make(amplitude):
        p = camb.CAMBparams(WantTransfer=True)
        p.set_cosmology(H0=100 * c["h"], ombh2=c["omega_b"] * c["h"] ** 2,
                        omch2=(c["omega_m"] - c["omega_b"]) * c["h"] ** 2, mnu=0, omk=0, nnu=3.046)
        p.InitPower.set_params(As=amplitude, ns=c["n_s"])
        p.NonLinear = camb.model.NonLinear_both if nonlinear else camb.model.NonLinear_none
        p.NonLinearModel.set_params(halofit_version="takahashi")
        p.set_matter_power(redshifts=list(np.linspace(0, 3.2, 60))[::-1], kmax=400)
        return p
    first = camb.get_results(make(2e-9))
    s8 = first.get_sigma8_0()
    r = camb.get_results(make(2e-9 * (c["sigma_8"] / s8) ** 2))
    return r, r.get_matter_power_interpolator(nonlinear=nonlinear, hubble_units=True, k_hunit=True,
                                              extrap_kmax=1e4)


def limber(c, r, pk, z, n):
    """C_l of kappa by sums: n(z) on a grid."""
    zz = np.linspace(1e-4, z.max(), 600)
    chi = r.comoving_radial_distance(zz) * c["h"]
    if len(z) == 1:
        q = 1 - chi / chi[-1]
    else:
        w = np.interp(zz, z, n)
        w /= np.trapezoid(w, zz)
        q = np.array([np.trapezoid(np.where(zz > a, w * (1 - b / chi), 0), zz) for a, b in zip(zz, chi)])
    kern = 2.25 * c["omega_m"] ** 2 / 2997.92458**4 * ((1 + zz) * q) ** 2
    out = []
    for ell in ELLS:
        k = (ell + 0.5) / chi
        ok = k < 5e3
        p = np.array([pk.P(a, b) if o else 0.0 for a, b, o in zip(zz, k, ok)])
        out.append(float(np.trapezoid(kern * p, chi)))
    return out


def main():
    out = {"camb": camb.__version__, "k": KS.tolist(), "z": ZS, "ell": ELLS, "cosmologies": []}
    smail_z = np.linspace(0, 3, 301)
    smail_n = smail_z**2 * np.exp(-((smail_z / 0.64) ** 1.5))
    for name, c in COSMOLOGIES.items():
        _, lin = power(c, False)
        r, non = power(c, True)
        out["cosmologies"].append({
            "name": name, "parameters": c,
            "linear": [[float(lin.P(z, k)) for k in KS] for z in ZS],
            "nonlinear": [[float(non.P(z, k)) for k in KS] for z in ZS],
            "distance": [float(r.comoving_radial_distance(z) * c["h"]) for z in ZS],
            "kappa_plane_1": limber(c, r, non, np.array([1.0]), None),
            "kappa_smail": limber(c, r, non, smail_z, smail_n),
        })
    json.dump(out, sys.stdout)
    print()


main()
