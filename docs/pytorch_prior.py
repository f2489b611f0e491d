"""Writes a score network trained with PyTorch as a prior of Limpid, and back.

    python pytorch_prior.py check           the layouts agree: writes prior.safetensors,
                                            input.npy and residual.npy (D(z) - z at sigma 1)

Train `ScorePrior` on scenes x with noise of rms 1, z = x + n, x in units of the noise and
of every brightness: loss = mean(((x - z) - model(z)) ** 2 / model.out_scale(z) ** 2).
Then `export(model, "my.safetensors", name=..., about=..., validity=...)`, and
`limpid-cli prior show my.safetensors`. Needs torch and safetensors.

Layout: tensors are float32; a convolution's kernel is (rows, columns, channels in,
channels out), a matrix (in, out); names are those of the modules below. The description
is JSON in the file's metadata under "limpid.prior" (package priors/card has the fields).
"""
import json
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

MODES = {0: "constant", 1: "circular", 2: "reflect"}  # engine.Edge


class Conv(nn.Module):
    def __init__(self, k, c, n, edge, stride=1, gain=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n, c, k, k) * gain / (k * k * c) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(n))
        self.pad, self.edge, self.stride = k // 2, edge, stride

    def forward(self, x):
        if self.pad:
            x = F.pad(x, (self.pad,) * 4, mode=MODES[self.edge])
        return F.conv2d(x, self.weight, self.bias, stride=self.stride)


class Norm(nn.Module):
    """Over the channels of every pixel, then SiLU."""

    def __init__(self, c):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(c)), nn.Parameter(torch.zeros(c))

    def forward(self, x):
        m = x.mean(1, keepdim=True)
        v = x.var(1, keepdim=True, unbiased=False)
        y = (x - m) / torch.sqrt(v + 1e-5)
        return F.silu(y * self.weight[:, None, None] + self.bias[:, None, None])


class Block(nn.Module):
    def __init__(self, c, n, edge):
        super().__init__()
        self.norm1, self.conv1 = Norm(c), Conv(3, c, n, edge)
        self.norm2, self.conv2 = Norm(n), Conv(3, n, n, edge, gain=0.0)
        if c != n:
            self.skip = Conv(1, c, n, edge)

    def forward(self, x):
        h = self.conv2(self.norm2(self.conv1(self.norm1(x))))
        return h + (self.skip(x) if hasattr(self, "skip") else x)


def modules(rows):
    """A ModuleDict of ModuleDicts, so that names read down.0.1.conv1 …"""
    return nn.ModuleDict({str(l): nn.ModuleDict({str(i): b for i, b in enumerate(r)}) for l, r in rows.items()})


class UNet(nn.Module):
    def __init__(self, cin, channels=(16, 32, 64), blocks=1, edge=1):
        super().__init__()
        self.config = dict(channels=list(channels), blocks=blocks, edge=edge, groups=0, attention=0,
                           noise=0, embed=0, out=1)
        self.config["in"] = cin
        ch, skips, down, shrink, up, grow = channels[0], [channels[0]], {}, {}, {}, {}
        self.add_module("in", Conv(3, cin, ch, edge))
        for l, n in enumerate(channels):
            down[l] = []
            for _ in range(blocks):
                down[l].append(Block(ch, n, edge))
                ch = n
                skips.append(ch)
            if l + 1 < len(channels):
                shrink[str(l)] = Conv(3, ch, ch, edge, stride=2)
                skips.append(ch)
        self.mid = nn.ModuleDict({"0": Block(ch, ch, edge), "1": Block(ch, ch, edge)})
        for l in range(len(channels) - 1, -1, -1):
            up[l] = []
            for _ in range(blocks + 1):
                up[l].append(Block(ch + skips.pop(), channels[l], edge))
                ch = channels[l]
            if l > 0:
                grow[str(l)] = Conv(3, ch, ch, edge)
        self.down, self.up = modules(down), modules(up)
        self.shrink, self.grow = nn.ModuleDict(shrink), nn.ModuleDict(grow)
        self.norm, self.out = Norm(ch), Conv(3, ch, 1, edge, gain=0.0)

    def forward(self, x):
        h = getattr(self, "in")(x)
        skips = [h]
        levels = len(self.config["channels"])
        for l in range(levels):
            for b in self.down[str(l)].values():
                h = b(h)
                skips.append(h)
            if l + 1 < levels:
                h = self.shrink[str(l)](h)
                skips.append(h)
        h = self.mid["1"](self.mid["0"](h))
        for l in range(levels - 1, -1, -1):
            for b in self.up[str(l)].values():
                h = b(torch.cat([h, skips.pop()], 1))
            if l > 0:
                h = self.grow[str(l)](F.interpolate(h, scale_factor=2, mode="nearest"))
        return self.out(self.norm(h))


class ScorePrior(nn.Module):
    """D(z) - z at sigma = 1 (package priors/score has the formula)."""

    def __init__(self, **kw):
        super().__init__()
        self.net = UNet(3, **kw)
        i = torch.arange(5) - 2.0
        g = torch.exp(-(i[:, None] ** 2 + i[None, :] ** 2) / (2 * 1.2**2))
        self.register_buffer("kernel", (g / g.sum())[None, None], persistent=False)

    def s2(self, z):
        square = F.pad(z * z, (2,) * 4, mode=MODES[self.net.config["edge"]])
        return torch.clamp(F.conv2d(square, self.kernel) - 1, min=0) + 0.15**2

    def out_scale(self, z):
        s2 = self.s2(z)
        return torch.sqrt(s2 / (1 + s2))

    def forward(self, z):
        s2 = self.s2(z)
        one = 1 + s2
        inputs = torch.cat([z / torch.sqrt(one), z / torch.sqrt(1 + z * z / 16), 0.25 * torch.log(one)], 1)
        return torch.sqrt(s2 / one) * self.net(inputs) - z / one


def export(model, path, name, about, validity, low_snr=0.3, high_snr=5000.0, **more):
    tensors = {}
    for key, v in model.net.state_dict().items():
        v = v.detach().float().cpu()
        tensors[key] = (v.permute(2, 3, 1, 0) if v.ndim == 4 else v).contiguous()
    card = dict(kind="score", name=name, about=about, validity=validity, scenes="", trained=["PyTorch"],
                unet=model.net.config, low_snr=low_snr, high_snr=high_snr, **more)
    save_file(tensors, path, metadata={"limpid.prior": json.dumps(card)})


def read(model, path):
    state = {k: (v.permute(3, 2, 0, 1) if v.ndim == 4 else v) for k, v in load_file(path).items()}
    model.net.load_state_dict(state)


def check():
    torch.manual_seed(1)
    model = ScorePrior(channels=(4, 8), blocks=1, edge=1).eval()
    with torch.no_grad():
        for p in model.parameters():  # what starts at 0 would hide mistakes
            p += 0.1 * torch.randn_like(p)
        z = torch.randn(2, 1, 32, 40)
        z[:, :, 10:14, 20:25] += 300 * torch.rand(2, 1, 4, 5)
        r = model(z)
    export(model, "prior.safetensors", "pytorch", "a network with random weights", "none: for a test")
    np.save("input.npy", z.numpy())
    np.save("residual.npy", r.numpy())


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        check()
    else:
        sys.exit(__doc__)
