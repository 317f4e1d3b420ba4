"""The noise level where it is known: on photos, flat and clipped images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.datasets import SampleDataset
from realdeg.degradations.estimation import noise_level
from realdeg.errors import DataError, GeometryError
from realdeg.utils.image import to_tensor


def noisy(image: torch.Tensor, sigma: float, seed: int = 0) -> torch.Tensor:
    """Add noise of grey levels and store the image with 8 bits."""
    drawn = np.random.default_rng(seed).normal(0, sigma, tuple(image.shape))
    levels = (image.double() * 255 + torch.from_numpy(drawn)).round().clamp(0, 255)
    return levels / 255


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    pixels = SampleDataset(split="test")[0]["hr"]
    image = to_tensor(pixels) if isinstance(pixels, np.ndarray) else torch.as_tensor(pixels)
    image = image if image.ndim == 4 else image[None]
    return image[..., :128, :128]


@pytest.mark.parametrize(
    ("sigma", "channels", "within"), [(3, 3, 0.1), (10, 3, 0.1), (10, 1, 0.15), (25, 3, 0.15)]
)
def test_it_finds_the_noise_of_a_photo(photo, sigma, channels, within):
    found = 255 * noise_level(noisy(photo[:, :channels], sigma))
    assert found == pytest.approx(sigma, rel=within)


def test_a_clean_photo_has_little(photo):
    assert 255 * noise_level(photo) < 2.5


def test_flat_images():
    assert noise_level(torch.full((1, 3, 64, 64), 0.4)) == 0
    flat = torch.full((1, 3, 96, 96), 0.5)
    assert 255 * noise_level(noisy(flat, 6.0)) == pytest.approx(6, rel=0.05)


def test_strong_texture_is_not_noise():
    """Stripes and checks of full contrast are left out with the largest eigenvalues."""
    row, column = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
    stripes = 0.5 + 0.3 * torch.sin(row * 0.9) * torch.sin(0.5 * column)
    found = 255 * noise_level(noisy(stripes.expand(1, 3, -1, -1), 8.0))
    assert found == pytest.approx(8, rel=0.06)


def test_clipped_regions_are_left_out():
    """Half of the image is white, where no noise is seen; a dark quarter lies near black."""
    image = torch.full((1, 3, 96, 128), 0.5)
    image[..., 64:] = 1.1
    image[..., :24, :64] = 0.02
    found = 255 * noise_level(noisy(image.clamp(max=1.0), 10.0))
    assert found == pytest.approx(10, rel=0.06)
    with pytest.raises(DataError, match="black or white.*State the noise"):
        noise_level(torch.ones(1, 3, 64, 64))


def test_refusals():
    with pytest.raises(GeometryError, match=r"32 x 32.*\(1, 3, 31, 40\)"):
        noise_level(torch.rand(1, 3, 31, 40))
    with pytest.raises(GeometryError, match="one image"):
        noise_level(torch.rand(2, 3, 40, 40))


def test_equal_images_give_equal_levels_and_keep_their_values(photo):
    before = photo.clone()
    assert noise_level(photo) == noise_level(photo.clone()) and torch.equal(photo, before)
