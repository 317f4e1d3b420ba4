"""Halos of sharpening against SciPy in float64, and what they must leave alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from realdeg import create_degradation
from realdeg.degradations import Trace
from realdeg.degradations.halo import HaloParams, with_halo
from realdeg.errors import ConfigError, DataError
from realdeg.utils.colour import one_channel_is_grey, rgb_to_grey, rgb_to_y
from tests.degradations.statistics import assert_equally_likely, assert_independent, assert_uniform

KINDS = ("unsharp_mask", "unsharp_gray", "unsharp_halo")


def noise(seed: int = 0, batch: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, 21, 26, generator=generator, dtype=torch.float64)


def edge() -> torch.Tensor:
    """Return dark on the left, bright on the right."""
    image = torch.full((1, 3, 16, 32), 0.3, dtype=torch.float64)
    image[..., 16:] = 0.6
    return image


def by_scipy(rgb: np.ndarray, kind: str, sigma: float, amount: float, threshold: float):
    """Compute the definition, pixel by pixel."""
    light = rgb if kind == "unsharp_mask" else np.tensordot([0.299, 0.587, 0.114], rgb, 1)[None]
    reach = math.ceil(4 * sigma)
    blurred = np.stack(
        [gaussian_filter(plane, sigma, mode="reflect", radius=reach) for plane in light]
    )
    result = np.empty_like(rgb)
    for channel, row, column in np.ndindex(*rgb.shape):
        where = (channel if len(light) == 3 else 0, row, column)
        d, limit = light[where] - blurred[where], threshold / 255
        if kind == "unsharp_halo":
            added = 1.0 if d * amount >= 254 / 255 else 0.0
        elif kind == "unsharp_gray":
            added = amount * max(d - limit, 0)
        else:
            added = amount * math.copysign(max(abs(d) - limit, 0), d)
        result[channel, row, column] = min(max(rgb[channel, row, column] + added, 0), 1)
    return result


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("sigma", "amount", "threshold"), [(0.7, 0.6, 0.0), (1.5, 3.0, 12.0), (3.0, 8.0, 0.4)]
)
def test_against_scipy(kind, sigma, amount, threshold):
    image = noise()
    found = with_halo(image, HaloParams(kind, sigma, amount, threshold))[0].numpy()
    wanted = by_scipy(image[0].numpy(), kind, sigma, amount, threshold)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_an_edge_gets_the_rims_of_its_kind():
    image = edge()
    rims = {kind: with_halo(image, HaloParams(kind, 2.0, 1.0, 0.0)) - image for kind in KINDS}
    dark, bright = rims["unsharp_mask"][0, 0, 8, 15], rims["unsharp_mask"][0, 0, 8, 16]
    # Beside a step of 0.3 the blur is off by half of it less a half of the central weight.
    central = 1 / sum(math.exp(-(k**2) / 8) for k in range(-8, 9))
    assert float(bright) == pytest.approx(0.15 * (1 - central), abs=1e-4)
    assert float(dark) == pytest.approx(-float(bright), abs=1e-12)
    light_only = rims["unsharp_mask"].clamp(min=0)
    torch.testing.assert_close(rims["unsharp_gray"], light_only, atol=1e-12, rtol=0)
    assert not rims["unsharp_halo"].any()
    outlined = with_halo(image, HaloParams("unsharp_halo", 2.0, 9.0, 0.0))
    assert outlined[..., 16].eq(1).all() and torch.equal(outlined[..., :16], image[..., :16])


@pytest.mark.parametrize("kind", KINDS)
def test_what_stays(kind):
    plain = torch.full((2, 3, 12, 9), 0.4, dtype=torch.float64)
    strong = HaloParams(kind, 1.0, 50.0, 0.0)
    torch.testing.assert_close(with_halo(plain, strong), plain, atol=1e-12, rtol=0)
    for image in (noise(1), edge()):
        torch.testing.assert_close(with_halo(image, HaloParams(kind, 2.0, 0.0, 0.0)), image)
        if kind != "unsharp_halo":
            assert torch.equal(with_halo(image, HaloParams(kind, 2.0, 9.0, 255.0)), image)
        if kind != "unsharp_mask":
            assert (with_halo(image, strong) >= image).all()


@pytest.mark.parametrize("kind", KINDS[:2])
def test_gradient(kind):
    image = (0.3 + 0.3 * noise(2)[..., :6, :6]).requires_grad_()
    drawn = HaloParams(kind, 0.8, 0.5, 3.0)
    assert torch.autograd.gradcheck(lambda x: with_halo(x, drawn), (image,))


def test_draws():
    made = create_degradation(
        {
            "type": "Halo",
            "kinds": KINDS,
            "sigma": (1, 4),
            "amount": (0.5, 2),
            "threshold": (3, 20),
        },
        1,
    )
    drawn = [made.sample_one((3, 8, 8), seed).params for seed in range(3000)]
    assert_equally_likely([one["kind"] for one in drawn], KINDS)
    for name, low, high in (("sigma", 1, 4), ("amount", 0.5, 2), ("threshold", 3, 20)):
        assert_uniform([one[name] for one in drawn], low, high)
    assert_independent([one["sigma"] for one in drawn], [one["amount"] for one in drawn])
    fixed = create_degradation({"type": "Halo", "kinds": ["unsharp_gray"], "sigma": 2}, 1)
    one = fixed.sample_one((3, 8, 8), 0).params
    assert (one["kind"], one["sigma"]) == ("unsharp_gray", 2.0)


def test_batches_replay_what_each_image_drew():
    made = create_degradation({"type": "Halo", "amount": (1, 4)}, 1)
    hr = noise(3, batch=4).float()
    traces = [Trace.from_json(one.to_json()) for one in made.sample(hr, range(4))]
    for image, trace, lr in zip(hr.double(), traces, made(hr, range(4)), strict=True):
        numbers = (trace.params[name] for name in ("kind", "sigma", "amount", "threshold"))
        np.testing.assert_allclose(lr.numpy(), by_scipy(image.numpy(), *numbers), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_luma_and_grey_are_those_of_the_grey_picture(kind):
    made = create_degradation({"type": "Halo", "kinds": [kind], "amount": 6, "sigma": 2}, 1)
    grey = rgb_to_grey(noise(4).float())
    colour = made(grey.expand(-1, 3, -1, -1), [5])
    luma = made(rgb_to_y(grey.expand(-1, 3, -1, -1)), [5])
    torch.testing.assert_close(luma, rgb_to_y(colour), atol=1e-5, rtol=0)
    with one_channel_is_grey():
        torch.testing.assert_close(made(grey, [5]), colour[:, :1], atol=1e-5, rtol=0)


def test_no_padding_shows_beyond_the_border():
    for scale, same_size in ((1, False), (2, False), (2, True)):
        made = create_degradation({"type": "Halo", "sigma": 1.5, "amount": 3}, scale, same_size)
        generator = torch.Generator().manual_seed(0)
        hr = torch.rand(1, 3, 96, 96, generator=generator)
        whole, part = made(hr, [1]), made(hr[..., :80], [1])
        columns = slice(part.shape[-1] - made.border)
        assert part[..., columns].numel()
        torch.testing.assert_close(part[..., columns], whole[..., columns], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "wrong",
    [
        dict(kinds=()),
        dict(kinds=("laplacian",)),
        dict(sigma=0),
        dict(sigma=(3, 1)),
        dict(amount=-1),
        dict(threshold=(0, 256)),
    ],
)
def test_refusals(wrong):
    with pytest.raises(ConfigError, match=f"Halo: {next(iter(wrong))}"):
        create_degradation({"type": "Halo", **wrong})


def test_a_trace_of_another_range_is_refused():
    made, hr = create_degradation("Halo", 1), noise().float()
    (trace,) = made.sample(hr, [0])
    damaged = Trace(trace.type, {**trace.params, "sigma": 0.0}, trace.size)
    with pytest.raises(DataError, match="'sigma'"):
        made.replay(hr, [damaged])
