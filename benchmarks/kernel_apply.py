"""Time ``kernel_apply`` and ``pixel_kernel_apply`` against common alternatives.

    python benchmarks/kernel_apply.py                     # all sections, Markdown
    python benchmarks/kernel_apply.py forward --runs 31   # one section
    python benchmarks/kernel_apply.py sweep --plot docs/assets/kernel_apply.png
    python benchmarks/kernel_apply.py --device cuda       # the Triton kernels

The alternatives of a section alternate in one process, and ratios of medians are compared. Peak
memory is measured in fresh processes. Errors are relative to the largest value of a float64
convolution.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from timing import Timing, alternate, in_child, peak_bytes, table
from torch import Tensor

from realdeg.degradations import dml
from realdeg.errors import ConfigError
from realdeg.ops import direct, fourier, kernel_apply, pixel_kernel_apply
from realdeg.ops.padding import pad
from realdeg.ops.rule import row_phases, takes_fourier
from realdeg.utils.allocator import keep_freed_memory

K, M = 15, 8


def unfold_einsum(x: Tensor, weights: Tensor, bases: Tensor) -> Tensor:
    """Form the kernel of every pixel and unfold its window, as kernel prediction networks do."""
    size = bases.shape[-1]
    columns = F.unfold(pad(x, size, 1, "reflect"), size).unflatten(-1, x.shape[-2:])
    kernels = torch.einsum("bmhw,mt->bthw", weights, bases.flatten(1))
    return torch.einsum("bthw,bthw->bhw", kernels, columns)[:, None]


def conv_sum(x: Tensor, weights: Tensor, bases: Tensor) -> Tensor:
    """Convolve to M channels, then sum them with their weights."""
    responses = F.conv2d(pad(x, bases.shape[-1], 1, "reflect"), bases[:, None])
    return (weights * responses).sum(1, keepdim=True)


def by_direct(x: Tensor, weights: Tensor, bases: Tensor) -> Tensor:
    """Our direct path, independent of the rule."""
    phases = row_phases(bases.shape[0], torch.float32, backward=False)
    padded = pad(x, bases.shape[-1], 1, "reflect")
    return direct.forward(padded, weights, bases, 1, phases)


def by_fourier(x: Tensor, weights: Tensor, bases: Tensor) -> Tensor:
    """Our Fourier path, independent of the rule."""
    return fourier.forward(pad(x, bases.shape[-1], 1, "reflect"), weights, bases)


def under_bfloat16(x: Tensor, weights: Tensor, bases: Tensor) -> Tensor:
    """The operator as called by a network under bfloat16 autocast, with bfloat16 weights."""
    with torch.autocast(x.device.type, torch.bfloat16):
        return kernel_apply(x, weights, bases)


Apply = Callable[[Tensor, Tensor, Tensor], Tensor]
FORWARD: dict[str, Apply] = {
    "unfold + einsum": unfold_einsum,
    "conv2d + sum": conv_sum,
    "kernel_apply": kernel_apply,
    "kernel_apply, autocast": under_bfloat16,
    "direct path": by_direct,
    "Fourier path": by_fourier,
}


def inputs(batch: int, height: int, width: int, bases: int, k: int, device: str) -> list[Tensor]:
    """Return x, weights and bases, the same on every machine."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((batch, 1, height, width), (batch, bases, height, width), (bases, k, k))
    x, weights, kernels = (torch.rand(s, generator=generator) for s in shapes)
    return [t.to(device) for t in (x, weights, kernels - 0.5)]


def _given(name: str, tensors: list[Tensor]) -> list[Tensor]:
    """Convert the weights to the dtype in which a network passes them."""
    x, weights, bases = tensors
    return [x, weights.bfloat16() if "autocast" in name else weights, bases]


def ratio(of: Timing, to: Timing) -> str:
    """Return how many times faster ``to`` is."""
    return f"{of.median / to.median:.1f} x"


