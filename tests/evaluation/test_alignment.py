"""How pairs lie to each other, against scenes whose truth is known."""

from __future__ import annotations

import math

import pytest
import torch

from realdeg.datasets import City100Dataset, NTIRE19Dataset, RealSRDataset, SampleDataset
from realdeg.errors import DataError, GeometryError
from realdeg.evaluation import (
    AlignmentLimits,
    RegionShift,
    judge_alignment,
    measure_alignment,
    measure_pairs,
)
from tests.evaluation.scenes import pair

GEOMETRIES = [
    dict(size=(128, 144), scale=2, same_size=False),
    dict(size=(96, 96), scale=4, same_size=False),
    dict(size=(256, 200), scale=4, same_size=True),
]
OFF = dict(down=1.2, right=-0.7, rotation=0.3, enlargement=0.01, gain=1.08)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda g: f"x{g['scale']}-{g['same_size']}")
@pytest.mark.parametrize(
    "off",
    [{}, dict(down=0.37, right=-0.61), dict(down=-6.25, right=4.8), OFF, dict(rotation=-0.5)],
    ids=["aligned", "part of a pixel", "many pixels", "everything", "turned"],
)
def test_every_number_is_the_true_one(geometry, off):
    hr, lr = pair(**geometry, **off)
    found = measure_alignment(hr, lr, geometry["scale"], geometry["same_size"])
    assert found.measurable and not found.unrelated
    assert found.down == pytest.approx(off.get("down", 0), abs=0.05)
    assert found.right == pytest.approx(off.get("right", 0), abs=0.05)
    assert found.rotation == pytest.approx(off.get("rotation", 0), abs=0.03)
    assert found.enlargement == pytest.approx(off.get("enlargement", 0), abs=5e-4)
    assert found.gain == pytest.approx((off.get("gain", 1.0),) * 3, abs=0.01)
    turn = math.radians(off.get("rotation", 0))
    grow = off.get("enlargement", 0)
    errors = []
    for region in found.regions:
        y, x = (
            p - (n - 1) / 2 for p, n in zip((region.row, region.column), found.size, strict=True)
        )
        down = off.get("down", 0) + grow * y + turn * x
        right = off.get("right", 0) + grow * x - turn * y
        errors.append(math.hypot(region.down - down, region.right - right))
    assert sorted(errors)[len(errors) // 2] < 0.05
    assert max(errors) < 0.15


def test_what_has_no_texture_cannot_be_measured():
    flat = torch.full((3, 128, 128), 0.4)
    found = measure_alignment(flat, flat[:, ::2, ::2], 2)
    assert not found.measurable and not found.unrelated and found.gain is None
    assert "cannot be measured" in found.describe()
    generator = torch.Generator().manual_seed(0)
    noise = [0.4 + torch.randn(3, n, n, generator=generator) / 255 for n in (128, 64)]
    assert not measure_alignment(*noise, 2).measurable
    # Stripes tell the displacement across them alone.
    stripes = 0.5 + 0.3 * torch.sin(torch.arange(128) / 3.0).expand(3, 128, 128)
    assert not measure_alignment(stripes, stripes, 4, same_size=True).measurable
    small = measure_alignment(flat[:, :32, :32], flat[:, :32, :32], 4, same_size=True)
    assert "too small" in small.describe()


def test_one_textured_corner_is_measured_there():
    hr, lr = pair(size=(256, 256), same_size=True, down=0.8)
    fade = torch.sigmoid((110 - torch.arange(256.0)) / 6)
    for image in (hr, lr):
        image.sub_(0.5).mul_(fade[:, None] * fade).add_(0.5)
    found = measure_alignment(hr, lr, 2, same_size=True)
    assert 0 < len(found.regions) < found.asked and not found.unrelated
    region = found.regions[0]
    assert isinstance(region, RegionShift) and region.row < 100 and region.column < 100
    assert region.down == pytest.approx(0.8, abs=0.05)


def test_unrelated_images_are_told_from_untextured_ones():
    hr, lr = pair(seed=1)[0], pair(seed=2)[1]
    found = measure_alignment(hr, lr, 2)
    assert found.unrelated
    verdict = judge_alignment({"a": found, "b": found}, 2, False)
    assert "2 of 2 pairs (a, b) do not show the same thing" in verdict.fault


def test_sizes_that_do_not_fit_are_refused():
    hr, lr = pair()
    with pytest.raises(GeometryError, match="do not fit scale 4"):
        measure_alignment(hr, lr, 4)
    with pytest.raises(DataError, match="measured on"):
        measure_alignment(hr[None], lr[None], 2)


@pytest.fixture(scope="module")
def measured():
    """An aligned pair and one that is off, at both grids."""
    found = {}
    for same_size in (False, True):
        for name, off in (("good", {}), ("bad", OFF)):
            images = pair(size=(192, 192), same_size=same_size, **off)
            found[name, same_size] = measure_alignment(*images, 2, same_size)
    return found


@pytest.mark.parametrize("same_size", [False, True])
def test_the_verdict_has_the_numbers(measured, same_size):
    good, bad = measured["good", same_size], measured["bad", same_size]
    assert judge_alignment({"a": good, "b": good}, 2, same_size).fault == ""
    fault = judge_alignment({"a": bad, "b": bad, "c": good}, 2, same_size).fault
    for part in ("median shift 1.", "rotation +0.30", "scale +", "gain 1.08", "3 of 3 pairs"):
        assert part in fault, fault
    # One pair of four is that pair's fault.
    four = {"a": bad, "b": good, "c": good, "d": good}
    assert judge_alignment(four, 2, same_size).fault == ""
    loose = AlignmentLimits(shift=9, shift_same_size=9, rotation=9, enlargement=9, gain=9)
    assert judge_alignment({"a": bad}, 2, same_size, loose).fault == ""


@pytest.mark.parametrize(
    ("off", "part"),
    [
        (dict(rotation=0.3), "rotation +0.30"),
        (dict(enlargement=0.01), "scale +"),
        (dict(down=0.9), "shift 0.9"),
        (dict(gain=1.08), "gain 1.08"),
    ],
)
def test_each_number_alone_is_enough(off, part):
    found = measure_alignment(*pair(size=(192, 192), **off), 2)
    assert part in judge_alignment({"a": found}, 2, False).fault


def test_few_pairs_are_read_and_hr_alone_is_left_out():
    asked = []

    def load(index):
        asked.append(index)
        hr, lr = (image.permute(1, 2, 0).mul(255).byte().numpy() for image in pair(seed=index))
        return dict(key=str(index), hr=hr, **({} if index == 0 else dict(lr=lr)))

    found = measure_pairs(load, 100, 2, False, pairs=3, side=96)
    assert asked == [0, 50, 99] and list(found) == ["50", "99"]
    assert found["50"].size == (96, 96) and found["50"].shift < 0.05
    assert measure_pairs(load, 100, 1.5, False) == {}


def test_the_sample_is_aligned_and_a_wrong_one_is_not():
    data = SampleDataset(split="test", scale=2, same_size=False)
    found = measure_pairs(data.load, len(data), 2, False)
    assert judge_alignment(found, 2, False).fault == "" and len(found) == 3

    def moved(index):
        sample = data.load(index)
        return {**sample, "hr": sample["hr"][4:], "lr": sample["lr"][1:-1]}

    found = measure_pairs(moved, len(data), 2, False)
    assert "median shift 1.0" in judge_alignment(found, 2, False).fault


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "scale", "same_size"),
    [
        (
            lambda root: RealSRDataset(
                version=3, folder="RealSR-V3-crops", data_root=root, same_size=False
            ),
            4,
            False,
        ),
        (lambda root: NTIRE19Dataset(data_root=root), 4, True),
        (lambda root: City100Dataset(folder="City100-iPhoneX", data_root=root), 4, True),
    ],
    ids=["RealSR V3", "NTIRE 2019", "City100"],
)
def test_published_pairs_pass_and_turned_ones_do_not(real_data, build, scale, same_size):
    import cv2
    import numpy as np

    data = build(real_data)
    found = measure_pairs(data.load, len(data), scale, same_size)
    assert judge_alignment(found, scale, same_size).fault == ""

    def turned(index):
        sample = data.load(index)
        lr = np.ascontiguousarray(sample["lr"])
        height, width = lr.shape[:2]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -0.3, 1.01)
        matrix[:, 2] += (-1.2, 1.3)
        mirrored = cv2.BORDER_REFLECT
        lr = cv2.warpAffine(
            lr, matrix, (width, height), flags=cv2.INTER_LANCZOS4, borderMode=mirrored
        )
        return {**sample, "lr": lr}

    found = measure_pairs(turned, len(data), scale, same_size)
    verdict = judge_alignment(found, scale, same_size)
    assert "median shift" in verdict.fault
    rotations = [pair.rotation for pair in found.values()]
    assert np.median(rotations) == pytest.approx(0.3, abs=0.1)
