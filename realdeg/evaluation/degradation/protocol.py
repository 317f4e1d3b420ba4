"""Protocols for LR images: everything between an LR image and its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Interval, MultipleOf
from torch import Tensor

from realdeg.errors import DataError
from realdeg.evaluation.pairs import to_levels
from realdeg.evaluation.protocols import Protocol, resolve_protocol
from realdeg.utils.argument_types import Count, Whole
from realdeg.utils.arguments import check_constructor
from realdeg.utils.colour import rgb_to_ycbcr

Rounding = Literal["uint8", "none"]
Channels = Literal["ycbcr", "y"]


@check_constructor
@dataclass(frozen=True)
class LrProtocol:
    """The definition of the scores of generated LR images.

    Levels are those of 8 bit. Y, Cb and Cr are BT.601 studio range, computed from RGB that was
    rounded to 8 bit as in a file, and not rounded themselves. An image that has only Y is rounded
    once, as Y.

    Args:
        name: Added in brackets to every label, ``noise[name]``.
        border: LR pixels cropped from every side, where a 15 x 15 kernel reaches padding.
        rounding: ``"uint8"``: images are clipped and rounded to 8 bit first. ``"none"``: clipped.
        block: Side, in LR pixels, of the blocks whose spectra are averaged (Hann window, half
            overlapping): bandwidth, spectra, shifts. Even.
        most_blocks: Most blocks per image; larger images are covered more sparsely.
        flat_block: Side, in LR pixels, of the blocks in which noise is measured. Even.
        flat_share: Fraction of these blocks, over all images, that count as flat.
        patch: Side, in LR pixels, of the patches of the distance between sets.
        patch_step: Distance between patches in LR pixels.
        channels: Channels of the patches, ``"ycbcr"`` or ``"y"``.
        kernel_size: Side, in HR pixels, of the effective kernels.
        windows: Most windows per image for its effective kernel.
        description: One sentence for users.
        source: The origin of the procedure.

    Raises:
        ConfigError: If a field has an invalid value.
    """

    name: str
    border: Whole = 7
    rounding: Rounding = "uint8"
    block: Annotated[int, Ge(8), MultipleOf(2)] = 32
    most_blocks: Count = 1024
    flat_block: Annotated[int, Ge(4), MultipleOf(2)] = 8
    flat_share: Annotated[float, Interval(gt=0, le=1)] = 0.02
    patch: Annotated[int, Ge(4)] = 16
    patch_step: Count = 8
    channels: Channels = "ycbcr"
    kernel_size: Count = 15
    windows: Count = 1 << 16
    description: str = ""
    source: str = ""

    def label(self, metric: str) -> str:
        """Return the label of a score under this protocol, ``"noise[lr-statistics]"``."""
        return f"{metric}[{self.name}]"

    def summary(self) -> str:
        """Return the settings in one line, for logs and reports."""
        rounding = "RGB rounded to 8 bit" if self.rounding == "uint8" else "no rounding"
        colours = "Y, Cb, Cr" if self.channels == "ycbcr" else "Y"
        return (
            f"{rounding}, {self.border} LR px shaved; spectra and shifts of Y in {self.block} px"
            f" Hann blocks; noise of Y in the flattest {self.flat_share:.0%} of {self.flat_block}"
            f" px blocks; patches of {self.patch} px every {self.patch_step} px, {colours};"
            f" effective kernels {self.kernel_size} x {self.kernel_size} HR px"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


LR_PROTOCOLS: dict[str, LrProtocol] = {
    "lr-statistics": LrProtocol(
        name="lr-statistics",
        description=(
            "What a generated LR image shares with the camera's beyond its pixels: alignment,"
            " colour, noise, bandwidth, patch statistics, effective kernel."
        ),
        source="realdeg; docs/metrics.md gives every formula",
    ),
}


def get_lr_protocol(protocol: str | Mapping[str, Any] | LrProtocol) -> LrProtocol:
    """Return a protocol by name, or one that differs from a named one.

    Arguments, naming and errors are those of :func:`~realdeg.evaluation.get_protocol`.

    Examples:
        >>> get_lr_protocol(dict(base="lr-statistics", border=2)).name
        'lr-statistics,border=2'
    """
    name = "protocol for LR images"
    return resolve_protocol(protocol, LrProtocol, LR_PROTOCOLS, name, name)


@dataclass(frozen=True)
class LrPair:
    """A generated and a real LR image, and their HR image, as levels.

    Args:
        key: The image's key.
        generated: Y, or Y, Cb and Cr, levels of 8 bit in float64, shape (1 or 3, h, w).
        real: The same of the real image.
        hr: Y of the HR image, shape (1, stride * h, stride * w), if known.
        stride: HR pixels per LR pixel on the grid.
    """

    key: str
    generated: Tensor
    real: Tensor
    hr: Tensor | None
    stride: int

    @property
    def luma(self) -> tuple[Tensor, Tensor]:
        """Y of the generated and of the real image, each (h, w)."""
        return self.generated[0], self.real[0]


def prepare_lr(
    generated: Tensor,
    real: Tensor,
    protocol: LrProtocol,
    *,
    hr: Tensor | None = None,
    key: str = "the image",
) -> LrPair:
    """Convert a generated LR image, its real counterpart and HR to levels.

    Args:
        generated: RGB or Y in [0, 1], shape (3 or 1, h, w).
        real: RGB or Y in [0, 1], shape (3 or 1, h, w).
        protocol: Defines border, rounding and channels.
        hr: The HR image, shape (3 or 1, s h, s w), if known.
        key: The image's name in messages.

    Returns:
        The pair, with three channels if both images have them.

    Raises:
        DataError: If shapes do not match, values are not finite, or nothing is left inside the
            border.
    """
    for name, image in (("generated LR", generated), ("real LR", real), ("HR", hr)):
        if image is None:
            continue
        if image.ndim != 3 or image.shape[0] not in (1, 3):
            raise DataError(
                f"image '{key}': the {name} has shape {tuple(image.shape)}, wanted (3 or 1, h, w)."
            )
        if not bool(torch.isfinite(image).all()):
            raise DataError(f"image '{key}': the {name} holds values that are not finite.")
    size = tuple(real.shape[1:])
    if tuple(generated.shape[1:]) != size:
        raise DataError(
            f"image '{key}': the generated LR is {_size(generated)} and the real one {_size(real)}"
            " (height x width)."
        )
    if min(size) <= 2 * protocol.border:
        raise DataError(
            f"image '{key}' is {_size(real)}: nothing is left of it under protocol"
            f" '{protocol.name}' ({protocol.border} px are cropped from every side)."
        )
    stride = 1
    if hr is not None:
        stride = max(1, round(hr.shape[1] / size[0]))
        if tuple(hr.shape[1:]) != (stride * size[0], stride * size[1]):
            raise DataError(
                f"image '{key}': the HR is {_size(hr)} and the LR {_size(real)}, no whole multiple."
            )
    both = generated.shape[0] == real.shape[0] == 3
    sides = [_levels(image, protocol, both) for image in (generated, real)]
    luma = None
    if hr is not None:
        luma = _cropped(to_levels(hr, _image_protocol("none")), protocol.border * stride)
    return LrPair(key, sides[0], sides[1], luma, stride)


def _levels(image: Tensor, protocol: LrProtocol, colours: bool) -> Tensor:
    if not colours:
        return _cropped(to_levels(image, _image_protocol(protocol.rounding)), protocol.border)
    rgb = Protocol(
        "rgb", colour="rgb", rounding="uint8-rgb" if protocol.rounding == "uint8" else "none"
    )
    return _cropped(rgb_to_ycbcr(to_levels(image, rgb) / 255) * 255, protocol.border)


def _image_protocol(rounding: Rounding) -> Protocol:
    return Protocol("y", colour="y", rounding="uint8-rgb" if rounding == "uint8" else "none")


def _cropped(image: Tensor, border: int) -> Tensor:
    return image[:, border : image.shape[1] - border, border : image.shape[2] - border]


def _size(image: Tensor) -> str:
    return f"{image.shape[-2]} x {image.shape[-1]}"
