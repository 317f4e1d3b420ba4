"""ZSSR: what it draws, how it trains, and what it refuses."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from realdeg import create_backbone
from realdeg.backbones.refinement import turned
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import ConfigError, GeometryError
from realdeg.zero_shot import ZSSR
from realdeg.zero_shot.zssr_crops import Augmentation, Crops
from realdeg.zero_shot.zssr_network import ZSSRNetwork


def picture(side=48):
    """Edges in several directions, which recur at half the size."""
    y, x = torch.meshgrid(torch.arange(side) / side, torch.arange(side) / side, indexing="ij")
    discs = [((y - a) ** 2 + (x - b) ** 2 < r**2) for a, b, r in ((0.3, 0.3, 0.2), (0.7, 0.6, 0.1))]
    stripes = torch.sin(40 * (x + 0.6 * y)) > 0
    return torch.stack([discs[0] | stripes, stripes, discs[1] ^ stripes])[None].float()


def drawn(how, count=20, side=16):
    image = torch.rand(1, 3, 24, 30, generator=torch.Generator().manual_seed(0))
    crops = Crops(image, how, side, np.random.default_rng(0))
    return image, [crops.draw() for _ in range(count)]


def places(image, crop):
    """Where a crop is found in an image, to the bit."""
    rows, columns = crop.shape[-2:]
    windows = image[0].unfold(1, rows, 1).unfold(2, columns, 1)
    return (windows == crop[0, :, None, None]).flatten(3).all(3).all(0).nonzero().tolist()


class TestCrops:
    def test_as_it_is(self):
        image, found = drawn(Augmentation(as_is=1, turned=0))
        where = {tuple(place) for crop in found for place in places(image, crop)}
        assert len(where) > 10 and all(crop.shape == (1, 3, 16, 16) for crop in found)

    def test_turned(self):
        image, found = drawn(Augmentation(as_is=0, turned=1), 60)
        ways = [[n for n in range(8) if places(turned(image, n), crop)] for crop in found]
        assert {way for (way,) in ways} == set(range(8))
        image, found = drawn(Augmentation(as_is=0, turned=1, turns=False))
        assert all(places(image, crop) for crop in found)

    def test_distorted(self):
        plain = dict(as_is=0, turned=0, scale_difference=0, shear=0, turns=False)
        image, found = drawn(Augmentation(least_scale=1, **plain))
        for crop in found:  # a shift by a fraction of a pixel: a mean of neighbours
            assert abs(float(crop.mean()) - float(image.mean())) < 0.1
        _, smaller = drawn(Augmentation(least_scale=0.5, **plain))
        assert any(float((crop == 0).float().mean()) > 0.1 for crop in smaller)  # black around it
        _, all_kinds = drawn(Augmentation(as_is=0, turned=0), 50)
        assert all(crop.min() >= 0 and crop.max() <= 1 for crop in all_kinds)

    def test_the_middle_stays_where_it_is(self):
        """Distortions turn around the image's middle."""
        image = torch.zeros(1, 1, 17, 17)
        image[..., 6:11, 6:11] = 1
        crops = Crops(image, Augmentation(as_is=0, turned=0), 17, np.random.default_rng(0))
        axis = torch.arange(17.0)
        for _ in range(10):
            crop = crops.draw()[0, 0]
            middle = (crop.sum(1) @ axis / crop.sum(), crop.sum(0) @ axis / crop.sum())
            assert middle == pytest.approx((8, 8), abs=0.25)

    def test_larger_sources_are_used_for_larger_scales(self):
        small, large = torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 48, 48)
        crops = Crops(small, Augmentation(), 8, np.random.default_rng(0))
        crops.add(large, 1.5)
        kinds = [float(crops.draw().mean() > 0.5) for _ in range(200)]
        # Scales are uniform from 0.5 to 1.5, of 95 % of the crops; half of them exceed 1.
        assert 0.3 < sum(kinds) / 200 < 0.6


@pytest.mark.parametrize(("form", "width"), [("official", 64), ("exercise", 128)])
def test_the_network(form, width):
    method = ZSSR(form=form)
    assert method.width == width and method.depth == 8
    network = ZSSRNetwork(3, width, 8, form, torch.Generator().manual_seed(0))
    sizes = [tuple(weight.shape) for weight in network.weights]
    assert sizes == [(width, 3, 3, 3), *[(width, width, 3, 3)] * 6, (3, width, 3, 3)]
    # He's variance counts outputs, as the exercise's program does; the paper's 0.1 / inputs.
    wanted = (2 / (9 * width)) ** 0.5 if form == "exercise" else (0.1 / (9 * width)) ** 0.5
    assert float(network.weights[3].detach().std()) == pytest.approx(wanted, rel=0.02)
    image = -torch.ones(1, 3, 8, 8)
    # The exercise's first activation acts on the image: of a negative one nothing is left.
    assert torch.equal(network(image), image) == (form == "exercise")


