"""``realdeg export``, and what it answers to mistakes."""

from __future__ import annotations

import json

import pytest
import torch

from realdeg.apis import SuperResolver
from realdeg.backbones import VDSR
from realdeg.cli import main as command
from realdeg.utils.component import read_component, save_component


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setitem(command.COMMANDS, "export", "export")


def export(*words) -> int:
    return command.main(["export", *map(str, words)])


def test_safetensors_with_a_card(weights, tmp_path, capsys):
    out = tmp_path / "out" / "espcn.safetensors"
    assert export(weights, out, "--to", "safetensors", "--licence", "MIT") == 0
    said = capsys.readouterr().out
    assert f"{out}: safetensors" in said and "espcn.json" in said and "espcn.md" in said
    card = json.loads((tmp_path / "out" / "espcn.json").read_text())
    assert card["licence"] == "MIT" and card["training"]["iterations"] == 1000
    # The notes travel on, so that the next export knows as much.
    assert read_component(out).meta == read_component(weights).meta
    assert SuperResolver(out, device="cpu").backbone.scale == 2


def test_what_a_killed_export_left_is_removed(weights, tmp_path):
    left = tmp_path / "out" / ".realdeg-abcdefgh.tmp.onnx"
    left.parent.mkdir()
    left.write_bytes(b"half")
    assert export(weights, left.parent / "x.safetensors", "--to", "safetensors", "--no-card") == 0
    assert [each.name for each in left.parent.iterdir()] == ["x.safetensors"]


def test_program_without_a_card(weights, tmp_path, capsys):
    out = tmp_path / "espcn.pt2"
    words = (weights, out, "--to", "torch-export", "--no-card", "--size", 9, 12)
    assert export(*words) == 0
    said = capsys.readouterr().out
    assert "9 x 12 only" in said and "largest difference from the network" in said
    assert not (tmp_path / "espcn.json").exists()
    assert torch.export.load(out).module()(torch.rand(5, 1, 9, 12)).shape == (5, 1, 18, 24)


def test_a_config_that_names_weights(tmp_path, capsys):
    torch.manual_seed(0)
    net = VDSR.example()
    path = tmp_path / "backbone.safetensors"
    save_component(
        path, net, kind="backbone", type="VDSR", arguments=net.arguments, meta={"iter": 7}
    )
    config = tmp_path / "recipe.py"
    config.write_text(f"backbone = dict(checkpoint={str(path)!r})\nscale = {net.scale}\n")
    assert export(config, tmp_path / "x.safetensors", "--to", "safetensors") == 0
    assert json.loads((tmp_path / "x.json").read_text())["training"]["iterations"] == 7
    assert "upscaled 2 times by MATLAB's bicubic" in (tmp_path / "x.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing", "x.onnx", "--to", "onnx"), "'nothing' is not a backbone"),
        (("VDSR", "x.onnx", "--to", "onnx"), "VDSR has no weights"),
        (("W", "x.pt2", "--to", "onnx"), "change its suffix"),
        (("W", "there.pt2", "--to", "torch-export"), "--overwrite"),
        (("W", "x.pt2", "--to", "torch-export", "--half"), "--half is for --to safetensors"),
        (("W", "x.pt2", "--to", "torch-export", "--opset", "20"), "--opset is for --to onnx"),
        (("W", "x.safetensors", "--to", "safetensors", "--size", "5", "5"), "--size is for"),
        (("W", "x.pt2", "--to", "torch-export", "--scale", "3"), "scale=2"),
        (("W", "x.pt2", "--to", "torch-export", "--no-card", "--licence", "MIT"), "--no-card"),
        (("W", "x.pt2", "--to", "torch-export", "--report", "r.json"), "realdeg test"),
        (("W", "mine.pt2", "--to", "torch-export"), "not a card of this network"),
    ],
)
def test_mistakes(weights, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.pt2").write_text("mine")
    (tmp_path / "mine.md").write_text("mine")
    before = sorted(tmp_path.iterdir())
    assert export(*(weights if word == "W" else word for word in words)) == 2
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before
