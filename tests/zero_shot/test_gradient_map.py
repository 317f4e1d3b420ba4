"""KernelGAN's form of ZSSR: crops and weights by gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.zero_shot import ZSSR
from realdeg.zero_shot.gradient_map import GradientCrops, gradient_map


def edge(size: int = 64) -> torch.Tensor:
    """Return a flat image with one textured square, and noise that breaks ties."""
    draws = torch.Generator().manual_seed(0)
    image = 0.5 + 1e-3 * torch.rand(1, 3, size, size, generator=draws)
    place, side = slice(size // 2, size // 2 + size // 4), size // 4
    image[..., place, place] = torch.rand(1, 3, side, side, generator=draws)
    return image


def slow_map(luma: np.ndarray) -> np.ndarray:
    """Compute the map as its source does, pixel by pixel."""
    rows, columns = np.gradient(luma)
    total = np.zeros_like(luma)
    for one in (np.sqrt(rows**2 + columns**2), np.abs(rows), np.abs(columns)):
        inner = np.zeros_like(one)
        inner[5:-5, 5:-5] = one[5:-5, 5:-5]
        ordered = np.sort(inner.flatten())
        pivot = int(0.97 * len(ordered))
        cut = np.clip(inner, ordered[pivot], ordered[pivot + 1]) - ordered[pivot]
        total += cut / cut.sum()
    padded = np.pad(total, 2)
    height, width = luma.shape
    blurred = np.array(
        [[padded[i : i + 5, j : j + 5].sum() / 25 for j in range(width)] for i in range(height)]
    )
    return blurred / blurred.mean()


def test_the_map_is_the_published_one():
    image = edge(60)[:, :1].double()
    found = gradient_map(image)
    assert found.shape == (1, 1, 60, 60)
    wanted = slow_map(image[0, 0].numpy())
    np.testing.assert_allclose(found[0, 0].numpy(), wanted, rtol=1e-9, atol=1e-12)
    assert float(found.mean()) == pytest.approx(1)
    assert torch.equal(gradient_map(torch.full((1, 3, 20, 20), 0.3)), torch.ones(1, 1, 20, 20))


def test_crops_lie_where_gradients_are():
    crops = GradientCrops(edge(), 16, np.random.default_rng(0))
    weights = [crops.draw()[1] for _ in range(200)]
    assert all(one.shape == (1, 1, 16, 16) for one in weights)
    # A uniform draw would reach the square, a sixteenth of the image, far less often.
    assert np.mean([float(one.sum()) > 0 for one in weights]) == 1
    assert np.mean([float(one.mean()) for one in weights]) > 4
    crop, _ = GradientCrops(edge(12), 16, np.random.default_rng(0)).draw()
    assert torch.equal(crop, edge(12))


def test_the_preset_uses_both():
    method = ZSSR(2, "kernelgan", iterations=3, width=4, depth=2, crop=16)
    assert method.plan.gradients and not ZSSR(2, "kernel").plan.gradients
    made = method(edge(48))
    assert made.shape == (1, 3, 96, 96) and method.trainings[0].iterations == 3
    assert torch.equal(made, method(edge(48)))


def test_errors_are_weighted(monkeypatch):
    """With all weights 0 nothing is learned."""
    method = ZSSR(2, "kernelgan", iterations=3, width=4, depth=2, crop=16, corrections=0)
    learned = method(edge(48))
    draw = GradientCrops.draw
    monkeypatch.setattr(GradientCrops, "draw", lambda self: (draw(self)[0], 0 * draw(self)[1]))
    ignored = method(edge(48))
    monkeypatch.undo()
    few = ZSSR(2, "kernelgan", iterations=1, width=4, depth=2, crop=16, corrections=0)
    monkeypatch.setattr(GradientCrops, "draw", lambda self: (draw(self)[0], 0 * draw(self)[1]))
    assert torch.equal(few(edge(48)), ignored) and not torch.equal(learned, ignored)
