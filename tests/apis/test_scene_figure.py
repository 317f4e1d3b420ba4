"""One shot found in another of the scene, and the figure over networks."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch

import realdeg
from realdeg.apis import reproducing
from realdeg.apis.reproduce_rows import PLANS, Cell, Plan, Run
from realdeg.apis.scene_figure import REFERENCE, find_crops, unreferenced
from realdeg.apis.sweeping import SweepResult, SweptRun
from realdeg.datasets import SRRAWDataset
from realdeg.errors import ConfigError, DataError
from realdeg.utils.component import save_component
from realdeg.utils.image import write_image
from tests.runs.written import write_run

SIDE = 400


def scene(seed: int = 0) -> np.ndarray:
    """Return a picture of smooth blobs of 4 times the size of a wide shot."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.random((n, n, 3)), (4 * SIDE, 4 * SIDE), interpolation=cv2.INTER_CUBIC)
        for n in (12, 40, 120, 320)
    ]
    mixed = np.mean(layers, 0)
    low, high = np.quantile(mixed, (0.01, 0.99))
    return (np.clip((mixed - low) / (high - low), 0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A scene at three focal lengths: shot 6, and twice and 4 times as long."""
    root = tmp_path_factory.mktemp("data")
    whole = scene()
    folder = root / "SR-RAW" / "test" / "00134"
    shots = {6: 1, 4: 2, 1: 4}
    for number, ratio in shots.items():
        part = 4 * SIDE // ratio
        top = (4 * SIDE - part) // 2
        cut = whole[top : top + part, top : top + part]
        small = cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        if number == 1:  # another view of it: the scene lies 3 pixels higher
            small = np.roll(small, -3, 0)
        write_image(folder / f"{number:05d}.JPG", small, quality=98)
    (folder / "00006.ARW").write_bytes(b"raw")
    (root / "SR-RAW" / "test" / "notes").mkdir()
    return root


def test_shots_of_a_scene(data):
    found = SRRAWDataset("test", data_root=data)
    assert found.keys == ["00134/00006"] and sorted(found.scenes["00134"]) == [1, 4, 6]
    assert found[0]["hr"].shape == (3, SIDE, SIDE) and "lr" not in found[0]
    assert SRRAWDataset("test", shot=1, data_root=data).keys == ["00134/00001"]
    with pytest.raises(DataError, match=r"none of 1 scenes .* has a file 00007\.JPG"):
        SRRAWDataset("test", shot=7, data_root=data)
    with pytest.raises(DataError, match="SR-RAW train"):
        SRRAWDataset("train", data_root=data)
    with pytest.raises(ConfigError, match="shot"):
        SRRAWDataset("test", shot=9, data_root=data)


@pytest.mark.parametrize(("scale", "ratio"), [(4, 4), (2, 2)])
def test_the_same_part_is_found(data, scale, ratio):
    """The crop enlarged is what the longer focal length shows, to a fraction of an LR pixel."""
    (crop,) = find_crops(SRRAWDataset("test", data_root=data), scale, side=24)
    assert crop.ratio == pytest.approx(ratio, rel=0.01)
    assert crop.lr.shape == (56, 56, 3) and crop.reference.shape == (24 * scale, 24 * scale, 3)
    small = cv2.resize(crop.reference, (24, 24), interpolation=cv2.INTER_AREA).mean(2)
    errors = {
        (down, right): np.abs(
            crop.lr.mean(2)[16 + down : 40 + down, 16 + right : 40 + right] - small
        ).mean()
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    }
    assert min(errors, key=errors.get) == (0, 0) and errors[0, 0] < 8


def test_a_scene_without_a_second_shot(data, tmp_path):
    folder = tmp_path / "SR-RAW" / "test" / "00001"
    write_image(folder / "00006.JPG", scene(1)[:SIDE, :SIDE])
    write_image(folder / "00001.JPG", scene(2)[:SIDE, :SIDE])
    with pytest.raises(DataError, match="in none of 1 scenes"):
        find_crops(SRRAWDataset("test", data_root=tmp_path), 4)


def test_numbers_without_a_reference():
    rng = np.random.default_rng(0)
    flat = np.full((64, 64, 3), 128.0)
    noisy = np.clip(flat + rng.normal(0, 5, (64, 64, 1)), 0, 255).astype(np.uint8)
    sharp, noise = unreferenced(noisy)
    assert noise == pytest.approx(5, rel=0.1) and sharp > 3
    assert unreferenced(flat.astype(np.uint8))[0] == 0
    assert unreferenced(np.zeros((64, 64, 3), np.uint8)) == (0, None)


def test_the_figure(data, tmp_path, monkeypatch):
    """Networks of both grids stand beside interpolation and the longer focal length."""
    cells = [
        Cell(name, "x4", Run(name, "vdsr/vdsr_realsr_x4"), ("psnr[rgb]",), (None,))
        for name in ("smaller", "same", "broken")
    ]
    monkeypatch.setitem(PLANS, "table2", lambda budget: Plan("Networks", tuple(cells)))

    def sweep(recipe, *, seeds, options, out, device, test):
        folder = out / f"seed={seeds[0]}"
        if out.name == "broken":
            return SweepResult(recipe, out, [SweptRun(folder, {}, "failed", "no space")])
        torch.manual_seed(0)  # of some weights nothing but black comes
        network = realdeg.create_backbone(
            "VDSR", scale=4, same_size=out.name == "same", depth=3, width=4
        )
        write_run(folder, seeds[0])
        save_component(
            folder / "backbone.safetensors",
            network,
            kind="backbone",
            type="VDSR",
            arguments=network.arguments,
        )
        return SweepResult(recipe, out, [SweptRun(folder, {}, "finished")])

    monkeypatch.setattr(reproducing, "sweep", sweep)
    result = realdeg.reproduce("figure6", data=data, out=tmp_path, seeds=(5, 6))
    names = [cell["row"] for cell in result.cells]
    assert names == ["bicubic", "smaller", "same", REFERENCE]
    assert all(cell["found"]["sharpness"]["mean"] > 0 for cell in result.cells)
    assert (tmp_path / "small" / "figure6.png").stat().st_size > 10_000
    saved = json.loads((tmp_path / "small" / "figure6.json").read_text())
    assert saved["table"] == "figure6" and {run["seed"] for run in saved["runs"]} == {5}
    assert "broken (seed 5): no space" in (tmp_path / "small" / "figure6.md").read_text()

    with pytest.raises(DataError, match="SR-RAW"):
        realdeg.reproduce("figure6", data=tmp_path, out=tmp_path)
    planned = realdeg.reproduce("figure6", data=tmp_path, out=tmp_path, seeds=(5,), plan=True)
    assert [run.state for run in planned.runs] == ["done", "done", "to do"]
