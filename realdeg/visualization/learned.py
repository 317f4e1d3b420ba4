"""Figures of the kernels that a degradation has learned, on one image."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from realdeg.utils.colour import rgb_to_y
from realdeg.utils.place import Place
from realdeg.visualization.kernels import basis_kernels, kernel_points
from realdeg.visualization.maps import weight_maps

# Side of the HR crop on which kernels are evaluated.
_CROP = 256
# LR pixels, so that each quarter has room.
_LEAST = 12


def learned_kernels(
    degradation: nn.Module,
    hr: Tensor,
    folder: Path,
    camera: nn.Module | None = None,
    place: Place | None = None,
) -> list[Path]:
    """Draw what a kernel degradation has learned.

    Args:
        degradation: With ``bases`` and ``weights`` (DML) or only ``kernels_at``.
        hr: One HR image, shape (3, H, W).
        folder: The output folder.
        camera: The simulated truth, if any.
        place: Where the image lies in its photo, if that is known.

    Returns:
        The paths; none for a degradation without kernels.
    """
    device = next(degradation.parameters(), hr).device
    image, (top, left) = _middle(hr[None], _CROP)
    if place is not None:
        place = place.cropped(top, left, image.shape[2], image.shape[3])

    def kernels_of(source: nn.Module, seen: Tensor) -> Tensor:
        at = {"place": place} if getattr(source, "uses_place", False) else {}
        found: Tensor = source.kernels_at(seen, points, **at)  # type: ignore[operator]
        return found

    stride = int(getattr(degradation, "stride", 1))
    points = telling_points(image, stride)
    try:
        found = {"learned": kernels_of(degradation, image.to(device))}
    except NotImplementedError:
        return []
    if camera is not None:
        found["truth"] = kernels_of(camera, image)
    written = [kernel_points(image[0], points, found, folder / "kernels.png", scale=stride)]
    bases = getattr(degradation, "bases", None)
    if isinstance(bases, Tensor) and hasattr(degradation, "weights"):
        effective = getattr(degradation, "effective_bases", lambda: bases)()
        written.append(basis_kernels(effective, folder / "bases.png", stride=stride))
        maps = degradation.weights(image.to(device))  # type: ignore[operator]
        path = folder / "weights.png"
        written.append(weight_maps(image[0], maps, path, kernels=effective, stride=stride))
    return written


def _middle(image: Tensor, side: int) -> tuple[Tensor, tuple[int, int]]:
    """Crop the centre to sides divisible by every scale, and tell where it starts."""
    height, width = (min(size, side) // 12 * 12 for size in image.shape[2:])
    top, left = (image.shape[2] - height) // 2, (image.shape[3] - width) // 2
    return image[..., top : top + height, left : left + width], (top, left)


def telling_points(image: Tensor, stride: int) -> list[tuple[int, int]]:
    """Return the strongest edge of each quarter and the flattest point, as LR pixels.

    If kernels depend on content, they differ there.

    Args:
        image: One HR image, shape (1, C, H, W).
        stride: HR pixels per LR pixel.

    Returns:
        (row, column) of five LR pixels; none in an image of fewer than 12 LR pixels.
    """
    if min(image.shape[-2:]) < _LEAST * stride:
        return []
    luma = avg_pool2d(rgb_to_y(image), stride)
    energy = (luma[..., 1:, :-1] - luma[..., :-1, :-1]) ** 2
    energy = energy + (luma[..., :-1, 1:] - luma[..., :-1, :-1]) ** 2
    reach = 5
    energy = avg_pool2d(energy, reach, stride=1)[0, 0]
    rows, columns = energy.shape[0] // 2, energy.shape[1] // 2
    points = []
    for top in (0, rows):
        for left in (0, columns):
            quarter = energy[top : top + rows, left : left + columns]
            row, column = divmod(int(quarter.argmax()), columns)
            points.append((top + row + reach // 2, left + column + reach // 2))
    row, column = divmod(int(energy.argmin()), energy.shape[1])
    return [*points, (row + reach // 2, column + reach // 2)]
