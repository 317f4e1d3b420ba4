"""The contract of networks that estimate the blur kernel together with the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from torch import Tensor

from realdeg.backbones.base import Backbone
from realdeg.errors import ConfigError, GeometryError


class BlindBackbone(Backbone):
    """A network that finds out the kernel by itself, in rounds.

    ``forward`` returns :class:`~realdeg.backbones.Outputs` with two entries in ``aux``:

    - ``"estimates"``, (B, T, ...): the kernel, or a code of it, after each of T rounds;
    - ``"images"``, (B, T, C, H, W): the image after each round, the last of which is ``sr``;
      absent where rounds make no images.

    A class overrides :meth:`target_of` and :meth:`kernel_of` where its estimates are not kernels of
    shape (k, k). The task ``BlindSuperResolution`` trains it, and the estimator ``NetworkKernel``
    gives its kernel to other methods.

    Attributes:
        kernel_size: Side k of the kernels in HR pixels, odd.
        rounds: Number T of estimates.
        reduction: What follows the blur by the kernel: ``"s_fold"`` keeps every s-th pixel from the
            first, ``"bicubic"`` is MATLAB's ``imresize``.
    """

    reduction: ClassVar[Literal["s_fold", "bicubic"]] = "s_fold"
    # Every estimate is made from the whole image.
    whole_image = True

    kernel_size: int
    rounds: int

    def target_of(self, conditions: Mapping[str, Any]) -> Tensor:
        """Return what the estimates of one image are compared with in training.

        Args:
            conditions: What :meth:`realdeg.degradations.Degradation.condition` returned for the
                image's trace.

        Returns:
            The shape of one estimate without its batch; here the kernel, (k, k).

        Raises:
            ConfigError: If the degradation has no single kernel.
            GeometryError: If its kernel has another size.
        """
        return self.told_kernel(conditions)

    def kernel_of(self, estimate: Tensor) -> Tensor:
        """Return the kernel that an estimate stands for.

        Args:
            estimate: The estimates of one round, (B, ...); here kernels, (B, k, k).

        Returns:
            (B, 1, k, k), each with sum 1: a correlation kernel on the HR grid, its middle tap on
            the pixel that it blurs. ``reduction`` follows.
        """
        return as_kernel(estimate)

    def told_kernel(self, conditions: Mapping[str, Any]) -> Tensor:
        """Return the kernel of one image's degradation, if it is one of this network's.

        Args:
            conditions: As for :meth:`target_of`.

        Returns:
            (k, k), float32.

        Raises:
            ConfigError: If the degradation has no single kernel.
            GeometryError: If the kernel has another size.
        """
        name, kernel = type(self).__name__, conditions.get("kernel")
        if not isinstance(kernel, Tensor) or kernel.ndim != 2:
            found = ", ".join(sorted(conditions)) or "nothing"
            raise ConfigError(
                f"{name} learns the blur kernel of its LR images, and this degradation has none"
                f" that holds for a whole image (of its draws it tells {found}): take one with a"
                " kernel, such as dict(type='BlurDown', kind='DAN')."
            )
        if tuple(kernel.shape) != (self.kernel_size,) * 2:
            raise GeometryError(
                f"the degradation draws kernels of {kernel.shape[0]} x {kernel.shape[1]}, and"
                f" {name} estimates kernels of {self.kernel_size} x {self.kernel_size}: set"
                f" backbone.kernel_size={max(kernel.shape)}, or the size of the kernels."
            )
        return kernel.float()

    def targets(self, hr: Tensor) -> dict[str, Tensor]:
        """Return HR once for each round, for ``aux["images"]``."""
        return {"images": hr[:, None].expand(-1, self.rounds, -1, -1, -1)}


def as_kernel(weights: Tensor) -> Tensor:
    """Clip weights to 0 or more and divide them by their sum.

    Args:
        weights: (B, k, k).

    Returns:
        (B, 1, k, k).
    """
    positive = weights.clamp_min(0)[:, None]
    total: Tensor = positive.sum((-2, -1), keepdim=True)
    return positive / total.clamp_min(1e-12)
