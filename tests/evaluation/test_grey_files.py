"""Files of one channel: what a network of luma is given, and what each protocol measures."""

import math

import numpy as np
import pytest
import torch

from realdeg.datasets import HRFolderDataset, PairedFolderDataset, collate_batch
from realdeg.errors import DataError
from realdeg.evaluation import ImageQuality, get_protocol, measure
from realdeg.tasks import SuperResolution
from realdeg.utils.image import to_tensor, write_image

RGB_AGAIN = 20 * math.log10(255 / 219)


def grey(seed, size=48):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (size, size, 1), dtype=np.uint8)


def decibels(first, second, border):
    inner = slice(border, -border or None)
    error = first.astype(float)[inner, inner] - second.astype(float)[inner, inner]
    return 10 * math.log10(255**2 / (error**2).mean())


def noisy(array, seed=9):
    noise = np.random.default_rng(seed).normal(0, 12, array.shape)
    return (array + noise).round().clip(0, 255).astype(np.uint8)


def test_as_it_is_and_made_rgb():
    """Set14's one grey picture reads 1.32 dB apart, so the mean of 14 by 0.09."""
    clean = grey(0)
    seen = noisy(clean)
    pair = to_tensor(seen), to_tensor(clean)
    expected = decibels(seen, clean, 2)
    found = measure(*pair, "benchmark-y-uint8", ["psnr"], scale=2, grey=True)
    assert found["psnr[benchmark-y-uint8]"][0] == pytest.approx(expected, abs=1e-9)
    found = measure(*pair, "benchmark-y", ["psnr"], scale=2, grey=True)
    assert found["psnr[benchmark-y]"][0] == pytest.approx(expected + RGB_AGAIN, abs=1e-9)
    assert RGB_AGAIN / 14 == pytest.approx(0.094, abs=1e-3)
    found = measure(*pair, "rgb", ["psnr"], grey=True)
    assert found["psnr[rgb]"][0] == pytest.approx(decibels(seen, clean, 0), abs=1e-9)


@pytest.mark.parametrize("protocol", ["benchmark-y", "benchmark-y-uint8", "lapsrn", "rgb"])
def test_a_prediction_of_one_channel_or_of_three_equal_ones_is_the_same(protocol):
    clean, seen = grey(0), noisy(grey(0))
    target = to_tensor(clean).expand(3, -1, -1)
    scores = []
    for prediction in (to_tensor(seen), to_tensor(seen).expand(3, -1, -1)):
        metric = ImageQuality(protocol)
        sample = dict(key="a", prediction=prediction, target=target, scale=2)
        sample |= dict(meta={"grey": True}, prediction_rgb=prediction.expand(3, -1, -1))
        metric.process(None, [sample])
        scores.append(metric.evaluate(1))
    for name, value in scores[0].items():
        assert scores[1][name] == pytest.approx(value, abs=1e-6)


def test_equal_pictures_stay_equal():
    clean = to_tensor(grey(3))
    for protocol in ("benchmark-y", "benchmark-y-uint8", "lapsrn"):
        (value,) = measure(clean, clean.expand(3, -1, -1), protocol, ["psnr"], grey=True)[
            f"psnr[{protocol}]"
        ]
        assert value == math.inf


def test_luma_of_rgb_is_measured_as_before():
    y = to_tensor(grey(0))
    found = measure(y, to_tensor(noisy(grey(0))), "benchmark-y", ["psnr"], scale=2)
    expected = decibels(noisy(grey(0)), grey(0), 2)
    assert found["psnr[benchmark-y]"][0] == pytest.approx(expected, abs=1e-9)


@pytest.fixture
def folders(tmp_path):
    for seed in range(2):
        write_image(tmp_path / f"hr/{seed}.png", grey(seed))
        write_image(tmp_path / f"lr/{seed}.png", noisy(grey(seed)))
    write_image(tmp_path / "hr/2.png", grey(2).repeat(3, 2))
    write_image(tmp_path / "lr/2.png", noisy(grey(2)).repeat(3, 2))
    write_image(tmp_path / "hr/3.png", grey(3))
    write_image(tmp_path / "lr/3.png", noisy(grey(3)).repeat(3, 2))
    return tmp_path


