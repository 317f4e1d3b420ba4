from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg.backbones import Outputs
from realdeg.errors import ConfigError, GeometryError
from realdeg.losses import CharbonnierLoss, L1Loss, MSELoss, WeightedLoss, build_loss
from realdeg.registry import LOSSES, list_losses
from realdeg.testing import LossContract

REFERENCES = {
    "L1Loss": lambda x, y: np.abs(x - y),
    "MSELoss": lambda x, y: (x - y) ** 2,
    "CharbonnierLoss": lambda x, y: np.sqrt((x - y) ** 2 + 1e-6),
}
PIXEL = sorted(REFERENCES)


def pair(*shape, seed=0):
    generator = np.random.default_rng(seed)
    return torch.tensor(generator.random(shape)), torch.tensor(generator.random(shape))


class TestEveryLoss(LossContract):
    @pytest.fixture(params=[*PIXEL, "CrossEntropyLoss"], autouse=True)
    def each(self, request):
        self.component = LOSSES.get(request.param)

    def pair(self, batch=2, height=3, width=4):
        prediction, target = super().pair(batch, height, width)
        classes = self.component.__name__ == "CrossEntropyLoss"
        return prediction, (target[:, 0] * 2.99).long() if classes else target


def test_listed():
    assert {*PIXEL, "CrossEntropyLoss", "WeightedLoss"} <= set(list_losses())


@pytest.mark.parametrize("name", PIXEL)
@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(*(st.integers(1, top) for top in (3, 3, 9, 9))),
    weight=st.floats(0, 10),
    reduction=st.sampled_from(["mean", "sum"]),
    seed=st.integers(0, 99),
)
def test_pixel_losses_equal_references(name, shape, weight, reduction, seed):
    x, y = pair(*shape, seed=seed)
    loss = build_loss({"type": name, "weight": weight, "reduction": reduction})
    wanted = weight * getattr(np, reduction)(REFERENCES[name](x.numpy(), y.numpy()))
    found = loss(x, y)
    assert found.shape == ()
    np.testing.assert_allclose(found.item(), wanted, rtol=1e-12, atol=1e-15)
    assert loss(y, x).item() == pytest.approx(found.item())


def test_charbonnier_at_equality():
    x = torch.rand(1, 3, 4, 4, requires_grad=True)
    loss = CharbonnierLoss()(x, x.detach())
    loss.backward()
    assert loss.item() == pytest.approx(1e-3)
    assert torch.equal(x.grad, torch.zeros_like(x))
    assert CharbonnierLoss(eps=0.5)(x, x).item() == pytest.approx(0.5)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("extra", [(), (4, 5), (3, 4, 5)])
def test_cross_entropy_equals_a_reference(reduction, extra):
    generator = np.random.default_rng(3)
    logits = generator.normal(size=(2, 7, *extra)) * 30
    classes = generator.integers(0, 7, size=(2, *extra))
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    wanted = -np.take_along_axis(log_p, classes[:, None], axis=1)
    loss = build_loss({"type": "CrossEntropyLoss", "weight": 2.0, "reduction": reduction})
    found = loss(torch.tensor(logits), torch.tensor(classes))
    np.testing.assert_allclose(found.item(), 2 * getattr(np, reduction)(wanted), rtol=1e-12)
    small = torch.tensor(logits[:1, :, ...], requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: loss(p, torch.tensor(classes[:1])), small)


@pytest.mark.parametrize(
    "target", [torch.zeros(2, 4, 4), torch.zeros(2, 4, 5).long(), torch.zeros(2, 7, 4, 4).long()]
)
def test_cross_entropy_refuses_what_is_no_class_map(target):
    with pytest.raises(GeometryError, match=r"\(2, 7, 4, 4\).*integer classes"):
        build_loss({"type": "CrossEntropyLoss"})(torch.zeros(2, 7, 4, 4), target)


