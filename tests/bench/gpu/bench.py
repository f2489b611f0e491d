#!/usr/bin/env python3
"""Times a graphics card: the U-Net against torch, transforms, samples with a learned prior.

    python3 tests/bench/gpu/bench.py [--device cuda:0] [--precision float32|tf32|bf16] [--small]

--device is limpid-cli's (cuda:0, cuda:0-tf32x3, webgpu:0, cpu) and needs a build with the
tag cuda for CUDA (--tags cuda, with the settings of make build-cuda). torch computes on its
own card where it has one, on the processor otherwise, and says so. --small: sizes that a
processor does in a minute, to see that all parts work. Prints Markdown.
"""
import argparse, datetime, importlib.util, os, subprocess, sys, tempfile, time

os.environ.pop("OPENBLAS_CORETYPE", None)  # what it names need not be what the processor has
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("engine_bench", os.path.join(HERE, "..", "engine", "bench.py"))
eng = importlib.util.module_from_spec(spec)
spec.loader.exec_module(eng)


class Device(eng.Engine):
    """The engine's timing program on a device."""

    def __init__(self, tmp, device, tags):
        exe = os.path.join(tmp, "engine")
        subprocess.run(["go", "build", "-tags", tags, "-o", exe, "./tests/bench/engine"], cwd=eng.ROOT, check=True)
        self.p = subprocess.Popen([exe, "-device", device], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def torch_times(net, args, reps, cuda):
    import torch

    def wait():
        if cuda:
            torch.cuda.synchronize()
    with torch.inference_mode():
        net(*args)
        wait()
        out = []
        for _ in range(reps):
            t = time.perf_counter()
            net(*args)
            wait()
            out.append(time.perf_counter() - t)
    return out


def nets(e, tmp, o):
    import torch
    cuda = torch.cuda.is_available()
    where = torch.cuda.get_device_name() if cuda else f"processor, {torch.get_num_threads()} threads"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = o.precision == "tf32"
    torch.backends.cudnn.benchmark = True
    path = os.path.join(tmp, "unet.safetensors")
    params = e.ask(Op="save", Net="unet", Path=path)["Params"]
    weights = eng.load(path)
    print(f"\n### U-Net forward ({params / 1e6:.2f} M), torch {torch.__version__} on {where}, {o.precision}\n")
    print("| batch × side | engine, images/s | torch, images/s | engine / torch | outputs differ, of the largest |\n|---|---|---|---|---|")
    for batch, side in ((2, 32), (1, 96)) if o.small else ((64, 64), (16, 360)):
        s = [batch, side, side, 1]
        out = os.path.join(tmp, "out.safetensors")
        e.ask(Op="output", Net="unet", Shape=s, Path=out)
        d = eng.load(out)
        net = eng.torch_net("unet", weights)
        args = [torch.from_numpy(d["x"].reshape(batch, 1, side, side)), torch.from_numpy(d["noise"])]
        if cuda:
            net, args = net.cuda(), [a.cuda() for a in args]
        if o.precision == "bf16":
            net, args = net.bfloat16(), [a.bfloat16() for a in args]
        net = net.to(memory_format=torch.channels_last)
        args[0] = args[0].to(memory_format=torch.channels_last)
        with torch.inference_mode():
            want = net(*args).float().cpu().numpy()
        diff = np.abs(d["y"].reshape(want.shape) - want).max() / np.abs(want).max()
        if o.precision == "float32" and diff > 1e-4:
            sys.exit(f"the outputs differ by {diff:.1e}")
        ratio, mine, theirs = [], [], []
        for _ in range(3 if o.small else 9):  # turn by turn
            a = np.median(e.ask(Op="net", Net="unet", Shape=s, Reps=o.reps)["Seconds"])
            b = np.median(torch_times(net, args, o.reps, cuda))
            mine.append(batch / a)
            theirs.append(batch / b)
            ratio.append(b / a)
        print(f"| {batch} × {side}² | {np.median(mine):.4g} | {np.median(theirs):.4g} | {np.median(ratio):.2f} | {diff:.1e} |", flush=True)


def fft(e, o):
    print("\n### Transforms of real float32 images, there and back\n\n| n | ms |\n|---|---|")
    for n in (64, 128) if o.small else (256, 360, 1024, 4096):
        t = [np.median(e.ask(Op="fft", N=n, Inverse=i, Reps=5 * o.reps)["Seconds"]) for i in (False, True)]
        print(f"| {n} | {sum(t) * 1e3:.4g} |", flush=True)


def samples(e, o):
    draws, side = (8, 32) if o.small else (64, 360)
    a = e.ask(Op="sample", Shape=[draws, side], Reps=1 if o.small else 2)
    t = np.median(a["Seconds"])
    print(f"\n### Samples with the learned prior\n\n{draws} draws of {side}² pixels: {t:.3g} s, **{t / draws:.3g} s a draw**"
          + ("" if o.small else " (wanted: .2)"), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--device", default="cuda:0")
    p.add_argument("--tags", default="", help="of the Go build, as cuda")
    p.add_argument("--precision", default="float32", choices=("float32", "tf32", "bf16"), help="torch's")
    p.add_argument("--small", action="store_true")
    p.add_argument("--reps", type=int, default=3)
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        e = Device(tmp, o.device, o.tags)
        i = e.ask(Op="info")
        print(f"Engine on {i['Info']} ({i['Kind']}), {datetime.date.today()}.")
        if not o.device.startswith(i["Kind"]) and o.device not in ("auto", "gpu"):
            sys.exit(f"{o.device} was asked for")
        if importlib.util.find_spec("torch"):
            nets(e, tmp, o)
        else:
            print("\nLeft out: the U-Net, for which this machine lacks torch.")
        fft(e, o)
        samples(e, o)


if __name__ == "__main__":
    main()
