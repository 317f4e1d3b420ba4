"""Noise: fields drawn on the CPU from one seed per image, so that every device gets the same.

Nothing is clipped: callers handle values beyond [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

NoiseKind = Literal["white", "grey", "correlated"]
NOISE_KINDS: tuple[str, ...] = get_args(NoiseKind)
"""Independent per channel; one field for all channels; of a given covariance between them."""

_LUMA = (0.299, 0.587, 0.114)  # BT.601, as BSRGAN and Real-ESRGAN weigh grey noise
# Below this mean the counts are inverted exactly, above by the expansion (see _poisson_counts).
_EXPAND_FROM = 8.0
_PIECE = 8192  # values at a time
_LARGEST_PEAK = 1e6  # a larger mean is not an exact integer in float32


def white_noise(shape: Sequence[int], seed: int) -> Tensor:
    """Draw independent standard normal values; all noise fields here come from this function.

    Random bits come from NumPy's ``SFC64``, whose stream NumPy guarantees, and are converted by the
    Box-Muller method. So a seed gives the same field in every process, with any number of threads.
    Another processor or NumPy may round the logarithm or the cosine differently (about 1e-6). All
    64 bits of the seed are used; torch's CPU generator uses 32.

    Args:
        shape: The field's shape.
        seed: 0 to 2**64 - 1.

    Returns:
        float32 on the CPU, of that shape, at most 6.7 in absolute value.

    Raises:
        ValueError: If the seed is out of range.
    """
    _check_seed(seed)
    number = math.prod(shape)
    pairs = (number + 1) // 2
    bits = np.random.SFC64(int(seed)).random_raw(pairs).view(np.int32).reshape(2, pairs)
    field = np.empty((2, pairs), np.float32)
    radius = np.abs(bits[0], dtype=np.float32, casting="unsafe")
    radius *= np.float32(2.0**-31)
    np.maximum(radius, np.float32(2.0**-32), out=radius)  # avoids the logarithm of 0
    np.log(radius, out=radius)
    radius *= np.float32(-2)
    np.sqrt(radius, out=radius)
    angle = bits[1].astype(np.float32)
    angle *= np.float32(math.pi * 2.0**-31)
    np.cos(angle, out=field[0])
    np.sin(angle, out=field[1])
    field *= radius
    return torch.from_numpy(field.reshape(-1)[:number].reshape(tuple(shape)))


def gaussian_noise(
    x: Tensor,
    sigmas: Tensor | Sequence[float],
    seeds: Sequence[int],
    kind: str | Sequence[str] = "white",
    covariances: Tensor | None = None,
) -> Tensor:
    """Add Gaussian noise.

    Correlated noise follows BSRGAN (Zhang et al., ICCV 2021), whose element-wise absolute value may
    give a matrix that is not a covariance. Like NumPy's sampler, this function then takes the
    absolute values of the eigenvalues.

    Args:
        x: Images, shape (B, C, H, W) with C = 1 or 3.
        sigmas: One standard deviation per image, for values in [0, 1]; ``"correlated"`` ignores
            it.
        seeds: One seed per image.
        kind: One of :data:`NOISE_KINDS`, for all images or one per image.
        covariances: Symmetric matrices between the channels R, G, B, shape (B, 3, 3), for values
            in [0, 1]; needed for ``"correlated"``. A grey image gets the luminance of that noise.

    Returns:
        Noisy images, not clipped, shape (B, C, H, W).

    Raises:
        ValueError: If an argument is out of range or does not match the batch.
    """
    return x + _fields(x, sigmas, seeds, kind, covariances) if x.shape[0] else x.clone()


def speckle_noise(
    x: Tensor,
    sigmas: Tensor | Sequence[float],
    seeds: Sequence[int],
    kind: str | Sequence[str] = "white",
    covariances: Tensor | None = None,
) -> Tensor:
    """Add Gaussian noise multiplied by the image, as BSRGAN+ does.

    Args:
        x: Images, shape (B, C, H, W) with C = 1 or 3.
        sigmas: See :func:`gaussian_noise`.
        seeds: One seed per image.
        kind: See :func:`gaussian_noise`.
        covariances: See :func:`gaussian_noise`.

    Returns:
        Noisy images, not clipped, shape (B, C, H, W).

    Raises:
        ValueError: If an argument is out of range or does not match the batch.
    """
    if not x.shape[0]:
        return x.clone()
    return torch.addcmul(x, x, _fields(x, sigmas, seeds, kind, covariances).expand_as(x))


def shot_read_noise(
    x: Tensor, shot: Tensor | Sequence[float], read: Tensor | Sequence[float], seeds: Sequence[int]
) -> Tensor:
    """Add a sensor's noise: Gaussian of variance ``shot * x + read``, independent per value.

    The model of Brooks et al. (CVPR 2019) for linear raw values.

    Args:
        x: Raw images in [0, 1], shape (B, C, H, W); values below 0 count as 0 for the variance.
        shot: One factor per image, at least 0.
        read: One variance per image, at least 0.
        seeds: One seed per image.

    Returns:
        Noisy images, not clipped, shape (B, C, H, W).

    Raises:
        ValueError: If an argument is out of range or does not match the batch.
    """
    batch = _batch(x, seeds)
    shots = _per_image(shot, batch, "shot")
    reads = _per_image(read, batch, "read")
    noisy = []
    for image, a, b, seed in zip(x, shots, reads, seeds, strict=True):
        # Clamped above 0, where the root has no gradient; 1e-10 is far below any image's rounding.
        deviation = image.clamp_min(0).mul(a).add_(b).clamp_min_(1e-20).sqrt_()
        noisy.append(torch.addcmul(image, deviation, white_noise(image.shape, seed).to(x)))
    return torch.stack(noisy) if noisy else x.clone()


def poisson_noise(
    x: Tensor,
    peaks: Tensor | Sequence[float],
    seeds: Sequence[int],
    grey: Sequence[bool] | None = None,
    scales: Tensor | Sequence[float] | None = None,
    levels: int | None = 255,
) -> Tensor:
    """Add the noise of counting ``peaks * x`` photons, ``scales`` times.

    With m the image rounded to ``levels``, the noise is ``scale * (Poisson(peak * m) / peak - m)``.
    BSRGAN+ and Real-ESRGAN both round m to 8 bit. Where ``grey``, m is the luminance and all
    channels get the same noise.

    Each count is the quantile of one normal value, instead of rejection sampling with a varying
    number of draws. So a mean that differs in the last digit, for instance on another device,
    changes only that count, by at most one. The total variation distance from the Poisson
    distribution is within 5e-4, and 2e-5 where the mean is below 8.

    Args:
        x: Images in [0, 1], shape (B, C, H, W) with C = 1 or 3.
        peaks: Photons at value 1, one per image, above 0 and up to 1e6.
        seeds: One seed per image.
        grey: Which images get grey noise; ``None`` is none.
        scales: Factor of the noise, one per image; ``None`` is 1.
        levels: Number of steps from 0 to 1 that m is rounded to; ``None`` only clips it to [0, 1].

    Returns:
        Noisy images, not clipped, shape (B, C, H, W). The noise counts as constant for gradients.

    Raises:
        ValueError: If an argument is out of range or does not match the batch.
    """
    batch = _batch(x, seeds)
    values = _per_image(peaks, batch, "peak", _LARGEST_PEAK)
    if min(values, default=1.0) <= 0:
        raise ValueError(f"peaks are above 0, got {min(values)}")
    factors = [1.0] * batch if scales is None else _per_image(scales, batch, "scale")
    shared = [False] * batch if grey is None else [bool(flag) for flag in grey]
    if len(shared) != batch:
        raise ValueError(f"{len(shared)} grey flags were given for {batch} images")
    noisy: list[Tensor] = []
    rows = zip(x, values, factors, shared, seeds, strict=True)
    for image, peak, factor, is_grey, seed in rows:
        mean = image.detach().float().cpu()
        if is_grey and mean.shape[0] == 3:
            mean = luminance(mean)
        mean = mean.clamp(0, 1) if levels is None else _rounded(mean, levels).div_(levels)
        normal = white_noise(mean.shape, seed)
        noise = torch.from_numpy(_poisson_counts((mean * peak).numpy(), normal.numpy()))
        noise.div_(peak).sub_(mean).mul_(factor)
        noisy.append(image + noise.to(image))
    if len(noisy) == 1:
        return noisy[0][None]
    return torch.stack(noisy) if noisy else x.clone()


def level_peaks(x: Tensor, grey: Sequence[bool] | None = None, levels: int = 255) -> list[float]:
    """Return Real-ESRGAN's number of photons: a power of two at least an image's number of levels.

    ``2 ** ceil(log2(n))`` with n the number of different values of the rounded image, all
    channels together (BasicSR ``generate_poisson_noise``).

    Args:
        x: Images in [0, 1], shape (B, C, H, W) with C = 1 or 3.
        grey: Which images count levels of luminance; ``None`` is none.
        levels: Number of steps from 0 to 1.

    Returns:
        One peak per image, for :func:`poisson_noise`.
    """
    peaks = []
    for index, image in enumerate(x.detach().float()):
        if grey is not None and grey[index] and image.shape[0] == 3:
            image = luminance(image)
        used = torch.bincount(_rounded(image, levels).flatten().int(), minlength=levels + 1)
        peaks.append(2.0 ** math.ceil(math.log2(max(int((used > 0).sum()), 1))))
    return peaks


def luminance(image: Tensor) -> Tensor:
    """Weigh R, G and B by BT.601: shape (3, H, W) to (1, H, W)."""
    red, green, blue = torch.split(image, 1)
    return (red * _LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])


def _rounded(image: Tensor, levels: int) -> Tensor:
    # Half to even, as NumPy and torch do in both public implementations.
    return (image * levels).round_().clamp_(0, levels)


def _poisson_counts(mean: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Convert standard normal values to Poisson quantiles of the same probability.

    In pieces that stay in the processor's cache, which is three times faster.
    """
    counts = np.empty_like(normal)
    flat = counts.reshape(-1), mean.reshape(-1), normal.reshape(-1)
    for start in range(0, counts.size, _PIECE):
        piece = slice(start, start + _PIECE)
        means, normals = flat[1][piece], flat[2][piece]
        low = means < _EXPAND_FROM
        if not low.all():
            _expanded_counts(np.maximum(means, np.float32(_EXPAND_FROM)), normals, flat[0][piece])
        # Indices instead of a mask: one pass with unpredictable branches instead of three.
        places = np.flatnonzero(low)
        if places.size:
            flat[0][piece][places] = _small_counts(means.take(places), normals.take(places))
    return counts