def test_it_learns_to_undo_the_reduction():
    method = ZSSR(scale=2, iterations=151, width=16, depth=4, crop=32, seed=3)
    lr = picture()
    method(lr)
    (training,) = method.trainings
    bicubic = F.mse_loss(imresize(imresize(lr, size=(24, 24)), size=(48, 48)).clamp(0, 1), lr)
    assert training.iterations == 151 and training.ended == "iterations"
    assert training.error < 0.85 * float(bicubic)


def test_the_result_agrees_with_lr():
    """Back-projection: the result's reduction is the image."""
    lr = 0.25 + 0.5 * imresize(picture(24), size=(48, 48)).clamp(0, 1)
    settings = dict(scale=2, iterations=2, width=4, depth=2)
    errors = [
        float(F.mse_loss(imresize(ZSSR(**settings, corrections=count)(lr), size=(48, 48)), lr))
        for count in (0, 10)
    ]
    assert errors[1] < 0.1 * errors[0]


def test_gradual_steps():
    method = ZSSR(preset="gradual", iterations=2, width=4, depth=2, crop=24)
    seen = []
    with method.reporting(lambda done, most: seen.append((done, most))):
        made = method(picture(26)[..., :-1])
    assert made.shape == (1, 3, 52, 50)
    assert method.most_iterations == 12 and seen[-1] == (12, 12)


def test_kernelgan_gives_the_kernel():
    method = ZSSR(
        *(2, "kernelgan", "kernelgan"), iterations=2, width=4, depth=2, kernel_iterations=100
    )
    lr = imresize(picture(140), size=(70, 70)).clamp(0, 1)
    made = method(lr)
    assert method.kernel is not None and float(method.kernel.sum()) == pytest.approx(1)
    known = ZSSR(2, "kernelgan", iterations=2, width=4, depth=2)
    torch.testing.assert_close(known(lr, cond=method.kernel[None, None]), made, rtol=0, atol=1e-6)
    with pytest.raises(GeometryError, match="64 x 64"):
        method(lr[..., :60])


def test_the_time_budget_starts_after_kernelgan(monkeypatch):
    now = iter([0.0, 100.0, *[101.0] * 99])
    monkeypatch.setattr("realdeg.zero_shot.base.time.monotonic", lambda: next(now))
    method = ZSSR(iterations=2, width=4, depth=2, crop=16, seconds=50)
    method(picture(16))
    (training,) = method.trainings
    assert (training.ended, training.seconds) == ("iterations", 1.0)


def test_a_time_budget_returns_the_best_so_far(monkeypatch, caplog):
    """The tested weights of the lowest error are the result, not the last ones."""
    method = ZSSR(iterations=301, width=4, depth=2, crop=16, seconds=1e9, corrections=0)
    late = iter([False] * 120 + [True])
    monkeypatch.setattr("realdeg.zero_shot.base.Watch.late", lambda *_: next(late))
    errors = iter([3.0, 1.0, 2.0])  # at iterations 0, 50 and 100
    monkeypatch.setattr("realdeg.zero_shot.zssr._Run._reconstruction", lambda *_: next(errors))
    hurried = method(picture(16))
    assert method.trainings[0].iterations == 121
    monkeypatch.undo()
    short = ZSSR(iterations=51, width=4, depth=2, crop=16, corrections=0)(picture(16))
    assert torch.equal(hurried, short)


def test_a_converged_training_says_so(caplog, monkeypatch):
    errors = iter([1.0, 2.0] * 20)
    monkeypatch.setattr("realdeg.zero_shot.zssr._Run._reconstruction", lambda *_: next(errors))
    method = ZSSR(iterations=1000, width=2, depth=2, crop=8)
    with caplog.at_level(logging.INFO, logger="realdeg"):
        method(torch.full((1, 3, 8, 8), 0.5))
    (training,) = method.trainings
    assert training.ended == "converged" and training.iterations == 900 == training.most
    assert "900 iterations" in caplog.text


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (dict(preset="gradual", scale=3), "gradual.* exists at scale 2, got 3"),
        (dict(preset="gradual", kernel="kernelgan"), "gradual.*a kernel"),
        (dict(kernel="kernelgan", scale=5), "scale 2, 3 or 4, got 5"),
        (dict(same_size=True), "same_size"),
    ],
)
def test_what_does_not_exist(settings, problem):
    with pytest.raises(GeometryError, match=problem):
        create_backbone("zssr", **settings)


@pytest.mark.parametrize(
    "settings", [dict(preset="best"), dict(form="mine"), dict(kernel={"shape": "gaussian"})]
)
def test_wrong_settings(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        create_backbone("zssr", **settings)


def test_gradual_takes_no_kernel():
    with pytest.raises(GeometryError, match="preset='kernel'"):
        ZSSR(preset="gradual")(picture(16), cond=torch.ones(1, 1, 1, 1))
