"""Compare the speed of our networks and spandrel's with the same weights, in one process.

    pip install 'realdeg[spandrel]'
    python benchmarks/spandrel_models.py --side 48

Both get the same image; the ratio is spandrel's time over ours.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import spandrel
import torch
from timing import alternate, table

from realdeg.registry import BACKBONES

CASES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "HAT-S": ("HAT", {"preset": "hat_s"}),
    "RCAN": ("RCAN", {}),
    "RRDBNet": ("RRDBNet", {}),
    "SPAN": ("SPAN", {}),
    "SRVGGNetCompact": ("SRVGGNetCompact", {}),
    "SwinIR": ("SwinIR", {}),
    "SwinIR lightweight": ("SwinIR", {"preset": "lightweight"}),
}


def row(name: str, side: int, runs: int) -> list[str]:
    """Measure one network at x4 with random weights."""
    torch.manual_seed(0)
    kind, settings = CASES[name]
    ours = BACKBONES.require(kind)(scale=4, **settings).eval()
    theirs = spandrel.MAIN_REGISTRY.load(dict(ours.state_dict()))
    theirs.model.eval()
    image = torch.rand(1, 3, side, side)
    scaled = image * ours.value_range
    with torch.inference_mode():
        # spandrel clamps to [0, 1], and some of its networks scale their input in place.
        found = (ours(scaled) / ours.value_range).clamp(0, 1)
        apart = (found - theirs(image.clone())).abs().max().item()
        forms = {"ours": lambda: ours(scaled), "theirs": lambda: theirs(image.clone())}
        timings = alternate(forms, runs)
    mine, other = timings["ours"].median, timings["theirs"].median
    return [
        name,
        f"{mine * 1e3:,.0f}",
        f"{other * 1e3:,.0f}",
        f"{other / mine:.2f}",
        f"{apart:.0e}",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side", type=int, default=48, help="size of the LR image")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = [row(name, arguments.side, arguments.runs) for name in CASES]
    print(table(["network, x4", "ours ms", "spandrel ms", "ratio", "largest difference"], rows))


if __name__ == "__main__":
    main()
