"""Cameras by name: found, refused, and equal to their files wherever a degradation is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import realdeg
from realdeg.cli.main import main
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.utils import cameras
from realdeg.utils.component import read_component
from realdeg.utils.files import names_a_file, weights_in
from realdeg.utils.image import write_image

ROOT = Path(__file__).resolve().parents[2]
PLACES = (ROOT / "realdeg" / "cameras", ROOT / "cameras" / "research")
LARGEST = 500_000  # bytes


def saved(folder: Path, name: str, sigma: float = 2.0) -> Path:
    """Write a small camera with noise, as cameras/make.py does."""
    torch.manual_seed(0)
    learned = realdeg.create_degradation("DML", scale=2, num_kernels=2, width=4, levels=1)
    learned.mark_trained()
    file = folder / name / "camera.safetensors"
    parts = [learned, dict(type="AWGN", sigma=sigma)]
    realdeg.create_degradation("Compose", scale=2, parts=parts).save(file)
    return file


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder of cameras that REALDEG_CAMERAS names, with the current folder empty."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("REALDEG_CAMERAS", str(tmp_path / "mine"))
    saved(tmp_path / "mine", "my-phone-x2")
    return tmp_path / "mine"


def photo(folder: Path, side: int = 24) -> Path:
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    write_image(folder / "a.png", pixels)
    return folder


def test_a_camera_of_a_folder_that_is_named(mine):
    assert "my-phone-x2" in realdeg.list_cameras()
    camera = realdeg.load_camera("my-phone-x2")
    assert camera.hash() == realdeg.create_degradation(mine / "my-phone-x2").hash()
    assert not any(parameter.requires_grad for parameter in camera.parameters())
    alone = realdeg.load_camera("my-phone-x2", noise=False)
    assert type(alone).__name__ == "DML" and alone.is_trained


def test_the_name_is_taken_wherever_a_degradation_is(mine, capsys):
    wanted = realdeg.load_camera("my-phone-x2").hash()
    assert realdeg.create_degradation("my-phone-x2").hash() == wanted
    assert realdeg.create_degradation(dict(checkpoint="my-phone-x2")).hash() == wanted
    whole = realdeg.create_degradation("Compose", scale=2, parts=["my-phone-x2"])
    assert whole.members()[0].hash() == wanted
    Path("mine.yaml").write_text(
        "backbone: VDSR\nscale: 2\nsame_size: false\ndegradation: my-phone-x2\n"
        "test_dataloader: {batch_size: 1, num_workers: 0, dataset: {type: SampleDataset,"
        " mode: hr, split: test, transforms: [{type: PackSample}]}}\n"
        "model: {type: DegradationLearning}\n"
    )
    cfg = realdeg.load_config("mine.yaml")
    assert dict(cfg.degradation) == {"checkpoint": "my-phone-x2"}

    assert main(["degrade", "my-phone-x2", str(photo(Path("hr"))), "lr", "--quiet"]) == 0
    assert "DML x2" in capsys.readouterr().out
    line = json.loads(Path("lr/manifest.jsonl").read_text().splitlines()[0])
    assert line["degradation"]["hash"] == wanted
    assert main(["list", "cameras"]) == 0
    assert "my-phone-x2" in capsys.readouterr().out.split()


def test_a_name_that_is_no_camera(mine):
    with pytest.raises(ConfigError, match=r"no camera 'my-fone-x2'.*Did you mean 'my-phone-x2'"):
        realdeg.load_camera("my-fone-x2")
    with pytest.raises(ConfigError, match=r"not a degradation.*a camera \(.*my-phone-x2"):
        realdeg.create_degradation("my-fone-x2")
    for name in ("../my-phone-x2", "My-Phone-x2", "my-phone-x2/", "", "phone", f"a-{'b' * 80}"):
        assert not cameras.is_camera(name)


def test_data_for_research_are_made(mine, tmp_path, monkeypatch):
    monkeypatch.setattr(cameras, "_PACKAGE", tmp_path / "installed" / "realdeg")
    name = "realsr-v3-nikon-x4"
    for use in (realdeg.load_camera, realdeg.create_degradation, weights_in):
        with pytest.raises(ConfigError, match=rf"python cameras/make\.py {name} --data"):
            use(name)
    assert names_a_file(name)
    saved(tmp_path / "installed" / "cameras" / "research", name)
    assert realdeg.load_camera(name).scale == 2


def test_one_name_for_two_things_is_refused(mine, tmp_path, monkeypatch):
    with pytest.raises(GeometryError, match="scale=2"):
        realdeg.load_camera("my-phone-x2", scale=4)
    with pytest.raises(GeometryError, match="same_size=False"):
        realdeg.load_camera("my-phone-x2", same_size=True)

    file = saved(Path.cwd(), "my-phone-x2", sigma=3.0)
    with pytest.raises(ConfigError, match=r"is a camera .* and a folder here: write \./my-phone"):
        realdeg.create_degradation("my-phone-x2")
    # A path is never the name of a camera.
    for path in ("./my-phone-x2", Path("my-phone-x2"), file):
        assert realdeg.create_degradation(path).members()[1].arguments["sigma"] == 3.0
    for left in Path("my-phone-x2").iterdir():
        left.unlink()
    # An output folder of that name is nothing to mistake.
    assert realdeg.create_degradation("my-phone-x2").members()[1].arguments["sigma"] == 2.0

    saved(tmp_path / "other", "my-phone-x2")
    monkeypatch.setenv("REALDEG_CAMERAS", os.pathsep.join([str(mine), str(tmp_path / "other")]))
    with pytest.raises(ConfigError, match="two cameras are called 'my-phone-x2'"):
        realdeg.load_camera("my-phone-x2")


def test_nothing_is_unpickled(mine, tmp_path):
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    torch.save({"weights": Harm()}, mine / "my-phone-x2" / "camera.safetensors")
    with pytest.raises(CheckpointError):
        realdeg.load_camera("my-phone-x2")
    assert not (tmp_path / "harm").exists()


# Beside cameras there are networks that learned from them.
@pytest.mark.parametrize(
    "folder", [f for p in PLACES if p.is_dir() for f in sorted(p.iterdir()) if "-" in f.name]
)
def test_what_ships(folder, monkeypatch):
    """Small, described, of the grid that its name says, and drawing something of that size."""
    monkeypatch.delenv("REALDEG_CAMERAS", raising=False)
    file, name = folder / "camera.safetensors", folder.name
    assert file.stat().st_size <= LARGEST
    assert (folder.parent == PLACES[1]) == (name in cameras.RESEARCH)
    described = read_component(file)
    meta = described.meta
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert {key: report[key] for key in meta} == meta
    assert report["psnr"]["the camera"] > report["psnr"]["bicubic"]
    assert report["spread"]["kernels"] > 0.01, "the field is constant"
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert report["data"] in card and report["licence"] in card
    for picture in ("kernels.png", "bases.png", "weights.png"):
        assert f"({picture})" in card and (folder / picture).is_file()
    camera = realdeg.load_camera(name)
    # Not that of the object: a class that gains an argument changes what its object is called.
    assert described.hash == report["hash"]
    assert name.endswith(f"x{camera.scale}")
    side = 48 // camera.stride
    assert camera(torch.rand(1, 3, 48, 48), [0]).shape == (1, 3, side, side)
