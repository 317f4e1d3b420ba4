"""Attention over a whole image, ours beside the public code's form: time and peak memory.

    python benchmarks/attention.py --side 256
    python benchmarks/attention.py --side 128 --only CSNLN-cross

The naive forms are those of the tests, with the sizes of the published networks. One that would
need more memory than ``--limit`` is not run, and the size of its scores alone is given instead.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from timing import alternate, in_child, peak_bytes, table
from torch import Tensor

from realdeg.backbones import csnln, san
from realdeg.backbones.parts_attention import attend_by_query, attend_everywhere

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.backbones import naive_attention as naive  # noqa: E402 (it lies beside the package)

# Copies of the scores that the naive form holds at once: before and after the softmax.
COPIES = 2.5
Case = tuple[Callable[..., Tensor], Callable[..., Tensor], list[Tensor], int]


def case(name: str, side: int) -> Case:
    """Return our form, the naive one, their inputs, and how many scores there are."""
    torch.manual_seed(0)
    pixels = side * side
    if name == "SAN-covariance":
        features = torch.randn(1, 64, side, side)
        return san.covariance, naive.covariance, [features], pixels**2
    if name == "SAN-region":
        layer = san.EmbeddedGaussian(64, 8)
        torch.nn.init.normal_(layer.W.weight)
        quarter = torch.randn(1, 64, side // 2, side // 2)
        return layer, lambda q: naive.gaussian(layer, q), [quarter], pixels**2 // 64
    if name == "RNAN":
        tokens = [torch.randn(1, pixels, 32) for _ in range(3)]
        return attend_by_query, naive.over_queries, tokens, pixels**2
    if name == "CSNLN-in":
        tokens = [torch.randn(1, pixels, width) for width in (64, 64, 128)]
        return attend_everywhere, naive.over_keys, tokens, pixels**2
    query, value = torch.randn(1, 64, side, side), torch.randn(1, 128, side, side)
    key, floor = torch.randn(1, 64, side // 2, side // 2), torch.tensor([1e-4])
    return (
        lambda q, k, v: csnln.paste_matches(q, k, v, 2, floor),
        lambda q, k, v: naive.paste_matches(q, k, v, 2, floor),
        [query, key, value],
        pixels**2 // 4,
    )


NAMES = ("SAN-covariance", "SAN-region", "RNAN", "CSNLN-in", "CSNLN-cross")


def row(name: str, arguments: argparse.Namespace) -> list[str]:
    """Measure one attention."""
    ours, theirs, inputs, scores = case(name, arguments.side)
    forms = {"ours": lambda: ours(*inputs)}
    fits = COPIES * 4 * scores < arguments.limit * 2**30
    if fits:
        forms["naive"] = lambda: theirs(*inputs)
    with torch.inference_mode():
        apart = (ours(*inputs) - theirs(*inputs)).abs().max().item() if fits else None
        timings = alternate(forms, arguments.runs)
    cells = [name]
    for form in ("ours", "naive"):
        if form not in forms:
            cells += ["not run", f"(scores {4 * scores / 2**20:,.0f})"]
            continue
        child = ["--child", f"{name}/{form}", "--side", str(arguments.side)]
        peak = in_child(__file__, *child, "--threads", str(arguments.threads)) / 2**20
        cells += [f"{timings[form].median:.2f}", f"{peak:,.0f}"]
    return [*cells, "" if apart is None else f"{apart:.0e}"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", choices=NAMES)
    parser.add_argument("--side", type=int, default=256, help="side of the LR image")
    parser.add_argument("--runs", type=int, default=2, help="counted runs of each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--limit", type=float, default=4.0, help="GiB for a naive form's scores")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.child:
        name, form = arguments.child.split("/")
        function = dict(zip(("ours", "naive"), case(name, arguments.side)[:2], strict=True))[form]
        with torch.inference_mode():
            function(*case(name, 8)[2])  # what libraries set up once
            inputs = case(name, arguments.side)[2]
            print(peak_bytes(lambda: function(*inputs)))
        return
    header = ["attention", "ours s", "ours MiB", "naive s", "naive MiB", "largest difference"]
    rows = []
    for name in arguments.only or NAMES:
        rows.append(row(name, arguments))
        print(" | ".join(rows[-1]), flush=True)
    print(f"\n{arguments.side} x {arguments.side}, {arguments.threads} thread(s)\n")
    print(table(header, rows))


if __name__ == "__main__":
    main()
