"""What is done at test time beyond one pass of a network: self-ensemble and back-projection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import pad

from realdeg.backbones.base import Backbone
from realdeg.backbones.running import predict_image
from realdeg.errors import ConfigError, GeometryError
from realdeg.utils.scales import hr_length, whole_step

if TYPE_CHECKING:
    from realdeg.degradations.back_projection import BackProjection

TURNS = 8
"""The rotations and reflections of a square: transpose, vertical and horizontal flip combined."""


@dataclass(frozen=True)
class Refinement:
    """How a network's image is refined: first the self-ensemble, then the back-projection.

    Args:
        self_ensemble: Whether the image is the mean of eight passes, over the rotations and
            reflections of the input.
        back_projection: Corrects the image until its degradation gives the LR image; None: not.
    """

    self_ensemble: bool = False
    back_projection: BackProjection | None = None

    def __bool__(self) -> bool:
        """Whether anything is done beyond one pass."""
        return self.self_ensemble or self.back_projection is not None

    @property
    def passes(self) -> int:
        """How often the network runs."""
        return TURNS if self.self_ensemble else 1

    def describe(self) -> str:
        """Return what is added to the name of a network, such as ``" + self-ensemble"``."""
        text = " + self-ensemble" if self.self_ensemble else ""
        if self.back_projection is not None:
            text += f" + {self.back_projection.describe()}"
        return text

    def check(self, backbone: Backbone) -> None:
        """Refuse a network that cannot be refined like this.

        Args:
            backbone: The network.

        Raises:
            ConfigError: If it draws its output at random, trains on the image itself, or works on
                luma and the degradation of the back-projection needs colour.
            GeometryError: If scale or grid of the degradation differ.
        """
        name = type(backbone).__name__
        if self.self_ensemble and backbone.zero_shot:
            raise ConfigError(
                f"{name} trains on the image itself, and a self-ensemble would train eight times:"
                " use it without (ZSSR has its own ensemble)."
            )
        if self.self_ensemble and backbone.draws:
            raise ConfigError(
                f"{name} draws its output at random, and the mean of eight draws is none of its"
                " images: use it without self-ensemble, or with sampling='mean'."
            )
        if self.back_projection is not None:
            self.back_projection.check(name, backbone.scale, backbone.same_size, backbone.colour)

    def predict(
        self,
        backbone: Backbone,
        image: Tensor,
        lr: Tensor,
        *,
        scale: float | None = None,
        cond: Tensor | None = None,
        after_pass: Callable[[int], object] | None = None,
    ) -> Tensor:
        """Run a network and refine its image.

        Nothing is clipped or rounded, neither between passes nor at the end.

        Args:
            backbone: The network.
            image: What :func:`~realdeg.backbones.running.network_input` returned, (B, C, h, w).
            lr: The LR image in the network's colour, in [0, 1], (B, C, h, w).
            scale: The scale of the call; None: the network's.
            cond: The degradation, for networks that use it.
            after_pass: Called with the number of finished passes.

        Returns:
            (B, C, H, W), not clipped.

        Raises:
            DataError: If the network returns NaN or infinity, or the back-projection diverges.
            GeometryError: If the scale of the call is not that of the degradation, or is not a
                fraction that a self-ensemble can align.
        """
        if self.self_ensemble:
            sr = predict_ensemble(backbone, image, scale=scale, cond=cond, after_pass=after_pass)
        else:
            sr = predict_image(backbone, image, scale=scale, cond=cond)
        return sr if self.back_projection is None else self.back_projection(sr, lr)


def predict_ensemble(
    backbone: Backbone,
    image: Tensor,
    *,
    scale: float | None = None,
    cond: Tensor | None = None,
    after_pass: Callable[[int], object] | None = None,
) -> Tensor:
    """Return the mean of a network's results for the eight rotations and reflections of an image.

    The mean is taken before clipping and rounding, and is accumulated in place: memory is that of
    one pass and one result. A map of degradations turns with the image; a vector does not.

    With a fractional scale the HR grid of a reflected image coincides with that of the image only
    if the sides have a whole number of HR pixels. Other sides are extended by their last row or
    column, and the result is cropped.

    Args:
        backbone: The network.
        image: What :func:`~realdeg.backbones.running.network_input` returned, (B, C, h, w).
        scale: The scale of the call; None: the network's.
        cond: The degradation, for networks that use it: (B, K) or (B, K, h, w).
        after_pass: Called with the number of finished passes, 1 to 8.

    Returns:
        (B, C, H, W), not clipped.

    Raises:
        DataError: If the network returns NaN or infinity.
        GeometryError: If the scale is no fraction with up to three decimals.

    Source:
        Timofte, Rothe, Van Gool, Seven ways to improve example-based single image super
        resolution, CVPR 2016; Lim et al., EDSR, CVPRW 2017, whose tables mark it "+".
    """
    factor = _factor(backbone, scale)
    step = whole_step(factor)
    if step is None:
        raise GeometryError(
            f"self-ensemble with scale {factor!r}: reflected images have no HR grid in common at"
            " such a scale. Take one with up to three decimals, or no self-ensemble."
        )
    height, width = int(image.shape[-2]), int(image.shape[-1])
    image = _extended(image, step)
    if cond is not None and cond.ndim == 4:
        cond = _extended(cond, step)
    total: Tensor | None = None
    for number in range(TURNS):
        turned_cond = turned(cond, number) if cond is not None and cond.ndim == 4 else cond
        output = predict_image(backbone, turned(image, number), scale=scale, cond=turned_cond)
        output = turned_back(output, number)
        # An eighth is a power of two, so the scaled sum is the mean, to the last bit.
        total = output / TURNS if total is None else total.add_(output, alpha=1 / TURNS)
        if after_pass is not None:
            after_pass(number + 1)
    assert total is not None
    return total[..., : hr_length(height, factor), : hr_length(width, factor)]


def turned(image: Tensor, number: int) -> Tensor:
    """Apply one of the eight transformations: transpose, then flip up-down, then left-right.

    Args:
        image: (B, C, h, w).
        number: 0 to 7; its bits 4, 2 and 1 choose the three. 0 changes nothing.
    """
    if number & 4:
        image = image.transpose(-2, -1)
    flipped = [axis for axis, bit in ((-2, 2), (-1, 1)) if number & bit]
    return image.flip(flipped) if flipped else image.contiguous()


def turned_back(image: Tensor, number: int) -> Tensor:
    """Undo :func:`turned` with the same number."""
    flipped = [axis for axis, bit in ((-2, 2), (-1, 1)) if number & bit]
    image = image.flip(flipped) if flipped else image
    return image.transpose(-2, -1) if number & 4 else image


def _factor(backbone: Backbone, scale: float | None) -> float:
    """Return output over input pixels of the network itself."""
    if backbone.same_size or backbone.upsample in ("pre", "none"):
        return 1
    return backbone.scale if scale is None else scale


def _extended(image: Tensor, step: int) -> Tensor:
    """Extend an image at the bottom and the right until its sides are multiples of a step."""
    down, across = -image.shape[-2] % step, -image.shape[-1] % step
    return pad(image, (0, across, 0, down), mode="replicate") if down or across else image
