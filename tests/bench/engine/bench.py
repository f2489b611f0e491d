#!/usr/bin/env python3
"""Times the engine against FFTW, scipy.fft, onnxruntime and torch, turn by turn.

    python3 tests/bench/engine/bench.py [--quick] [--only fft|nets|train|tiles]

Needs Go, a C compiler, libfftw3f, and numpy, scipy, torch, onnx, onnxruntime. Each
round times every competitor once, so that all meet the same load; the medians over
the rounds, and the median of the rounds' ratios, are printed as Markdown.
"""
import argparse, json, os, subprocess, sys, tempfile, time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
THREADS = 2


class Engine:
    def __init__(self, tmp):
        exe = os.path.join(tmp, "engine")
        subprocess.run(["go", "build", "-o", exe, "./tests/bench/engine"], cwd=ROOT, check=True)
        self.p = subprocess.Popen([exe], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, **r):
        self.p.stdin.write(json.dumps(r) + "\n")
        a = json.loads(self.p.stdout.readline())
        if a.get("Error"):
            sys.exit(f"engine: {r}: {a['Error']}")
        return a


class Fftw:
    def __init__(self, tmp):
        exe = os.path.join(tmp, "fftw")
        subprocess.run(["gcc", "-O2", os.path.join(HERE, "fftw", "fftw.c"), "-o", exe, "-lfftw3f_threads", "-lfftw3f", "-lm"], check=True)
        self.p = subprocess.Popen([exe], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.version = self.p.stdout.readline().strip()

    def times(self, n, inverse, reps):
        self.p.stdin.write(f"{n} {int(inverse)} {reps}\n")
        return [float(v) for v in self.p.stdout.readline().split()]


def rounds(count, competitors, rest=0.02):
    """competitors: name → function giving seconds. Returns name → list of medians."""
    out = {n: [] for n in competitors}
    names = list(competitors)
    for r in range(count + 1):
        for n in names[r % len(names):] + names[:r % len(names)]:
            time.sleep(rest)  # spinning threads of the one before go to sleep
            t = np.median(competitors[n]())
            if r > 0:
                out[n].append(t)
    return out


def row(what, res, ours="engine", scale=1e3):
    mine = np.array(res[ours])
    cells = [f"{np.median(mine) * scale:.3g}"]
    for n in res:
        if n != ours:
            cells.append(f"{np.median(res[n]) * scale:.3g}")
            cells.append(f"{np.median(mine / np.array(res[n])):.2f}")
    print(f"| {what} | " + " | ".join(cells) + " |", flush=True)


def head(title, first, names, unit="ms"):
    print(f"\n### {title}\n")
    cells = [f"engine, {unit}"]
    for n in names:
        cells += [f"{n}, {unit}", f"engine / {n}"]
    print(f"| {first} | " + " | ".join(cells) + " |")
    print("|---" * (len(cells) + 1) + "|", flush=True)


def timed(f, reps):
    out = []
    for _ in range(reps):
        t = time.perf_counter()
        f()
        out.append(time.perf_counter() - t)
    return out


def bench_fft(e, tmp, quick):
    import scipy, scipy.fft
    w = Fftw(tmp)
    names = [f"{w.version}", f"scipy {scipy.__version__}"]
    head("FFT of real n×n float32 images, two threads", "n", names, "µs")
    for n in (256, 360, 1024, 4096):
        reps = {256: 40, 360: 30, 1024: 8, 4096: 1}[n]
        x = np.random.default_rng(0).normal(size=(n, n)).astype(np.float32)
        y = scipy.fft.rfft2(x)
        for inverse in (False, True):
            def sp(workers):
                f = (lambda: scipy.fft.irfft2(y, s=(n, n), workers=workers)) if inverse else (lambda: scipy.fft.rfft2(x, workers=workers))
                return timed(f, reps)
            # scipy's threads do not pay at small sizes: it gets the better of one and two.
            res = rounds(5 if quick else 21, {
                "engine": lambda: e.ask(Op="fft", N=n, Inverse=inverse, Reps=reps)["Seconds"],
                names[0]: lambda: w.times(n, inverse, reps),
                names[1]: lambda: [min(np.median(sp(1)), np.median(sp(THREADS)))],
            })
            row(f"{n}{' inverse' if inverse else ''}", res, scale=1e6)


def load(path):
    with open(path, "rb") as f:
        n = int.from_bytes(f.read(8), "little")
        head = json.loads(f.read(n))
        data = f.read()
    return {k: np.frombuffer(data[v["data_offsets"][0]:v["data_offsets"][1]], "<f4").reshape(v["shape"]).copy()
            for k, v in head.items() if k != "__metadata__"}


def torch_net(name, weights):
    """The same networks in torch, from the engine's weights."""
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    def conv(key, stride=1):
        w = weights[key + ".weight"]
        k, _, c, n = w.shape
        m = nn.Conv2d(c, n, k, stride=stride, padding=k // 2)
        m.weight.data = torch.from_numpy(w.transpose(3, 2, 0, 1).copy())
        m.bias.data = torch.from_numpy(weights[key + ".bias"])
        return m

    def linear(key):
        w = weights[key + ".weight"]
        m = nn.Linear(*w.shape)
        m.weight.data = torch.from_numpy(w.T.copy())
        m.bias.data = torch.from_numpy(weights[key + ".bias"])
        return m

    groups = 8 if name == "unet" else 0

    class Norm(nn.Module):
        def __init__(self, key=None):
            super().__init__()
            self.w = self.b = None
            if key:
                self.w = nn.Parameter(torch.from_numpy(weights[key + ".weight"]))
                self.b = nn.Parameter(torch.from_numpy(weights[key + ".bias"]))

        def forward(self, x, film=None):
            if groups:
                y = F.group_norm(x, groups, self.w, self.b, eps=1e-5)
            else:
                c = x.shape[1]
                y = F.layer_norm(x.permute(0, 2, 3, 1), (c,), self.w, self.b, eps=1e-5).permute(0, 3, 1, 2)
            if film is not None:
                g, b = film.chunk(2, 1)
                y = y * g[:, :, None, None] + b[:, :, None, None]
            return F.silu(y)

    class Block(nn.Module):
        def __init__(self, key):
            super().__init__()
            self.norm1, self.norm2 = Norm(key + ".norm1"), Norm()
            self.conv1, self.conv2, self.film = conv(key + ".conv1"), conv(key + ".conv2"), linear(key + ".film")
            self.skip = conv(key + ".skip") if key + ".skip.weight" in weights else None

        def forward(self, x, e):
            h = self.conv1(self.norm1(x))
            h = self.conv2(self.norm2(h, self.film(e)))
            return h + (x if self.skip is None else self.skip(x))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.e0, self.e1 = linear("embed.0"), linear("embed.1")
            self.first, self.last, self.norm = conv("in"), conv("out"), Norm("norm")
            levels = 1 + max(int(k.split(".")[1]) for k in weights if k.startswith("down."))
            blocks = 1 + max(int(k.split(".")[2]) for k in weights if k.startswith("down."))
            self.down = nn.ModuleList([nn.ModuleList([Block(f"down.{l}.{i}") for i in range(blocks)]) for l in range(levels)])
            self.up = nn.ModuleList([nn.ModuleList([Block(f"up.{l}.{i}") for i in range(blocks + 1)]) for l in reversed(range(levels))])
            self.shrink = nn.ModuleList([conv(f"shrink.{l}", 2) for l in range(levels - 1)])
            self.grow = nn.ModuleList([conv(f"grow.{l}") for l in reversed(range(1, levels))])
            self.mid = nn.ModuleList([Block("mid.0"), Block("mid.1")])

        def forward(self, x, noise):
            e = F.silu(self.e1(F.silu(self.e0(noise))))
            h = self.first(x)
            skips = [h]
            for l, row in enumerate(self.down):
                for b in row:
                    h = b(h, e)
                    skips.append(h)
                if l < len(self.shrink):
                    h = self.shrink[l](h)
                    skips.append(h)
            for b in self.mid:
                h = b(h, e)
            for l, row in enumerate(self.up):
                for b in row:
                    h = b(torch.cat([h, skips.pop()], 1), e)
                if l < len(self.grow):
                    h = self.grow[l](F.interpolate(h, scale_factor=2, mode="nearest"))
            return self.last(self.norm(h))

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = conv("in"), conv("out")
            n = 1 + max(int(k.split(".")[1]) for k in weights if k.startswith("body."))
            self.body = nn.ModuleList([conv(f"body.{i}.{j}") for i in range(n) for j in range(2)])

        def forward(self, x):
            h = self.first(x)
            for i in range(0, len(self.body), 2):
                h = h + self.body[i + 1](F.relu(self.body[i](h)))
            return x + self.last(h)

    return (ResNet() if name == "resnet" else UNet()).eval()


def bench_nets(e, tmp, quick):
    import onnxruntime as ort
    import torch
    torch.set_num_threads(THREADS)
    names = [f"onnxruntime {ort.__version__}", f"torch {torch.__version__}"]
    head("Networks forward, two threads", "network, batch × side", names)
    worst = 0
    for name in ("resnet", "unet", "unet-pixel"):
        path = os.path.join(tmp, name + ".safetensors")
        params = e.ask(Op="save", Net=name, Path=path)["Params"]
        net = torch_net(name, load(path))
        for shape in ((8, 64), (1, 360)):
            s = [shape[0], shape[1], shape[1], 1]
            out = os.path.join(tmp, "out.safetensors")
            e.ask(Op="output", Net=name, Shape=s, Path=out)
            o = load(out)
            x = torch.from_numpy(o["x"].reshape(s[0], 1, s[1], s[2]))
            args = (x,) if name == "resnet" else (x, torch.from_numpy(o["noise"]))
            model = os.path.join(tmp, f"{name}-{shape[1]}.onnx")
            with torch.no_grad():
                torch.onnx.export(net, args, model, input_names=["x", "noise"][:len(args)], opset_version=20, dynamo=False)
            opt = ort.SessionOptions()
            opt.intra_op_num_threads = THREADS
            sess = ort.InferenceSession(model, opt, providers=["CPUExecutionProvider"])
            feed = dict(zip(["x", "noise"], [a.numpy() for a in args]))
            last = net.to(memory_format=torch.channels_last)
            xl = (args[0].to(memory_format=torch.channels_last),) + args[1:]

            def th():
                with torch.inference_mode():
                    # torch gets the better of its two memory formats.
                    return [min(timed(lambda: plain(*args), 1)[0], timed(lambda: last(*xl), 1)[0])]
            plain = torch_net(name, load(path))
            with torch.inference_mode():
                want = plain(*args).numpy()
            got = o["y"].reshape(want.shape)
            got_ort = sess.run(None, feed)[0]
            scale = np.abs(want).max()
            diff = max(np.abs(got - want).max(), np.abs(got - got_ort).max()) / scale
            worst = max(worst, diff)
            res = rounds(5 if quick else 15, {
                "engine": lambda: e.ask(Op="net", Net=name, Shape=s, Reps=1)["Seconds"],
                names[0]: lambda: timed(lambda: sess.run(None, feed), 1),
                names[1]: th,
            }, rest=0.1)
            row(f"{name} ({params / 1e6:.2f} M), {shape[0]} × {shape[1]}²", res)
    print(f"\nLargest difference of outputs, relative to the largest output: {worst:.1e}")


def bench_train(e, tmp, quick):
    import torch
    torch.set_num_threads(THREADS)
    names = [f"torch {torch.__version__}"]
    head("Training step (forward, backward, Adam), two threads", "network, batch × side", names)
    for name in ("resnet", "unet", "unet-pixel"):
        path = os.path.join(tmp, name + ".safetensors")
        params = e.ask(Op="save", Net=name, Path=path)["Params"]
        s = [8, 64, 64, 1]
        steps = []
        for fmt in (torch.contiguous_format, torch.channels_last):
            net = torch_net(name, load(path)).train().to(memory_format=fmt)
            opt = torch.optim.AdamW(net.parameters(), lr=1e-4)
            x = torch.randn(8, 1, 64, 64).to(memory_format=fmt)
            args = (x,) if name == "resnet" else (x, torch.randn(8, 16))

            def step(net=net, opt=opt, args=args):
                opt.zero_grad(set_to_none=True)
                loss = ((net(*args) - args[0]) ** 2).mean()
                loss.backward()
                opt.step()
            steps.append(step)
        res = rounds(3 if quick else 11, {
            "engine": lambda: e.ask(Op="train", Net=name, Shape=s, Reps=1)["Seconds"],
            names[0]: lambda: [min(timed(f, 1)[0] for f in steps)],
        }, rest=0.1)
        row(f"{name} ({params / 1e6:.2f} M), 8 × 64²", res)


def bench_tiles(e, quick):
    print("\n### U-Net forward at 1024² by tiles\n\n| tile | s | peak memory of tensors, MB |\n|---|---|---|")
    for side in (0, 512, 256):
        a = e.ask(Op="tiles", Net="unet-pixel", Shape=[1, 1024, 1024, 1], Side=side, Reps=2 if quick else 3)
        print(f"| {side or 'whole image'} | {np.median(a['Seconds']):.2f} | {a['Peak'] / 1e6:.0f} |", flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--quick", action="store_true", help="fewer rounds")
    p.add_argument("--only", choices=("fft", "nets", "train", "tiles"))
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        e = Engine(tmp)
        print(f"Engine on {e.ask(Op='info')['Info']}; load {os.getloadavg()[0]:.1f} at the start.")
        if o.only in (None, "fft"):
            bench_fft(e, tmp, o.quick)
        if o.only in (None, "nets"):
            bench_nets(e, tmp, o.quick)
        if o.only in (None, "tiles"):
            bench_tiles(e, o.quick)
        if o.only in (None, "train"):
            bench_train(e, tmp, o.quick)
        print(f"\nLoad {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
