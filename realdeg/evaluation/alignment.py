"""The alignment of a pair: displacement by region, rotation, scale and gain.

A degradation that is learned from pairs learns every difference between LR and HR, including
misalignment: a displacement becomes part of the kernels, a varying one becomes noise in them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import DataError, GeometryError
from realdeg.evaluation.degradation.spectra import displacement
from realdeg.utils.colour import to_colour
from realdeg.utils.image import ImageLike, rgb_tensor

# Smallest and largest side of a region in LR pixels (the latter resolves 0.01 px), and the most
# regions side by side.
_LEAST_REGION, _REGION, _SIDE_BY_SIDE = 32, 96, 4
# A region may deviate from the displacement of the whole image by 4 % of its distance from the
# centre (a scale error of 4 %, or 2 degrees) and these LR pixels.
_REACH, _SHARE = 4, 0.04
# The whole image is located on a grid of at most this many pixels per side.
_OVERVIEW = 192
# Below this correlation of band-passed luma two regions do not match.
_LEAST_AGREEMENT = 0.4
# Least fraction of the gradients' energy across their main direction.
_LEAST_SPREAD = 0.01
# A position with this fraction of the best correlation counts as equally good.
_AS_GOOD = 0.98
# With fewer regions rotation and scale are not measured.
_LEAST_REGIONS = 4
# 8-bit levels: a region with less standard deviation contains only noise.
_LEAST_DEVIATION = 2.0
# If a smaller fraction of the textured regions is found in HR, the images do not match or are too
# far apart.
_LEAST_FOUND = 0.25
# Tukey's constant: regions more than this many deviations away are ignored by the fit.
_TUKEY = 4.685


@dataclass(frozen=True)
class RegionShift:
    """The displacement of one region of LR against HR.

    Args:
        row: Centre of the region, LR pixels from the top.
        column: Centre of the region, LR pixels from the left.
        down: Displacement of LR downwards, in LR pixels.
        right: Displacement of LR to the right, in LR pixels.
        agreement: Correlation of band-passed luma at that displacement, up to 1.
    """

    row: float
    column: float
    down: float
    right: float
    agreement: float

    @property
    def distance(self) -> float:
        """Length of the displacement in LR pixels."""
        return math.hypot(self.down, self.right)


@dataclass(frozen=True)
class PairAlignment:
    """The measurements of one pair; None for what could not be measured.

    Args:
        size: Height and width of the measured part, in LR pixels.
        regions: The regions that could be measured.
        textured: The number of regions with enough texture.
        asked: The number of regions examined.
        down: Displacement of LR's centre downwards, in LR pixels.
        right: Displacement of LR's centre to the right.
        shift: Median length of the regions' displacements, LR pixels.
        rotation: Clockwise rotation of LR in degrees.
        rotation_error: Standard error of the rotation.
        enlargement: Relative excess size of LR, 0.01 for 1 %.
        enlargement_error: Standard error of the enlargement.
        residual: Root mean square of the residual of the fit, in LR pixels.
        gain: Mean brightness of LR over that of HR, per channel.
    """

    size: tuple[int, int]
    regions: tuple[RegionShift, ...]
    textured: int
    asked: int
    down: float | None = None
    right: float | None = None
    shift: float | None = None
    rotation: float | None = None
    rotation_error: float | None = None
    enlargement: float | None = None
    enlargement_error: float | None = None
    residual: float | None = None
    gain: tuple[float, ...] | None = None

    @property
    def measurable(self) -> bool:
        """Whether there was enough texture to measure the displacement."""
        return self.shift is not None

    @property
    def unrelated(self) -> bool:
        """Whether there is texture, but hardly any of it occurs in both images."""
        few = len(self.regions) < _LEAST_FOUND * self.textured
        return self.textured >= _LEAST_REGIONS and few

    def describe(self) -> str:
        """Return one line of numbers."""
        if self.shift is None:
            why = "no region has texture"
            if self.textured:
                why = f"none of {self.textured} regions with texture is found in both images"
            return f"cannot be measured: {why if self.asked else 'the images are too small'}"
        parts = [f"shift {self.shift:.2f} px"]
        if self.rotation is not None and self.enlargement is not None:
            parts.append(f"rotation {self.rotation:+.2f} degrees")
            parts.append(f"scale {100 * self.enlargement:+.2f} %")
        if self.gain is not None:
            parts.append(f"gain {sum(self.gain) / len(self.gain):.2f}")
        parts.append(f"{len(self.regions)} of {self.asked} regions")
        return ", ".join(parts)


@torch.no_grad()
def measure_alignment(
    hr: Tensor | ImageLike, lr: Tensor | ImageLike, scale: float, same_size: bool = False
) -> PairAlignment:
    """Measure how an LR image is aligned with its HR image.

    Each region of LR is located in the downsampled HR image by correlation, to a pixel, then by the
    phase of the cross spectrum (:func:`~realdeg.evaluation.degradation.spectra.displacement`), to
    about 0.02 px; gain, noise and symmetric blur do not matter. A similarity transform
    (displacement, rotation, scale) is fitted to all regions with Tukey's weights.

    Args:
        hr: RGB or Y in [0, 1], shape (C, H, W); or an array H x W x C, or an image of Pillow.
        lr: The same of LR, shape (C, h, w).
        scale: HR pixels per LR pixel, unless ``same_size``.
        same_size: Whether LR lies on the HR grid.

    Returns:
        The measurements, in pixels of the LR file; not ``measurable`` if the images share too
        little texture or are smaller than 40 LR pixels.

    Raises:
        DataError: If an image does not have three dimensions.
        GeometryError: If the sizes contradict the scale.
    """
    hr, lr = (each if isinstance(each, Tensor) else rgb_tensor(each) for each in (hr, lr))
    if hr.ndim != 3 or lr.ndim != 3:
        raise DataError(
            f"an alignment is measured on (C, H, W), got {tuple(hr.shape)} and {tuple(lr.shape)}."
        )
    stride = 1 if same_size else scale
    small = hr.float()
    if stride != 1:
        small = imresize(small[None], 1 / stride)[0]
    if small.shape[-2:] != lr.shape[-2:]:
        raise GeometryError(
            f"HR of {hr.shape[-2]} x {hr.shape[-1]} and LR of {lr.shape[-2]} x {lr.shape[-1]}"
            f" pixels do not fit scale {scale:g}, same_size={same_size}."
        )
    height, width = int(lr.shape[-2]), int(lr.shape[-1])
    luma = [to_colour(image.float(), "y")[0].double() * 255 for image in (lr, small)]
    found: list[tuple[RegionShift, tuple[int, int], tuple[int, int], int]] = []
    asked = textured = 0
    # The detail of a same-size LR is as coarse as its scale, and so is the band.
    grain = float(scale) if same_size else 1.0
    banded = [_band(image.numpy(), grain) for image in luma]
    start = _overview(banded[0], banded[1])
    for top, left, side in _places(height, width):
        asked += 1
        region = luma[0][top : top + side, left : left + side]
        if float(region.std()) < _LEAST_DEVIATION:
            continue
        textured += 1
        if not _spreads(banded[0][top : top + side, left : left + side]):
            continue
        coarse = _seek(banded, (top, left), side, start, grain)
        if coarse is None:
            continue
        down, right, agreement = coarse
        other = luma[1][top - down : top - down + side, left - right : left - right + side]
        fine = displacement(region, other, side // 2 // 2 * 2)
        if fine is None or max(map(abs, fine)) > 2:
            continue
        centre = (top + (side - 1) / 2, left + (side - 1) / 2)
        shift = RegionShift(*centre, down + fine[0], right + fine[1], agreement)
        found.append((shift, (top, left), (down, right), side))
    regions = tuple(item[0] for item in found)
    if not regions:
        return PairAlignment((height, width), (), textured, asked)
    return PairAlignment(
        (height, width),
        regions,
        textured,
        asked,
        shift=float(np.median([region.distance for region in regions])),
        gain=_brightness(lr.float(), small, found),
        **_fit(regions, ((height - 1) / 2, (width - 1) / 2)),
    )


def _places(height: int, width: int) -> Iterator[tuple[int, int, int]]:
    """Yield the regions: top, left and side."""
    side = min(_REGION, min(height, width) * 3 // 8 // 4 * 4)
    side = max(side, _LEAST_REGION)
    if min(height, width) < side + 2 * _REACH:
        return
    starts = []
    for length in (height, width):
        free = length - side - 2 * _REACH
        count = max(1, min(_SIDE_BY_SIDE, 1 + 2 * free // side))
        starts.append(sorted({_REACH + round(free * i / max(count - 1, 1)) for i in range(count)}))
    for top in starts[0]:
        for left in starts[1]:
            yield top, left, side


def _band(image: np.ndarray, grain: float) -> np.ndarray:
    """Remove brightness and noise by a difference of Gaussians."""
    fine = cv2.GaussianBlur(image, (0, 0), 0.7 * grain)
    coarse = cv2.GaussianBlur(image, (0, 0), 3 * grain)
    return (fine - coarse).astype(np.float32)


def _overview(image: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Locate the whole image, to a pixel or two, by its central part."""
    factor = max(1.0, max(image.shape) / _OVERVIEW)
    size = (round(image.shape[1] / factor), round(image.shape[0] / factor))
    small = [
        cv2.resize(np.abs(part), size, interpolation=cv2.INTER_AREA) for part in (image, reference)
    ]
    margin = [side // 5 for side in small[0].shape]
    middle = small[0][margin[0] : -margin[0] or None, margin[1] : -margin[1] or None]
    _, peak, place = _correlation(small[1], middle)
    if peak < _LEAST_AGREEMENT:
        return 0.0, 0.0
    return (margin[0] - place[0]) * factor, (margin[1] - place[1]) * factor


def _spreads(region: np.ndarray) -> bool:
    """Return whether a region has gradients in more than one direction, unlike stripes."""
    rows, columns = np.gradient(region)
    tensor = [float((a * b).mean()) for a, b in ((rows, rows), (columns, columns), (rows, columns))]
    half = (tensor[0] + tensor[1]) / 2
    rest = math.hypot((tensor[0] - tensor[1]) / 2, tensor[2])
    return half - rest > _LEAST_SPREAD * (half + rest)


def _correlation(image: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, float, tuple[int, int]]:
    """Locate a part in an image: all correlations, their peak and its position."""
    scores = cv2.matchTemplate(image, np.ascontiguousarray(part), cv2.TM_CCOEFF_NORMED)
    _, peak, _, (column, row) = cv2.minMaxLoc(scores)
    return scores, float(peak), (row, column)


def _seek(
    banded: list[np.ndarray],
    place: tuple[int, int],
    side: int,
    start: tuple[float, float],
    grain: float,
) -> tuple[int, int, float] | None:
    """Locate a region of LR in the downsampled HR: whole pixels down and right, and correlation."""
    image, reference = banded
    height, width = image.shape
    top, left = place
    middle = (top + side / 2 - height / 2, left + side / 2 - width / 2)
    reach = math.ceil(_REACH + _SHARE * math.hypot(*middle) + 0.02 * max(map(abs, start)))
    about = [round(p - s) for p, s in zip(place, start, strict=True)]
    first = [max(0, a - reach) for a in about]
    last = [min(n, a + side + reach) for a, n in zip(about, (height, width), strict=True)]
    window = reference[first[0] : last[0], first[1] : last[1]]
    if min(window.shape) < side:
        return None
    part = image[top : top + side, left : left + side]
    scores, peak, (row, column) = _correlation(window, part)
    if not peak >= _LEAST_AGREEMENT:
        return None
    # Stripes, single edges and repeated patterns match elsewhere as well.
    apart = math.ceil(2 + 2 * grain)
    others = scores.copy()
    others[max(0, row - apart) : row + apart + 1, max(0, column - apart) : column + apart + 1] = 0
    if float(others.max()) > _AS_GOOD * peak:
        return None
    return top - (first[0] + row), left - (first[1] + column), peak


def _fit(regions: tuple[RegionShift, ...], centre: tuple[float, float]) -> dict[str, float | None]:
    """Fit displacement, rotation and scale to the regions by least squares with Tukey's weights."""
    down = np.array([region.down for region in regions])
    right = np.array([region.right for region in regions])
    if len(regions) < _LEAST_REGIONS:
        return dict(down=float(np.median(down)), right=float(np.median(right)))
    row = np.array([region.row for region in regions]) - centre[0]
    column = np.array([region.column for region in regions]) - centre[1]
    zero, one = np.zeros_like(row), np.ones_like(row)
    # Unknowns: down, right, rotation in radians (clockwise on the screen), enlargement.
    design = np.stack(
        [
            np.concatenate([one, zero]),
            np.concatenate([zero, one]),
            np.concatenate([column, -row]),
            np.concatenate([row, column]),
        ],
        1,
    )
    target = np.concatenate([down, right])
    weight = np.ones(len(regions))
    solution = np.array([np.median(down), np.median(right), 0.0, 0.0])
    for round_ in range(12):
        root = np.sqrt(np.concatenate([weight, weight]))
        solution = np.linalg.lstsq(design * root[:, None], target * root, rcond=None)[0]
        error = (target - design @ solution).reshape(2, -1)
        distance = np.hypot(*error)
        # The median length of a two-dimensional normal error is 1.18 deviations.
        deviation = max(float(np.median(distance)) / 1.1774, 0.01)
        last = weight
        weight = np.clip(1 - (distance / (_TUKEY * deviation)) ** 2, 0, None) ** 2
        if round_ and np.abs(weight - last).max() < 1e-3:
            break
    total = float(weight.sum())
    residual = math.sqrt(float((weight * distance**2).sum()) / max(total, 1e-9))
    both = np.concatenate([weight, weight])
    # Two numbers a region, four unknowns.
    freedom = max(2 * total - 4, 1.0)
    variance = float((both * (target - design @ solution) ** 2).sum()) / freedom
    variance = max(variance, 0.01**2)
    covariance = variance * np.linalg.pinv((design * both[:, None]).T @ design)
    return dict(
        down=float(solution[0]),
        right=float(solution[1]),
        rotation=math.degrees(float(solution[2])),
        rotation_error=math.degrees(math.sqrt(float(covariance[2, 2]))),
        enlargement=float(solution[3]),
        enlargement_error=math.sqrt(float(covariance[3, 3])),
        residual=residual,
    )


def _brightness(
    lr: Tensor,
    small: Tensor,
    found: list[tuple[RegionShift, tuple[int, int], tuple[int, int], int]],
) -> tuple[float, ...] | None:
    """Compare the mean brightness of the matched regions."""
    ours = torch.zeros(lr.shape[0], dtype=torch.float64)
    theirs = torch.zeros_like(ours)
    for _, (top, left), (down, right), side in found:
        ours += lr[:, top : top + side, left : left + side].double().mean((1, 2))
        top, left = top - down, left - right
        theirs += small[:, top : top + side, left : left + side].double().mean((1, 2))
    if float(theirs.min()) <= 0:
        return None
    return tuple((ours / theirs).tolist())
