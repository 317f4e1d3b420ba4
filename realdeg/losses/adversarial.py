"""What a discriminator and its generator are charged for."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.registry import LOSSES
from realdeg.utils.argument_types import NonNegative


class AdversarialLoss(nn.Module, ABC):
    """Two objectives of one game, from the logits of a discriminator.

    Both are means over images and, for a discriminator of patches, over places. The weight counts
    for the generator alone, as everywhere in the field.

    Args:
        weight: Factor of the generator's term.

    Raises:
        ConfigError: If the weight is negative.
    """

    def __init__(self, weight: NonNegative = 1.0) -> None:
        super().__init__()
        self.weight = float(weight)

    @abstractmethod
    def charge(self, logits: Tensor, real: bool) -> Tensor:
        """Return the discriminator's loss for every logit.

        Args:
            logits: Its answers, positive for real.
            real: Whether the images are real.
        """

    def charge_generator(self, logits: Tensor) -> Tensor:
        """Return the generator's loss for every logit of its images.

        Args:
            logits: The discriminator's answers.
        """
        return self.charge(logits, True)

    def discriminator(self, real: Tensor, generated: Tensor) -> Tensor:
        """Return what the discriminator is charged.

        Args:
            real: Logits of real images, any shape.
            generated: Logits of generated images, any shape.

        Returns:
            A scalar, not weighted.
        """
        return self.charge(_full(real), True).mean() + self.charge(_full(generated), False).mean()

    def generator(self, generated: Tensor) -> Tensor:
        """Return what the generator is charged.

        Args:
            generated: Logits of its images, any shape.

        Returns:
            A scalar, weighted.
        """
        return self.weight * self.charge_generator(_full(generated)).mean()

    def forward(self, generated: Tensor, real: Tensor | None = None) -> Tensor:
        """Return the generator's term, or with real logits the discriminator's.

        Args:
            generated: Logits of generated images.
            real: Logits of real images.

        Returns:
            A scalar.
        """
        return self.generator(generated) if real is None else self.discriminator(real, generated)

    def extra_repr(self) -> str:
        """Show the weight."""
        return f"weight={self.weight:g}"


@LOSSES.register_module()
class CrossEntropyGANLoss(AdversarialLoss):
    r"""Cross entropy, the generator's in the form that does not saturate.

    Discriminator ``-log s(real) - log(1 - s(generated))``, generator ``-log s(generated)``, s the
    sigmoid. DSGAN's code adds 1e-8 inside its logarithms, which caps a term at 18.4 and stops its
    gradient there; computed from logits no such guard is needed.

    Args:
        weight: Factor of the generator's term; DSGAN's is 0.005.

    Shape:
        Logits of any shape to ().

    Raises:
        ConfigError: If the weight is negative.

    Source:
        Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014; Fritsche et al., ICCVW 2019.
    """

    def charge(self, logits: Tensor, real: bool) -> Tensor:
        """Return ``-log s(x)`` for real images, ``-log(1 - s(x))`` for others."""
        return F.softplus(-logits if real else logits)


@LOSSES.register_module()
class LSGANLoss(AdversarialLoss):
    """Least squares: 1 is wanted for real images, 0 for generated ones.

    Discriminator ``((x_real - 1)^2 + x_generated^2) / 2``, generator ``(x_generated - 1)^2 / 2``.
    Many codes leave the halves out.

    Args:
        weight: Factor of the generator's term.

    Shape:
        Logits of any shape to ().

    Raises:
        ConfigError: If the weight is negative.

    Source:
        Mao et al., Least Squares Generative Adversarial Networks, ICCV 2017.
    """

    def charge(self, logits: Tensor, real: bool) -> Tensor:
        """Return half the squared distance from 1 or 0."""
        return 0.5 * (logits - float(real)).square()


@LOSSES.register_module()
class HingeGANLoss(AdversarialLoss):
    """Hinge: beyond a margin of 1 on the right side nothing is charged.

    Discriminator ``max(0, 1 - x_real) + max(0, 1 + x_generated)``, generator ``-x_generated``.

    Args:
        weight: Factor of the generator's term; High-to-Low's is 0.05.

    Shape:
        Logits of any shape to ().

    Raises:
        ConfigError: If the weight is negative.

    Source:
        Miyato et al., Spectral Normalization for Generative Adversarial Networks, ICLR 2018;
        Bulat, Yang, Tzimiropoulos, ECCV 2018.
    """

    def charge(self, logits: Tensor, real: bool) -> Tensor:
        """Return what lies inside the margin."""
        return F.relu(1 - logits if real else 1 + logits)

    def charge_generator(self, logits: Tensor) -> Tensor:
        """Return ``-x``: the generator has no margin."""
        return -logits


def _full(logits: Tensor) -> Tensor:
    # Means over many pixels need more than the 8 or 11 bits of the half-precision types.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