def machine(arguments: argparse.Namespace) -> str:
    """Return reference rates of this machine: matrix products and convolutions per second."""
    a = torch.rand(2048, 2048, device=arguments.device)
    half = a.bfloat16()
    x = torch.rand(1, 2, 404, 1038, device=arguments.device)
    w = torch.rand(16, 2, 8, 15, device=arguments.device)
    timings = alternate(
        {"gemm": lambda: a @ a, "half": lambda: half @ half, "conv": lambda: F.conv2d(x, w)},
        arguments.runs,
        arguments.device,
    )
    flop = {"gemm": 2 * 2048**3, "half": 2 * 2048**3, "conv": 2 * 16 * 240 * 397 * 1024}
    rate = {name: flop[name] / timing.median / 1e9 for name, timing in timings.items()}
    need = 2 * K * K * M * 768 * 1024 / 1e9
    best = max(rate["gemm"], rate["conv"])
    return (
        f"torch {torch.__version__}, {torch.get_num_threads()} threads: matrix product"
        f" {rate['gemm']:.0f} GFLOP/s (bfloat16 {rate['half']:.0f}), convolution"
        f" {rate['conv']:.0f}. The direct method's {need:.2f} GFLOP at"
        f" {best:.0f} GFLOP/s take {need / best * 1e3:.1f} ms."
    )


def forward(arguments: argparse.Namespace) -> str:
    """1 x 1 x 768 x 1024, M = 8, k = 15."""
    tensors = inputs(1, 768, 1024, M, K, arguments.device)
    wanted = kernel_apply(*(t.double() for t in tensors))
    calls = {name: partial(function, *_given(name, tensors)) for name, function in FORWARD.items()}
    timings = alternate(calls, arguments.runs, arguments.device)
    rows = []
    for name, call in calls.items():
        error = (call().double() - wanted).abs().max() / wanted.abs().max()
        memory = in_child(__file__, "peak", name) / tensors[0].nbytes
        rows.append(
            [name, timings[name], ratio(timings["unfold + einsum"], timings[name]),
             ratio(timings["conv2d + sum"], timings[name]), f"{memory:.1f}", f"{error:.1e}"]
        )  # fmt: skip
    header = ["method", "time", "over unfold", "over conv2d + sum", "peak / image", "error"]
    return table(header, rows)


def _step(apply: Apply, tensors: list[Tensor]) -> Callable[[], object]:
    leaves = [t.clone().requires_grad_() for t in tensors]
    grad = torch.ones_like(tensors[0])
    return lambda: torch.autograd.grad(apply(*leaves), leaves, grad)


def backward(arguments: argparse.Namespace) -> str:
    """Forward and all three gradients, 16 x 1 x 192 x 192, M = 8, k = 15."""
    tensors = inputs(16, 192, 192, M, K, arguments.device)
    pair = {"conv2d + sum": conv_sum, "kernel_apply": kernel_apply}
    steps = {name: _step(function, tensors) for name, function in pair.items()}
    timings = alternate(steps, arguments.runs, arguments.device)
    rows = [
        [name, timings[name], ratio(timings["conv2d + sum"], timings[name]),
         f"{in_child(__file__, 'peak', 'backward ' + name) / 2**20:.0f} MiB"]
        for name in pair
    ]  # fmt: skip
    return table(["method", "time", "over conv2d + sum", "peak above the inputs"], rows)


def deepinv(arguments: argparse.Namespace) -> str:
    """Beside deepinv's SpaceVaryingBlur, 8 x 1 x 96 x 96, M = 8, k = 15: CPU time of one thread."""
    try:
        from realdeg.export.deepinv_physics import import_deepinv

        blur = import_deepinv().physics.SpaceVaryingBlur
    except ConfigError as error:
        return str(error)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    tensors = inputs(8, 96, 96, M, K, arguments.device)

    def theirs(x: Tensor, weights: Tensor, bases: Tensor, use_fft: bool) -> Tensor:
        # deepinv convolves, so its filters are turned.
        filters = bases.flip(-1, -2)[None, None]
        physics = blur(padding="reflect", use_fft=use_fft, mask_first=False)
        return physics.A(x, filters=filters, multipliers=weights[:, None])

    methods: dict[str, Apply] = {
        "SpaceVaryingBlur, convolution": partial(theirs, use_fft=False),
        "SpaceVaryingBlur, FFT": partial(theirs, use_fft=True),
        "conv2d + sum": conv_sum,
        "kernel_apply": kernel_apply,
    }
    calls = {name: partial(function, *tensors) for name, function in methods.items()}
    steps = {name: _step(function, tensors) for name, function in methods.items()}
    wanted = kernel_apply(*(t.double() for t in tensors))
    columns = [alternate(part, arguments.runs, clock=time.process_time) for part in (calls, steps)]
    rows = [
        [name, columns[0][name], ratio(columns[0]["SpaceVaryingBlur, FFT"], columns[0][name]),
         columns[1][name], ratio(columns[1]["SpaceVaryingBlur, FFT"], columns[1][name]),
         f"{float((call().double() - wanted).abs().max() / wanted.abs().max()):.1e}"]
        for name, call in calls.items()
    ]  # fmt: skip
    torch.set_num_threads(threads)
    header = ["method", "forward", "over FFT", "forward + backward", "over FFT", "error"]
    return table(header, rows)


