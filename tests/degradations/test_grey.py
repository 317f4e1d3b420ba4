"""A grey file is one channel, whatever degrades it; every registered degradation is held to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg import create_degradation
from realdeg.apis import Degrader
from realdeg.degradations import Trace
from realdeg.utils.colour import grey_of, luma_of, one_channel_is_grey, one_channel_of, rgb_to_y
from tests.degradations.conftest import all_names, small_config

# These make colours of a grey picture, as a camera or inks do: what is left of them is their grey.
COLOURFUL = (
    *("CameraISP", "CinCGANDegradation", "DSGAN", "DegFlow", "HighToLow", "LearnedNoise"),
    *("Mosaic", "NoisePool", "PDM", "Screentone"),
)
LUMA = np.array([0.299, 0.587, 0.114])
SEEDS = range(6)


def degrader(name, **more):
    torch.manual_seed(0)
    return Degrader(create_degradation(small_config(name, **more), 2, False))


def spread(images):
    return float(np.mean([image.std(axis=(0, 1)).mean() for image in images]))


@pytest.mark.parametrize("name", all_names())
class TestEveryDegradation:
    def test_noise_in_a_grey_file_is_as_strong_as_in_a_channel_of_a_colour_file(self, name):
        made = degrader(name)
        grey = np.full((96, 96, 1), 0.5, np.float32)
        colour = np.repeat(grey, 3, axis=2)
        greys = [made.degrade(grey, seed)[0] for seed in SEEDS]
        colours = [made.degrade(colour, seed)[0] for seed in SEEDS]
        assert all(image.shape[2] == 1 for image in greys)
        if name in COLOURFUL:
            wanted = [(image @ LUMA)[..., None] for image in colours]
            assert spread(greys) == pytest.approx(spread(wanted), rel=0.02, abs=1e-5)
            for one, other in zip(greys, wanted, strict=True):
                np.testing.assert_allclose(one, other, atol=2e-3)
            return
        # JPEG smooths the noise of colours more than that of light. Of a colour file's noise that
        # alone may be left, 1 / |LUMA| = 1.5 times weaker than that of a grey file.
        most = 1.5 if name == "BlindFace" else 1.2
        assert 0.94 * spread(colours) - 1e-5 <= spread(greys) <= most * spread(colours) + 1e-5
        means = [np.mean([image.mean() for image in images]) for images in (greys, colours)]
        assert means[0] == pytest.approx(means[1], abs=0.004)

    def test_both_colours_are_the_same(self, name):
        grey = np.random.default_rng(0).random((24, 24, 1), np.float32)
        made = degrader(name)
        first, _ = made.degrade(grey, 3)
        made.colour = "y"
        np.testing.assert_array_equal(made.degrade(grey, 3)[0], first)

    @pytest.mark.parametrize("shape", [(24, 20), (24, 20, 1), (24, 20, 2)])
    def test_a_trace_replays_to_the_bit(self, name, shape):
        image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        made = degrader(name)
        lr, trace = made.degrade(image, 3)
        assert lr.ndim == image.ndim and trace.size[0] == 1
        again = Trace.from_json(trace.to_json())
        np.testing.assert_array_equal(made.replay(image, again), lr)


@pytest.mark.parametrize("colour", ["rgb", "y"])
@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_sigma_is_what_it_says(sigma, colour):
    made = Degrader({"type": "AWGN", "sigma": sigma}, scale=1, colour=colour)
    lr, _ = made.degrade(np.full((512, 512), 0.5, np.float32))
    assert (lr * 255).std() == pytest.approx(sigma, rel=0.01)


@pytest.mark.parametrize("name", ["DML", "DirectNet", "DirectKPN", "GlobalKernel", "Bicubic"])
def test_what_draws_nothing_sees_grey_as_in_training(name):
    """Training shows grey files as RGB of equal channels."""
    grey = np.random.default_rng(0).random((32, 32, 1), np.float32)
    made = degrader(name)
    one, _ = made.degrade(grey)
    three, _ = made.degrade(np.repeat(grey, 3, axis=2))
    np.testing.assert_allclose(one, (three @ LUMA)[..., None], atol=2e-5)


def test_an_earlier_trace_of_three_channels_is_replayed_as_it_was():
    grey = np.full((32, 32, 1), 0.5, np.float32)
    made = Degrader({"type": "AWGN", "sigma": 25}, scale=1)
    _, trace = made.degrade(np.repeat(grey, 3, axis=2), 4)
    replayed = made.replay(grey, trace)
    wanted = made.replay(np.repeat(grey, 3, axis=2), trace) @ LUMA
    np.testing.assert_allclose(replayed[..., 0], wanted, atol=1e-6)


def test_one_channel_is_luma_unless_said():
    grey = torch.rand(1, 1, 4, 4)
    rgb = grey.expand(-1, 3, -1, -1)
    luma = rgb_to_y(rgb)
    assert luma_of(luma) is luma and torch.equal(one_channel_of(rgb), luma)
    torch.testing.assert_close(grey_of(luma), grey)
    with one_channel_is_grey():
        torch.testing.assert_close(luma_of(grey), luma)
        assert torch.equal(one_channel_of(rgb), grey) and grey_of(grey) is grey
    assert luma_of(luma) is luma


def test_nan_is_refused_and_never_black():
    from realdeg.errors import DataError

    made = degrader("DirectNet")
    with torch.no_grad():
        made.degradation.network.last.bias.fill_(float("nan"))
    for channels in (1, 3):
        with pytest.raises(DataError, match="NaN"):
            made.degrade(np.zeros((8, 8, channels), np.uint8))
