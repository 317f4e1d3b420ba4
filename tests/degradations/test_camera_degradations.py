"""JPEG, Mosaic, ToneMap and CameraISP: what they draw, what they apply, what they refuse.

That each keeps the contract is tested by ``test_contract.py``.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from realdeg.degradations import Compose, Trace
from realdeg.degradations.camera_isp import RECIPES, CameraISP
from realdeg.degradations.jpeg import JPEG
from realdeg.degradations.mosaic import Mosaic
from realdeg.degradations.primitives import imresize
from realdeg.degradations.primitives.camera import BROOKS_CAMERAS, CAMERAS
from realdeg.degradations.primitives.compression import jpeg
from realdeg.degradations.primitives.mosaic import PATTERNS, bayer_mosaic, demosaic
from realdeg.degradations.tone_map import ToneMap
from realdeg.errors import ConfigError, DataError

SIZE = (3, 48, 48)
DRAWS = 2000
LEVEL = 1e-3  # of every test of a distribution here; the seeds are fixed


def _hr(channels: int = 3, batch: int = 2) -> torch.Tensor:
    """Smooth pictures: what a camera can still show."""
    x = torch.rand(batch, channels, 6, 6, generator=torch.Generator().manual_seed(2))
    return torch.nn.functional.interpolate(x, size=(48, 48), mode="bicubic").clamp(0, 1)


def _params(degradation, number: int = DRAWS) -> list[dict]:
    return [dict(degradation.sample_one(SIZE, 7919 * seed).params) for seed in range(number)]


def _uniform(values, low: float, high: float) -> float:
    return stats.kstest(values, "uniform", (low, high - low)).pvalue


class TestDraws:
    def test_jpeg_quality(self):
        qualities = [p["quality"] for p in _params(JPEG(4))]
        counts = np.bincount(qualities, minlength=101)
        assert counts[:30].sum() == 0 and counts[96:].sum() == 0
        assert stats.chisquare(counts[30:96]).pvalue > LEVEL
        assert {p["quality"] for p in _params(JPEG(4, quality=50), 20)} == {50}

    def test_mosaic_pattern(self):
        drawn = [p["pattern"] for p in _params(Mosaic(4))]
        assert stats.chisquare([drawn.count(pattern) for pattern in PATTERNS]).pvalue > LEVEL
        assert {p["pattern"] for p in _params(Mosaic(4, pattern="GBRG"), 20)} == {"GBRG"}

    def test_tone_curves(self):
        params = _params(ToneMap(4))
        for name, mean in (("curve_exponent", 0.9), ("curve_offset", 0.6)):
            assert stats.kstest([p[name] for p in params], "norm", (mean, 0.1)).pvalue > LEVEL
        assert _uniform([p["stops"] for p in params], -0.1, 0.3) > LEVEL

    def test_brooks_camera(self):
        params = _params(CameraISP(4))
        assert _uniform([p["red_gain"] for p in params], 1.9, 2.4) > LEVEL
        assert _uniform([p["blue_gain"] for p in params], 1.5, 1.9) > LEVEL
        divisors = [1 / p["exposure"] for p in params]
        assert stats.kstest(divisors, "norm", (0.8, 0.1)).pvalue > LEVEL
        logs = np.log([p["shot"] for p in params])
        assert _uniform(logs, math.log(1e-4), math.log(1.2e-2)) > LEVEL
        rest = np.log([p["read"] for p in params]) - (2.18 * logs + 1.20)
        assert stats.kstest(rest, "norm", (0, 0.26)).pvalue > LEVEL
        assert {p["pattern"] for p in params} == {"RGGB"}
        assert all(tuple(p["cameras"]) == BROOKS_CAMERAS for p in params)
        assert all(abs(sum(p["cameras"].values()) - 1) < 1e-3 for p in params)
        shares = np.mean([list(p["cameras"].values()) for p in params], 0)
        np.testing.assert_allclose(shares, 0.25, atol=0.02)

    def test_bsrgan_camera(self):
        params = _params(CameraISP(4, recipe="bsrgan"))
        assert _uniform([p["red_gain"] for p in params], 1.2, 2.4) > LEVEL
        assert _uniform([p["blue_gain"] for p in params], 1.2, 2.4) > LEVEL
        assert _uniform(np.log2([p["exposure"] for p in params]), -0.1, 0.3) > LEVEL
        drawn = [p["pattern"] for p in params]
        assert stats.chisquare([drawn.count(pattern) for pattern in PATTERNS]).pvalue > LEVEL
        assert {p["method"] for p in params} == {"malvar"}

    def test_one_camera_can_be_named(self):
        (params,) = _params(CameraISP(4, camera="sony_a7r"), 1)
        assert params["cameras"] == {"sony_a7r": 1.0}


class TestApplied:
    @pytest.mark.parametrize("same_size", [False, True])
    def test_jpeg_of_the_small_picture(self, same_size):
        hr = _hr()
        degradation = JPEG(2, same_size)
        traces = degradation.sample(hr, [1, 2])
        small = jpeg(imresize(hr, 1 / 2), [trace.params["quality"] for trace in traces])
        wanted = imresize(small, size=(48, 48)).clamp(0, 1) if same_size else small
        assert torch.equal(degradation.replay(hr, traces), wanted)

    def test_mosaic_of_the_small_picture(self):
        hr = _hr()
        degradation = Mosaic(3, method="bilinear")
        traces = degradation.sample(hr, [1, 6])
        patterns = [trace.params["pattern"] for trace in traces]
        assert patterns[0] != patterns[1]
        small = imresize(hr, 1 / 3)
        wanted = [
            demosaic(bayer_mosaic(image[None], pattern), pattern)
            for image, pattern in zip(small, patterns, strict=True)
        ]
        found = degradation.replay(hr, traces)
        torch.testing.assert_close(found, torch.cat(wanted).clamp(0, 1), atol=1e-6, rtol=0)

    def test_tone_map_by_its_formula(self):
        hr = _hr(batch=1)
        degradation = ToneMap(1)
        (trace,) = degradation.sample(hr, [4])
        n, a, stops = (trace.params[k] for k in ("curve_exponent", "curve_offset", "stops"))
        picture = hr.double().clamp_min(1e-8)
        light = (0.6 * picture / (1.6 - picture)) ** (1 / 0.9)
        power = (light * 2**stops).clamp(0, 1) ** n
        wanted = (1 + a) * power / (power + a)
        found = degradation.replay(hr, [trace])
        torch.testing.assert_close(found.double(), wanted, atol=1e-5, rtol=0)

    @pytest.mark.parametrize("recipe", RECIPES)
    def test_a_camera_without_noise_keeps_the_picture(self, recipe):
        hr = _hr() * 0.8  # highlights are clipped by the sensor on purpose
        degradation = CameraISP(1, recipe=recipe, noise=False)
        lr = degradation(hr, [1, 2])
        assert (lr - hr).abs().mean() < 0.012
        assert "noise_seed" not in degradation.sample(hr, [1, 2])[0].params

    def test_camera_noise(self):
        """Stronger in the light of the sensor; neighbours and channels share it."""
        degradation = CameraISP(1, shot=5e-3)
        levels = torch.tensor([0.05, 0.75]).view(2, 1, 1, 1).expand(2, 3, 96, 96).contiguous()
        traces = degradation.sample(levels, [3, 3])
        noise = degradation.replay(levels, traces) - CameraISP(1, noise=False).replay(
            levels, [Trace(t.type, t.params, t.size) for t in traces]
        )
        # In the picture, gamma makes shadows noisier; at the sensor it is the other way round.
        slope = [(0.5 * p) ** 1.2 for p in (0.05, 0.75)]
        raw = [n.std().item() * s for n, s in zip(noise, slope, strict=True)]
        assert raw[1] > raw[0]
        green = noise[1, 1]
        neighbours = np.corrcoef(green[:, 1:].flatten(), green[:, :-1].flatten())[0, 1]
        channels = np.corrcoef(noise[1].flatten(1).numpy())[0, 1]
        assert neighbours > 0.1 and abs(channels) > 0.1

    def test_condition(self):
        camera = CameraISP(4)
        (trace,) = camera.sample(_hr(batch=1), [1])
        shot, read = trace.params["shot"], trace.params["read"]
        wanted = {"shot": shot, "read": read, "noise_level": math.sqrt(0.18 * shot + read)}
        assert camera.condition(trace) == wanted
        assert CameraISP(4, noise=False).condition(trace)["noise_level"] == 0
        (trace,) = JPEG(4, quality=40).sample(_hr(batch=1), [1])
        assert JPEG(4, quality=40).condition(trace) == {"jpeg_quality": 0.4}

    def test_a_grey_object_stays_grey(self):
        hr = _hr(1)
        for degradation in (Mosaic(2), CameraISP(2, noise=False), ToneMap(2)):
            colour = degradation(hr.expand(-1, 3, -1, -1), [1, 2])
            weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
            wanted = (colour * weights).sum(1, keepdim=True)
            torch.testing.assert_close(degradation(hr, [1, 2]), wanted, atol=1e-5, rtol=0)

    @pytest.mark.parametrize("degradation", [Mosaic(2), ToneMap(2), CameraISP(2)])
    def test_gradient_is_finite_at_black_and_white(self, degradation):
        hr = _hr()
        hr[:, :, :16], hr[:, :, 32:] = 0, 1
        hr.requires_grad_()
        degradation(hr, [1, 2]).square().sum().backward()
        assert hr.grad is not None and torch.isfinite(hr.grad).all() and hr.grad.any()

    def test_parts_of_a_container_leave_the_grid_alone(self):
        parts = [{"type": "Bicubic"}, CameraISP(1), JPEG(1)]
        assert Compose(parts, scale=4)(_hr(), [1, 2]).shape == (2, 3, 12, 12)


HOSTILE = [
    (JPEG(2), "quality", 0),
    (JPEG(2), "quality", 10**400),
    (JPEG(2), "quality", 50.5),
    (JPEG(2), "quality", True),
    (Mosaic(2), "pattern", "RGBG"),
    (Mosaic(2), "pattern", ["RGGB"]),
    (ToneMap(2), "curve_exponent", 0.0),
    (ToneMap(2), "curve_exponent", float("nan")),
    (ToneMap(2), "curve_offset", -1),
    (ToneMap(2), "stops", 1e300),
    (CameraISP(2), "noise_seed", -1),
    (CameraISP(2), "noise_seed", 2**70),
    (CameraISP(2), "noise_seed", "0"),
    (CameraISP(2), "shot", float("inf")),
    (CameraISP(2), "read", -1e-9),
    (CameraISP(2), "exposure", 0),
    (CameraISP(2), "red_gain", 10**400),
    (CameraISP(2), "blue_gain", None),
    (CameraISP(2), "cameras", {}),
    (CameraISP(2), "cameras", {"sony_a7r": 0}),
    (CameraISP(2), "cameras", {"sony_a7r": 10**400}),
    (CameraISP(2), "cameras", {"sony_a7r": "1"}),
    (CameraISP(2), "cameras", {"__class__": 1.0}),
    (CameraISP(2), "pattern", "x" * 1000),
    (CameraISP(2, recipe="bsrgan"), "curve_offset", 0),
]


@pytest.mark.parametrize(("degradation", "name", "value"), HOSTILE)
def test_a_hostile_trace_is_refused_in_one_sentence(degradation, name, value):
    hr = _hr(batch=1)
    (trace,) = degradation.sample(hr, [1])
    with pytest.raises(DataError) as caught:
        degradation.replay(hr, [Trace(trace.type, {**trace.params, name: value}, trace.size)])
    assert name.split("_")[0] in str(caught.value) and "\n" not in str(caught.value)
    params = {key: item for key, item in trace.params.items() if key != name}
    with pytest.raises(DataError, match=name):
        degradation.replay(hr, [Trace(trace.type, params, trace.size)])


def test_a_trace_of_another_recipe_is_refused():
    hr = _hr(batch=1)
    traces = CameraISP(2).sample(hr, [1])
    with pytest.raises(DataError, match="curve"):
        CameraISP(2, recipe="bsrgan").replay(hr, traces)
    with pytest.raises(DataError, match="subsampling"):
        JPEG(2).replay(hr, JPEG(2, subsampling="444").sample(hr, [1]))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: JPEG(quality=(0, 50)), "JPEG: quality"),
        (lambda: JPEG(quality=(60, 50)), "JPEG: quality"),
        (lambda: JPEG(quality=50.5), "whole number"),
        (lambda: JPEG(quality="high"), "JPEG: quality"),
        (lambda: JPEG(subsampling="411"), "subsampling is '411', wanted '420'"),
        (lambda: Mosaic(pattern="RGBG"), "pattern is 'RGBG', wanted 'RGGB'"),
        (lambda: Mosaic(method="ahd"), "method is 'ahd', wanted 'bilinear' or"),
        (lambda: ToneMap(curve_exponent=(0.1, 0.1)), "curve_exponent is"),
        (lambda: ToneMap(curve_offset=0.6), "curve_offset is"),
        (lambda: ToneMap(stops=(0, 9)), "stops is"),
        (lambda: CameraISP(recipe="adobe"), "recipe is 'adobe', wanted 'brooks' or"),
        (
            lambda: CameraISP(camera="leica"),
            "camera is 'leica', wanted " + ", ".join(map(repr, list(CAMERAS)[:4])),
        ),
        (lambda: CameraISP(shot=(0, 0.1)), "above 0"),
        (lambda: CameraISP(shot=2), "shot is"),
    ],
)
def test_bad_arguments_are_named(call, match):
    with pytest.raises(ConfigError, match=match):
        call()
