r"""What PDM has learned of a camera without pairs: losses, PSNR, kernels, noise.

    realdeg train pdm/pdm_edsr_realsrv3crops_x4_cpu --cfg-options data_root=data \
        default_hooks.logger.interval=10
    python benchmarks/pdm.py data NAME=work_dirs/pdm_edsr_realsrv3crops_x4_cpu --dml DML.safetensors

Writes ``docs/results/pdm.json`` and ``docs/assets/pdm_kernels.png``. What the pairs say stands
beside it: the best Gaussian, one kernel by least squares, and DML if a file of it is given.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from realdeg import create_degradation
from realdeg.degradations import PDM, Degradation, GlobalKernel
from realdeg.degradations.primitives import gaussian_kernel, imresize
from realdeg.evaluation.kernel_error import centroid, covariance
from realdeg.utils.image import read_image, to_tensor
from realdeg.visualization.kernels import kernel_width
from realdeg.visualization.style import INK, LABEL_SIZE, SMALL_SIZE, new_figure, save_figure
from realdeg.visualization.taps import draw_kernel

ROOT = Path(__file__).resolve().parents[1]
SCALE, BORDER, EDGE_MEAN = 4, 4, 5
CODES = 256
"""Codes whose kernels are measured."""


def pairs(data: Path, part: str) -> list[tuple[Tensor, Tensor]]:
    """Return HR and LR of the RealSR V3 crops, each (1, 3, H, W)."""
    folder = data / "RealSR-V3-crops"
    files = sorted(folder.glob(f"*/{part}/{SCALE}/*_HR.png"))
    found = []
    for file in files:
        lr = file.with_name(file.name.replace("_HR", f"_LR{SCALE}"))
        found.append(tuple(to_tensor(read_image(path))[None] for path in (file, lr)))
    return found  # type: ignore[return-value]


def curve(folder: Path) -> dict[str, dict[str, float]]:
    """Return each loss at the start and at the end of a run: means over a tenth."""
    values: dict[str, dict[int, float]] = {}
    for file in sorted(folder.glob("*/vis_data/scalars.json")):
        for line in file.read_text().splitlines():
            record = json.loads(line)
            for name, value in record.items():
                if name.startswith(("train/loss", "val/", "train/score")):
                    values.setdefault(name.partition("/")[2], {})[record["step"]] = value
    found = {}
    for name, by_step in values.items():
        steps = sorted(by_step)
        tenth = max(1, len(steps) // 10)
        if name.startswith(("psnr", "ssim")):
            found[name] = {str(step): round(by_step[step], 4) for step in steps}
        else:
            ends = {"start": steps[:tenth], "end": steps[-tenth:]}
            found[name] = {
                end: round(statistics.mean(by_step[step] for step in chosen), 5)
                for end, chosen in ends.items()
            }
    return found


def measures(kernels: Tensor) -> dict[str, float]:
    """Return sum, place and width of kernels (N, k, k) with the grid of LR pixels."""
    kernels = kernels.double()
    widths = [kernel_width(kernel) for kernel in kernels.numpy()]
    spread = covariance(kernels).diagonal(dim1=1, dim2=2).mean(1).clamp_min(0).sqrt()
    rest = (SCALE - kernels.shape[-1]) % 2 / 2
    places = centroid(kernels) - rest
    return {
        "sum": round(float(kernels.sum((1, 2)).mean()), 4),
        "width": round(statistics.mean(widths), 3),
        "width_std": round(statistics.pstdev(widths), 3),
        "second_moment_sigma": round(float(spread.mean()), 3),
        "row": round(float(places[:, 0].mean()), 3),
        "column": round(float(places[:, 1].mean()), 3),
    }


def psnr(a: Tensor, b: Tensor) -> float:
    """Return the PSNR of RGB in dB, without a border of 4 pixels."""
    difference = (a.clamp(0, 1) - b)[..., BORDER:-BORDER, BORDER:-BORDER]
    return float(-10 * torch.log10(difference.square().mean()))


def fine(image: Tensor) -> float:
    """Return the standard deviation, in grey levels, of what a mean of 5 x 5 pixels removes."""
    mean = torch.nn.functional.avg_pool2d(image, EDGE_MEAN, 1)
    return float((image[..., 2:-2, 2:-2] - mean).std() * 255)


@torch.no_grad()
def fidelity(degradation: Degradation | None, test: list[tuple[Tensor, Tensor]]) -> dict[str, Any]:
    """Compare generated with real LR of held-out pairs; None is bicubic LR."""
    distances, details = [], []
    for number, (hr, lr) in enumerate(test):
        made = imresize(hr, 1 / SCALE) if degradation is None else degradation(hr, [number])
        distances.append(psnr(made, lr))
        details.append(fine(made))
    return {
        "psnr": round(statistics.mean(distances), 3),
        "fine_detail": round(statistics.mean(details), 2),
    }


@torch.no_grad()
def best_gaussian(train: list[tuple[Tensor, Tensor]]) -> tuple[float, PDM]:
    """Return the width of the Gaussian that makes LR of pairs best, and the degradation by it."""
    found: dict[float, tuple[float, PDM]] = {}
    for sigma in np.arange(0.8, 3.01, 0.1):
        made = PDM(SCALE, kernel_size=15, kernel_blocks=0, kernel_width=1, noise=False).eval()
        rest = (SCALE - 15) % 2 / 2
        kernel = gaussian_kernel(15, float(sigma), centre=(rest, rest))
        last = made.deg_kernel.deg_kernel[-2]
        assert isinstance(last, torch.nn.Conv2d) and last.bias is not None
        last.bias.copy_(kernel.clamp_min(1e-30).log().flatten())
        distance = statistics.mean(psnr(made(hr, [0]), lr) for hr, lr in train[::4])
        found[distance] = (round(float(sigma), 2), made)
    return found[max(found)]


def draw(kernels: dict[str, Tensor], path: Path) -> Path:
    """Draw kernels (k, k) side by side in the middle 13 x 13 pixels, in its own scale."""
    figure = new_figure(1.25 * len(kernels) + 0.2, 1.7)
    for index, (name, kernel) in enumerate(kernels.items()):
        axes = figure.add_subplot(1, len(kernels), index + 1)
        size = kernel.shape[-1]
        off = max(0, (size - 13) // 2)
        inner = kernel[off : size - off, off : size - off].numpy()
        draw_kernel(axes, inner, stride=SCALE)
        axes.set_title(name, fontsize=SMALL_SIZE, color=INK)
        caption = f"{kernel_width(kernel.numpy()):.2f} px"
        axes.set_xlabel(caption, fontsize=LABEL_SIZE, color=INK)
    return save_figure(figure, path)


def of_run(learned: PDM, run: Path, test: list[tuple[Tensor, Tensor]]) -> dict[str, Any]:
    """Return what one training did."""
    drawn = learned.kernels(range(CODES))
    noises = [float(learned.parts(hr, [1])["noise"].std()) for hr, _ in test]
    return {
        "losses": curve(run),
        "kernels": measures(drawn),
        "between_codes": round(float((drawn - drawn.mean(0)).abs().sum((1, 2)).mean()), 4),
        "noise_std": round(255 * statistics.mean(noises), 3),
        "lr": fidelity(learned, test),
    }


@torch.no_grad()
def main() -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", nargs="+", help="NAME=FOLDER of each training")
    parser.add_argument("--dml", type=Path, help="a DML that was learned from the pairs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/pdm.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs/assets/pdm_kernels.png")
    args = parser.parse_args()
    torch.set_num_threads(1)
    folders = {name: Path(run) for name, _, run in (text.partition("=") for text in args.runs)}
    train, test = pairs(args.data, "Train"), pairs(args.data, "Test")
    camera = GlobalKernel(SCALE)
    for hr, lr in train:
        camera.accumulate(hr, lr)
    camera.solve()
    sigma, gaussian = best_gaussian(train)
    lr_of: dict[str, Any] = {
        "real": {"fine_detail": round(statistics.mean(fine(lr) for _, lr in test), 2)},
        "bicubic": fidelity(None, test),
        f"the best Gaussian of the pairs, {sigma} px": fidelity(gaussian, test),
        "one kernel, least squares of the pairs": fidelity(camera, test),
    }
    found: dict[str, Any] = {"lr": lr_of, "runs": {}}
    shown: dict[str, Tensor] = {}
    for name, folder in folders.items():
        learned = create_degradation(folder / "degradation.safetensors")
        assert isinstance(learned, PDM)
        torch.manual_seed(0)
        start = PDM(**learned.arguments).eval()
        shown.setdefault("start", start.kernels([0])[0])
        lr_of.setdefault("PDM, start", fidelity(start, test))
        found["runs"][name] = of_run(learned, folder, test)
        shown[name] = learned.kernels(range(CODES)).mean(0)
    shown["pairs: Gaussian"] = gaussian.kernels([0])[0]
    if args.dml is not None:
        dml = create_degradation(args.dml)
        places = range(8, 120, 8)
        points = [(row, column) for row in places for column in places]
        theirs = dml.kernels_at(test[0][0].mean(1, keepdim=True), points)
        found["dml_kernels"] = measures(theirs)
        lr_of["DML of the pairs"] = fidelity(dml, test)
        shown["pairs: DML, mean"] = theirs.mean(0)
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    print("wrote", args.out, draw(shown, args.picture))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
