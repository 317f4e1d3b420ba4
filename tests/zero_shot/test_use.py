"""Zero-shot methods where networks are used: resolvers, folders, commands, tests, exports."""

from __future__ import annotations

import json

import numpy as np
import pytest

import realdeg
from realdeg import SuperResolver, write_image
from realdeg.cli.main import main
from realdeg.errors import ConfigError, MemoryShortageError
from realdeg.export.portable import check_form
from realdeg.registry import BACKBONES
from realdeg.zero_shot import DIP, ZSSR

TINY = dict(type="ZSSR", scale=2, iterations=3, width=4, depth=2, crop=16)
OPTIONS = [f"backbone.{k}={v}" for k, v in TINY.items() if k not in ("type", "scale")]


def image(height=20, width=17):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_they_are_found_beside_networks_and_not_among_them():
    assert {"ZSSR", "DIP"} <= set(realdeg.list_zero_shot())
    assert not {"ZSSR", "DIP"} & set(realdeg.list_backbones())
    assert BACKBONES.get("ZSSR") is ZSSR and BACKBONES.require("DIP") is DIP
    assert type(realdeg.create_backbone("zssr", scale=3)) is ZSSR
    with pytest.raises(ConfigError, match="Did you mean 'ZSSR'"):
        realdeg.create_backbone("ZSRR")


def test_a_resolver_takes_the_whole_image_and_counts_iterations(monkeypatch):
    monkeypatch.setattr("realdeg.apis.super_resolver.AUTO_WHOLE", 100)
    monkeypatch.setattr("realdeg.apis.super_resolver.UNMEASURED", 100)
    resolver, seen = SuperResolver(TINY), []
    made = resolver.upscale(image(), progress=lambda done, most: seen.append((done, most)))
    assert made.shape == (40, 34, 3) and seen == [(1, 3), (2, 3), (3, 3)]
    assert np.array_equal(SuperResolver(TINY, tile=None).upscale(image()), made)
    grey = SuperResolver({**TINY, "colour": "y"}).upscale(image()[..., 0])
    assert grey.shape == (40, 34)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [(dict(tile=64), "whole image"), (dict(self_ensemble=True), "train eight times")],
)
def test_what_a_resolver_refuses(settings, problem):
    with pytest.raises(ConfigError, match=problem):
        SuperResolver(TINY, **settings)


def test_a_lack_of_memory_is_told_before_the_training(monkeypatch):
    monkeypatch.setattr("realdeg.zero_shot.base.available_memory", lambda: 1 << 10)
    with pytest.raises(MemoryShortageError, match=r"ZSSR needs about \d+ MiB.*0 MiB are free"):
        SuperResolver(TINY).upscale(image())


def test_back_projection_follows_it():
    both = SuperResolver(TINY, back_projection=dict(degradation="Bicubic", iterations=2))
    assert both.upscale(image()).shape == (40, 34, 3)


def test_infer_writes_files_and_records(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for number in range(2):
        write_image(tmp_path / f"in/{number}.png", image(20 + number))
    write_image(tmp_path / "in/small.png", image(5, 5))
    said = ["--device", "cpu", "--scale", "2", "--quiet", "--cfg-options", *OPTIONS]
    assert main(["infer", "ZSSR", str(tmp_path / "in"), str(tmp_path / "out"), *said]) == 2
    assert "ZSSR learns from the image itself and needs 8 x 8" in capsys.readouterr().err
    lines = (tmp_path / "out/manifest.jsonl").read_text(encoding="utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if "training" in record]
    assert [record["training"][0]["iterations"] for record in records] == [3, 3]
    one = str(tmp_path / "one.png")
    hurried = [*said, "backbone.seconds=1e-6"]
    assert main(["infer", "ZSSR", str(tmp_path / "in/0.png"), one, *hurried]) == 0
    assert "time budget was used up after 1 of at most" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["zssr/zssr_set5_x2", "dip/dip_set5_x4"])
def test_a_recipe_is_tested_and_not_trained(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    kind = name.partition("/")[0].upper()
    tiny = {k: v for k, v in realdeg.create_backbone(kind).example_arguments.items()}
    options = [f"backbone.{key}={value}" for key, value in tiny.items() if key != "scale"]
    words = ["--sample", "--device", "cpu", "--cfg-options", *options]
    assert main(["train", name, *words]) == 2
    assert f"nothing to train: {kind} trains on each image" in capsys.readouterr().err
    assert main(["test", name, "--no-pictures", *words]) == 0
    (report,) = tmp_path.glob("work_dirs/*/test/report.json")
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["complete"] and len(found["images"]) >= 2 and "checkpoint_hash" in found


@pytest.mark.parametrize("form", ["onnx", "torch-export"])
def test_it_is_not_exported(form):
    with pytest.raises(ConfigError, match="no weights, and trains on each image"):
        check_form(ZSSR.example(), form, None)


def test_a_config_is_checked_before_data_are_opened():
    with pytest.raises(ConfigError, match="preset"):
        realdeg.load_config("zssr/zssr_set5_x2", {"backbone.preset": "best"})
    with pytest.raises(ConfigError, match=r"backbone\.corections.*corrections"):
        realdeg.load_config("zssr/zssr_set5_x2", {"backbone.corections": 3})
