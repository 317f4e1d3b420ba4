"""The figures of a comparison: photographs with curves, and curves alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realdeg.apis.comparison_result import Comparison
from realdeg.apis.picture_scores import crop_scores, with_chroma
from realdeg.degradations import Bicubic
from realdeg.evaluation.protocols import get_protocol
from realdeg.visualization.degradations import degradation_comparison
from realdeg.visualization.sheets import telling_crop
from realdeg.visualization.style import pixels


def draw_comparison(comparison: Comparison, folder: Path, crop: int | None = None) -> list[Path]:
    """Draw crops, kernels and curves next to each other.

    Args:
        comparison: The comparison.
        folder: Where the figures are written.
        crop: Size of the crops in HR pixels; None: a quarter of the shorter side.

    Returns:
        The paths of the figures.
    """
    kernels: dict[str, Any] = {}
    transfer: dict[str, Any] = {}
    noise: dict[str, Any] = {}
    power: dict[str, Any] = {}
    for name, result in comparison.results.items():
        found = result.curves.get("EffectiveKernel")
        if found:
            kernels |= {name: found["generated"], "camera": found["real"]}
        curves = result.curves.get("Bandwidth")
        if curves:
            frequency = curves["frequency"]
            transfer |= {
                name: (frequency, curves["generated"]),
                "camera": (frequency, curves["real"]),
            }
            ratio = 10 * (curves["power_generated"] / curves["power_real"]).clamp_min(1e-9).log10()
            power |= {name: (frequency, ratio), "camera": (frequency, 0 * ratio)}
        curves = result.curves.get("NoiseStatistics")
        if curves:
            sources = {name: "generated", "camera": "real"}
            noise |= {
                key: (curves["frequency"], curves[one].sqrt()) for key, one in sources.items()
            }
    axis = "cycles per LR pixel"
    plots = {
        f"contrast remaining from HR|{axis}|transfer function": transfer,
        f"noise in flat regions|{axis}|levels": noise,
        f"power relative to the camera|{axis}|dB": power,
    }
    plots = {heading: curves for heading, curves in plots.items() if curves}
    title = "Degradations against a real camera"
    names = list(comparison.results)
    stride = _stride(comparison)
    caption = "PSNR and SSIM against the camera's LR, protocol lr-fidelity; crops where they differ"
    path = folder / "comparison.png"
    written = [
        degradation_comparison(
            names,
            [_row(row, crop, stride) for row in comparison.shown],
            kernels,
            plots,
            path,
            title=title,
            caption=caption,
            stride=stride,
        )
    ]
    if kernels or plots:
        # Without photographs, whose terms may not allow redistribution.
        path = folder / "comparison_curves.png"
        caption = comparison.dataset
        written.append(
            degradation_comparison(
                names, [], kernels, plots, path, title=title, caption=caption, stride=stride
            )
        )
    return written


def _row(row: Mapping[str, Any], crop: int | None, stride: int) -> dict[str, Any]:
    """Return a row of the figure: a bicubic reduction beside the degradations, crop and scores."""
    hr, real = row["hr"], row["real"]
    scale = row["scale"]
    made = {name: image for name, (image, _) in row["made"].items()}
    if not any(name.lower() == "bicubic" for name in made):
        same_size = stride == 1 and scale != 1
        made = {"bicubic": Bicubic(scale, same_size)(hr[None], [0])[0].clamp(0, 1), **made}
    shown = {name: with_chroma(image, real) for name, image in made.items()}
    full = (int(hr.shape[-2]), int(hr.shape[-1]))
    side = min(crop or min(full) // 4, *full)
    side = max(side // stride, 1) * stride
    top, left = telling_crop([*map(pixels, shown.values()), pixels(hr)], side, stride)
    square = (top // stride, left // stride, side // stride)
    protocol = get_protocol("lr-fidelity")
    scored = {
        name: (shown[name], crop_scores(image, real, protocol, square, scale=scale))
        for name, image in made.items()
    }
    return {**row, "made": scored, "crop": (top, left, side)}


def _stride(comparison: Comparison) -> int:
    """Return the HR pixels per LR pixel on the grid of the pairs."""
    first = comparison.shown[0]
    return max(1, round(first["hr"].shape[-1] / first["real"].shape[-1]))
