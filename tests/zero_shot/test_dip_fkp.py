"""DIP-FKP as a zero-shot method: what it returns, with and without a solver."""

from __future__ import annotations

import pytest
import torch

from realdeg.degradations.primitives.kernels import centred
from realdeg.errors import ConfigError, GeometryError
from realdeg.zero_shot import DIPFKP
from tests.degradations.estimation.test_flow_estimators import photo

SMALL = {**DIPFKP.example_arguments, "seed": 2}
SOLVER = {"type": "USRNet", "iterations": 1, "widths": "2-2-2-2", "num_blocks": 1}


def test_the_solver_gets_lr_and_the_found_kernel():
    torch.manual_seed(0)
    method = DIPFKP(**SMALL, solver={**SOLVER, "scale": 2})
    lr = photo(20)
    made = method(lr)
    (kernel,) = method.kernels
    plain = DIPFKP(**SMALL)
    image = plain(lr)
    torch.testing.assert_close(kernel, centred(plain.kernels[0], 2))
    assert made.shape == image.shape == (1, 3, 40, 40) and not torch.allclose(made, image)
    assert method.trainings[0].iterations == 3 and method.trainings[0].error is not None


def test_a_given_kernel_needs_no_flow():
    method = DIPFKP(2, iterations=3, width=4, skip=2, levels=2)
    kernel = torch.full((1, 1, 4, 4), 1 / 16)
    made = method(photo(20), cond=kernel)
    assert made.shape == (1, 3, 40, 40)
    torch.testing.assert_close(method.kernels[0], kernel[0, 0])
    with pytest.raises(ConfigError, match="DIPFKP needs a flow"):
        method(photo(20))


def test_refusals():
    with pytest.raises(GeometryError, match="scale"):
        DIPFKP(8)
    with pytest.raises(GeometryError, match="11 x 11 pixels or more"):
        DIPFKP(**{**SMALL, "levels": 2})(photo(8))
    with pytest.raises(GeometryError, match="sum"):
        DIPFKP(**SMALL)(photo(20), cond=torch.ones(1, 1, 5, 5))