@pytest.mark.parametrize("name", PIXEL)
def test_shapes_are_never_broadcast(name):
    loss = build_loss({"type": name})
    with pytest.raises(GeometryError, match=r"\(2, 1, 4, 4\).*\(2, 3, 4, 4\)"):
        loss(torch.zeros(2, 1, 4, 4), torch.zeros(2, 3, 4, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", PIXEL)
def test_half_precision_is_summed_in_single(name, dtype):
    x, y = (value.to(dtype) for value in pair(1, 3, 200, 200))
    found = build_loss({"type": name, "reduction": "sum"})(x, y.float())
    assert found.dtype == torch.float32
    wanted = REFERENCES[name](x.double().numpy(), y.double().numpy()).sum()
    assert found.item() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(
    ("cfg", "words"),
    [
        ({"type": "L1Los"}, "Did you mean 'L1Loss'"),
        ({"type": "L1Loss", "wieght": 2}, "Did you mean 'weight'"),
        ({"type": "L1Loss", "reduction": "none"}, "'mean' or 'sum'"),
        ({"type": "CharbonnierLoss", "eps": 0}, "eps is 0, wanted a number above 0"),
        ({"type": "WeightedLoss", "terms": []}, "terms is .., wanted a list of losses"),
        ({"type": "WeightedLoss", "terms": [{"type": "L1Loss"}] * 2}, "two terms 'loss_l1'"),
        (
            {"type": "WeightedLoss", "terms": [{"type": "L1Loss", "target": "sharp"}]},
            "'terms.0.target' is 'sharp', wanted 'hr' or 'sharpened'.*Did you mean 'sharpened'",
        ),
        (
            {
                "type": "WeightedLoss",
                "terms": [{"type": "L1Loss"}, {"type": "LDLLoss"}],
                "outputs": {"level_*": 1.0},
            },
            "'terms.1' needs the picture 'averaged', so it judges the image 'sr' alone.*level_",
        ),
        (
            {"type": "WeightedLoss", "terms": [{"type": "L1Loss"}, {"type": "HingeGANLoss"}]},
            "'terms.1' is HingeGANLoss, an adversarial loss; wanted an image loss: .*L1Loss",
        ),
        (
            {
                "type": "WeightedLoss",
                "terms": [{"type": "WeightedLoss", "terms": [{"type": "L1Loss"}]}],
            },
            "inside",
        ),
    ],
)
def test_refusals(cfg, words):
    with pytest.raises(ConfigError, match=words):
        build_loss(cfg)


class TestWeightedLoss:
    terms = ({"type": "L1Loss", "weight": 2.0}, {"type": "MSELoss", "name": "squares"})

    def test_terms_are_named_and_weighted(self):
        x, y = pair(2, 3, 4, 4)
        found = WeightedLoss(self.terms)(x, y)
        assert list(found) == ["loss_l1", "loss_squares"]
        assert found["loss_l1"].item() == pytest.approx(2 * L1Loss()(x, y).item())
        assert found["loss_squares"].item() == pytest.approx(MSELoss()(x, y).item())

    def test_default_names(self):
        loss = WeightedLoss([{"type": "CrossEntropyLoss"}, {"type": "CharbonnierLoss"}])
        assert loss.names == ["loss_cross_entropy", "loss_charbonnier"]

    def test_many_outputs(self):
        sr, hr = pair(1, 3, 4, 4)
        one, low = pair(1, 3, 2, 2, seed=5)
        prediction = Outputs(sr, {"recursion_1": sr / 2, "recursion_2": sr / 4, "low": one})
        l1 = L1Loss()
        loss = WeightedLoss(
            [{"type": "L1Loss"}], outputs={"sr": 0.5, "recursion_*": 0.25, "low": 2}
        )
        found = loss(prediction, {"sr": hr, "low": low})
        assert {name: value.item() for name, value in found.items()} == pytest.approx(
            {
                "loss_l1": 0.5 * l1(sr, hr).item(),
                "loss_l1.recursion_1": 0.25 * l1(sr / 2, hr).item(),
                "loss_l1.recursion_2": 0.25 * l1(sr / 4, hr).item(),
                "loss_l1.low": 2 * l1(one, low).item(),
            }
        )
        only = WeightedLoss([{"type": "L1Loss"}], outputs={"sr": 1.0})(prediction, hr)
        assert list(only) == ["loss_l1"]
        every = WeightedLoss([{"type": "L1Loss"}])({"sr": sr, "again": sr}, hr)
        assert every["loss_l1"].item() == every["loss_l1.again"].item()

    def test_unknown_outputs_and_targets(self):
        sr, hr = pair(1, 3, 4, 4)
        loss = WeightedLoss([{"type": "L1Loss"}], outputs={"sr": 1.0, "recursion_*": 0.1})
        with pytest.raises(ConfigError, match=r"'recursion_\*'"):
            loss(sr, hr)
        with pytest.raises(GeometryError, match="no target for the output 'sr'"):
            WeightedLoss([{"type": "L1Loss"}])(sr, {"low": hr})
        with pytest.raises(ConfigError, match="empty"):
            WeightedLoss([{"type": "L1Loss"}], outputs={})(sr, hr)

    def test_gradient(self):
        x, y = pair(1, 2, 3, 3)
        loss = WeightedLoss(self.terms)
        assert torch.autograd.gradcheck(lambda p: sum(loss(p, y).values()), x.requires_grad_())


def test_every_loss_is_documented():
    for name in list_losses():
        assert LOSSES.get(name).__doc__


class BetterThanAveragedLoss(L1Loss):
    """Half the error of an average subtracted from the error, to test what terms are handed."""

    needs = ("averaged",)

    def forward(self, prediction, target, averaged):
        return super().forward(prediction, target) - 0.5 * super().forward(averaged, target)


class TestReferences:
    terms = (
        {"type": "L1Loss"},
        {"type": "L1Loss", "name": "sharp", "target": "sharpened"},
        {"type": BetterThanAveragedLoss, "weight": 2.0, "target": "sharpened"},
    )

    def test_only_what_terms_need_is_asked_for(self):
        assert WeightedLoss(self.terms[:1]).references == frozenset()
        assert WeightedLoss(self.terms[:2]).references == {"sharpened"}
        assert WeightedLoss(self.terms).references == {"sharpened", "averaged"}

    def test_each_term_is_compared_with_its_picture(self):
        sr, hr = pair(2, 3, 4, 4)
        sharpened, averaged = pair(2, 3, 4, 4, seed=1)
        aux = pair(2, 3, 4, 4, seed=2)[0]
        targets = {"sr": hr, "sharpened": sharpened, "averaged": averaged}
        found = WeightedLoss(self.terms)({"sr": sr, "mid": aux}, targets)
        # Terms that need further pictures judge the image only.
        assert list(found) == [
            "loss_l1",
            "loss_sharp",
            "loss_better_than_averaged",
            "loss_l1.mid",
        ]
        error = [(one - sharpened).abs().mean().item() for one in (sr, averaged)]
        assert found["loss_l1"].item() == pytest.approx((sr - hr).abs().mean().item())
        assert found["loss_sharp"].item() == pytest.approx(error[0])
        assert found["loss_better_than_averaged"].item() == pytest.approx(2 * error[0] - error[1])

    def test_a_missing_picture_is_named(self):
        with pytest.raises(ConfigError, match="'loss_sharp' needs the picture 'sharpened'.*sr"):
            WeightedLoss(self.terms)(*pair(2, 3, 4, 4))
