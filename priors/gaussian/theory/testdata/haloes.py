"""Reference values for haloes by colossus (https://bdiemer.bitbucket.io/colossus):
python haloes.py > haloes.json."""
import json
import sys

import numpy as np
from colossus.cosmology import cosmology
from colossus.halo import concentration, mass_defs, profile_nfw
from colossus.lss import mass_function

c = dict(flat=True, H0=67.74, Om0=0.3089, Ob0=0.0486, sigma8=0.8159, ns=0.9667, relspecies=False)
cosmo = cosmology.setCosmology("tng", **c)
out = {"masses": [1e12, 1e13, 1e14, 5e14], "z": [0.0, 0.5, 1.0], "dndlnm": [], "sigma": []}
for z in out["z"]:
    out["dndlnm"].append(mass_function.massFunction(np.array(out["masses"]), z, mdef="200m", model="tinker08",
                                                    q_out="dndlnM").tolist())
r = cosmo
from colossus.lss import peaks

out["sigma"] = cosmo.sigma(peaks.lagrangianR(np.array(out["masses"])), 0).tolist()
p = profile_nfw.NFWProfile(M=2e14, c=5.0, z=0.3, mdef="200c")
dl = cosmo.angularDiameterDistance(0.3)  # Mpc/h
ds = cosmo.angularDiameterDistance(1.0)
dls = (cosmo.comovingDistance(z_max=1.0) - cosmo.comovingDistance(z_max=0.3)) / 2.0
theta = [0.2, 0.5, 1.0, 2.0, 4.0, 8.0]
sigma = p.surfaceDensity(np.array(theta) / 60 * np.pi / 180 * dl * 1e3)  # Msun h / kpc^2
crit = 1 / (6.01344e-19 * dl * dls / ds) * 1e-6  # Msun h / kpc^2
out["nfw"] = {"theta": theta, "kappa": (sigma / crit).tolist(), "efficiency": float(dls / ds)}
out["duffy"] = [float(concentration.modelDuffy08(np.array([m]), z, "200m")[0][0]) for m, z in ((1e13, 0.5), (1e14, 1.0))]
json.dump(out, sys.stdout)
print()
