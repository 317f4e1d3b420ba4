"""DIP-FKP as a zero-shot method: what it returns, with and without a solver."""

from __future__ import annotations

import pytest
import torch

from realdeg import test as run_test
from realdeg.backbones import IRCNNHQS, VDSR
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


def test_a_solver_that_cannot_take_the_kernel_is_refused_before_the_training():
    for solver, problem, kind in (
        (VDSR.example(), "VDSR, which is not told the kernel", ConfigError),
        (IRCNNHQS(2, width=4, colour="rgb"), "form='polyphase'", GeometryError),
    ):
        method = DIPFKP(**SMALL, solver=solver)
        with pytest.raises(kind, match=problem):
            method(photo(20))
        assert not method.kernels
    with pytest.raises(ConfigError, match=r"'backbone\.solver' names no weights"):
        DIPFKP.check_config({"solver": {"type": "USRNet"}}, "backbone")
    DIPFKP.check_config({"solver": {"type": "USRNet", "checkpoint": "x.pth"}}, "backbone")


def test_a_missing_flow_is_refused_before_images_are_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"'model\.backbone', DIPFKP, finds no flow"):
        run_test("dip_fkp/dip_fkp_set5_x2_cpu", sample=True, work_dir=tmp_path / "run")
    with pytest.raises(ConfigError, match="needs a flow of kernels of scale 3"):
        DIPFKP.check_files({"type": "DIPFKP", "scale": 3}, "model.backbone")
