"""Adversarial terms against their formulas, and what LPIPS needs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from realdeg.errors import ConfigError, GeometryError
from realdeg.losses import AdversarialLoss, HingeGANLoss, RelativisticGANLoss, build_loss
from realdeg.losses.perceptual import LPIPSLoss
from realdeg.registry import LOSSES
from realdeg.testing import AdversarialLossContract
from realdeg.utils.lpips import PerceptualUnavailableError

NAMES = ["CrossEntropyGANLoss", "HingeGANLoss", "LSGANLoss", "WGANLoss"]
KINDS = ["cross_entropy", "least_squares", "hinge"]


class TestEveryAdversarialLoss(AdversarialLossContract):
    @pytest.fixture(params=NAMES, autouse=True)
    def each(self, request):
        self.component = LOSSES.get(request.param)


class TestEveryRelativisticLoss(AdversarialLossContract):
    component = RelativisticGANLoss

    @pytest.fixture(params=KINDS, autouse=True)
    def each(self, request):
        # With detached means the discriminator's gradient is not that of its loss.
        self.arguments = {"kind": request.param, "detach": False}

    def logits(self):
        # Means closer than the targets of least squares, beyond which its gradient turns around.
        return tuple(logits / 10 for logits in super().logits())


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


FORMULAS = {
    "CrossEntropyGANLoss": (
        lambda y, x: -np.log(_sigmoid(y)).mean() - np.log(1 - _sigmoid(x)).mean(),
        lambda x: -np.log(_sigmoid(x)).mean(),
    ),
    "LSGANLoss": (
        lambda y, x: 0.5 * ((y - 1) ** 2).mean() + 0.5 * (x**2).mean(),
        lambda x: 0.5 * ((x - 1) ** 2).mean(),
    ),
    "WGANLoss": (lambda y, x: x.mean() - y.mean(), lambda x: -x.mean()),
    "HingeGANLoss": (
        lambda y, x: np.maximum(0, 1 - y).mean() + np.maximum(0, 1 + x).mean(),
        lambda x: -x.mean(),
    ),
}


def _logits(seed: int, *shape: int) -> torch.Tensor:
    return torch.tensor(3 * np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize("name", NAMES)
def test_formulas(name):
    real, generated = _logits(0, 2, 1, 5, 4), _logits(1, 3, 1, 2, 6)
    loss = build_loss({"type": name, "weight": 0.2})
    of_discriminator, of_generator = FORMULAS[name]
    assert loss.discriminator(real, generated).item() == pytest.approx(
        of_discriminator(real.numpy(), generated.numpy())
    )
    assert loss.generator(generated).item() == pytest.approx(0.2 * of_generator(generated.numpy()))
    assert loss(generated).item() == loss.generator(generated).item()
    assert loss(generated, real).item() == loss.discriminator(real, generated).item()


RELATIVISTIC = {
    "cross_entropy": (lambda c: -np.log(_sigmoid(c)), lambda c: -np.log(1 - _sigmoid(c))),
    "least_squares": (lambda c: (c - 1) ** 2, lambda c: (c + 1) ** 2),
    "hinge": (lambda c: np.maximum(0, 1 - c), lambda c: np.maximum(0, 1 + c)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("detach", [True, False])
def test_relativistic_formulas(kind, detach):
    real, generated = _logits(0, 2, 1, 5, 4), _logits(1, 3, 1, 2, 6)
    loss = build_loss(
        {"type": "RelativisticGANLoss", "weight": 0.2, "kind": kind, "detach": detach}
    )
    like_real, like_fake = RELATIVISTIC[kind]
    a, b = real.numpy() - generated.numpy().mean(), generated.numpy() - real.numpy().mean()
    assert loss.discriminator(real, generated).item() == pytest.approx(
        (like_real(a).mean() + like_fake(b).mean()) / 2
    )
    assert loss.generator(generated, real).item() == pytest.approx(
        0.2 * (like_fake(a).mean() + like_real(b).mean()) / 2
    )
    with pytest.raises(ConfigError, match="logits of both"):
        loss.generator(generated)


def test_a_relativistic_discriminator_s_gradient_passes_the_means_only_if_asked():
    real, generated = _logits(0, 4, 1), _logits(1, 4, 1)

    def gradient(detach):
        loss = RelativisticGANLoss(kind="least_squares", detach=detach)
        leaf = real.clone().requires_grad_()
        loss.discriminator(leaf, generated).backward()
        return leaf.grad

    # d/dy_i of mean (y - m - 1)^2 / 2, with m the mean of the others.
    direct = (real - generated.mean() - 1) / 4
    torch.testing.assert_close(gradient(True), direct)
    through = -(generated - real.mean() + 1).mean() / 4
    torch.testing.assert_close(gradient(False), direct + through)


def test_cross_entropy_does_not_saturate():
    loss = build_loss({"type": "CrossEntropyGANLoss"})
    lost = torch.full((1, 1), -80.0, requires_grad=True)
    value = loss.generator(lost)
    value.backward()
    assert value.item() == pytest.approx(80) and lost.grad.item() == pytest.approx(-1)


def test_a_negative_weight_of_lpips_is_refused():
    with pytest.raises(ConfigError, match="weight"):
        build_loss({"type": "LPIPSLoss", "weight": -1})


class TestLPIPS:
    def test_weight_zero_needs_nothing(self, tmp_path):
        loss = LPIPSLoss(weight=0, weights=str(tmp_path / "absent.pth"))
        loss.prepare()
        images = torch.rand(1, 3, 32, 32, requires_grad=True)
        assert loss(images, images.detach()).item() == 0

    def test_absent_weights_refuse_and_say_how_to_go_on(self, tmp_path):
        loss = LPIPSLoss(weight=0.01, weights=str(tmp_path / "absent.pth"))
        with pytest.raises(PerceptualUnavailableError, match="absent.pth.*set its weight to 0"):
            loss.prepare()
        with pytest.raises(PerceptualUnavailableError):
            loss(torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))

    def test_distance_and_gradient(self, tmp_path):
        loss = LPIPSLoss(weight=0.5, weights=_alexnet(tmp_path / "alex.pth"))
        try:
            loss.prepare()
        except PerceptualUnavailableError as error:
            pytest.skip(f"lpips does not load here: {error}")
        x, y = (
            torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(s)) for s in (0, 1)
        )
        assert loss(x, x).item() == 0
        x.requires_grad_()
        value = loss(x, y)
        value.backward()
        assert value > 0 and x.grad.abs().sum() > 0
        double = LPIPSLoss(weight=1.0, weights=loss.weights)
        assert double(x, y).item() == pytest.approx(2 * value.item(), rel=1e-5)
        assert not list(loss.parameters()) and not loss.state_dict()
        with pytest.raises(GeometryError, match="RGB"):
            loss(x[:, :1], y[:, :1])


def _alexnet(path) -> str:
    """AlexNet's convolutions with random weights, in torchvision's names."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for index, out, into, size in (
        (0, 64, 3, 11),
        (3, 192, 64, 5),
        (6, 384, 192, 3),
        (8, 256, 384, 3),
        (10, 256, 256, 3),
    ):
        weight = torch.randn(out, into, size, size, generator=generator)
        state[f"features.{index}.weight"] = weight / math.sqrt(into * size * size / 2)
        state[f"features.{index}.bias"] = torch.zeros(out)
    torch.save(state, path)
    return str(path)


