"""ScaleDML: one DML for every real scale, whose kernels stretch with the scale."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, cast

import torch
import torch.nn.functional as F
from annotated_types import Interval, Predicate
from torch import Tensor

from realdeg.degradations.base import AnyScale
from realdeg.degradations.dml import DML, Activation, ColourField
from realdeg.degradations.encoder_decoder import Levels
from realdeg.degradations.primitives.resize import imresize
from realdeg.degradations.told import WithoutPlace
from realdeg.degradations.windowed import Padding
from realdeg.errors import GeometryError
from realdeg.ops import kernel_apply
from realdeg.registry import DEGRADATIONS
from realdeg.utils.argument_types import Count, is_odd
from realdeg.utils.place import Place
from realdeg.utils.precision import full_precision
from realdeg.utils.scales import lr_length


@DEGRADATIONS.register_module()
class ScaleDML(DML):
    """DML with the scale as a condition: learned at some scales, it serves those between as well.

    The bases are those of ``largest_scale``. At a smaller scale they shrink in proportion, as a
    blur that belongs to LR pixels does: each tap is shared among the HR pixels where it then lies,
    which keeps every sum. The network reads HR at the resolution of LR and is told the scale, so
    that weights may differ from scale to scale. Where the scale is not whole, HR is filtered on its
    own grid, and the values at the LR centres are interpolated linearly.

    Not from the paper, which has one model for each scale. Train it on several scales with
    ``model.scales`` of :class:`~realdeg.tasks.DegradationLearning`.

    Args:
        scale: Downscaling factor, any number from 1 to ``largest_scale``.
        same_size: Whether LR lies on the HR grid.
        largest_scale: The largest scale.
        num_kernels: As for :class:`DML`.
        kernel_size: Side of the bases at ``largest_scale``, in HR pixels, odd.
        width: As for :class:`DML`.
        levels: As for :class:`DML`.
        skips: As for :class:`DML`.
        activation: As for :class:`DML`.
        renormalise: As for :class:`DML`.
        nonnegative: As for :class:`DML`.
        padding: As for :class:`DML`.
        position: As for :class:`DML`.
        without_place: As for :class:`DML`.
        colour: As for :class:`DML`.

    Shape:
        HR (B, C, H, W) to LR (B, C, H / scale, W / scale), or (B, C, H, W) when ``same_size``.

    Raises:
        GeometryError: If the scale is above ``largest_scale``.
    """

    any_scale = True
    fixed_geometry: ClassVar[bool] = False
    later_arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        scale: AnyScale = 4,
        same_size: bool = False,
        largest_scale: Annotated[float, Interval(gt=1, le=16)] = 4.0,
        num_kernels: Count = 8,
        kernel_size: Annotated[int, Interval(ge=1, le=63), Predicate(is_odd)] = 15,
        width: Count = 64,
        levels: Levels = 4,
        skips: bool = True,
        activation: Activation = "softmax",
        renormalise: bool = True,
        nonnegative: bool = False,
        padding: Padding = "reflect",
        position: bool = False,
        without_place: WithoutPlace = "refuse",
        colour: ColourField = "luma",
    ) -> None:
        if scale > largest_scale:
            raise GeometryError(
                f"ScaleDML: scale {scale:g} is above largest_scale={largest_scale:g}, whose kernels"
                " are the widest it has: take a smaller scale."
            )
        # As if on the HR grid, on which bases have their centre and the network any size.
        super().__init__(
            cast(int, scale), True, num_kernels, kernel_size, width, levels, skips, activation,
            init="gaussian_bank", renormalise=renormalise, nonnegative=nonnegative,
            padding=padding, position=position, without_place=without_place, colour=colour,
        )  # fmt: skip
        self.same_size, self.largest_scale = bool(same_size), float(largest_scale)

    @property
    def condition_channels(self) -> int:
        """The position, and the scale."""
        return super().condition_channels + 1

    @property
    def border(self) -> int:
        """LR pixels at each border whose windows reach beyond the image."""
        return -(-(self.window - 1) // int(2 * self.stride))

    @property
    def window(self) -> int:
        """Side of the kernels at this scale, in HR pixels."""
        reach = self.kernel_size * self.scale / self.largest_scale
        side = math.ceil(reach) + 1
        # Odd on the HR grid, so that the middle is a pixel.
        return side + (side % 2 == 0)

    def at_scale(self, scale: float) -> ScaleDML:
        """Return this degradation at another scale; weights are shared.

        Raises:
            GeometryError: If the scale is above ``largest_scale``.
        """
        if scale == self.scale:
            return self
        if not 1 <= scale <= self.largest_scale:
            raise GeometryError(
                f"ScaleDML serves scales from 1 to {self.largest_scale:g}, not {scale:g}."
            )
        other = copy.copy(self)
        other.scale = scale  # type: ignore[assignment]
        captured = {**self._captured_arguments, "scale": scale}
        object.__setattr__(other, "_captured_arguments", captured)
        other._pretrained_hash = None
        return other

    def told(
        self,
        hr: Tensor,
        places: Sequence[Place | None] | None = None,
        codes: Tensor | None = None,
    ) -> Tensor | None:
        """Return the position, and the logarithm of the scale, 1 at the largest."""
        rest = super().told(hr, places, codes)
        assert rest is not None
        share = math.log(self.scale) / math.log(self.largest_scale)
        return torch.cat([rest, rest.new_full((len(rest), 1, *rest.shape[2:]), share)], 1)

    def field(self, hr: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Run the network at the resolution of LR, and bring its field to the LR grid.

        Args:
            hr: HR batch, shape (B, C, H, W).
            conditions: From :meth:`conditions`, on the HR grid.

        Returns:
            Shape (B, out_channels, H / stride, W / stride).
        """
        seen, size = self.seen(hr), self._small(hr)
        small = imresize(seen, size=size) if size != tuple(hr.shape[2:]) else seen
        assert conditions is not None
        told = F.adaptive_avg_pool2d(conditions, size)
        found: Tensor = self.network(small, told)
        if not self.same_size or size == tuple(hr.shape[2:]):
            return found
        return F.interpolate(found, size=hr.shape[2:], mode="bilinear", align_corners=False)

    def channel_bases(self) -> Tensor:
        """Return the bases at this scale, shape (..., N, window, window)."""
        bases = super().channel_bases()
        spread = self._spread().to(bases)
        return spread @ bases @ spread.T

    def generate(self, hr: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Filter every pixel with its own mixture of the bases of this scale."""
        if float(self.stride).is_integer():
            return super().generate(hr, conditions)
        weights, bases = self.channel_weights(hr, conditions), self.channel_bases()
        image = hr.expand(-1, 3, -1, -1) if self.needs_rgb else hr
        made = []
        for number in range(weights.shape[2]):
            # One base at a time: all responses on the HR grid would be many images.
            own = bases[number, None] if bases.ndim == 3 else bases[None, :, number, None]
            ones = torch.ones_like(image[:, :1])
            with full_precision(hr):
                full = kernel_apply(image, ones, own, 1, self.padding)
            made.append(weights[:, :, number] * self._at_centres(full))
        lr = torch.stack(made).sum(0)
        return self._grey(lr, 1, keepdim=True) if lr.shape[1] != hr.shape[1] else lr

    def _kernels(
        self, hr: Tensor, points: Sequence[tuple[int, int]], place: Place | None
    ) -> Tensor:
        if not float(self.stride).is_integer():
            raise NotImplementedError(
                f"at scale {self.scale:g} windows do not start at whole HR pixels"
            )
        return super()._kernels(hr, points, place)

    def _small(self, hr: Tensor) -> tuple[int, int]:
        return lr_length(hr.shape[2], self.scale), lr_length(hr.shape[3], self.scale)

    def _spread(self) -> Tensor:
        """Return how taps of the bases are shared among those of this scale, (window, k)."""
        size, ratio = self.kernel_size, self.scale / self.largest_scale
        whole = float(self.stride).is_integer()
        rest = 0.0
        if whole:  # where the LR centre lies between pixels of the window
            stride = int(self.stride)
            rest = (stride - self.window) / 2 - (stride - self.window) // 2
        ours = torch.arange(self.window, dtype=torch.float64) - (self.window - 1) / 2 - rest
        theirs = (torch.arange(size, dtype=torch.float64) - (size - 1) / 2) * ratio
        share = (1 - (ours[:, None] - theirs).abs()).clamp_min(0)
        return (share / share.sum(0).clamp_min(1e-9)).float()

    def _at_centres(self, full: Tensor) -> Tensor:
        """Interpolate an image on the HR grid at the centres of LR pixels."""
        for dim in (2, 3):
            last = full.shape[dim] - 1
            count = lr_length(full.shape[dim], self.scale)
            centres = torch.arange(count, dtype=torch.float64) * self.scale + (self.scale - 1) / 2
            low = centres.floor().clamp(0, last)
            rest = (centres - low).to(full).view([-1 if d == dim else 1 for d in range(4)])
            first = low.long().to(full.device)
            after = (first + 1).clamp_max(last)
            full = full.index_select(dim, first) * (1 - rest) + full.index_select(dim, after) * rest
        return full
