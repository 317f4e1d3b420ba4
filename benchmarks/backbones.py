"""Time every backbone at x4 on the CPU: milliseconds per megapixel of output, and peak memory.

    python benchmarks/backbones.py --out backbones.md
    python benchmarks/backbones.py --only CARN --only VDSR --side 96 --threads 2

Each network has its default arguments and random weights. The time is the median of the counted
runs on one image. The memory is the peak of one call in a fresh process, without the network
itself, per megapixel of output. Networks on the HR grid get the interpolated image; interpolation
is not counted.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Callable
from pathlib import Path

import torch
from timing import Timing, alternate, in_child, peak_bytes, table

from realdeg.backbones import Backbone
from realdeg.registry import BACKBONES

# Draws pixel after pixel: measured on images of the paper's size.
SMALL = {"PixelRecursiveSR": 8}
SCALE = 4


def prepare(name: str, side: int, compiled: bool, channels_last: bool) -> Callable[[], object]:
    """Return a call of a network on an LR image of ``side`` pixels.

    Args:
        name: The registered name.
        side: Size of the LR image.
        compiled: Run it through ``torch.compile``.
        channels_last: Use the channels-last memory layout.
    """
    torch.manual_seed(0)
    network = build(name)
    pixels = input_side(network, side)
    image = torch.rand(1, network.channels, pixels, pixels) * network.value_range
    call: Callable[[torch.Tensor], object] = network
    if channels_last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        image = image.contiguous(memory_format=torch.channels_last)
    if compiled:
        call = torch.compile(network)

    def run() -> object:
        with torch.inference_mode():
            return call(image)

    return run


def build(name: str) -> Backbone:
    """Build a network at x4 for prediction."""
    return BACKBONES.require(name)(scale=SCALE).eval()


def input_side(network: Backbone, side: int) -> int:
    """Return the size of the network's input for an LR image of ``side`` pixels."""
    return side * SCALE if network.upsample in ("pre", "none") else side


def row(name: str, arguments: argparse.Namespace) -> list[str]:
    """Measure one network."""
    side = min(arguments.side, SMALL.get(name, arguments.side))
    megapixels = (side * SCALE) ** 2 / 1e6
    call = prepare(name, side, arguments.compile, arguments.channels_last)
    timing = alternate({name: call}, arguments.runs)[name]
    per_megapixel = Timing(*(t / megapixels for t in (timing.median, timing.low, timing.high)))
    flags = [flag for flag in ("--compile", "--channels-last") if getattr(arguments, _key(flag))]
    large = min(arguments.memory_side or side, SMALL.get(name, arguments.memory_side or side))
    child = ["--child", name, "--side", str(large), "--threads", str(arguments.threads), *flags]
    peak = in_child(__file__, *child) / 2**20
    parameters = sum(parameter.numel() for parameter in build(name).parameters())
    return [
        name,
        f"{side}",
        f"{parameters:,}",
        f"{per_megapixel.median * 1e3:,.0f}",
        f"{per_megapixel.low * 1e3:,.0f} to {per_megapixel.high * 1e3:,.0f}",
        f"{peak:,.0f}",
        f"{peak / ((large * SCALE) ** 2 / 1e6):,.0f}",
    ]


def _key(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def names() -> list[str]:
    """Return the backbones that support x4."""
    every = {name: BACKBONES.require(name) for name in BACKBONES.names()}
    built = {name: cls for name, cls in every.items() if not cls.brings_weights}
    return [name for name, cls in built.items() if cls.scales is None or SCALE in cls.scales]


def main() -> None:
    """Print the table, and write it if requested."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", help="only these networks")
    parser.add_argument("--side", type=int, default=64, help="size of the LR image")
    parser.add_argument("--memory-side", type=int, help="the same for the memory; default: side")
    parser.add_argument("--runs", type=int, default=3, help="counted runs of each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--out", type=Path, help="Markdown file")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.child:
        settings = (arguments.side, arguments.compile, arguments.channels_last)
        call = prepare(arguments.child, *settings)
        # Compilation and the one-time setup of libraries do not count.
        call() if arguments.compile else prepare(arguments.child, 4, *settings[1:])()
        print(peak_bytes(call))
        return
    header = ["network", "LR side", "parameters", "ms/MP", "quartiles", "peak MiB", "MiB/MP"]
    first = (
        f"x{SCALE}, {arguments.threads} thread(s), {platform.machine()}, torch {torch.__version__},"
        f" {'compiled' if arguments.compile else 'eager'},"
        f" {'channels last' if arguments.channels_last else 'channels first'}; median of"
        f" {arguments.runs} runs; memory of an LR image of side"
        f" {arguments.memory_side or arguments.side}."
    )
    print(first, flush=True)
    rows = []
    for name in arguments.only or names():
        rows.append(row(name, arguments))
        print(" | ".join(rows[-1]), flush=True)
    text = f"{first}\n\n{table(header, rows)}\n"
    print("\n" + text)
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