def test_the_former_names_of_the_methods_still_work():
    with pytest.warns(DeprecationWarning, match="use AdversarialLoss.elements"):

        class Former(AdversarialLoss):
            def charge(self, logits, real):
                return logits if real else -logits

    loss, logits = Former(2.0), torch.tensor([1.0, 3.0])
    assert loss.generator(logits) == 4 and loss.discriminator(logits, logits) == 0
    with pytest.warns(DeprecationWarning, match="use AdversarialLoss.elements"):
        assert HingeGANLoss().charge(logits, False).tolist() == [2, 4]


@pytest.mark.parametrize(
    "cfg",
    [
        *[dict(type=n) for n in ("CrossEntropyGANLoss", "LSGANLoss", "HingeGANLoss", "WGANLoss")],
        *[
            dict(type="RelativisticGANLoss", kind=kind, detach=detach)
            for kind in ("cross_entropy", "least_squares", "hinge")
            for detach in (True, False)
        ],
    ],
    ids=str,
)
def test_an_empty_batch_costs_nothing_and_has_a_gradient(cfg):
    loss = build_loss(cfg)
    real, generated = (torch.zeros(0, 1, requires_grad=True) for _ in range(2))
    for value in (loss.discriminator(real, generated), loss.generator(generated, real)):
        assert value == 0
        value.backward()
