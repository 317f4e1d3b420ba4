"""A readable summary of a pool, with the spread of its items' measurements."""

from __future__ import annotations

import math

import numpy as np
import torch

from realdeg.degradations.pool import Pool


def pool_summary(pool: Pool) -> list[str]:
    """Return lines with a pool's content, origin and the spread of its items' measurements."""
    text = [pool.describe()]
    settings = {key: value for key, value in pool.meta.items() if key != "source"}
    if settings:
        text.append(", ".join(f"{key} {_short(value)}" for key, value in settings.items()))
    photos = {str(record["photo"]) for record in pool.records if "photo" in record}
    if photos:
        text.append(f"from {len(photos)} photos")
    if pool.kind == "noise":
        sigma = pool.items.float().flatten(1).std(1, unbiased=False) * 255
        text.append(_quantiles("sigma", sigma.tolist(), "grey levels"))
        return text
    squares = pool.items.double().square()
    text.append(_quantiles("width", [_spread(k) for k in squares], "HR pixels"))
    negative = (-pool.items).clamp(min=0).sum((1, 2)) / pool.items.abs().sum((1, 2))
    text.append(_quantiles("negative share", negative.tolist(), ""))
    for name, unit in (("residual", "grey levels"), ("gain", ""), ("seconds", "")):
        values = [float(record[name]) for record in pool.records if name in record]
        if values:
            text.append(_quantiles(name, values, unit))
    return text


def _spread(squares: torch.Tensor) -> float:
    """Return a kernel's equivalent standard deviation from its squared taps."""
    mass = squares / squares.sum()
    axis = torch.arange(mass.shape[0], dtype=mass.dtype)
    variance = 0.0
    for profile in (mass.sum(0), mass.sum(1)):
        variance += float(profile @ (axis - profile @ axis).square())
    return math.sqrt(variance)


def _quantiles(name: str, values: list[float], unit: str) -> str:
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return f"{name} {middle:.3g} (5 to 95 %: {low:.3g} to {high:.3g}) {unit}".rstrip()


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {item}" for key, item in value.items()) + ")"
    return str(value)
