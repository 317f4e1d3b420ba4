"""The figures of a comparison: photographs with curves, and curves alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realdeg.apis.comparison_result import Comparison
from realdeg.visualization.degradations import degradation_comparison


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
    caption = "below each crop: PSNR in dB against the camera's LR, protocol lr-fidelity"
    path = folder / "comparison.png"
    written = [
        degradation_comparison(
            names,
            comparison.shown,
            kernels,
            plots,
            path,
            crop_size=crop,
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


def _stride(comparison: Comparison) -> int:
    """Return the HR pixels per LR pixel on the grid of the pairs."""
    first = comparison.shown[0]
    return max(1, round(first["hr"].shape[-1] / first["real"].shape[-1]))
