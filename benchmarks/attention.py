"""Time and peak memory of attention over a whole image, compared with public code.

    python benchmarks/attention.py
    python benchmarks/attention.py --sides 64 96 --only CSNLN-cross

The naive forms are those of the tests, with the sizes of the published networks; each call has its
own process. A naive form that would need more memory than ``--limit`` is not run: its memory is
extrapolated from the bytes per score of the previous size. Both are compared with the naive
definition in float64, computed in blocks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from timing import peak_bytes, table
from torch import Tensor

from realdeg.backbones import csnln, san
from realdeg.backbones.parts.attention import attend_by_query, attend_everywhere

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.backbones import naive_attention as naive  # noqa: E402 (next to the package)

# Largest number of bytes per score of the naive form: before and after the softmax.
BYTES = 12
# Scores per block of the comparison, and the lines of queries that it uses.
BLOCK, LINES = 1 << 23, 4
Form = Callable[..., Tensor]


@dataclass(frozen=True)
class Case:
    """One attention: two implementations, the definition in blocks, inputs, number of scores."""

    ours: Form
    theirs: Form
    reference: Callable[..., tuple[Tensor, Callable[[Tensor], Tensor]]]
    inputs: list[Tensor]
    scores: int


def case(name: str, side: int) -> Case:
    """Return an attention with the published network's sizes for an image of that size."""
    torch.manual_seed(0)
    pixels = side * side
    if name == "SAN-covariance":
        features = torch.randn(1, 64, side, side)
        return Case(san.covariance, naive.covariance, centred, [features], pixels**2)
    if name == "SAN-region":
        layer = san.EmbeddedGaussian(64, 8).requires_grad_(False)
        torch.nn.init.normal_(layer.W.weight)
        quarter = torch.randn(1, 64, side // 2, side // 2)

        def gaussian(features: Tensor) -> Tensor:
            return naive.gaussian(layer, features)

        def whole(features: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
            wanted = naive.gaussian(layer.double(), features)
            layer.float()
            return wanted, lambda found: found

        return Case(layer, gaussian, whole, [quarter], pixels**2 // 64)
    if name == "RNAN":
        tokens = [torch.randn(1, pixels, 32) for _ in range(3)]
        # Only one value in 16 is not zero, so that the comparison needs only those keys.
        tokens[2] *= (torch.arange(pixels) % 16 == 0)[:, None]
        return Case(attend_by_query, naive.over_queries, by_keys, tokens, pixels**2)
    if name == "CSNLN-in":
        tokens = [torch.randn(1, pixels, width) for width in (64, 64, 128)]
        return Case(attend_everywhere, naive.over_keys, some_queries, tokens, pixels**2)
    query, value = torch.randn(1, 64, side, side), torch.randn(1, 128, side, side)
    key, floor = torch.randn(1, 64, side // 2, side // 2), torch.tensor([1e-4])
    return Case(
        lambda q, k, v, f: csnln.paste_matches(q, k, v, 2, f),
        lambda q, k, v, f: naive.paste_matches(q, k, v, 2, f),
        some_lines,
        [query, key, value, floor],
        pixels**2 // 4,
    )


Reference = tuple[Tensor, Callable[[Tensor], Tensor]]


def centred(features: Tensor) -> Reference:
    """Multiply with the centring matrix, in blocks of columns."""
    tokens = features.flatten(2)
    pixels = tokens.shape[2]
    step = max(BLOCK // pixels, 1)
    total = tokens.new_zeros(1, tokens.shape[1], tokens.shape[1])
    for first in range(0, pixels, step):
        count = min(step, pixels - first)
        columns = tokens.new_full((pixels, count), -1 / pixels**2)
        columns[first : first + count] += torch.eye(count, dtype=tokens.dtype) / pixels
        total += tokens @ columns @ tokens[:, :, first : first + count].transpose(1, 2)
    return total, lambda found: found


def by_keys(query: Tensor, key: Tensor, value: Tensor) -> Reference:
    """Softmax over all queries, in blocks of the keys whose values are not zero."""
    given = value[0].any(1).nonzero()[:, 0]
    step = max(BLOCK // query.shape[1], 1)
    total = query.new_zeros(1, query.shape[1], value.shape[2])
    for some in given.split(step):
        total += naive.over_queries(query, key[:, some], value[:, some])
    return total, lambda found: found


def some_queries(query: Tensor, key: Tensor, value: Tensor) -> Reference:
    """Softmax over all keys, for evenly spaced queries."""
    chosen = slice(0, None, max(query.shape[1] * key.shape[1] // BLOCK, 1))
    return naive.over_keys(query[:, chosen], key, value), lambda found: found[:, chosen]


def some_lines(query: Tensor, key: Tensor, value: Tensor, floor: Tensor) -> Reference:
    """Match and paste as the public code does, for a few central lines of queries."""
    top = query.shape[2] // 2 - LINES
    small = F.unfold(key, 3, padding=1)[0].T.reshape(-1, key.shape[1], 3, 3)
    small = small / small.square().sum((1, 2, 3), keepdim=True).sqrt().maximum(floor)
    large = F.unfold(value, 6, padding=2, stride=2)[0].T.reshape(-1, value.shape[1], 6, 6)
    around = F.pad(query, (1, 1))[:, :, top - 1 : top + LINES + 1]
    scores = (10 * F.conv2d(around, small)).softmax(1)
    pasted = F.conv_transpose2d(scores, large, stride=2, padding=(0, 2)) / 6
    # Pasted patches extend one line further on both sides; only complete lines are compared.
    inside = slice(2 * (top + 1), 2 * (top + LINES - 1))
    return pasted[:, :, 4:-4], lambda found: found[:, :, inside]


NAMES = ("SAN-covariance", "SAN-region", "RNAN", "CSNLN-in", "CSNLN-cross")


def child(name: str, form: str, side: int) -> dict[str, float]:
    """Run one implementation once and compare it; differences are relative to the maximum."""
    chosen = case(name, side)
    function = chosen.ours if form == "ours" else chosen.theirs
    results: list[Tensor] = []
    seconds = 0.0

    def timed() -> None:
        nonlocal seconds
        # CPU time of one thread, independent of other programs.
        start = time.process_time()
        results.append(function(*chosen.inputs))
        seconds = time.process_time() - start

    with torch.inference_mode():
        function(*case(name, 16).inputs)  # one-time setup of libraries
        peak = peak_bytes(timed)
        wanted, part = chosen.reference(*(tensor.double() for tensor in chosen.inputs))
        apart = (part(results[0]) - wanted).abs().max() / wanted.abs().max()
    return {"seconds": seconds, "peak": peak, "apart": apart.item()}


def measure(name: str, form: str, side: int, runs: int) -> dict[str, float]:
    """Run an implementation in its own processes and return the medians."""
    command = [sys.executable, __file__, "--child", f"{name}/{form}/{side}"]
    found = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(runs)
    ]
    return {key: statistics.median(run[key] for run in found) for key in found[0]}


def rows(name: str, arguments: argparse.Namespace) -> Iterator[list[str]]:
    """Measure one attention at every size."""
    rate = None
    for side in sorted(arguments.sides):
        scores = case(name, side).scores
        ours = measure(name, "ours", side, arguments.runs)
        cells = [name, str(side), f"{ours['seconds']:.2f}", f"{ours['peak'] / 2**20:,.0f}"]
        if BYTES * scores < arguments.limit * 2**30:
            theirs = measure(name, "naive", side, arguments.runs)
            rate = theirs["peak"] / scores
            cells += [f"{theirs['seconds']:.2f}", f"{theirs['peak'] / 2**20:,.0f}"]
            yield [*cells, f"{ours['apart']:.0e}", f"{theirs['apart']:.0e}"]
        else:
            computed = "" if rate is None else f"({rate * scores / 2**20:,.0f})"
            yield [*cells, "not run", computed, f"{ours['apart']:.0e}", ""]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", choices=NAMES)
    parser.add_argument(
        "--sides", type=int, nargs="+", default=[64, 96, 128, 256], help="LR pixels"
    )
    parser.add_argument("--runs", type=int, default=1, help="processes for each form")
    parser.add_argument("--limit", type=float, default=4.0, help="GiB for a naive form's scores")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        torch.set_num_threads(1)
        name, form, side = arguments.child.split("/")
        print(json.dumps(child(name, form, int(side))))
        return
    found = []
    for name in arguments.only or NAMES:
        for cells in rows(name, arguments):
            found.append(cells)
            print(" | ".join(cells), flush=True)
    header = ["attention", "side", "ours s", "ours MiB", "naive s", "naive MiB", "ours apart"]
    print()
    print(table([*header, "naive apart"], found))


if __name__ == "__main__":
    main()
