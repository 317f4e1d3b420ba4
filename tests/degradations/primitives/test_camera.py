"""Unprocessing against Brooks et al.'s formulas, and there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.degradations.primitives import camera
from realdeg.degradations.primitives.mosaic import bayer_mosaic, demosaic

SHARES = {"sony_a7r": 0.25, "olympus_e_m10": 0.75}


def _pictures() -> torch.Tensor:
    generator = torch.Generator().manual_seed(6)
    return torch.rand(2, 3, 8, 10, generator=generator, dtype=torch.float64)


def test_matrices_keep_grey_and_mix():
    for name in camera.CAMERAS:
        matrix = camera.camera_matrix({name: 1.0})
        torch.testing.assert_close(matrix.sum(1), torch.ones(3, dtype=torch.float64))
        assert torch.linalg.cond(matrix) < 20
    mixed = np.array(camera.CAMERAS["sony_a7r"]) + 3 * np.array(camera.CAMERAS["olympus_e_m10"])
    to_xyz = np.array(camera._RGB_TO_XYZ)
    wanted = mixed @ to_xyz
    wanted /= wanted.sum(1, keepdims=True)
    np.testing.assert_allclose(camera.camera_matrix(SHARES).numpy(), wanted)
    # The sRGB matrix itself: white is D65.
    np.testing.assert_allclose(to_xyz.sum(1), [0.9505, 1.0, 1.0888], atol=2e-4)


def test_unprocess_is_equal_to_its_formula():
    x = _pictures()
    matrix = camera.camera_matrix(SHARES)
    exposure, red, blue = [1.25, 1.1], [2.0, 2.3], [1.6, 1.8]
    found = camera.unprocess(x, matrix, exposure, red, blue)
    for index, picture in enumerate(x.numpy()):
        value = 0.5 - np.sin(np.arcsin(1 - 2 * picture) / 3)
        value = np.maximum(value, 1e-8) ** 2.2
        value = np.einsum("oc,chw->ohw", matrix.numpy(), value)
        gains = np.array([1 / red[index], 1, 1 / blue[index]]) / exposure[index]
        gains = gains[:, None, None]
        mask = (np.maximum(value.mean(0) - 0.9, 0) / 0.1) ** 2
        value = value * np.maximum(mask + (1 - mask) * gains, gains)
        np.testing.assert_allclose(found[index].numpy(), np.clip(value, 0, 1), atol=1e-6)


def test_white_stays_white():
    white = torch.ones(1, 3, 2, 2)
    raw = camera.unprocess(white, camera.camera_matrix(SHARES), [1.3], [2.2], [1.7])
    torch.testing.assert_close(raw, white, atol=1e-5, rtol=0)


@pytest.mark.parametrize("pattern", ["RGGB", "GBRG"])
def test_there_and_back(pattern):
    """Flat colours survive the whole chain; a mosaic of odd size does, too."""
    colours = torch.tensor([[0.6, 0.45, 0.3], [0.2, 0.5, 0.4]], dtype=torch.float64)
    x = colours.view(2, 3, 1, 1).expand(2, 3, 7, 5)
    matrices = torch.stack([camera.camera_matrix(SHARES), camera.camera_matrix({"sony_a7r": 1})])
    gains = ([1.25, 0.9], [2.0, 2.3], [1.6, 1.8])
    raw = bayer_mosaic(camera.unprocess(x, matrices, *gains), pattern)
    balanced = camera.apply_raw_gains(raw, pattern, *gains)
    back = camera.process(demosaic(balanced, pattern), matrices)
    torch.testing.assert_close(back, x, atol=1e-5, rtol=0)


def test_gradient_is_finite_everywhere():
    x = torch.tensor([0.0, 1.0, 0.5]).repeat(12).view(1, 3, 3, 4).requires_grad_()
    raw = camera.unprocess(x, camera.camera_matrix(SHARES), [1.2], [2.0], [1.7])
    camera.process(raw, camera.camera_matrix(SHARES)).sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all() and x.grad.any()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: camera.camera_matrix({"leica": 1.0}), "cameras are"),
        (lambda x: camera.camera_matrix({"sony_a7r": 0.0}), "shares of cameras"),
        (lambda x: camera.camera_matrix({"sony_a7r": 2, "olympus_e_m10": -1}), "shares of cameras"),
        (lambda x: camera.camera_matrix({}), "shares of cameras"),
        (lambda x: camera.invert_gains(x, [1.0], [1.0, 1.0], [1.0, 1.0]), "exposure gains"),
        (lambda x: camera.invert_gains(x, [1.0, 1.0], [1.0, 0.0], [1.0, 1.0]), "red gains"),
    ],
)
def test_bad_arguments_are_named(call, match):
    with pytest.raises(ValueError, match=match):
        call(_pictures())