def unchanging(colour):
    """A network that returns its input."""
    network = dict(type="IRCNN", width=4, colour=colour)
    task = SuperResolution(network, scale=1, same_size=True).eval()
    for parameter in task.backbone.parameters():
        parameter.data.zero_()
    return task


def test_data_sets_say_which_files_are_grey(folders):
    pairs = PairedFolderDataset(folders / "hr", folders / "lr", scale=1, same_size=True)
    for _ in range(2):  # read, and from the cache
        assert [pairs[i]["meta"].get("grey", False) for i in range(4)] == [True, True, False, False]
    alone = HRFolderDataset(folders / "hr", scale=1, same_size=True, cache_mb=0)
    assert [alone[i]["meta"].get("grey", False) for i in range(4)] == [True, True, False, True]


@pytest.mark.parametrize("colour", ["y", "rgb"])
def test_a_network_on_grey_files_through_and_through(folders, colour):
    pairs = PairedFolderDataset(folders / "hr", folders / "lr", scale=1, same_size=True)
    batch = collate_batch([pairs[i] for i in range(4)])
    with torch.no_grad():
        made = unchanging(colour).predict(batch)
    # Whatever else is in the batch.
    if colour == "y":
        assert torch.equal(made[0]["prediction"], batch["lr"][0, :1])
        assert torch.equal(made[0]["prediction_rgb"], batch["lr"][0])
        assert float(made[2]["prediction"].min()) >= 16 / 255 - 1e-6
    for index in (0, 1):
        metric = ImageQuality("benchmark-y-uint8", ["psnr"])
        metric.process(None, [made[index]])
        expected = decibels(noisy(grey(index)), grey(index), 1)
        assert metric.evaluate(1)["psnr[benchmark-y-uint8]"] == pytest.approx(expected, abs=1e-6)
        metric = ImageQuality("benchmark-y", ["psnr"])
        metric.process(None, [made[index]])
        value = metric.evaluate(1)["psnr[benchmark-y]"]
        assert value == pytest.approx(expected + RGB_AGAIN, abs=1e-4)


def test_training_shows_a_network_of_luma_the_same(folders):
    pairs = PairedFolderDataset(folders / "hr", folders / "lr", scale=1, same_size=True)
    batch = collate_batch([pairs[i] for i in range(4)])
    task = unchanging("y")
    assert torch.equal(task.low_resolution(batch)[0], batch["lr"][0, :1])
    alone = {**batch, "meta": [{}] * 4}
    assert not torch.equal(task.low_resolution(alone)[0], batch["lr"][0, :1])


def test_a_mixed_batch_of_made_lr_equals_single_ones(folders):
    task = SuperResolution(
        dict(type="IRCNN", width=4),
        dict(type="AWGN", sigma=9),
        scale=1,
        same_size=True,
    )
    alone = HRFolderDataset(folders / "hr", scale=1, same_size=True)
    whole = task.low_resolution(collate_batch([alone[i] for i in range(4)]))
    for index in range(4):
        single = task.low_resolution(collate_batch([alone[index]]))
        assert torch.equal(single[0], whole[index])


def test_the_picture_that_lapsrn_measures():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    picture = to_tensor(noisy(target)) + 0.0007  # no 8-bit levels yet
    own = torch.rand(1, 24, 24)
    sample = dict(key="a", prediction=own, prediction_rgb=picture, target=to_tensor(target))
    metric = ImageQuality("lapsrn", ["psnr"])
    metric.process(None, [sample | dict(scale=3)])
    weights = np.array([65.481, 128.553, 24.966]) / 255
    rounded = np.floor(picture.double().clamp(0, 1).numpy().transpose(1, 2, 0) * 255 + 0.5)
    error = ((rounded - target) @ weights)[3:-3, 3:-3]
    expected = 10 * math.log10(255**2 / (error**2).mean())
    assert metric.evaluate(1)["psnr[lapsrn]"] == pytest.approx(expected, abs=1e-9)
    with pytest.raises(DataError, match="measures the RGB picture"):
        metric.process(None, [sample | dict(prediction_rgb=None)])
    assert get_protocol(dict(base="lapsrn", measured="output")).measured == "output"
