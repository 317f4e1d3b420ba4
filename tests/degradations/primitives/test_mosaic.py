"""Bayer mosaics and demosaicing, against the published filters written out per pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.degradations.primitives.mosaic import (
    DEMOSAIC_METHODS,
    PATTERNS,
    as_channels,
    as_colour,
    bayer_mosaic,
    demosaic,
    mosaic_gains,
)


def _images(height: int = 9, width: int = 12) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(2, 3, height, width, generator=generator, dtype=torch.float64)


def _mirror(index: int, size: int) -> int:
    index = abs(index)
    return index if index < size else 2 * size - 2 - index


def _demosaiced(raw: np.ndarray, pattern: str, method: str) -> np.ndarray:
    """Bilinear means, and Malvar's corrections by the Laplacian of the colour that is known."""
    height, width = raw.shape
    result = np.zeros((3, height, width))

    def at(row: int, column: int) -> float:
        return raw[_mirror(row, height), _mirror(column, width)]

    def colour(row: int, column: int) -> int:
        return "RGB".index(pattern[2 * (row % 2) + column % 2])

    for i in range(height):
        for j in range(width):
            here = colour(i, j)
            result[here, i, j] = at(i, j)
            across = (at(i, j - 1) + at(i, j + 1)) / 2
            along = (at(i - 1, j) + at(i + 1, j)) / 2
            diagonal = np.mean([at(i + a, j + b) for a in (-1, 1) for b in (-1, 1)])
            far_row = at(i, j - 2) + at(i, j + 2)
            far_column = at(i - 2, j) + at(i + 2, j)
            if here == 1:
                for value, other, near, far in (
                    (across, colour(i, j + 1), far_row, far_column),
                    (along, colour(i + 1, j), far_column, far_row),
                ):
                    if method == "malvar":  # gain 5/8 on a Laplacian of nine green points
                        value += 5 / 8 * at(i, j) - (4 * diagonal + near - far / 2) / 8
                    result[other, i, j] = value
            else:
                laplacian = at(i, j) - (far_row + far_column) / 4
                gains = (1 / 2, 3 / 4) if method == "malvar" else (0, 0)
                result[1, i, j] = (across + along) / 2 + gains[0] * laplacian
                result[2 - here, i, j] = diagonal + gains[1] * laplacian
    return result


@pytest.mark.parametrize("method", DEMOSAIC_METHODS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_demosaicing_is_equal_to_its_formula(pattern, method):
    x = _images()
    before = x.clone()
    raw = bayer_mosaic(x, pattern)
    assert raw.shape == (2, 1, 9, 12)
    y = demosaic(raw, pattern, method)
    assert torch.equal(x, before)
    for image, found in zip(raw, y, strict=True):
        wanted = _demosaiced(image[0].numpy(), pattern, method)
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)
    # What was measured is kept.
    assert torch.equal(bayer_mosaic(y, pattern), raw)


def test_the_pattern_names_the_first_two_rows():
    x = torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1).expand(1, 3, 3, 3)
    tiles = {p: bayer_mosaic(x, p)[0, 0, :2, :2].flatten().tolist() for p in PATTERNS}
    assert tiles == {
        pattern: [float("RGB".index(letter) + 1) for letter in pattern] for pattern in PATTERNS
    }
    gains = torch.tensor([[2.0, 1.0, 1.5]]).view(1, 3, 1, 1)
    assert mosaic_gains(gains, "GRBG").flatten().tolist() == [1.0, 2.0, 1.5, 1.0]


@pytest.mark.parametrize("method", DEMOSAIC_METHODS)
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (2, 3), (3, 2)])
def test_flat_colours_survive_down_to_few_pixels(method, size):
    colour = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1)
    y = demosaic(bayer_mosaic(colour.expand(1, 3, *size)), method=method)
    assert y.shape == (1, 3, *size)
    if min(size) > 1:
        torch.testing.assert_close(y, colour.expand_as(y), atol=1e-6, rtol=0)


def test_malvar_is_better_on_a_picture_with_edges():
    row, column = np.mgrid[0:64, 0:64] / 8
    light = 0.5 + 0.3 * np.sign(np.sin(row + 0.3 * column))
    x = torch.tensor(np.stack([light, 0.9 * light, 0.8 * light]))[None]
    errors = [
        (demosaic(bayer_mosaic(x), method=method) - x).square().mean()
        for method in DEMOSAIC_METHODS
    ]
    assert errors[1] < 0.6 * errors[0]


def test_gradient():
    raw = torch.rand(1, 1, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda r: demosaic(r, "GBRG", "malvar"), raw.requires_grad_())


def test_grey_and_colour():
    grey = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(as_channels(as_colour(grey), 1), grey, atol=1e-6, rtol=0)
    red = torch.zeros(1, 3, 2, 2)
    red[:, 0] = 1
    torch.testing.assert_close(as_channels(red, 1), torch.full((1, 1, 2, 2), 0.299))
    assert as_channels(red, 3) is red


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="Bayer patterns are"):
        bayer_mosaic(_images(), "RGBG")
    with pytest.raises(ValueError, match="mosaic is made of"):
        bayer_mosaic(_images()[:, :1])
    with pytest.raises(ValueError, match="demosaic takes"):
        demosaic(_images())
    with pytest.raises(ValueError, match="demosaic knows"):
        demosaic(_images()[:, :1], method="ahd")
