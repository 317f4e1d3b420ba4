"""From an image back to raw sensor values, and forward again.

After Brooks et al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019; code in
google-research/google-research, ``unprocessing``). Colours are developed in this order: white
balance and exposure on the mosaic, demosaicing, colour matrix, gamma, tone curve.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from realdeg.degradations.primitives.mosaic import mosaic_gains
from realdeg.degradations.primitives.tone import (
    gamma_compress,
    gamma_expand,
    inverse_smoothstep,
    positive_columns,
    smoothstep,
)

# XYZ to camera. Brooks et al. mix the first four, the cameras of the Darmstadt Noise Dataset. All
# but the first are in dcraw's tables under these names.
CAMERAS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "huawei_nexus_6p": (
        (1.0234, -0.2969, -0.2266),
        (-0.5625, 1.6328, -0.0469),
        (-0.0703, 0.2188, 0.6406),
    ),
    "sony_a7r": (
        (0.4913, -0.0541, -0.0202),
        (-0.6130, 1.3513, 0.2906),
        (-0.1564, 0.2151, 0.7183),
    ),
    "olympus_e_m10": (
        (0.8380, -0.2630, -0.0639),
        (-0.2887, 1.0725, 0.2496),
        (-0.0627, 0.1427, 0.5438),
    ),
    "sony_rx100_m4": (
        (0.6596, -0.2079, -0.0562),
        (-0.4782, 1.3016, 0.1933),
        (-0.0970, 0.1581, 0.5181),
    ),
    "canon_5d_mark_iii": (
        (0.6722, -0.0635, -0.0963),
        (-0.4287, 1.2460, 0.2028),
        (-0.0908, 0.2162, 0.5668),
    ),
}
BROOKS_CAMERAS = tuple(CAMERAS)[:4]

_RGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_INFLECTION = 0.9  # above it gains return towards 1, so that white stays white


def camera_matrix(weights: Mapping[str, float]) -> Tensor:
    """Return the matrix from linear sRGB to a camera's colours, or to a mixture of cameras'.

    Args:
        weights: Names in :data:`CAMERAS` and their weights, at least 0, not all 0.

    Returns:
        float64, shape (3, 3); rows sum to 1, so that grey stays grey.

    Raises:
        ValueError: If a camera is unknown or a weight invalid.
    """
    for name in weights:
        if name not in CAMERAS:
            raise ValueError(f"cameras are {', '.join(CAMERAS)}, got {name!r}")
    total = sum(weights.values())
    if not 0 < total < float("inf") or min(weights.values()) < 0:
        raise ValueError(f"shares of cameras are at least 0 and not all 0, got {dict(weights)}")
    xyz_to_camera = torch.zeros(3, 3, dtype=torch.float64)
    for name, share in weights.items():
        xyz_to_camera += torch.tensor(CAMERAS[name], dtype=torch.float64) * (share / total)
    matrix = xyz_to_camera @ torch.tensor(_RGB_TO_XYZ, dtype=torch.float64)
    return matrix / matrix.sum(1, keepdim=True)


def apply_matrices(x: Tensor, matrices: Tensor) -> Tensor:
    """Multiply the colours of images (B, 3, H, W) by matrices, (B, 3, 3) or (3, 3)."""
    matrices = matrices.to(x).expand(x.shape[0], 3, 3)
    return (matrices @ x.flatten(2)).view_as(x)


def invert_gains(
    x: Tensor, exposure: Sequence[float], red: Sequence[float], blue: Sequence[float]
) -> Tensor:
    """Divide by exposure and white balance, but preserve saturated values.

    Args:
        x: Linear camera colours, shape (B, 3, H, W).
        exposure: Gain of all channels, one per image, above 0.
        red: Additional gain of R, one per image, above 0.
        blue: Additional gain of B, one per image, above 0.

    Returns:
        Sensor values, shape (B, 3, H, W).

    Raises:
        ValueError: If a gain is not positive or there is not one per image.
    """
    gains = 1 / _gains(x, exposure, red, blue)
    # 0 up to the inflection, 1 at white.
    mask = ((x.mean(1, keepdim=True) - _INFLECTION).clamp_min(0) / (1 - _INFLECTION)) ** 2
    return x * torch.maximum(mask + (1 - mask) * gains, gains)


def unprocess(
    x: Tensor,
    matrices: Tensor,
    exposure: Sequence[float],
    red: Sequence[float],
    blue: Sequence[float],
) -> Tensor:
    """Convert images to the values of a sensor without a colour filter array.

    Tone curve, gamma 2.2, colour matrix and gains are undone in this order.

    Args:
        x: sRGB images in [0, 1], shape (B, 3, H, W).
        matrices: From linear sRGB to the camera, shape (B, 3, 3) or (3, 3).
        exposure: See :func:`invert_gains`.
        red: See :func:`invert_gains`.
        blue: See :func:`invert_gains`.

    Returns:
        Linear values in [0, 1], shape (B, 3, H, W), the input of ``bayer_mosaic``.
    """
    linear = gamma_expand(inverse_smoothstep(x))
    return sensor_values(linear, matrices, exposure, red, blue)


def sensor_values(
    linear: Tensor,
    matrices: Tensor,
    exposure: Sequence[float],
    red: Sequence[float],
    blue: Sequence[float],
) -> Tensor:
    """Convert linear sRGB to sensor values, the part of :func:`unprocess` after the curves."""
    return invert_gains(apply_matrices(linear, matrices), exposure, red, blue).clamp(0, 1)


def apply_raw_gains(
    raw: Tensor,
    pattern: str,
    exposure: Sequence[float],
    red: Sequence[float],
    blue: Sequence[float],
) -> Tensor:
    """Multiply raw images (B, 1, H, W) by exposure and white balance, and clip to [0, 1].

    Gains are as in :func:`invert_gains`.
    """
    gains = mosaic_gains(_gains(raw, exposure, red, blue), pattern)
    height, width = raw.shape[2:]
    tiles = gains.repeat(1, 1, -(-height // 2), -(-width // 2))[..., :height, :width]
    return (raw * tiles).clamp(0, 1)


def process(x: Tensor, matrices: Tensor) -> Tensor:
    """Convert demosaiced, white-balanced camera colours to an sRGB image.

    Applies colour matrix, gamma 2.2 and tone curve, which :func:`unprocess` undoes. Brooks et al.'s
    forward code omits the tone curve and the exposure; here LR is compared with HR, which has them.

    Args:
        x: Shape (B, 3, H, W).
        matrices: From linear sRGB to the camera, as for :func:`unprocess`; inverted here.

    Returns:
        sRGB images in [0, 1], shape (B, 3, H, W).
    """
    return smoothstep(gamma_compress(linear_colours(x, matrices)))


def linear_colours(x: Tensor, matrices: Tensor) -> Tensor:
    """Convert camera colours to linear sRGB, the part of :func:`process` before the curves."""
    inverse = torch.linalg.inv(matrices.double())
    return apply_matrices(x, inverse).clamp(0, 1)


def _gains(
    x: Tensor, exposure: Sequence[float], red: Sequence[float], blue: Sequence[float]
) -> Tensor:
    """Return the gains of R, G and B, shape (B, 3, 1, 1)."""
    names = {"exposure gains": exposure, "red gains": red, "blue gains": blue}
    brightness, of_red, of_blue = positive_columns(x, **names)
    return torch.cat([of_red, torch.ones_like(of_red), of_blue], 1) * brightness
