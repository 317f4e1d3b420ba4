"""Real codecs: the bytes are OpenCV's own, for the right order of channels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from realdeg.degradations.primitives.compression import jpeg, webp
from realdeg.utils.image import to_array, to_tensor


def _pictures(channels: int = 3) -> torch.Tensor:
    """Coloured blocks and a ramp, which tell RGB from BGR."""
    # No value lies half-way between two levels, where float32 and float64 round differently.
    x = torch.zeros(2, 3, 40, 56)
    x[:, 0, :20, :28] = 230 / 255
    x[:, 1, 20:, :28] = 178 / 255
    x[:, 2, :, 28:] = torch.linspace(26, 188, 28).round() / 255
    x[1] = x[1].flip(0)
    return x[:, :channels].contiguous()


def _by_opencv(image: torch.Tensor, quality: int, suffix: str, flag: int) -> torch.Tensor:
    bgr = np.ascontiguousarray(to_array(image)[..., ::-1])
    content = cv2.imencode(suffix, bgr, [flag, quality])[1]
    decoded = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    return to_tensor(np.ascontiguousarray(np.atleast_3d(decoded)[..., ::-1]))


@pytest.mark.parametrize("quality", [5, 50, 95])
def test_jpeg_is_equal_to_opencv(quality):
    x = _pictures()
    before = x.clone()
    y = jpeg(x, [quality, 30])
    assert torch.equal(x, before)
    assert torch.equal(y[0], _by_opencv(x[0], quality, ".jpg", cv2.IMWRITE_JPEG_QUALITY))
    assert torch.equal(y[1], _by_opencv(x[1], 30, ".jpg", cv2.IMWRITE_JPEG_QUALITY))


def test_the_order_of_channels_matters_to_the_codec():
    """The test above would not notice an order that made no difference."""
    x = _pictures()[:1]
    swapped = jpeg(x.flip(1).contiguous(), [30]).flip(1)
    assert (jpeg(x, [30]) - swapped).abs().max() > 10 / 255


def test_grey_and_webp():
    x = _pictures(1)
    y = jpeg(x, torch.tensor([40, 80]))
    assert torch.equal(y[0], _by_opencv(x[0], 40, ".jpg", cv2.IMWRITE_JPEG_QUALITY))
    colour = _pictures()
    z = webp(colour, [40, 90])
    assert torch.equal(z[0], _by_opencv(colour[0], 40, ".webp", cv2.IMWRITE_WEBP_QUALITY))
    assert (z[1] - colour[1]).abs().mean() < (z[0] - colour[0]).abs().mean()
    assert webp(x, [40, 90]).shape == x.shape


def test_whole_chroma_is_closer():
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    errors = [(jpeg(x, [95], kind) - x).abs().mean().item() for kind in ("444", "422", "420")]
    assert errors[0] < errors[1] < errors[2]


def test_values_beyond_the_range_and_no_numbers():
    x = torch.tensor([-1.0, 2.0, float("nan"), float("inf")]).view(1, 1, 2, 2)
    y = jpeg(x, [100])
    assert torch.isfinite(y).all()
    torch.testing.assert_close(y.flatten(), torch.tensor([0.0, 1, 0, 1]), atol=4 / 255, rtol=0)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: jpeg(x, [0, 50]), "from 1 to 100"),
        (lambda x: jpeg(x, [50, 101]), "from 1 to 100"),
        (lambda x: jpeg(x, [50.5, 60]), "whole number"),
        (lambda x: jpeg(x, [50]), "1 qualities"),
        (lambda x: jpeg(x, [50, 50], "411"), "subsampling"),
        (lambda x: jpeg(x[0], [50]), "compression takes"),
        (lambda x: webp(torch.zeros(1, 1, 1, 16384), [50]), "pixels per side"),
    ],
)
def test_bad_arguments_are_named(call, match):
    with pytest.raises(ValueError, match=match):
        call(_pictures())
