"""Which patches count as noise, and what is kept of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.degradations.estimation import CRITERIA, QuietPatches, SmoothPatches, noise_patches
from realdeg.errors import ConfigError, DataError


def _photo(level: float = 120, sigma: float = 4, side: int = 128, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = level + sigma * rng.standard_normal((side, side, 3))
    return values.round().clip(0, 255).astype(np.uint8)


def test_noise_on_grey_is_found_with_its_level():
    for criteria in (SmoothPatches(), QuietPatches()):
        found, refused = noise_patches(_photo(), criteria)
        assert len(found) == 9 and not refused, criteria
        for item in found:
            assert item.patch.shape == (3, 64, 64) and item.patch.dtype == torch.float32
            assert item.record["sigma"] == pytest.approx(4, abs=0.15)
            assert item.record["mean"] == pytest.approx(120, abs=0.5)
            assert item.patch.mean((1, 2)).abs().max() < 1e-7
        assert (found[1].record["row"], found[1].record["column"]) == (0, 32)


def test_the_patch_is_the_photo_less_its_mean():
    image = _photo()
    (first, *_), _ = noise_patches(image, detrend="mean")
    part = image[:64, :64].astype(np.float64)
    wanted = (part - part.mean((0, 1))).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(first.patch.numpy(), wanted, atol=1e-7)


def test_shading_is_taken_off():
    image = _photo(sigma=3).astype(np.float64) + np.linspace(-4, 4, 128)[:, None, None]
    image = image.round().astype(np.uint8)
    criteria = QuietPatches()
    plane, _ = noise_patches(image, criteria)
    mean, _ = noise_patches(image, criteria, detrend="mean")
    assert plane[0].record["sigma"] == pytest.approx(3, abs=0.1)
    assert mean[0].record["sigma"] > plane[0].record["sigma"] + 0.15


def test_sixteen_bits_are_the_same_levels():
    image = _photo()
    wide = image.astype(np.uint16) * 257
    one, other = (noise_patches(x)[0][0] for x in (image, wide))
    torch.testing.assert_close(one.patch, other.patch, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("image", "criteria", "reason"),
    [
        (_photo(level=254), QuietPatches(), "clipped"),
        (np.full((64, 64, 3), 90, np.uint8), QuietPatches(), "silent"),
        (_photo(sigma=9), QuietPatches(), "variance"),
        (_photo(level=30), QuietPatches(least_mean=50), "mean"),
        (np.tile(np.linspace(40, 200, 128)[:, None, None], (1, 128, 3)).astype(np.uint8),
         SmoothPatches(), "mean"),
        (np.concatenate([_photo(sigma=2)[:64, :32], _photo(sigma=6)[:64, :32]], 1),
         SmoothPatches(), "variance"),
    ],
)  # fmt: skip
def test_each_reason(image, criteria, reason):
    found, refused = noise_patches(image, criteria)
    assert not found and reason in refused


def test_regular_texture_is_no_noise():
    """GCBD's parts all look alike in stripes; few frequencies hold their energy."""
    stripes = 120 + 10 * np.sin(np.arange(128) * 2 * np.pi / 8)[None, :, None]
    image = (_photo(0, 2).astype(np.float64) * 0 + stripes).round().astype(np.uint8)
    assert noise_patches(image) == ([], {"regular": 9})
    assert len(noise_patches(image, concentration=1.0)[0]) == 9


def test_the_corner_of_an_object_is_no_noise():
    image = _photo(sigma=2)
    image[:3, :3] += 60
    assert noise_patches(image[:64, :64], QuietPatches()) == ([], {"object": 1})
    assert len(noise_patches(image, QuietPatches())[0]) == 8


def test_a_parts_mean_and_variance_are_held_to_the_patchs():
    """One part 12 % brighter is refused at 10 %; variances differ by 20 % at most."""
    image = _photo(sigma=2)
    image[:16, :16] += 14
    assert noise_patches(image[:64, :64])[1] == {"mean": 1}
    tolerant = SmoothPatches(mean_tolerance=0.2, variance_tolerance=50)
    assert len(noise_patches(image[:64, :64], tolerant, concentration=1.0)[0]) == 1
    assert set(CRITERIA) == {"gcbd", "realsr"}


def test_mistakes_are_named():
    with pytest.raises(DataError, match="smaller than a noise patch"):
        noise_patches(_photo(side=40))
    with pytest.raises(DataError, match="8 or 16 bit"):
        noise_patches(_photo().astype(np.float32))
    with pytest.raises(ConfigError, match="'mean' or 'plane'"):
        noise_patches(_photo(), detrend="median")
    with pytest.raises(ConfigError, match="whole parts"):
        noise_patches(_photo(), SmoothPatches(patch=40, part=16))
