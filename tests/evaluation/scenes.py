"""Pairs whose misalignment is known: scenes that are formulas, so nothing is interpolated."""

from __future__ import annotations

import math

import numpy as np
import torch


def scene(seed: int, scale: float, waves: int = 80) -> np.ndarray:
    """Random waves (frequency by rows and columns, amplitude, phase) below LR's sampling limit."""
    rng = np.random.default_rng(seed)
    frequency = np.exp(rng.uniform(np.log(0.01), np.log(0.4), waves)) / scale
    angle, phase = rng.uniform(0, 2 * np.pi, (2, waves))
    amplitude = frequency**-0.7
    amplitude *= 0.14 / np.sqrt((amplitude**2).sum() / 2)
    return np.stack([frequency * np.sin(angle), frequency * np.cos(angle), amplitude, phase])


def render(waves: np.ndarray, rows: np.ndarray, columns: np.ndarray, blur: float) -> np.ndarray:
    """The scene at some places, behind a Gaussian of ``blur`` HR pixels."""
    image = np.full(rows.shape, 0.5)
    for y, x, amplitude, phase in waves.T:
        kept = amplitude * math.exp(-2 * (math.pi * blur) ** 2 * (y * y + x * x))
        image += kept * np.cos(2 * math.pi * (y * rows + x * columns) + phase)
    return image


def pair(
    size: tuple[int, int] = (128, 144),
    scale: int = 2,
    same_size: bool = False,
    down: float = 0.0,
    right: float = 0.0,
    rotation: float = 0.0,
    enlargement: float = 0.0,
    gain: float = 1.0,
    seed: int = 0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """HR and a blurred, noisy LR of ``size``, 8 bit, that is displaced, turned and enlarged."""
    waves, stride = scene(seed, scale), 1 if same_size else scale
    hr = render(waves, *np.mgrid[0 : size[0] * stride, 0 : size[1] * stride].astype(float), 0)
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]].astype(float)
    y, x, turn = rows - (size[0] - 1) / 2, columns - (size[1] - 1) / 2, math.radians(rotation)
    rows = rows - (down + enlargement * y + turn * x)
    columns = columns - (right + enlargement * x - turn * y)
    places = [stride * side + (stride - 1) / 2 for side in (rows, columns)]
    lr = gain * render(waves, *places, 0.4 * scale)
    lr += np.random.default_rng(seed).normal(size=lr.shape) / 255
    levels = [np.round(image.clip(0, 1) * 255) / 255 for image in (hr, lr)]
    return tuple(torch.from_numpy(image).float()[None].repeat(3, 1, 1) for image in levels)
