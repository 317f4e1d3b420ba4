"""The project stands on realdeg's public side only, and is trained by a recipe of its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from motion_camera import MotionBlur, SubPixelNet

from realdeg.apis import Degrader
from realdeg.cli.main import main
from realdeg.degradations import Trace
from realdeg.testing import BackboneContract, DegradationContract
from realdeg.utils.component import read_component
from realdeg.utils.image import read_image, write_image

RECIPE = Path(__file__).resolve().parents[1] / "configs" / "motion_espcn_realsr_x4.py"


class TestMotionBlur(DegradationContract):
    component = MotionBlur


class TestSubPixelNet(BackboneContract):
    component = SubPixelNet


def test_blur_runs_along_the_path():
    blur = MotionBlur(scale=1, same_size=True, max_length=8)
    params = {**blur.trace_params(), "length": 8.0, "angle": 0.0}
    kernel = blur.kernel(Trace("MotionBlur", params, (1, 32, 32)))
    rows, columns = kernel.sum(1), kernel.sum(0)
    taps = torch.arange(kernel.shape[0]) - kernel.shape[0] // 2
    # A uniform path of 8 pixels has variance 8^2 / 12; the spot of 0.5 pixels, sampled, adds 0.22.
    assert (columns * taps**2).sum() == pytest.approx(64 / 12 + 0.22, rel=0.05)
    assert (rows * taps**2).sum() == pytest.approx(0.22, abs=0.02)
    assert (columns * taps).sum() == pytest.approx(0, abs=1e-9)


def test_inside_a_container_and_a_folder(tmp_path):
    source = tmp_path / "hr"
    source.mkdir()
    write_image(source / "a.png", np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8))
    parts = [dict(type="MotionBlur"), dict(type="AWGN", sigma=5)]
    degrader = Degrader(dict(type="Compose", parts=parts), scale=2)
    assert degrader.degrade_folder(source, tmp_path / "lr", progress=False).ok
    assert read_image(tmp_path / "lr" / "a.png").shape == (8, 12, 3)


def test_the_recipe_trains_on_the_sample(tmp_path):
    options = ["train_cfg.max_iters=2", "train_dataloader.batch_size=2", "backbone.width=8"]
    options += ["val_cfg=None", "val_dataloader=None", "val_evaluator=None"]
    command = ["train", str(RECIPE), "--sample", "--work-dir", str(tmp_path), "--device", "cpu"]
    assert main([*command, "--cfg-options", *options]) == 0
    file = read_component(tmp_path / "backbone.safetensors")
    assert file.type == "SubPixelNet"
    assert file.arguments["same_size"] is True
