"""Why real-world SR: networks on LR of another degradation than the one they were trained on.

``run.py mismatch`` trains, measures and draws the grid. This file, run as a program, draws crops of
what was trained:

    python benchmarks/experiments/mismatch.py --data data
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pictures import Tile  # noqa: E402 (next to this file)
from pictures import draw as draw_tiles  # noqa: E402
from runs import ROOT, Book, Run, Stage  # noqa: E402

from realdeg import Degrader, SuperResolver  # noqa: E402
from realdeg.degradations.primitives import imresize  # noqa: E402
from realdeg.utils.image import read_image, to_array, to_tensor  # noqa: E402
from realdeg.utils.tables import markdown_table
from realdeg.visualization.style import INK, LABEL_SIZE, SMALL_SIZE, new_figure, save_figure

CONFIG = "mismatch.py"
ITERATIONS = 1200
WIDTHS = (0.5, 1.0, 1.5, 2.0)
"""Standard deviations of the Gaussian blur before the reduction of LR, in HR pixels."""

TRAINED = (0.5, 1.0, 2.0)
"""The widths that a network is trained on; 1.5 is between two of them."""

BICUBIC = "bicubic"
OTHERS: Mapping[str, Mapping[str, Any]] = {
    BICUBIC: {"degradation.type": "Bicubic"},
    "noise 10": {
        "degradation.type": "AWGN",
        "degradation.sigma": 10,
        "degradation.clip": True,
    },
    "JPEG 40": {"degradation.type": "JPEG", "degradation.quality": 40},
}
"""Degradations that are not a blur: their options in a config."""

INTERPOLATION = "bicubic interpolation"
PSNR = "psnr[benchmark-y]"
PICTURE = ROOT / "docs" / "assets" / "kernel_mismatch.png"
CROPS = ROOT / "docs" / "assets" / "mismatch_crops.png"


def blur(width: float) -> dict[str, Any]:
    """Return the options of LR blurred by a width."""
    return {"degradation.kernel.sigma_x": width}


def width_name(width: float) -> str:
    """Return the name of a width."""
    return f"sigma {width:g}"


def grids() -> list[tuple[dict[str, dict[str, Any]], list[str]]]:
    """Return both grids: the options of every LR by its name, and what networks are trained on."""
    blurs = {width_name(width): blur(width) for width in WIDTHS}
    others = {name: dict(options) for name, options in OTHERS.items()}
    return [(blurs, [BICUBIC, *map(width_name, TRAINED)]), (others, list(OTHERS))]


def cell(network: str, lr: str) -> str:
    """Return the label of a network on LR."""
    return f"{network} on {lr}"


def mismatch_runs(seeds: list[int]) -> list[Run]:
    """List every training, tested on its own LR, and every network on every other LR."""
    known = {name: options for columns, _ in grids() for name, options in columns.items()}
    runs: dict[str, Run] = {}
    for seed in seeds:
        networks = {
            name: Run(cell(name, name), seed, (Stage("train", CONFIG, ITERATIONS, known[name]),))
            for _, rows in grids()
            for name in rows
        }
        found = list(networks.values())
        for columns, rows in grids():
            for lr, options in columns.items():
                weights = {
                    name: {"backbone.checkpoint": "{" + networks[name].folder + "}"}
                    for name in rows
                    if name != lr
                }
                weights[INTERPOLATION] = {"backbone.type": "Bicubic"}
                found += [
                    Run(cell(name, lr), seed, (Stage("none", CONFIG, 0, {**options, **more}),))
                    for name, more in weights.items()
                ]
        runs |= {run.key: run for run in found}
    return list(runs.values())


def grid_of(book: Book, columns: list[str], rows: list[str]) -> dict[str, list[float]]:
    """Return the mean PSNR over seeds of every network on some LR, in dB; NaN: not measured."""
    runs = book.entries.get("runs", {})

    def mean(label: str) -> float:
        found = [
            entry["values"][PSNR]
            for key, entry in runs.items()
            if key.rpartition(", seed ")[0] == label
        ]
        return sum(found) / len(found) if found else math.nan

    return {row: [mean(cell(row, column)) for column in columns] for row in rows}


def report(book: Book) -> None:
    """Print both grids and draw the first."""
    for number, (columns, rows) in enumerate(grids()):
        values = grid_of(book, list(columns), [*rows, INTERPOLATION])
        table = [[row, *(f"{value:.2f}" for value in line)] for row, line in values.items()]
        print("\n".join([*markdown_table(["trained on", *columns], table), ""]))
        if not number:
            print(draw({row: values[row] for row in rows}, list(columns), PICTURE))


def draw(values: Mapping[str, list[float]], columns: list[str], path: Path) -> Path:
    """Draw a grid as a heat map: what each network loses to the best one on that LR.

    Args:
        values: PSNR in dB by the network's name, one for each column.
        columns: The names of LR.
        path: The file to write.
    """
    best = [max(line) for line in zip(*values.values(), strict=True)]
    rows = list(values)
    loss = [[value - top for value, top in zip(values[row], best, strict=True)] for row in rows]
    figure = new_figure(1.6 + 0.95 * len(columns), 1.1 + 0.55 * len(rows), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(loss, cmap="Blues_r", vmin=-8, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, fontsize=SMALL_SIZE)
    axes.set_yticks(range(len(rows)), rows, fontsize=SMALL_SIZE)
    axes.set_xlabel("blur of the LR image", fontsize=LABEL_SIZE)
    axes.set_ylabel("trained on", fontsize=LABEL_SIZE)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    for y, row in enumerate(rows):
        for x, value in enumerate(values[row]):
            text = f"{value:.2f} dB\n{loss[y][x]:+.2f}"
            colour = "white" if loss[y][x] < -4 else INK
            axes.text(x, y, text, ha="center", va="center", fontsize=SMALL_SIZE, color=colour)
    save_figure(figure, path)
    return path


def tiles_of(image: Path, lr: str, weights: Path) -> list[Tile]:
    """Return HR, LR, the results of the networks of bicubic and of this LR, and one on bicubic LR.

    Args:
        image: The HR file.
        lr: The name of the degradation.
        weights: The folder of the runs.
    """
    known = {name: options for columns, _ in grids() for name, options in columns.items()}
    options = {key.removeprefix("degradation."): value for key, value in known[lr].items()}
    if "kernel.sigma_x" in options:
        kernel = {"shape": "gaussian", "size": 21, "sigma_x": options["kernel.sigma_x"]}
        options = {"type": "BlurDown", "kind": "IKC", "kernel": kernel}
    hr = read_image(image)
    low, _ = Degrader(options, scale=2).degrade(hr, remainder="crop")
    large = to_array(imresize(to_tensor(low)[None], 2)[0].clamp(0, 1))
    tiles = [Tile("HR", hr, ""), Tile("LR, bicubic", large, lr)]
    for name in (BICUBIC, lr):
        file = weights / Run(cell(name, name), 0, ()).folder / "train" / "backbone.safetensors"
        network = SuperResolver(file)
        tiles.append(Tile(f"trained on {name}", network.upscale(low), ""))
    sharp, _ = Degrader("Bicubic", scale=2).degrade(hr, remainder="crop")
    return [*tiles, Tile(f"trained on {lr}", network.upscale(sharp), "its LR: bicubic")]


def main() -> int:
    """Draw crops of the first seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"), help="data_root")
    parser.add_argument("--work", type=Path, default=Path("work_dirs/experiments/mismatch"))
    args = parser.parse_args()
    image = args.data / "Set5" / "HR" / "x2" / "butterfly_HR_x2.png"
    rows = [width_name(2.0), *(name for name in OTHERS if name != BICUBIC)]
    print(draw_tiles([tiles_of(image, name, args.work) for name in rows], CROPS, size=64))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
