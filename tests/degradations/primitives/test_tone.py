"""Tone curves and their inverses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.degradations.primitives import tone


def _ramp() -> torch.Tensor:
    return torch.linspace(0, 1, 1001, dtype=torch.float64).view(1, 1, 1, -1)


PAIRS = {
    "smoothstep": (tone.smoothstep, tone.inverse_smoothstep),
    "gamma": (tone.gamma_compress, tone.gamma_expand),
    "srgb": (tone.linear_to_srgb, tone.srgb_to_linear),
    "sigmoid": (
        lambda x: tone.sigmoid_response(x, [0.8], [0.5]),
        lambda x: tone.inverse_sigmoid_response(x, [0.8], [0.5]),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_curves_and_their_inverses(name):
    curve, inverse = PAIRS[name]
    x = _ramp()
    # gamma cuts at 1e-8, which its root lifts to 2.3e-4.
    for there, back in ((curve, inverse), (inverse, curve)):
        torch.testing.assert_close(back(there(x)), x, atol=3e-4, rtol=0)
        assert (there(x).diff(dim=3) >= -1e-12).all()
        single = there(x.float())
        torch.testing.assert_close(single, there(x).float(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", PAIRS)
def test_gradients_are_finite_at_black_and_white(name):
    for function in PAIRS[name]:
        x = torch.tensor([0.0, 1e-9, 0.5, 1.0, 1.5, -0.5]).view(1, 1, 1, -1).requires_grad_()
        function(x).sum().backward()
        assert x.grad is not None and torch.isfinite(x.grad).all() and x.grad[0, 0, 0, 2] > 0


def test_values_of_the_formulas():
    x = torch.tensor([0.2], dtype=torch.float64)
    assert tone.smoothstep(x).item() == pytest.approx(3 * 0.04 - 2 * 0.008)
    assert tone.gamma_expand(x).item() == pytest.approx(0.2**2.2)
    assert tone.srgb_to_linear(x).item() == pytest.approx(((0.2 + 0.055) / 1.055) ** 2.4)
    assert tone.srgb_to_linear(x / 10).item() == pytest.approx(0.02 / 12.92)
    response = tone.sigmoid_response(x.view(1, 1, 1, 1), [0.9], [0.6])
    assert response.item() == pytest.approx(1.6 * 0.2**0.9 / (0.2**0.9 + 0.6))


def test_each_image_has_its_own_curve():
    x = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    y = tone.sigmoid_response(x, torch.tensor([0.9, 1.2]), [0.6, 0.3])
    torch.testing.assert_close(y[1:], tone.sigmoid_response(x[1:], [1.2], [0.3]))
    assert (y[:1] - tone.sigmoid_response(x[:1], [1.2], [0.3])).abs().max() > 0.05
    for bad in ([0.9], [0.9, 0.0], [0.9, float("nan")]):
        with pytest.raises(ValueError, match="exponents are above 0"):
            tone.sigmoid_response(x, bad, [0.6, 0.6])


def test_sampled_curves():
    places = np.linspace(0, 1, 33)
    curves = torch.tensor(np.stack([places**0.5, (places + places**2) / 2]))
    x = torch.rand(2, 3, 6, 7, generator=torch.Generator().manual_seed(1))
    y = tone.sampled_response(x, curves)
    for image, found, curve in zip(x, y, curves, strict=True):
        wanted = np.interp(image.numpy(), places, curve.numpy())
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)
    inverse = tone.invert_curves(curves, 4096)
    torch.testing.assert_close(tone.sampled_response(y, inverse), x, atol=2e-4, rtol=0)
    assert tone.invert_curves(curves[0]).shape == (1024,)
    with pytest.raises(ValueError, match="increases strictly"):
        tone.invert_curves(torch.tensor([0.0, 0.5, 0.5, 1.0]))
    with pytest.raises(ValueError, match="curves have shape"):
        tone.sampled_response(x, curves[:, :1])
