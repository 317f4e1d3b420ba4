"""The project stands on realdeg's public side only, and is trained by a recipe of its own."""

import importlib
import sys
from pathlib import Path

import pytest
import torch

PROJECT = Path(__file__).resolve().parents[1]
RECIPE = PROJECT / "configs" / "motion_espcn_realsr_x4.py"


@pytest.fixture(autouse=True)
def package(monkeypatch):
    """Import the project as PYTHONPATH does, and leave nothing of it to other tests."""
    from realdeg.registry import BACKBONES, DEGRADATIONS

    monkeypatch.syspath_prepend(str(PROJECT))
    yield importlib.import_module("motion_camera")
    for name in [name for name in sys.modules if name.split(".")[0] == "motion_camera"]:
        del sys.modules[name]
    DEGRADATIONS.module_dict.pop("MotionBlur")
    BACKBONES.module_dict.pop("SubPixelNet")


@pytest.mark.parametrize("same_size", [False, True])
def test_a_trace_read_from_json_gives_the_same_image(package, same_size):
    from realdeg.degradations import Trace

    blur = package.MotionBlur(scale=2, same_size=same_size)
    hr = torch.rand(2, 3, 24, 32)
    traces = blur.sample(hr, seeds=[1, 2])
    lr = blur.replay(hr, traces)
    assert lr.shape == ((2, 3, 24, 32) if same_size else (2, 3, 12, 16))
    assert torch.equal(lr, blur.replay(hr, [Trace.from_json(t.to_json()) for t in traces]))


def test_blur_runs_along_the_path(package):
    from realdeg.degradations import Trace

    blur = package.MotionBlur(scale=1, same_size=True, max_length=8)
    params = {**blur.trace_params(), "length": 8.0, "angle": 0.0}
    kernel = blur.kernel(Trace("MotionBlur", params, (1, 32, 32)))
    rows, columns = kernel.sum(1), kernel.sum(0)
    taps = torch.arange(kernel.shape[0]) - kernel.shape[0] // 2
    # A uniform path of 8 pixels has variance 8^2 / 12; the spot of 0.5 pixels, sampled, adds 0.22.
    assert (columns * taps**2).sum() == pytest.approx(64 / 12 + 0.22, rel=0.05)
    assert (rows * taps**2).sum() == pytest.approx(0.22, abs=0.02)
    assert (columns * taps).sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("scale", "same_size"), [(2, False), (3, False), (2, True), (4, True)])
def test_network_keeps_its_promise_of_size(package, scale, same_size):
    net = package.SubPixelNet(scale=scale, same_size=same_size, width=4)
    lr = torch.rand(1, 1, 9, 14)
    assert net(lr).shape[-2:] == net.output_size(9, 14)


def test_contract_of_names(package):
    from realdeg.registry import BACKBONES, DEGRADATIONS

    assert DEGRADATIONS.get("MotionBlur") is package.MotionBlur
    assert BACKBONES.get("SubPixelNet") is package.SubPixelNet


def test_inside_a_container_and_a_folder(package, tmp_path):
    import numpy as np

    from realdeg.apis import Degrader
    from realdeg.utils.image import read_image, write_image

    source = tmp_path / "hr"
    source.mkdir()
    write_image(source / "a.png", np.random.default_rng(0).integers(0, 255, (16, 24, 3), np.uint8))
    parts = [dict(type="MotionBlur"), dict(type="AWGN", sigma=5)]
    degrader = Degrader(dict(type="Compose", parts=parts), scale=2)
    assert degrader.degrade_folder(source, tmp_path / "lr", progress=False).ok
    assert read_image(tmp_path / "lr" / "a.png").shape == (8, 12, 3)


def test_the_recipe_trains_on_the_sample(package, tmp_path):
    from realdeg.cli.main import main
    from realdeg.utils.component import read_component

    options = ["train_cfg.max_iters=2", "train_dataloader.batch_size=2", "backbone.width=8"]
    options += ["val_cfg=None", "val_dataloader=None", "val_evaluator=None"]
    command = ["train", str(RECIPE), "--sample", "--work-dir", str(tmp_path), "--device", "cpu"]
    assert main([*command, "--cfg-options", *options]) == 0
    file = read_component(tmp_path / "backbone.safetensors")
    assert file.type == "SubPixelNet"
    assert file.arguments["same_size"] is True
