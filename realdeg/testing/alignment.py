"""Measure the positions of a downsampler's LR pixels in two independent ways.

Both give the HR coordinate (row, column) of LR pixel 0, pixel 0 of HR being centred at 0, as
``Degradation.offset`` declares it. A plain bicubic reduction gives (scale - 1) / 2.

A downsampler is any function from (B, C, H, W) to (B, C, H / scale, W / scale) that is linear in
the mean and shift-invariant away from the border; it may clip to [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Downsampler = Callable[[Tensor], Tensor]

# Periods per inner LR image, (rows, columns). Low frequencies, which every blur passes.
_WAVES = ((1, 0), (0, 1), (2, 1), (1, 2), (-1, 3), (3, -2), (2, 2), (-2, 1))


def ramp_offset(
    down: Downsampler, scale: int, inside: int = 48, margin: int = 24, channels: int = 3
) -> tuple[float, float]:
    """Measure with ramps: the value of an LR pixel is its position on the ramp.

    Args:
        down: The downsampler.
        scale: HR pixels per LR pixel.
        inside: LR pixels per axis that are used; a multiple of 12, so that patterns with a period
            of 2, 3 or 4 pixels (from repeated resizing) cancel.
        margin: LR pixels at each side that the border may affect.
        channels: Channels of the test image.

    Returns:
        (row, column), the mean over all inner pixels; exact for a ramp that is not clipped.
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
    """Measure by phase correlation: fit a plane to the phases of a few low frequencies.

    The waves have a whole number of periods in the inner LR image, so no window is needed and
    nothing leaks. Exact for a kernel that is symmetric about its centroid; a skewed one shifts the
    phases slightly more (Stone et al., "A fast direct Fourier-based algorithm for subpixel
    registration of images", TGRS 2001, without its window).

    Args:
        down: The downsampler.
        scale: HR pixels per LR pixel.
        inside: LR pixels per axis that are used; a multiple of 12, so that patterns with a period
            of 2, 3 or 4 pixels (from repeated resizing) cancel.
        margin: LR pixels at each side that the border may affect.
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
        # LR pixel i lies at scale * (i + margin) + offset: the phase beyond those of the wave and
        # the margin is due to the offset.
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
    """Fail unless both measurements give the declared offset within the tolerance.

    Args:
        down: The downsampler.
        scale: HR pixels per LR pixel.
        expected: The declared offset, one number or (row, column).
        tolerance: Largest difference in HR pixels.
    """
    wanted = expected if isinstance(expected, tuple) else (expected, expected)
    for name, measure in (("ramp", ramp_offset), ("phase", phase_offset)):
        got = measure(down, scale)
        error = max(abs(a - b) for a, b in zip(got, wanted, strict=True))
        assert error <= tolerance, f"{name}: LR pixel 0 lies at {got}, declared is {wanted}"
