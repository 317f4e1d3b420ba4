"""cameras/make.py: the same call writes the same bytes, and knows what it cannot make."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch

import realdeg
from realdeg.config import load_config
from realdeg.utils.cameras import RESEARCH

FOLDER = Path(__file__).resolve().parents[2] / "cameras"


@pytest.fixture(scope="module")
def script():
    if not FOLDER.is_dir():
        pytest.skip("cameras/ is not part of an installed package")
    spec = importlib.util.spec_from_file_location("make_camera", FOLDER / "make.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_two_calls_write_the_same_bytes(script, one_thread, tmp_path, monkeypatch):
    monkeypatch.setenv("REALDEG_HOME", str(tmp_path / "home"))
    written = []
    for part in ("one", "two"):
        words = ["--out", str(tmp_path / part), "--runs", str(tmp_path / f"runs_{part}")]
        assert script.main(["simulated-x2", "--iterations", "4", *words]) == 0
        folder = tmp_path / part / "simulated-x2"
        written.append({file.name: file.read_bytes() for file in folder.iterdir()})
    one, two = written
    assert set(one) >= {"camera.safetensors", "README.md", "report.json", "kernels.png"}
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []

    report = json.loads(one["report.json"])
    monkeypatch.setenv("REALDEG_CAMERAS", str(tmp_path / "one"))
    monkeypatch.setattr("realdeg.utils.cameras._PACKAGE", tmp_path / "elsewhere")
    camera = realdeg.load_camera("simulated-x2")
    assert camera.hash() == report["hash"] and report["iterations"] == 4


def test_every_camera_has_a_recipe_and_a_place(script):
    recipes = {file.stem for file in (FOLDER / "recipes").glob("*.py")}
    assert recipes == set(script.CAMERAS)
    for name, camera in script.CAMERAS.items():
        assert (camera.folder == script.RESEARCH) == (name in RESEARCH)
        cfg = load_config(FOLDER / "recipes" / f"{name}.py")
        assert name.endswith(f"x{cfg.scale}")
        # What keeps the field of kernels from collapsing, and what is applied to R, G and B.
        assert cfg.degradation.activation == "sigmoid" and cfg.degradation.renormalise
        assert cfg.model.colour == "rgb"
        warm, cosine = cfg.param_scheduler
        assert warm.end == cosine.begin == cfg.train_cfg.max_iters // 20
        assert script.shortened(cfg.train_cfg.max_iters)["param_scheduler.0.end"] == warm.end


def test_absent_data_and_unknown_names(script, one_thread, tmp_path, capsys):
    words = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--runs", str(tmp_path / "r")]
    assert script.main(["realsr-v3-nikon-x4", *words]) == 2
    assert "RealSR V3" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit):
        script.main(["no-such-camera"])
