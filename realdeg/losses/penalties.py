"""Penalties on the gradient of a discriminator, in addition to its adversarial loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from realdeg.errors import DataError
from realdeg.losses.adversarial import mean_of
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import Count, NonNegative
from realdeg.utils.precision import full_precision
from realdeg.utils.streams import Stream

Judge = Callable[[Tensor], Tensor]
"""A discriminator: images (B, C, H, W) to logits of any shape with B in front."""


class Penalty(nn.Module, ABC):
    """A term of the discriminator's loss that depends on its gradient at images.

    It is computed in float32 or wider, also under autocast, because second derivatives need it.

    Args:
        weight: Factor of the result.
        every: The penalty is computed at every so-many-th step of the discriminator only, and
            multiplied by this number there, so that its mean over the steps is the same.

    Raises:
        ConfigError: If an argument is out of range.
    """

    kind: ClassVar[str] = "penalty"
    """What the loss judges: places that take another kind refuse it."""

    def __init__(self, weight: NonNegative = 1.0, every: Count = 1) -> None:
        super().__init__()
        self.weight, self.every = float(weight), every

    @abstractmethod
    def samples(
        self, discriminator: Judge, real: Tensor, generated: Tensor, seeds: Sequence[int]
    ) -> Tensor:
        """Return the unweighted penalty of each sample, shape (B,)."""

    def is_due(self, step: int) -> bool:
        """Return whether the penalty is computed at a step of the discriminator, from 0."""
        return self.weight > 0 and step % self.every == 0

    def forward(
        self, discriminator: Judge, real: Tensor, generated: Tensor, seeds: Sequence[int]
    ) -> Tensor:
        """Return the weighted penalty, a scalar with a gradient for the discriminator only.

        Args:
            discriminator: The network that is penalised.
            real: Real images in [0, 1], shape (B, C, H, W).
            generated: Generated images of the same shape.
            seeds: One per image. They decide all that is random.

        Raises:
            DataError: If the two batches differ in shape.
        """
        if real.shape != generated.shape:
            raise DataError(
                f"{type(self).__name__} compares real images {tuple(real.shape)} with generated"
                f" ones {tuple(generated.shape)}: let batch and patch sizes agree."
            )
        with full_precision(real):
            dtype = torch.promote_types(real.dtype, torch.float32)
            images = real.detach().to(dtype), generated.detach().to(dtype)
            values = self.samples(discriminator, *images, seeds)
            return self.weight * self.every * mean_of(values)

    def extra_repr(self) -> str:
        """Show weight and interval."""
        return f"weight={self.weight:g}, every={self.every}"


@LOSSES.register_module()
class GradientPenalty(Penalty):
    """The penalty of WGAN-GP: the gradient between real and generated images has norm 1.

    ``weight * E (||grad_z c(z)||_2 - target)^2`` with ``z = e y + (1 - e) x``, y a real and x a
    generated image, and e uniform in [0, 1]. There is one e and one norm for each sample: the norm
    is over all channels and pixels of an image. (BasicSR and KAIR take a norm over the channels of
    each pixel, which is another penalty.) For a discriminator of many logits c is their sum.

    Args:
        weight: Factor of the result; 10 in the paper.
        every: Compute it at every so-many-th step of the discriminator, multiplied by this number.
        target: The norm that is wanted.

    Shape:
        Two batches of images (B, C, H, W) to ().

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville, Improved Training of Wasserstein GANs,
        NeurIPS 2017, Algorithm 1.
    """

    def __init__(
        self, weight: NonNegative = 10.0, every: Count = 1, target: NonNegative = 1.0
    ) -> None:
        super().__init__(weight, every)
        self.target = float(target)

    def samples(
        self, discriminator: Judge, real: Tensor, generated: Tensor, seeds: Sequence[int]
    ) -> Tensor:
        """Return ``(||grad||_2 - target)^2`` between each pair of images."""
        shares = [Stream(seed, "gradient_penalty").rng("share").random() for seed in seeds]
        share = torch.tensor(shares, dtype=real.dtype).to(real.device).view(-1, 1, 1, 1)
        between = (share * real + (1 - share) * generated).requires_grad_()
        squares = _gradient(discriminator, between).square().flatten(1).sum(1)
        # The root has no derivative at 0, where a discriminator may well be flat.
        norms = torch.where(squares > 0, squares, 1).sqrt() * (squares > 0)
        return (norms - self.target).square()


@LOSSES.register_module()
class R1Penalty(Penalty):
    """The squared gradient at real images, ``weight * E ||grad_y c(y)||_2^2``.

    The weight is gamma / 2 of the paper. For a discriminator of many logits c is their sum.

    Args:
        weight: Factor of the result; 5 for the paper's gamma of 10.
        every: Compute it at every so-many-th step of the discriminator, multiplied by this number
            (StyleGAN2's lazy regularisation: 16).

    Shape:
        Two batches of images (B, C, H, W) to ().

    Raises:
        ConfigError: If an argument is out of range.

    Source:
        Mescheder, Geiger, Nowozin, Which Training Methods for GANs do actually Converge?, ICML
        2018, Eq. 9; Karras et al., StyleGAN2, CVPR 2020, for ``every``.
    """

    def __init__(self, weight: NonNegative = 5.0, every: Count = 1) -> None:
        super().__init__(weight, every)

    def samples(
        self, discriminator: Judge, real: Tensor, generated: Tensor, seeds: Sequence[int]
    ) -> Tensor:
        """Return ``||grad||_2^2`` at each real image."""
        gradient = _gradient(discriminator, real.clone().requires_grad_())
        return gradient.square().flatten(1).sum(1)


def _gradient(discriminator: Judge, images: Tensor) -> Tensor:
    """Return the gradient of each image's logits, which can be differentiated once more."""
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    return gradient