def memory(arguments: argparse.Namespace) -> str:
    """Peak memory of the forward pass at 3840 x 2160, in images."""
    image = 3840 * 2160 * 4
    rows = [
        [name, f"{in_child(__file__, 'peak', '4K ' + name) / image:.1f}"]
        for name in ("conv2d + sum", "kernel_apply", "direct path", "Fourier path")
    ]
    return table(["method", "peak above the inputs / image, result included"], rows)


def pixel_unfold(x: Tensor, kernels: Tensor) -> Tensor:
    """Unfold every window and multiply."""
    size = round(kernels.shape[1] ** 0.5)
    columns = F.unfold(pad(x, size, 1, "reflect"), size).unflatten(-1, x.shape[-2:])
    return (columns * kernels).sum(1, keepdim=True)


def pixel(arguments: argparse.Namespace) -> str:
    """A free 15 x 15 kernel for each pixel of 768 x 1024."""
    x, _, _ = inputs(1, 768, 1024, 1, K, arguments.device)
    kernels = torch.rand(1, K * K, 768, 1024, device=arguments.device)
    pair = {"unfold, multiply, sum": pixel_unfold, "pixel_kernel_apply": pixel_kernel_apply}
    timings = alternate(
        {name: partial(function, x, kernels) for name, function in pair.items()},
        arguments.runs,
        arguments.device,
    )
    given = x.nbytes + kernels.nbytes
    rows = [
        [name, timings[name], ratio(timings["unfold, multiply, sum"], timings[name]),
         f"{1 + in_child(__file__, 'peak', 'pixel ' + name) / given:.2f}"]
        for name in pair
    ]  # fmt: skip
    return table(["method", "time", "over unfold", "(inputs + peak) / inputs"], rows)


def training(arguments: argparse.Namespace) -> str:
    """Training steps of DML (N = 8, width 16, 2 levels; 8 x 96 px) with either operation."""

    def step(apply: Apply) -> Callable[[], object]:
        torch.manual_seed(0)
        model = dml.DML(scale=4, same_size=True, num_kernels=M, width=16, levels=2)
        model = model.to(arguments.device)
        optimiser = torch.optim.Adam(model.parameters(), 1e-3)
        hr = torch.rand(8, 1, 96, 96, device=arguments.device)
        lr = torch.rand(8, 1, 96, 96, device=arguments.device)

        def run() -> None:
            dml.kernel_apply = lambda x, w, b, stride, padding: apply(x, w, b)
            optimiser.zero_grad()
            F.mse_loss(model(hr, [0] * 8), lr).backward()
            optimiser.step()
            dml.kernel_apply = kernel_apply

        return run

    pair = {"conv2d + sum": conv_sum, "kernel_apply": kernel_apply}
    timings = alternate(
        {name: step(function) for name, function in pair.items()}, arguments.runs, arguments.device
    )
    rows = [
        [name, f"{1 / timings[name].median:.2f}", ratio(timings["conv2d + sum"], timings[name])]
        for name in pair
    ]
    return table(["operation", "iterations a second", "over conv2d + sum"], rows)


