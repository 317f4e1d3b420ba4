"""The kernels of LR pixels are those that made them."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from realdeg import create_degradation
from realdeg.degradations import Degradation, kernels_of, widened
from realdeg.errors import ConfigError, DataError

CAMERA = {"type": "SampleCamera", "noise": False, "quantise": False}
BLUR = {"type": "BlurDown", "kind": "KXNet"}
KNOWN = [
    CAMERA,
    {"type": "Bicubic"},
    BLUR,
    {"type": "DML", "width": 4, "levels": 1, "num_kernels": 3, "kernel_size": 6},
    {"type": "OneOf", "parts": [CAMERA, {**CAMERA, "kernel_size": 9}, {"type": "Bicubic"}]},
    {"type": "Compose", "parts": [CAMERA, {"type": "Maybe", "part": {"type": "AWGN", "sigma": 0}}]},
]


def built(cfg, scale=2) -> Degradation:
    torch.manual_seed(3)
    return create_degradation(cfg, scale=scale, same_size=False)


@pytest.mark.parametrize("cfg", KNOWN, ids=lambda cfg: cfg["type"])
@pytest.mark.parametrize("scale", [2, 3])
def test_a_kernel_times_its_window_is_the_pixel(cfg, scale):
    degradation = built(cfg, scale)
    hr = torch.rand(4, 3, 60, 66, generator=torch.Generator().manual_seed(1))
    traces = degradation.sample(hr, [5, 6, 7, 8])
    with torch.no_grad():
        lr = degradation.replay(hr, traces)
    rows, columns = lr.shape[2] // 2, lr.shape[3] // 2
    points = [(rows, columns), (rows - 1, columns + 1)]
    kernels = kernels_of(degradation, hr, traces, points)
    side = kernels.shape[-1]
    assert kernels.shape == (4, 2, side, side)
    start = (scale - side) // 2
    for number, (row, column) in enumerate(points):
        top, left = scale * row + start, scale * column + start
        window = hr[:, :, top : top + side, left : left + side]
        made = (window * kernels[:, number, None]).sum((2, 3))
        # KXNet's recipe rounds nothing; a float32 sum of up to 900 taps.
        torch.testing.assert_close(made, lr[:, :, row, column], rtol=0, atol=2e-5)


@pytest.mark.parametrize(("own", "side", "stride"), [(3, 6, 2), (4, 7, 2), (5, 9, 3), (2, 5, 1)])
def test_a_wider_window_filters_alike(own, side, stride):
    kernel = torch.rand(own, own)
    wide = widened(kernel, side, stride)
    hr = torch.rand(40, 40)

    def pixel(taps):
        first = stride * 5 + (stride - len(taps)) // 2
        return (hr[first : first + len(taps), first : first + len(taps)] * taps).sum()

    assert wide.shape == (side, side)
    torch.testing.assert_close(pixel(wide), pixel(kernel))
    assert torch.equal(F.pad(kernel, (0, 0, 0, 0)), widened(kernel, own, stride))


@pytest.mark.parametrize(
    "cfg",
    [
        {"type": "BSRGAN"},
        {"type": "DirectNet", "width": 4, "levels": 1},
        {"type": "Compose", "parts": [{**CAMERA, "scale": 1}, {"type": "Bicubic", "scale": 2}]},
    ],
    ids=lambda cfg: cfg["type"],
)
def test_what_has_no_kernels_is_named(cfg):
    degradation = built(cfg)
    hr = torch.rand(1, 3, 96, 96)
    with pytest.raises(ConfigError, match="does not know the kernel of each LR pixel"):
        kernels_of(degradation, hr, degradation.sample(hr, [1]), [(3, 4)])


def test_one_trace_for_each_image():
    degradation = built({"type": "Bicubic"})
    with pytest.raises(DataError, match="1 traces"):
        hr = torch.rand(2, 3, 8, 8)
        kernels_of(degradation, hr, degradation.sample(hr[:1], [1]), [(1, 1)])
