"""WaveletSRNet's texture term, and terms of a weighted loss that judge outputs of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.backbones import Outputs
from realdeg.degradations.primitives.wavelets import haar_packet
from realdeg.errors import ConfigError, GeometryError
from realdeg.losses import WaveletTextureLoss, WeightedLoss, build_loss
from realdeg.registry import LOSSES
from realdeg.testing import LossContract


class TestContract(LossContract):
    @pytest.fixture(autouse=True)
    def each(self):
        self.component = LOSSES.get("WaveletTextureLoss")


def images(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize(("alpha", "margin"), [(1.2, 0.0), (0.7, 0.1)])
def test_the_formula_of_the_authors_code(alpha, margin):
    x, y = images(2, 9, 4, 5), images(2, 9, 4, 5, seed=1)
    missing = [
        max(
            0.0,
            alpha * sum(y[b, 3 * band + c, i, j].item() ** 2 for c in range(3))
            - sum(x[b, 3 * band + c, i, j].item() ** 2 for c in range(3))
            + margin,
        )
        for b in range(2)
        for band in range(3)
        for i in range(4)
        for j in range(5)
    ]
    loss = WaveletTextureLoss(weight=0.5, alpha=alpha, margin=margin)
    assert loss(x, y).item() == pytest.approx(0.5 * np.mean(missing), rel=1e-12)
    assert torch.autograd.gradcheck(lambda p: loss(p, y), x.requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("colours", [1, 3])
def test_levels_take_the_bands_of_images(colours):
    x, y = images(1, colours, 8, 12), images(1, colours, 8, 12, seed=1)
    bands = [haar_packet(each, 2)[:, colours:] for each in (x, y)]
    wanted = WaveletTextureLoss(channels=colours)(*bands)
    assert WaveletTextureLoss(levels=2)(x, y).item() == pytest.approx(wanted.item())


def test_details_that_fade_cost_and_details_that_exceed_do_not():
    y = images(1, 3, 8, 8)
    loss = WaveletTextureLoss()
    assert loss(0 * y, y) > loss(y, y) > 0  # alpha is above 1
    assert loss(1.2**0.5 * y, y).item() == pytest.approx(0, abs=1e-12) and loss(-2 * y, y) == 0


def test_what_has_no_bands_is_refused():
    with pytest.raises(GeometryError, match=r"\(6, 8\).*multiples of 4"):
        WaveletTextureLoss(levels=2)(images(1, 3, 6, 8), images(1, 3, 6, 8))
    with pytest.raises(GeometryError, match="4 channels are no bands of 3 colours"):
        WaveletTextureLoss()(images(1, 4, 6, 8), images(1, 4, 6, 8))
    with pytest.raises(ConfigError, match="'channels'"):
        WaveletTextureLoss(levels=1, channels=1)


class TestOutputsOfATerm:
    terms = (
        {"type": "L1Loss"},
        {"type": "WaveletTextureLoss", "name": "texture", "outputs": {"high": 2.0}},
    )

    def test_a_term_judges_its_own_outputs_only(self):
        sr, hr = images(1, 3, 8, 8), images(1, 3, 8, 8, seed=1)
        high, true = images(1, 9, 4, 4, seed=2), images(1, 9, 4, 4, seed=3)
        low = images(1, 3, 4, 4, seed=4)
        loss = WeightedLoss(list(self.terms), outputs={"sr": 0.1, "low": 0.5})
        found = loss(Outputs(sr, {"low": low, "high": high}), {"sr": hr, "low": low, "high": true})
        assert list(found) == ["loss_l1", "loss_l1.low", "loss_texture.high"]
        assert found["loss_l1"].item() == pytest.approx(0.1 * (sr - hr).abs().mean().item())
        texture = build_loss({"type": "WaveletTextureLoss"})(high, true)
        assert found["loss_texture.high"].item() == pytest.approx(2 * texture.item())

    def test_wrong_outputs_are_refused(self):
        loss = WeightedLoss(list(self.terms))
        with pytest.raises(ConfigError, match="name 'high', but the network returns sr"):
            loss(images(1, 3, 8, 8), images(1, 3, 8, 8))
        with pytest.raises(ConfigError, match=r"'terms.0.outputs' is 3, wanted a dict"):
            WeightedLoss([{"type": "L1Loss", "outputs": 3}])
