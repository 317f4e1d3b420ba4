"""The contracts of losses."""

from __future__ import annotations

import re
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from realdeg.errors import ConfigError, GeometryError
from realdeg.losses import AdversarialLoss, Loss, Regulariser, WeightedLoss, build_loss
from realdeg.registry import LOSSES
from realdeg.testing.contract import Contract
from realdeg.utils.arguments import arguments_of


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Return fixed random values in [0, 1], in float64.

    Args:
        *shape: The tensor's shape.
        seed: The random seed.
    """
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class LossContract(Contract, page="docs/your_own_loss.md"):
    """What every loss that compares a prediction with a target promises to tasks."""

    component: type[Loss]
    registry = LOSSES
    autocast_error: ClassVar[float] = 1e-4
    """The relative error that autocast may cause: more where a trained network runs under it."""

    def pair(self, batch: int = 2, height: int = 3, width: int = 4) -> tuple[Tensor, Tensor]:
        """Return a prediction and a target image. Override it if the loss needs other inputs.

        Args:
            batch: Batch size.
            height: In pixels.
            width: In pixels.
        """
        shape = (batch, 3, height, width)
        return noise(*shape, seed=1), noise(*shape, seed=2)

    def pictures(self, target: Tensor) -> dict[str, Tensor]:
        """Return the further pictures that the loss ``needs``, by name, of the target's shape."""
        shape = tuple(target.shape)
        names = enumerate(self.component.needs)
        return {name: noise(*shape, seed=3 + n).to(target.dtype) for n, name in names}

    def build(self, **changes: object) -> Loss:
        """Build the component as a config does.

        Args:
            **changes: Arguments that differ; ``reduction`` is left out if the loss has none.
        """
        if not self._reduces:
            changes.pop("reduction", None)
        loss = build_loss({**self.config, **changes})
        assert isinstance(loss, Loss)
        return loss

    @property
    def _reduces(self) -> bool:
        return "reduction" in arguments_of(self.component)

    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    def test_weight_multiplies_the_value(self, reduction: str) -> None:
        """A loss is a scalar multiplied by ``weight``, and its inputs are not changed."""
        prediction, target = self.pair()
        more = self.pictures(target)
        before = prediction.clone(), target.clone()
        once = self.build(reduction=reduction, weight=1.0)(prediction, target, **more)
        thrice = self.build(reduction=reduction, weight=3.0)(prediction, target, **more)
        assert once.shape == () and once.isfinite()
        torch.testing.assert_close(thrice, 3 * once)
        assert torch.equal(prediction, before[0]) and torch.equal(target, before[1])

    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    def test_gradients(self, reduction: str) -> None:
        """The gradient is correct (`torch.autograd.gradcheck`)."""
        prediction, target = self.pair()
        more = self.pictures(target)
        loss = self.build(weight=0.3, reduction=reduction)
        prediction.requires_grad_()
        assert torch.autograd.gradcheck(lambda p: loss(p, target, **more), prediction)

    def test_shapes_are_never_broadcast(self) -> None:
        """Different shapes are refused, and the message shows both."""
        prediction, target = self.pair()
        more = self.pictures(target)
        for wrong in (prediction[..., :1], prediction[:1]):
            shapes = f"{re.escape(str(tuple(wrong.shape)))}.*{re.escape(str(tuple(target.shape)))}"
            with pytest.raises(GeometryError, match=shapes):
                self.build()(wrong, target, **more)

    @pytest.mark.parametrize("reduction", ["mean", "sum"])
    def test_empty_batches_cost_nothing(self, reduction: str) -> None:
        """The loss of an empty batch is 0, not NaN, and has a gradient."""
        prediction, target = self.pair(batch=0)
        loss = self.build(reduction=reduction)
        value = loss(prediction.requires_grad_(), target, **self.pictures(target))
        assert value.item() == 0
        value.backward()

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_precision_is_summed_in_single(self, dtype: torch.dtype) -> None:
        """Half-precision values are summed in float32: a sum over an image needs more bits."""
        prediction, target = self.pair(1, 200, 200)
        prediction = prediction.to(dtype)
        if target.is_floating_point():
            target = target.to(dtype)
        loss = self.build(reduction="sum")
        single = target.float() if target.is_floating_point() else target
        double = target.double() if target.is_floating_point() else target
        found = loss(prediction, single, **self.pictures(single))
        assert found.dtype == torch.float32
        wanted = loss(prediction.double(), double, **self.pictures(double)).item()
        assert found.item() == pytest.approx(wanted, rel=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            again = loss(prediction.float(), single, **self.pictures(single))
        assert again.item() == pytest.approx(wanted, rel=self.autocast_error)

    def test_wrong_arguments_are_named(self) -> None:
        """An unknown argument or reduction is refused by name."""
        with pytest.raises(ConfigError, match="Did you mean 'weight'"):
            self.build(wieght=2)
        if self._reduces:
            with pytest.raises(ConfigError, match="reduction.*'mean' or 'sum'"):
                self.build(reduction="none")

    def test_is_a_term_among_others(self) -> None:
        """`WeightedLoss` lists each term under its own name, and hands it what it needs."""
        prediction, target = self.pair()
        both = WeightedLoss([self.config, {**self.config, "name": "again"}])
        assert both.references == set(self.component.needs)
        found = both(prediction, {"sr": target, **self.pictures(target)})
        assert len(found) == 2 and all(name.startswith("loss") for name in found)


class RegulariserContract(LossContract, page="docs/your_own_loss.md"):
    """What every loss that judges a prediction alone promises to tasks."""

    component: type[Regulariser]

    def test_shapes_are_never_broadcast(self) -> None:
        """The target may be left out, and does not matter."""
        prediction, target = self.pair()
        loss = self.build()
        assert torch.equal(loss(prediction), loss(prediction, target))


class AdversarialLossContract(Contract, page="docs/your_own_loss.md"):
    """What every pair of objectives for discriminator and generator promises to tasks."""

    component: type[AdversarialLoss]
    registry = LOSSES

    def build(self, **changes: object) -> AdversarialLoss:
        """Build the component as a config does.

        Args:
            **changes: Arguments that differ.
        """
        loss = build_loss({**self.config, **changes})
        assert isinstance(loss, AdversarialLoss)
        return loss

    def logits(self) -> tuple[Tensor, Tensor]:
        """Return logits of real and of generated images, around 0."""
        return 6 * noise(2, 1, 2, 2, seed=1) - 3, 6 * noise(2, 1, 2, 2, seed=2) - 3

    def of_generator(self, loss: AdversarialLoss, generated: Tensor, real: Tensor) -> Tensor:
        """Return the generator's term; real logits are for relativistic losses only.

        Args:
            loss: The loss.
            generated: Logits of generated images.
            real: Logits of real images.
        """
        if getattr(loss, "relativistic", False):
            return loss.generator(generated, real)
        return loss.generator(generated)

    def test_one_call_serves_both_players(self) -> None:
        """With real logits it is the discriminator's term; the weight is only the generator's."""
        real, generated = self.logits()
        loss, thrice = self.build(weight=1.0), self.build(weight=3.0)
        once = self.of_generator(loss, generated, real)
        assert once.shape == loss(generated, real).shape == ()
        if not getattr(loss, "relativistic", False):
            assert torch.equal(loss(generated), once)
        assert torch.equal(loss(generated, real), loss.discriminator(real, generated))
        torch.testing.assert_close(self.of_generator(thrice, generated, real), 3 * once)
        assert torch.equal(thrice(generated, real), loss(generated, real))

    def test_gradients(self) -> None:
        """Both gradients are correct, and they have opposite directions."""
        loss = self.build()
        real, generated = (logits.requires_grad_() for logits in self.logits())
        assert torch.autograd.gradcheck(loss.discriminator, (real, generated))
        fixed = real.detach()
        assert torch.autograd.gradcheck(lambda x: self.of_generator(loss, x, fixed), (generated,))
        (generators,) = torch.autograd.grad(self.of_generator(loss, generated, fixed), generated)
        of_real, of_generated = torch.autograd.grad(
            loss.discriminator(real, generated), (real, generated)
        )
        assert generators.mean() < 0 and of_real.mean() <= 0 <= of_generated.mean()

    def test_negative_weights_are_refused(self) -> None:
        """A negative weight would swap the roles of the players."""
        with pytest.raises(ConfigError, match="weight"):
            self.build(weight=-1.0)

    def test_half_precision_is_summed_in_single(self) -> None:
        """Half-precision logits are averaged in float32."""
        logits = torch.full((64, 1, 64, 64), 1.01, dtype=torch.bfloat16)
        assert self.of_generator(self.build(), logits, logits).dtype == torch.float32
