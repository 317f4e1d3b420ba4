from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from realdeg.backbones.dialects import from_matconvnet
from realdeg.backbones.parts.pyramid import (
    DoublingDeconv,
    bilinear_weight,
    pil_bicubic,
)
from realdeg.backbones.parts.reflect import ReflectConv
from realdeg.backbones.parts.spans import bicubic_span, conv_span, deconv_span
from realdeg.degradations.primitives.resize import imresize


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_pil_bicubic_is_pils(factor):
    levels = np.random.default_rng(0).integers(70, 186, (9, 7), dtype=np.uint8)
    image = torch.from_numpy(levels.astype(np.float64))[None, None]
    found = pil_bicubic(image, factor)[0, 0].numpy()
    floats = Image.fromarray(levels.astype(np.float32))
    wanted = np.asarray(floats.resize((7 * factor, 9 * factor), Image.Resampling.BICUBIC))
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    # PIL rounds (and clips) after each of its two passes: about a level, without overshoot.
    wanted = np.asarray(
        Image.fromarray(levels).resize((7 * factor, 9 * factor), Image.Resampling.BICUBIC)
    )
    assert np.abs(np.clip(found, 0, 255) - wanted).max() < 1.2


@pytest.mark.parametrize("kernel", [3, 4])
def test_doubling_deconv(kernel):
    deconv = DoublingDeconv(2, 3, kernel).double()
    image = torch.rand(1, 2, 4, 5, dtype=torch.float64)
    found = deconv(image)
    assert found.shape == (1, 3, 8, 10)
    whole = F.conv_transpose2d(image, deconv.weight, deconv.bias, stride=2)
    first = 1 if kernel == 4 else 0  # MatConvNet's crops: [1, 1, 1, 1] and [0, 1, 0, 1]
    torch.testing.assert_close(found, whole[..., first : first + 8, first : first + 10])


def test_bilinear_weight_interpolates():
    deconv = DoublingDeconv(1, 1, 4, bias=False)
    deconv.weight.data.copy_(bilinear_weight(4).reshape(1, 1, 4, 4))
    image = torch.rand(1, 1, 6, 5)
    wanted = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(deconv(image)[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1])


def test_reflection():
    conv = ReflectConv(2, 3)
    image = torch.rand(1, 2, 4, 5)
    inner = conv.conv[1]
    padded = F.pad(image, (1, 1, 1, 1), mode="reflect")
    torch.testing.assert_close(conv(image), F.conv2d(padded, inner.weight, inner.bias))
    assert conv(torch.rand(1, 2, 1, 1)).shape == (1, 3, 1, 1)
    assert conv(torch.rand(0, 2, 3, 3)).shape == (0, 3, 3, 3)


def looked_at(layer, pixel, size=40):
    """The first and last input pixel that an output pixel of a layer depends on."""
    image = torch.ones(1, 1, size, size, dtype=torch.float64, requires_grad=True)
    layer(image)[0, 0, pixel, pixel].backward()
    rows = (image.grad[0, 0] != 0).any(1).nonzero()
    return int(rows.min()), int(rows.max())


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (6, 2, 2), (7, 3, 2)])
def test_spans(kernel, stride, padding):
    conv = torch.nn.Conv2d(1, 1, kernel, stride, padding).double()
    deconv = torch.nn.ConvTranspose2d(1, 1, kernel, stride, padding).double()
    for pixel in range(6, 9):
        span = (pixel, pixel)
        assert looked_at(conv, pixel) == conv_span(span, kernel, stride, padding)
        assert looked_at(deconv, 20 + pixel) == deconv_span(
            (20 + pixel, 20 + pixel), kernel, stride, padding
        )


@pytest.mark.parametrize("ratio", [Fraction(3, 4), Fraction(2), Fraction(1, 2)])
def test_bicubic_span(ratio):
    size = int(40 * ratio)
    for pixel in range(size // 2, size // 2 + 6):
        found = looked_at(lambda image: imresize(image, size=(size, size)), pixel)
        first, last = bicubic_span((pixel, pixel), ratio)
        assert first <= found[0] and found[1] <= last
        assert found[0] - first + last - found[1] <= 1  # a tap at a zero of the kernel


def test_from_matconvnet():
    wanted = torch.rand(4, 1, 3, 3)
    stored = wanted.permute(2, 3, 1, 0)
    for value in (stored, stored.squeeze(2), wanted):
        assert torch.equal(from_matconvnet(value, (4, 1, 3, 3)), wanted)
    single = torch.rand(1, 1, 4, 4)
    assert torch.equal(from_matconvnet(single[0, 0], (1, 1, 4, 4)), single)
    assert from_matconvnet(torch.rand(1, 5), (5,)).shape == (5,)
    assert from_matconvnet(torch.rand(3, 3, 7), (4, 1, 3, 3)).shape == (3, 3, 7)
