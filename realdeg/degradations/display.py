"""How a degradation shows itself in a notebook, and draws what it does to an image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from realdeg.errors import DataError
from realdeg.utils.image import ImageLike, read_image, rgb_tensor
from realdeg.utils.notebook import Picture, html_block, kernel_picture
from realdeg.utils.place import Place

if TYPE_CHECKING:
    from realdeg.degradations.base import Degradation

_MOST_KERNELS = 8
_CHART = 192


class ShowsDegradation:
    """Mix-in of degradations: :meth:`plot` and the block that a notebook shows."""

    def _repr_html_(self) -> str:
        """Return description, arguments and learned kernels for a notebook."""
        self_ = cast("Degradation", self)
        learned = sum(parameter.numel() for parameter in self_.parameters())
        state = "" if self_.fitting is None else "trained" if self_.is_trained else "untrained"
        return html_block(
            self_.describe(),
            {
                **self_.arguments,
                "numbers learned": f"{learned:,} ({state})" if state else "",
                "hash": self_.hash() if state == "trained" else "",
            },
            pictures=_bases(self_),
        )

    def plot(
        self,
        image: ImageLike | str | os.PathLike[str] | None = None,
        *,
        seed: int = 0,
        points: Sequence[tuple[int, int]] | None = None,
    ) -> Any:
        """Draw HR, a sampled LR beside it, and the kernels that made it.

        Kernels are those at places of the image, where the degradation has a field of kernels, or
        the one that its trace states; there are none where it is not known.

        Args:
            image: An HR image: an array, an image of Pillow or a file; rows and columns that are
                not divisible by the scale are cropped. None: a test chart of 192 x 192.
            seed: The seed of the draws.
            points: (row, column) of the LR pixels whose kernels are drawn; None: the strongest edge
                of each quarter, and the flattest place.

        Returns:
            A ``matplotlib.figure.Figure``, which a notebook shows; ``figure.savefig`` writes it.

        Raises:
            DataError: If the image cannot be read, or a point lies outside of LR.
            GeometryError: If the image is too small.
            OutputError: If matplotlib is not installed.
        """
        # Imported late: figures are made by few, and matplotlib is slow to import.
        from realdeg.visualization.degradations import degradation_figure
        from realdeg.visualization.learned import telling_points

        degradation = cast("Degradation", self)
        hr = _chart() if image is None else _loaded(image)
        stride = degradation.stride
        sides = [int(side // stride * stride) for side in hr.shape[-2:]]
        hr = hr[..., : sides[0], : sides[1]]
        tensors = (*degradation.parameters(), *degradation.buffers())
        on_device = hr.to(tensors[0].device) if tensors else hr
        with torch.no_grad():
            place = Place.whole(*sides)
            traces = degradation.sample(on_device, [int(seed)], [place])
            lr = degradation.replay(on_device, traces)
            chosen = list(points) if points is not None else telling_points(hr, stride)
            _check_points(chosen, (int(lr.shape[-2]), int(lr.shape[-1])))
            try:
                at = {"place": place} if degradation.uses_place else {}
                kernels = degradation.kernels_at(on_device, chosen, **at) if chosen else None
            except NotImplementedError:
                chosen = []
                stated = degradation.condition(traces[0]).get("kernel")
                kernels = (
                    None
                    if stated is None
                    else torch.as_tensor(stated).reshape(1, *torch.as_tensor(stated).shape[-2:])
                )
        return degradation_figure(
            hr[0].cpu(),
            lr[0].float().cpu(),
            None if kernels is None else kernels.float().cpu(),
            chosen,
            stride=stride,
            title=degradation.describe(),
            caption=traces[0].in_words(),
        )


def _loaded(image: ImageLike | str | os.PathLike[str]) -> Tensor:
    return rgb_tensor(read_image(image) if isinstance(image, str | os.PathLike) else image)[None]


def _check_points(points: Sequence[tuple[int, int]], size: tuple[int, int]) -> None:
    for row, column in points:
        if not (0 <= row < size[0] and 0 <= column < size[1]):
            raise DataError(
                f"the point ({row}, {column}) lies outside of LR, which has {size[0]} x {size[1]}"
                " pixels: points are (row, column) of LR pixels, from 0."
            )


def _chart() -> Tensor:
    """Return rings that become finer outwards, bars, a slanted edge and flat colours."""
    axis = torch.linspace(-1, 1, _CHART)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    rings = 0.5 + 0.5 * torch.cos(36 * (x**2 + y**2))
    image = rings.expand(3, -1, -1).clone()
    half, quarter = _CHART // 2, _CHART // 4
    image[:, :half, :half] = (x + 0.15 * y < -0.5).float()[:half, :half]
    colours = torch.tensor([[0.8, 0.2, 0.2], [0.2, 0.6, 0.3], [0.2, 0.3, 0.8], [0.9, 0.8, 0.3]])
    for number, colour in enumerate(colours):
        top, left = half + number // 2 * quarter, number % 2 * quarter
        image[:, top : top + quarter, left : left + quarter] = colour[:, None, None]
    return image[None]


def _bases(degradation: nn.Module) -> list[Picture]:
    bases = getattr(degradation, "bases", None)
    if not isinstance(bases, Tensor) or bases.ndim not in (3, 4):
        return []
    stack = bases[:, 0] if bases.ndim == 4 else bases
    found = [
        kernel_picture(kernel, f"basis {number}, sum {float(kernel.detach().sum()):.2f}")
        for number, kernel in enumerate(stack[:_MOST_KERNELS], start=1)
    ]
    return found
