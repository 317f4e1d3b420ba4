"""Adversarial losses of a discriminator and its generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.registry import LOSSES
from realdeg.utils.argument_types import NonNegative
from realdeg.utils.deprecation import warn_renamed


class AdversarialLoss(nn.Module, ABC):
    """The losses of discriminator and generator, from the discriminator's logits.

    Both are means over images and, for a patch discriminator, over positions. As is usual, only the
    generator's loss is weighted.

    Args:
        weight: Factor of the generator's term.

    Raises:
        ConfigError: If the weight is negative.
    """

    kind: ClassVar[str] = "adversarial"
    """What the loss judges: places that take another kind refuse it."""

    def __init__(self, weight: NonNegative = 1.0) -> None:
        super().__init__()
        self.weight = float(weight)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Accept the former names of the methods that a subclass implements."""
        super().__init_subclass__(**kwargs)
        former = {"charge": "elements", "charge_generator": "generator_elements"}
        for old, new in former.items():
            if old in vars(cls):
                warn_renamed(f"AdversarialLoss.{old}", f"AdversarialLoss.{new}")
                setattr(cls, new, vars(cls)[old])

    @abstractmethod
    def elements(self, logits: Tensor, real: bool) -> Tensor:
        """Return the discriminator's loss for each logit.

        Args:
            logits: The discriminator's logits, positive for real; float32 or wider.
            real: Whether the images are real.
        """

    def generator_elements(self, logits: Tensor) -> Tensor:
        """Return the generator's loss for each logit of its images."""
        return self.elements(logits, True)

    def charge(self, logits: Tensor, real: bool) -> Tensor:
        """Call :meth:`elements` by its former name."""
        warn_renamed("AdversarialLoss.charge", "AdversarialLoss.elements")
        return self.elements(logits, real)

    def charge_generator(self, logits: Tensor) -> Tensor:
        """Call :meth:`generator_elements` by its former name."""
        warn_renamed("AdversarialLoss.charge_generator", "AdversarialLoss.generator_elements")
        return self.generator_elements(logits)

    def discriminator(self, real: Tensor, generated: Tensor) -> Tensor:
        """Return the discriminator's loss, an unweighted scalar, from logits of any shape."""
        losses = self.elements(_full(real), True), self.elements(_full(generated), False)
        return losses[0].mean() + losses[1].mean()

    def generator(self, generated: Tensor) -> Tensor:
        """Return the generator's loss, a weighted scalar, from logits of any shape."""
        return self.weight * self.generator_elements(_full(generated)).mean()

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
    r"""Cross entropy, with the generator's loss in the non-saturating form.

    Discriminator ``-log s(real) - log(1 - s(generated))``, generator ``-log s(generated)``, with s
    the sigmoid. DSGAN's code adds 1e-8 inside its logarithms, which caps a term at 18.4 and stops
    its gradient there. Computed from logits, no such guard is needed.

    Args:
        weight: Factor of the generator's term; DSGAN's is 0.005.

    Shape:
        Logits of any shape to ().

    Raises:
        ConfigError: If the weight is negative.

    Source:
        Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014; Fritsche et al., ICCVW 2019.
    """

    def elements(self, logits: Tensor, real: bool) -> Tensor:
        """Return ``-log s(x)`` for real images, ``-log(1 - s(x))`` for others."""
        return F.softplus(-logits if real else logits)


@LOSSES.register_module()
class LSGANLoss(AdversarialLoss):
    """Least squares, with target 1 for real images and 0 for generated ones.

    Discriminator ``((x_real - 1)^2 + x_generated^2) / 2``, generator ``(x_generated - 1)^2 / 2``.
    Many implementations omit the halves.

    Args:
        weight: Factor of the generator's term.

    Shape:
        Logits of any shape to ().

    Raises:
        ConfigError: If the weight is negative.

    Source:
        Mao et al., Least Squares Generative Adversarial Networks, ICCV 2017.
    """

    def elements(self, logits: Tensor, real: bool) -> Tensor:
        """Return half the squared distance from 1 or 0."""
        return 0.5 * (logits - float(real)).square()


@LOSSES.register_module()
class HingeGANLoss(AdversarialLoss):
    """Hinge loss with a margin of 1.

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

    def elements(self, logits: Tensor, real: bool) -> Tensor:
        """Return ``max(0, 1 - x)`` for real images, ``max(0, 1 + x)`` for others."""
        return F.relu(1 - logits if real else 1 + logits)

    def generator_elements(self, logits: Tensor) -> Tensor:
        """Return ``-x``: the generator has no margin."""
        return -logits


def _full(logits: Tensor) -> Tensor:
    # Means over many pixels need more than the 8 or 11 bits of the half-precision types.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
