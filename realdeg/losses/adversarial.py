"""Adversarial losses of a discriminator and its generator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.errors import ConfigError
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import NonNegative
from realdeg.utils.deprecation import warn_renamed


class AdversarialLoss(nn.Module, ABC):
    """The losses of discriminator and generator, from the discriminator's logits.

    Both are means over images and, for a patch discriminator, over positions. As is usual, only the
    generator's loss is weighted. The loss of an empty batch is 0.

    Args:
        weight: Factor of the generator's term.

    Raises:
        ConfigError: If the weight is negative.
    """

    kind: ClassVar[str] = "adversarial"
    """What the loss judges: places that take another kind refuse it."""

    relativistic: ClassVar[bool] = False
    """Whether the generator's term also needs the logits of real images."""

    probabilities: ClassVar[bool] = True
    """Whether the sigmoid of a logit is the probability that the image is real."""

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
        return mean_of(losses[0]) + mean_of(losses[1])

    def generator(self, generated: Tensor, real: Tensor | None = None) -> Tensor:
        """Return the generator's loss, a weighted scalar, from logits of any shape.

        Args:
            generated: Logits of generated images.
            real: Logits of real images; only relativistic losses use them.
        """
        return self.weight * mean_of(self.generator_elements(_full(generated)))

    def forward(self, generated: Tensor, real: Tensor | None = None) -> Tensor:
        """Return the generator's term, or with real logits the discriminator's.

        A relativistic loss has the discriminator's term only; its :meth:`generator` takes both.

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


@LOSSES.register_module()
class WGANLoss(AdversarialLoss):
    """The Wasserstein distance, estimated by a discriminator without a bound on its logits.

    Discriminator ``x_generated - x_real``, generator ``-x_generated``. The discriminator's slope
    has to be limited: add ``GradientPenalty`` to the task's ``penalties``. It should have no batch
    normalisation, which would make the penalty of an image depend on the others.

    Args:
        weight: Factor of the generator's term.

    Shape:
        Logits of any shape to ().

    Raises:
        ConfigError: If the weight is negative.

    Source:
        Arjovsky, Chintala, Bottou, Wasserstein GAN, ICML 2017; Gulrajani, Ahmed, Arjovsky,
        Dumoulin, Courville, Improved Training of Wasserstein GANs, NeurIPS 2017.
    """

    probabilities: ClassVar[bool] = False

    def elements(self, logits: Tensor, real: bool) -> Tensor:
        """Return ``-x`` for real images, ``x`` for others."""
        return -logits if real else logits


RelativisticKind = Literal["cross_entropy", "least_squares", "hinge"]


@LOSSES.register_module()
class RelativisticGANLoss(AdversarialLoss):
    r"""The relativistic average loss: is an image more real than the mean of the others?

    With ``a = y - E x`` and ``b = x - E y``, where y are the logits of real images and x those of
    generated ones, the discriminator's loss is ``(l(a, real) + l(b, fake)) / 2`` and the
    generator's ``(l(a, fake) + l(b, real)) / 2``. ESRGAN's code takes the half for both. The means
    are over the batch of one process (and over positions). ``l(c, real)`` and ``l(c, fake)`` are

    - ``"cross_entropy"``: ``-log s(c)`` and ``-log(1 - s(c))``, with s the sigmoid;
    - ``"least_squares"``: ``(c - 1)^2`` and ``(c + 1)^2``, the targets of the paper;
    - ``"hinge"``: ``max(0, 1 - c)`` and ``max(0, 1 + c)``.

    Args:
        weight: Factor of the generator's term; ESRGAN's is 0.005.
        kind: The loss of a difference.
        detach: Whether no gradient of the discriminator passes through the two means, as in
            ESRGAN's code; the paper's does.

    Shape:
        Logits of any shape to ().

    Raises:
        ConfigError: If the weight is negative, or the kind unknown.

    Source:
        Jolicoeur-Martineau, The relativistic discriminator, ICLR 2019; Wang et al., ESRGAN,
        ECCVW 2018 (BasicSR, ``esrgan_model.py``).
    """

    relativistic: ClassVar[bool] = True
    probabilities: ClassVar[bool] = False

    def __init__(
        self,
        weight: NonNegative = 1.0,
        kind: RelativisticKind = "cross_entropy",
        detach: bool = True,
    ) -> None:
        super().__init__(weight)
        self.form, self.detach = kind, detach

    def elements(self, logits: Tensor, real: bool) -> Tensor:
        """Return the loss of differences from the mean of the other side.

        Args:
            logits: ``a`` or ``b``.
            real: Whether the difference should be positive.
        """
        if self.form == "cross_entropy":
            return F.softplus(-logits if real else logits)
        if self.form == "least_squares":
            return (logits - 1 if real else logits + 1).square()
        return F.relu(1 - logits if real else 1 + logits)

    def discriminator(self, real: Tensor, generated: Tensor) -> Tensor:
        """Return the discriminator's loss, an unweighted scalar, from logits of any shape."""
        real, generated = _full(real), _full(generated)
        means = mean_of(generated), mean_of(real)
        if self.detach:
            means = means[0].detach(), means[1].detach()
        return self._half_sum(real - means[0], generated - means[1], True)

    def generator(self, generated: Tensor, real: Tensor | None = None) -> Tensor:
        """Return the generator's loss, a weighted scalar.

        Args:
            generated: Logits of generated images.
            real: Logits of real images. They do not depend on the generator and get no gradient.

        Raises:
            ConfigError: If the logits of real images are missing.
        """
        if real is None:
            raise ConfigError(
                "RelativisticGANLoss compares generated images with real ones: call"
                " generator(generated, real) with the logits of both."
            )
        real, generated = _full(real).detach(), _full(generated)
        of_real, of_generated = real - mean_of(generated), generated - mean_of(real)
        return self.weight * self._half_sum(of_real, of_generated, False)

    def _half_sum(self, of_real: Tensor, of_generated: Tensor, discriminates: bool) -> Tensor:
        losses = (
            self.elements(of_real, discriminates),
            self.elements(of_generated, not discriminates),
        )
        return (mean_of(losses[0]) + mean_of(losses[1])) / 2

    def extra_repr(self) -> str:
        """Show weight and kind."""
        return f"weight={self.weight:g}, kind={self.form!r}"


def mean_of(values: Tensor) -> Tensor:
    """Return the mean, 0 where there are no values.

    Args:
        values: Of any shape.
    """
    return values.mean() if values.numel() else values.sum()


def _full(logits: Tensor) -> Tensor:
    # Means over many pixels need more than the 8 or 11 bits of the half-precision types.
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
