#!/usr/bin/env python3
"""Times the engine against FFTW, scipy.fft, onnxruntime and torch, turn by turn.

    python3 tests/bench/engine/bench.py [--quick] [--only kernels|fft|nets|train|tiles]

Needs Go; a C compiler, libfftw3f, numpy, scipy, torch, onnx and onnxruntime for those
it compares with, and says which are missing. Each round times every competitor once,
so that all meet the same load; the medians over the rounds, and the median of the
rounds' ratios, are printed as Markdown.
"""
import argparse, datetime, importlib.util, json, os, shutil, subprocess, sys, tempfile, time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
THREADS = 2
NETS = ("resnet", "unet")


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


def bench_kernels(e, tmp, quick):
    exe = os.path.join(tmp, "peak")
    subprocess.run(["gcc", "-O2", "-mavx2", "-mfma", os.path.join(HERE, "peak", "peak.c"), "-o", exe], check=True)
    p = subprocess.Popen([exe], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def peak():
        p.stdin.write("\n")
        return float(p.stdout.readline().split()[0])
    n, big, small, call, plain = 768, [], [], [], []
    rate = lambda size, reps: 2e-9 * size**3 / np.median(e.ask(Op="matmul", N=size, Reps=reps)["Seconds"])
    each = lambda k: np.median(e.ask(Op="call", N=1, Reps=5, Kernels=k)["Seconds"]) / 1000 * 1e9
    top = []
    for _ in range(5 if quick else 9):
        top.append(peak())
        big.append(rate(n, 3))
        small.append(rate(64, 50))
        call.append(each(""))
        plain.append(each("go"))
    m = np.median
    print("\n### Kernels, one thread\n\n| | |\n|---|---|")
    print(f"| peak: AVX2 and FMA in registers | {m(top):.1f} GF/s |")
    print(f"| product of {n}² matrices, packing included | {m(big):.1f} GF/s, {m(np.array(big) / top) * 100:.0f} % of the peak |")
    print(f"| product of 64² matrices | {m(small):.1f} GF/s |")
    print(f"| an operation on one number, kernels in C through cgo | {m(call):.0f} ns |")
    print(f"| the same, kernels in Go | {m(plain):.0f} ns |", flush=True)


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
    worst, half = 0, []
    for name in NETS:
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
            if not os.path.exists(model):
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
            if diff > 1e-4:
                sys.exit(f"{name}: the outputs differ by {diff:.1e}")
            if shape[1] == 64:
                with torch.inference_mode():
                    b16 = torch_net(name, load(path)).bfloat16()(*(a.bfloat16() for a in args)).float().numpy()
                half.append(f"{name} {np.abs(b16 - want).max() / scale:.1e}")
            res = rounds(5 if quick else 15, {
                "engine": lambda: e.ask(Op="net", Net=name, Shape=s, Reps=1)["Seconds"],
                names[0]: lambda: timed(lambda: sess.run(None, feed), 1),
                names[1]: th,
            }, rest=0.1)
            row(f"{name} ({params / 1e6:.2f} M), {shape[0]} × {shape[1]}²", res)
    print(f"\nLargest difference of outputs, relative to the largest output: {worst:.1e}; "
          f"of torch in bfloat16 from torch in float32: {', '.join(half)}")


def bench_train(e, tmp, quick):
    import torch
    torch.set_num_threads(THREADS)
    names = [f"torch {torch.__version__}"]
    head("Training step (forward, backward, Adam), two threads", "network, batch × side", names)
    for name in NETS:
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
    print("\n### U-Net forward at 1024² by tiles\n\n"
          "| tile | budget, MB | peak memory of tensors, MB | s | from the whole image, of its largest value |\n|---|---|---|---|---|")
    for side, budget in ((0, 0), (512, 800), (256, 400)):
        a = e.ask(Op="tiles", Net="unet-pixel", Shape=[1, 1024, 1024, 1], Side=side, Budget=budget * 10**6, Reps=1 if quick else 3)
        if a.get("Diff", 0) > 1e-5:
            sys.exit(f"tiles of {side} differ by {a['Diff']:.1e}")
        print(f"| {side or 'whole image'} | {budget or ''} | {a['Peak'] / 1e6:.0f} | {np.median(a['Seconds']):.2f} | "
              f"{'' if side == 0 else format(a.get('Diff', 0), '.1e')} |", flush=True)


def machine():
    name = "unknown processor"
    if os.path.exists("/proc/cpuinfo"):
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                name = line.split(":")[1].strip()
                break
    return f"{name}, {os.cpu_count()} cores, {datetime.date.today()}"


def able(part):
    """Says what a part needs and this machine lacks."""
    need = {"fft": ["scipy"], "nets": ["torch", "onnx", "onnxruntime"], "train": ["torch"]}.get(part, [])
    lack = [m for m in need if importlib.util.find_spec(m) is None]
    if part in ("fft", "kernels") and not shutil.which("gcc"):
        lack.append("gcc")
    if part == "fft" and not lack:
        t = subprocess.run(["gcc", "-xc", "-", "-o", os.devnull, "-lfftw3f_threads", "-lfftw3f"], input="int main(void){return 0;}",
                           text=True, capture_output=True)
        if t.returncode:
            lack.append("libfftw3f (libfftw3-dev)")
    if part == "kernels" and os.uname().machine != "x86_64":
        lack.append("an x86 processor")
    if lack:
        print(f"\nLeft out: {part}, for which this machine lacks {', '.join(lack)}.")
    return not lack


def main():
    global NETS
    p = argparse.ArgumentParser()
    p.add_argument("--quick", action="store_true", help="fewer rounds")
    p.add_argument("--all", action="store_true", help="the U-Net with normalisation per pixel, too")
    p.add_argument("--work", help="keep programs and exported networks in this folder, and use what is there")
    p.add_argument("--only", choices=("kernels", "fft", "nets", "train", "tiles"))
    o = p.parse_args()
    if o.all:
        NETS += ("unet-pixel",)
    os.environ.pop("OPENBLAS_CORETYPE", None)
    with tempfile.TemporaryDirectory() as tmp:
        if o.work:
            os.makedirs(o.work, exist_ok=True)
        tmp = o.work or tmp
        e = Engine(tmp)
        print(f"Engine on {e.ask(Op='info')['Info']}; {machine()}; load {os.getloadavg()[0]:.1f} at the start.")
        for part, run in (("kernels", bench_kernels), ("fft", bench_fft), ("nets", bench_nets), ("train", bench_train),
                          ("tiles", lambda e, _, quick: bench_tiles(e, quick))):
            if o.only in (None, part) and able(part):
                run(e, tmp, o.quick)
        print(f"\nLoad {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
