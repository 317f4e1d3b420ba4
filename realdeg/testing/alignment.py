"""Measures where the pixels of a downsampler lie, in two independent ways.

Both give the HR coordinate (row, column) of LR pixel 0, pixel 0 of HR being centred at 0, as
``Degradation.offset`` declares it. A plain bicubic reduction gives (scale - 1) / 2.

A downsampler is any function from (B, C, H, W) to (B, C, H / scale, W / scale) that is linear in
the mean and treats the inside of an image everywhere alike; it may clip to [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Downsampler = Callable[[Tensor], Tensor]

# Waves per inner LR image, (rows, columns). Few, so that every blur lets them pass.
_WAVES = ((1, 0), (0, 1), (2, 1), (1, 2), (-1, 3), (3, -2), (2, 2), (-2, 1))


def ramp_offset(
    down: Downsampler, scale: int, inside: int = 48, margin: int = 24, channels: int = 3
) -> tuple[float, float]:
    """Measure by ramps: what an LR pixel shows of a ramp is where it lies.

    Args:
        down: The downsampler.
        scale: HR pixels per LR pixel.
        inside: LR pixels per axis that are looked at; a multiple of 12, so that what repeats every
            2, 3 or 4 pixels (an image that was shrunk and enlarged again) cancels.
        margin: LR pixels at each rim that the border may spoil.
        channels: Channels of the test image.

    Returns:
        (row, column), the mean over all pixels inside; exact for a ramp that is not clipped.
    """
    size = scale * (inside + 2 * margin)
    # Kept away from 0 and 1, where a degradation may clip.
    ramp = 0.1 + 0.8 * torch.arange(size, dtype=torch.float32) / size
    across = ramp.expand(1, channels, size, size).contiguous()
    position = scale * torch.arange(margin, margin + inside, dtype=torch.float64)
    offsets = []
    for image, axis in ((across.transpose(2, 3).contiguous(), -2), (across, -1)):
        lr = down(image).detach()[..., margin:-margin, margin:-margin].double()
        seen = (lr - 0.1) / 0.8 * size
        expected = position.view(-1, 1) if axis == -2 else position
        offsets.append(float((seen - expected).mean()))
    return offsets[0], offsets[1]


def phase_offset(
    down: Downsampler, scale: int, inside: int = 48, margin: int = 24, channels: int = 3
) -> tuple[float, float]:
    """Measure by phase correlation: a plane is laid through the phases of a few slow waves.

    The waves fit a whole number of times into the part of the LR image that is looked at, so no
    window is needed and nothing leaks. Exact for a kernel that is symmetric about its centroid; a
    skew one turns the waves a little more (Stone et al., "A fast direct Fourier-based algorithm for
    subpixel registration of images", TGRS 2001, without its window).

    Args:
        down: The downsampler.
        scale: HR pixels per LR pixel.
        inside: LR pixels per axis that are looked at; a multiple of 12, so that what repeats every
            2, 3 or 4 pixels (an image that was shrunk and enlarged again) cancels.
        margin: LR pixels at each rim that the border may spoil.
        channels: Channels of the test image.

    Returns:
        (row, column).
    """
    size, period = scale * (inside + 2 * margin), scale * inside
    axis = torch.arange(size, dtype=torch.float64)
    image = torch.full((size, size), 0.5, dtype=torch.float64)
    for number, (rows, columns) in enumerate(_WAVES):
        turns = (rows * axis[:, None] + columns * axis[None, :]) / period
        image += 0.4 / len(_WAVES) * torch.cos(2 * math.pi * turns + number)
    lr = down(image.float().expand(1, channels, size, size).contiguous()).detach()
    spectrum = torch.fft.fft2(lr[..., margin:-margin, margin:-margin].double().mean((0, 1)))
    slopes, phases, weights = [], [], []
    for number, (rows, columns) in enumerate(_WAVES):
        # LR pixel i lies at scale * (i + margin) + offset: what is beyond the phase of the wave
        # and that of the margin is the offset's.
        margins = 2 * math.pi * (rows + columns) * scale * margin / period
        value = spectrum[rows % inside, columns % inside]
        turned = value * torch.exp(torch.tensor(-1j * (number + margins), dtype=torch.complex128))
        slopes.append([2 * math.pi * rows / period, 2 * math.pi * columns / period])
        phases.append(float(turned.angle()))
        weights.append(float(turned.abs()))
    weight = torch.tensor(weights, dtype=torch.float64)[:, None]
    plane = torch.tensor(slopes, dtype=torch.float64) * weight
    target = torch.tensor(phases, dtype=torch.float64)[:, None] * weight
    row, column = torch.linalg.lstsq(plane, target).solution.flatten().tolist()
    return row, column


def assert_offset(
    down: Downsampler, scale: int, expected: float | tuple[float, float], tolerance: float = 0.01
) -> None:
    """Fail unless both measurements give the offset, to some HR pixels.

    Args:
        down: The downsampler.
        scale: HR pixels per LR pixel.
        expected: The declared offset, one number or (row, column).
        tolerance: Greatest difference in HR pixels.
    """
    wanted = expected if isinstance(expected, tuple) else (expected, expected)
    for name, measure in (("ramp", ramp_offset), ("phase", phase_offset)):
        got = measure(down, scale)
        error = max(abs(a - b) for a, b in zip(got, wanted, strict=True))
        assert error <= tolerance, f"{name}: LR pixel 0 lies at {got}, declared is {wanted}"