def _expanded_counts(mean: np.ndarray, normal: np.ndarray, out: np.ndarray) -> None:
    """Expand the quantile in descending powers of the root of the mean.

    Cornish and Fisher's expansion with a continuity correction, as in Giles, "Algorithm
    955: Approximation of the Inverse Poisson Cumulative Distribution Function" (ACM TOMS 2016),
    Q_N2.
    """
    root, square = np.sqrt(mean), normal * normal
    np.multiply(root, normal, out=out)
    out += mean
    out += square / np.float32(6)
    out += np.float32(1 / 3)
    out -= (square * np.float32(1 / 72) + np.float32(1 / 36)) * normal / root
    square *= square * np.float32(1 / 270) + np.float32(7 / 810)
    square -= np.float32(8 / 405)
    out += square / mean
    np.floor(out, out=out)
    np.maximum(out, 0, out=out)


def _small_counts(mean: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Sum the probabilities of 0, 1, 2 ... until they exceed the normal value's."""
    # Clamped where float32 sums of probabilities become indistinguishable from 1.
    probability = torch.special.ndtr(torch.from_numpy(normal)).clamp_(max=1 - 1e-6).numpy()
    term = np.exp(-mean)
    below = term.copy()
    counts = np.zeros_like(mean)
    number = 0
    while True:
        more = probability > below
        # The bound is only reached for NaN, never for probabilities up to 1 - 1e-6.
        if number > 64 or not more.any():
            return counts
        counts += more
        number += 1
        term *= mean
        term /= np.float32(number)
        below += term


def _fields(
    x: Tensor,
    sigmas: Tensor | Sequence[float],
    seeds: Sequence[int],
    kind: str | Sequence[str],
    covariances: Tensor | None,
) -> Tensor:
    """Draw Gaussian fields like x, with one channel if all images get grey noise."""
    batch = _batch(x, seeds)
    kinds = [kind] * batch if isinstance(kind, str) else list(kind)
    levels = _per_image(sigmas, batch, "sigma")
    if len(kinds) != batch or not set(kinds) <= set(NOISE_KINDS):
        raise ValueError(f"kinds of noise are {', '.join(NOISE_KINDS)}, one per image, got {kind}")
    if "correlated" in kinds and (covariances is None or covariances.shape != (batch, 3, 3)):
        raise ValueError(f"correlated noise wants covariances of shape ({batch}, 3, 3)")
    channels, height, width = x.shape[1:]
    fields = []
    for index, (name, sigma, seed) in enumerate(zip(kinds, levels, seeds, strict=True)):
        if name == "correlated":
            assert covariances is not None
            field = white_noise((3, height * width), seed)
            root = _symmetric_root(covariances[index])
            if channels == 1:
                root = root.new_tensor([_LUMA]) @ root
            field = (root @ field).view(channels, height, width)
        else:
            drawn = 1 if name == "grey" else channels
            field = white_noise((drawn, height, width), seed).mul_(sigma)
        fields.append(field)
    if len({field.shape for field in fields}) > 1:
        fields = [field.expand(channels, height, width) for field in fields]
    return (fields[0][None] if batch == 1 else torch.stack(fields)).to(x)


def _symmetric_root(covariance: Tensor) -> Tensor:
    # The symmetric root is unique, so it does not depend on LAPACK's choice of signs.
    matrix = covariance.detach().to("cpu", torch.float64)
    if not torch.isfinite(matrix).all() or not torch.allclose(matrix, matrix.t(), atol=1e-9):
        raise ValueError("a covariance is a symmetric matrix of finite numbers")
    values: Tensor
    vectors: Tensor
    values, vectors = torch.linalg.eigh(matrix)
    return ((vectors * values.abs().sqrt()) @ vectors.t()).float()


def _batch(x: Tensor, seeds: Sequence[int]) -> int:
    if x.ndim != 4 or x.shape[1] not in (1, 3):
        raise ValueError(f"noise takes (B, C, H, W) with C = 1 or 3, got {tuple(x.shape)}")
    if len(seeds) != x.shape[0]:
        raise ValueError(f"{len(seeds)} seeds were given for {x.shape[0]} images")
    return x.shape[0]


def _check_seed(seed: int) -> None:
    if not 0 <= int(seed) < 2**64:
        raise ValueError(f"a seed is from 0 to 2**64 - 1, got {seed}")


def _per_image(
    values: Tensor | Sequence[float], batch: int, name: str, highest: float = math.inf
) -> list[float]:
    numbers = values.tolist() if isinstance(values, Tensor) else [float(value) for value in values]
    if len(numbers) != batch:
        raise ValueError(f"{len(numbers)} values of {name} were given for {batch} images")
    for number in numbers:
        if not (math.isfinite(number) and 0 <= number <= highest):
            raise ValueError(f"{name} is a number from 0 to {highest:g}, got {number}")
    return numbers
