"""Tone curves between linear light and image values in [0, 1], each with its inverse."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# Powers of smaller values have an unbounded gradient (Brooks et al. clamp here, too).
_DARKEST = 1e-8
_STEEPEST = 6e-8  # 1 - 2 * 6e-8 is the float32 before 1


def smoothstep(x: Tensor) -> Tensor:
    """Raise the contrast by ``3 x^2 - 2 x^3``: Brooks et al.'s global tone curve (CVPR 2019).

    Args:
        x: Any shape; clipped to [0, 1].

    Returns:
        The same shape.
    """
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def inverse_smoothstep(x: Tensor) -> Tensor:
    """Undo :func:`smoothstep`: ``1/2 - sin(asin(1 - 2 x) / 3)``.

    Args:
        x: Any shape; clipped to [0, 1].

    Returns:
        The same shape.
    """
    # The slope is unbounded at both ends, which are set explicitly, without a gradient.
    inner = 0.5 - torch.sin(torch.asin(1 - 2 * x.clamp(_STEEPEST, 1 - _STEEPEST)) / 3)
    inner = inner.masked_fill(x <= _STEEPEST, 0)
    return inner.masked_fill(x >= 1 - _STEEPEST, 1)


def gamma_expand(x: Tensor, gamma: float = 2.2) -> Tensor:
    """Convert image values to linear light by a power.

    Args:
        x: Any shape; values below 1e-8 are raised to it.
        gamma: The power, above 0.

    Returns:
        The same shape.
    """
    return _power(x.clamp_min(_DARKEST), gamma)


def gamma_compress(x: Tensor, gamma: float = 2.2) -> Tensor:
    """Undo :func:`gamma_expand`.

    Args:
        x: Any shape; values below 1e-8 are raised to it.
        gamma: The power, above 0.

    Returns:
        The same shape.
    """
    return _power(x.clamp_min(_DARKEST), 1 / gamma)


def srgb_to_linear(x: Tensor) -> Tensor:
    """Convert sRGB values to linear light (IEC 61966-2-1).

    Args:
        x: Any shape; clipped to [0, 1].

    Returns:
        The same shape.
    """
    x = x.clamp(0, 1)
    return torch.where(x <= 0.04045, x / 12.92, _power((x + 0.055) / 1.055, 2.4))


def linear_to_srgb(x: Tensor) -> Tensor:
    """Undo :func:`srgb_to_linear`.

    Args:
        x: Any shape; clipped to [0, 1].

    Returns:
        The same shape.
    """
    x = x.clamp(0, 1)
    # Both branches are evaluated, and the power's gradient at 0 is not finite.
    power = _power(x.clamp_min(_DARKEST), 1 / 2.4) * 1.055 - 0.055
    return torch.where(x <= 0.0031308, x * 12.92, power)


def sigmoid_response(
    x: Tensor, exponents: Tensor | Sequence[float], offsets: Tensor | Sequence[float]
) -> Tensor:
    """Convert linear light to image values as cameras do: ``(1 + a) x^n / (x^n + a)``.

    Eilertsen et al., "HDR image reconstruction from a single exposure using deep CNNs" (SIGGRAPH
    Asia 2017), fitted this family to a database of measured camera responses: n = 0.9, a = 0.6 on
    average, both with a standard deviation of 0.1.

    Args:
        x: Images, shape (B, C, H, W); values below 1e-8 are raised to it.
        exponents: n, one per image, above 0.
        offsets: a, one per image, above 0.

    Returns:
        Image values, shape (B, C, H, W); 0 and 1 are fixed points.

    Raises:
        ValueError: If a parameter is not positive or there is not one per image.
    """
    n, a = positive_columns(x, exponents=exponents, offsets=offsets)
    power = _power(x.clamp_min(_DARKEST), n)
    return (1 + a) * power / (power + a)


def inverse_sigmoid_response(
    x: Tensor, exponents: Tensor | Sequence[float], offsets: Tensor | Sequence[float]
) -> Tensor:
    """Undo :func:`sigmoid_response`.

    Args:
        x: Images, shape (B, C, H, W); clipped to [1e-8, 1].
        exponents: n, one per image, above 0.
        offsets: a, one per image, above 0.

    Returns:
        Light, shape (B, C, H, W).

    Raises:
        ValueError: If a parameter is not positive or there is not one per image.
    """
    n, a = positive_columns(x, exponents=exponents, offsets=offsets)
    x = x.clamp(_DARKEST, 1)
    return _power(a * x / (1 + a - x), 1 / n)


def sampled_response(x: Tensor, curves: Tensor) -> Tensor:
    """Apply measured curves, by linear interpolation between their samples.

    Args:
        x: Images, shape (B, C, H, W); clipped to [0, 1].
        curves: Values at equally spaced positions from 0 to 1, shape (K,) or (B, K), K at least 2.

    Returns:
        The same shape as ``x``.

    Raises:
        ValueError: If the curves do not match the batch.
    """
    curves = _curves(curves, x.shape[0]).to(x)
    place = x.clamp(0, 1) * (curves.shape[1] - 1)
    left = place.detach().floor().clamp(max=curves.shape[1] - 2)
    index = left.long().flatten(1)
    low = curves.gather(1, index).view_as(x)
    high = curves.gather(1, index + 1).view_as(x)
    return low + (high - low) * (place - left)


def invert_curves(curves: Tensor, samples: int = 1024) -> Tensor:
    """Sample the inverse of increasing curves, for :func:`sampled_response`.

    Args:
        curves: Strictly increasing from 0 to 1, shape (K,) or (B, K).
        samples: Number of samples of the inverse, at least 2.

    Returns:
        float32, shape (samples,) or (B, samples).

    Raises:
        ValueError: If a curve does not increase from 0 to 1.
    """
    rows = curves.detach().double()
    rows = rows if rows.ndim > 1 else rows[None]
    if (rows.diff(dim=1) <= 0).any() or (rows[:, 0] != 0).any() or (rows[:, -1] != 1).any():
        raise ValueError("a curve to be inverted increases strictly from 0 to 1")
    values = torch.linspace(0, 1, samples, dtype=torch.float64, device=rows.device)
    values = values.expand(len(rows), -1).contiguous()
    right = torch.searchsorted(rows.contiguous(), values).clamp(1, rows.shape[1] - 1)
    low, high = rows.gather(1, right - 1), rows.gather(1, right)
    places = (right - 1 + (values - low) / (high - low)) / (rows.shape[1] - 1)
    return places.float() if curves.ndim == 2 else places[0].float()


def _power(x: Tensor, exponent: Tensor | float) -> Tensor:
    # Ten times faster than torch's power on the CPU, and within 1e-6 of it on [0, 1].
    return torch.exp(torch.log(x) * exponent)


def _curves(curves: Tensor, batch: int) -> Tensor:
    if curves.ndim == 1:
        curves = curves.expand(batch, -1)
    if curves.ndim != 2 or curves.shape[0] != batch or curves.shape[1] < 2:
        raise ValueError(
            f"curves have shape (K,) or ({batch}, K) with K at least 2, got {tuple(curves.shape)}"
        )
    return curves


def positive_columns(x: Tensor, **values: Tensor | Sequence[float]) -> list[Tensor]:
    """Return each sequence as (B, 1, 1, 1), raising ValueError unless positive, one per image."""
    columns = []
    for name, given in values.items():
        column = torch.as_tensor(given, dtype=x.dtype, device=x.device)
        if column.shape != (x.shape[0],) or not (column > 0).all():
            raise ValueError(f"{name} are above 0, one for each of {x.shape[0]} images")
        columns.append(column.view(-1, 1, 1, 1))
    return columns
