"""A field of kernels as a degradation, for back-projection of one image."""

from __future__ import annotations

import pytest
import torch

from realdeg import create_degradation
from realdeg.degradations import BackProjection, FieldBlur, kernels_of
from realdeg.errors import GeometryError


def some(height=12, width=14, scale=2) -> FieldBlur:
    generator = torch.Generator().manual_seed(1)
    basis = torch.rand(3, 5, 5, generator=generator)
    weights = torch.rand(3, height, width, generator=generator)
    basis, weights = basis / basis.sum((1, 2), keepdim=True), weights / weights.sum(0)
    return FieldBlur(basis, weights, scale=scale)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_each_pixel_has_its_kernel(scale):
    blur = some(scale=scale)
    hr = torch.rand(2, 3, 12 * scale, 14 * scale)
    traces = blur.sample(hr, [1, 2])
    lr = blur.replay(hr, traces)
    points = [(4, 5), (7, 8)]
    kernels = kernels_of(blur, hr, traces, points)
    for number, (row, column) in enumerate(points):
        top, left = (scale * place + (scale - 5) // 2 for place in (row, column))
        window = hr[:, :, top : top + 5, left : left + 5]
        made = (window * kernels[:, number, None]).sum((2, 3))
        torch.testing.assert_close(made, lr[:, :, row, column])


def test_back_projection_explains_lr():
    blur = some()
    hr = torch.rand(1, 3, 24, 28)
    project = BackProjection(blur, iterations=10, scale=2, same_size=False)
    lr, start = blur(hr), torch.full((1, 3, 24, 28), 0.5)
    after = project(start, lr)
    assert float(project.difference(after, lr)) < 0.5 * float(project.difference(start, lr))
    assert project.settings()["degradation"]["type"] == "FieldBlur"


def test_mistakes():
    blur = some()
    with pytest.raises(GeometryError, match="of an HR image of 24 x 28, got 24 x 24"):
        blur(torch.rand(1, 3, 24, 24))
    with pytest.raises(GeometryError, match=r"got \(3, 5, 4\)"):
        FieldBlur(torch.rand(3, 5, 4), torch.rand(3, 6, 6), scale=2)
    with pytest.raises(GeometryError, match="wanted 1"):
        FieldBlur(torch.rand(3, 5, 5), torch.rand(3, 6, 6), scale=2)
    assert create_degradation(blur) is blur
