"""Penalties of a discriminator's gradient, against float64 formulas and hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from realdeg.errors import ConfigError, DataError
from realdeg.losses import GradientPenalty, R1Penalty, build_loss
from realdeg.utils.streams import Stream

SEEDS = [11, 12, 13]


def _images(seed: int, *shape: int) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).random(shape))


class Quadratic(nn.Module):
    """c(x) = sum a x^2 / 2 + b x, a logit per image, with the gradient a x + b."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.a, self.b = (nn.Parameter(_images(seed, *shape) - 0.5) for seed in (5, 6))

    def forward(self, x):
        return (self.a * x.square() / 2 + self.b * x).flatten(1).sum(1, keepdim=True)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        return self.a.detach().numpy() * x + self.b.detach().numpy()


def test_the_norm_is_over_the_sample_and_not_over_each_pixel():
    """The gradient is 1/2 at each of 4 pixels: norm 1 over the sample, 1/2 over a pixel."""
    logits = lambda x: 0.5 * x.flatten(1).sum(1)  # noqa: E731
    real, generated = _images(0, 2, 1, 2, 2), _images(1, 2, 1, 2, 2)
    assert GradientPenalty()(logits, real, generated, SEEDS[:2]).item() == pytest.approx(0)
    # Over each pixel it would be 10 (1/2 - 1)^2 = 2.5. With a norm of 2 over 16 pixels:
    real, generated = _images(0, 2, 1, 4, 4), _images(1, 2, 1, 4, 4)
    assert GradientPenalty()(logits, real, generated, SEEDS[:2]).item() == pytest.approx(10)
    assert GradientPenalty(target=2)(logits, real, generated, SEEDS[:2]).item() == pytest.approx(0)


def test_one_steep_sample_is_not_averaged_away():
    """Norms 3 and 1: E (norm - 1)^2 = 2, not (E norm - 1)^2 = 1."""
    slopes = torch.tensor([3.0, 1.0], dtype=torch.float64)
    found = GradientPenalty(weight=1)(
        lambda x: slopes * x[:, 0, 0, 0], _images(0, 2, 3, 4, 4), _images(1, 2, 3, 4, 4), [1, 2]
    )
    assert found.item() == pytest.approx(2)


@pytest.mark.parametrize("every", [1, 4])
def test_formulas(every):
    shape = (3, 3, 5, 4)
    real, generated = _images(0, *shape), _images(1, *shape)
    network = Quadratic(*shape[1:])
    shares = np.array([Stream(seed, "gradient_penalty").rng("share").random() for seed in SEEDS])
    assert ((shares > 0) & (shares < 1)).all() and len(set(shares)) == 3
    share = shares.reshape(-1, 1, 1, 1)
    between = share * real.numpy() + (1 - share) * generated.numpy()
    norms = np.sqrt((network.gradient(between) ** 2).reshape(3, -1).sum(1))
    found = build_loss({"type": "GradientPenalty", "weight": 10, "every": every})
    assert found(network, real, generated, SEEDS).item() == pytest.approx(
        every * 10 * ((norms - 1) ** 2).mean()
    )
    squares = (network.gradient(real.numpy()) ** 2).reshape(3, -1).sum(1)
    found = build_loss({"type": "R1Penalty", "weight": 5, "every": every})
    assert found(network, real, generated, SEEDS).item() == pytest.approx(
        every * 5 * squares.mean()
    )


@pytest.mark.parametrize("penalty", [GradientPenalty(), R1Penalty()])
def test_second_derivatives(penalty):
    """The gradient for the discriminator's parameters is that of the formula."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Conv2d(2, 1, 2)).double()
    real, generated = _images(0, 2, 1, 5, 5), _images(1, 2, 1, 5, 5)
    shapes = [p.shape for p in network.parameters()]
    names = [name for name, _ in network.named_parameters()]

    def value(*parameters):
        given = dict(zip(names, parameters, strict=True))
        judge = lambda x: torch.func.functional_call(network, given, (x,))  # noqa: E731
        return penalty(judge, real, generated, SEEDS[:2])

    parameters = [_images(i, *shape).requires_grad_() for i, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(value, parameters)
    leaf = real.clone().requires_grad_()
    assert not torch.autograd.grad(
        penalty(network, leaf, generated, SEEDS[:2]), leaf, allow_unused=True
    )[0]


def test_a_flat_discriminator_has_no_slope_and_no_nan():
    weight = torch.zeros((), dtype=torch.float64, requires_grad=True)
    found = GradientPenalty()(
        lambda x: weight * x.flatten(1).sum(1),
        _images(0, 2, 1, 3, 3),
        _images(1, 2, 1, 3, 3),
        [1, 2],
    )
    assert found.item() == 10
    found.backward()
    assert torch.isfinite(weight.grad)


def test_the_seeds_decide():
    network = Quadratic(3, 5, 4)
    real, generated = _images(0, 3, 3, 5, 4), _images(1, 3, 3, 5, 4)
    penalty = GradientPenalty()
    once = penalty(network, real, generated, SEEDS)
    torch.rand(1)
    assert torch.equal(once, penalty(network, real, generated, SEEDS))
    assert not torch.equal(once, penalty(network, real, generated, [14, 15, 16]))


def test_when_a_penalty_is_due():
    assert [R1Penalty(every=3).is_due(step) for step in range(5)] == [1, 0, 0, 1, 0]
    assert not R1Penalty(weight=0).is_due(0)


def test_it_is_computed_in_single_precision_under_autocast():
    torch.manual_seed(0)
    network = nn.Conv2d(3, 1, 3)
    real, generated = (_images(seed, 2, 3, 8, 8).float() for seed in (0, 1))
    exact = R1Penalty()(network, real, generated, [1, 2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = R1Penalty()(network, real.bfloat16(), generated.bfloat16(), [1, 2])
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact)


def test_refusals():
    with pytest.raises(DataError, match=r"\(2, 3, 4, 4\).*\(2, 3, 8, 8\)"):
        R1Penalty()(nn.Identity(), torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 8, 8), [1, 2])
    for wrong in ({"weight": -1}, {"every": 0}, {"target": -1}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            build_loss({"type": "GradientPenalty", **wrong})


@pytest.mark.parametrize("penalty", [GradientPenalty(), R1Penalty()])
def test_an_empty_batch_costs_nothing(penalty):
    none = torch.zeros(0, 3, 8, 8)
    assert penalty(torch.nn.Conv2d(3, 1, 3), none, none, []) == 0