def sweep(arguments: argparse.Namespace) -> str:
    """Both paths over k and M: the basis of the rule's crossover."""
    rows, points = [], []
    for bases in (1, 4, 8, 16):
        for k in (3, 7, 11, 15, 19, 23, 27, 31):
            tensors = inputs(1, 768, 1024, bases, k, arguments.device)
            names = ("conv2d + sum", "direct path", "Fourier path")
            calls = {name: partial(FORWARD[name], *tensors) for name in names}
            timings = alternate(calls, arguments.runs, arguments.device)
            fourier_taken = takes_fourier(k, bases, 1, torch.float32, backward=False)
            chosen = "Fourier path" if fourier_taken else "direct path"
            best = min(timings["direct path"].median, timings["Fourier path"].median)
            rows.append(
                [bases, k, *(f"{timings[n].median * 1e3:.1f}" for n in names), chosen.split()[0],
                 f"{timings[chosen].median / best:.2f}"]
            )  # fmt: skip
            points.append((bases, k, [timings[name].median * 1e3 for name in names], chosen))
    if arguments.plot:
        _plot(arguments.plot, points)
    header = ["M", "k", "conv2d + sum, ms", "direct, ms", "Fourier, ms", "rule takes", "over best"]
    return table(header, rows)


def _plot(path: str, points: list) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    counts = sorted({point[0] for point in points})
    figure, axes = plt.subplots(1, len(counts), figsize=(12, 3.4), sharey=True)
    for axis, bases in zip(axes, counts, strict=True):
        own = [point for point in points if point[0] == bases]
        sizes = [point[1] for point in own]
        for index, (name, style) in enumerate(
            (("conv2d + sum", "o:"), ("direct", "s-"), ("Fourier", "^-"))
        ):
            axis.plot(sizes, [point[2][index] for point in own], style, label=name, ms=4)
        switch = [point[1] for point in own if point[3] == "Fourier path"]
        if switch:
            axis.axvspan(switch[0] - 2, sizes[-1] + 1, color="0.9", label="rule: Fourier")
        axis.set(title=f"{bases} bases", xlabel="kernel side k", yscale="log", xlim=(2, 32))
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("ms, 768 x 1024")
    axes[-1].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def peak(name: str) -> int:
    """Return the peak memory of one call in this fresh process, without its inputs."""
    torch.set_num_threads(2)
    if name.startswith("pixel "):
        x, _, _ = inputs(1, 768, 1024, 1, K, "cpu")
        kernels = torch.rand(1, K * K, 768, 1024)
        apply = pixel_kernel_apply if "pixel_kernel_apply" in name else pixel_unfold
        apply(x[..., :32, :32], kernels[..., :32, :32])
        return peak_bytes(lambda: apply(x, kernels))
    large, gradients = name.startswith("4K "), name.startswith("backward ")
    apply = FORWARD[name.removeprefix("4K ").removeprefix("backward ")]
    size = (1, 2160, 3840) if large else (16, 192, 192) if gradients else (1, 768, 1024)
    tensors = _given(name, inputs(*size, M, K, "cpu"))
    small = _given(name, inputs(1, 40, 40, M, K, "cpu"))
    # The libraries' own first-call memory is not the method's.
    if gradients:
        _step(apply, small)()
        return peak_bytes(_step(apply, tensors))
    apply(*small)
    return peak_bytes(lambda: apply(*tensors))


SECTIONS = {f.__name__: f for f in (forward, backward, deepinv, memory, pixel, training, sweep)}


def main() -> None:
    """Run the requested sections and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", help=f"any of {', '.join(SECTIONS)}; or all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--keep-memory", action="store_true", help="keep freed memory, as realdeg's commands do"
    )
    parser.add_argument("--plot", help="write the sweep's plot to this PNG file")
    arguments = parser.parse_args()
    if arguments.sections[:1] == ["peak"]:
        print(peak(" ".join(arguments.sections[1:])))
        return
    if arguments.keep_memory:
        keep_freed_memory()
    torch.set_num_threads(arguments.threads)
    print(machine(arguments))
    for name in arguments.sections or SECTIONS:
        section = SECTIONS[name]
        print(f"\n## {name}\n\n{section.__doc__}\n\n{section(arguments)}", flush=True)


if __name__ == "__main__":
    main()
