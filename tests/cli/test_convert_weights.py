from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from realdeg import create_backbone
from realdeg.backbones import VDSR
from realdeg.cli.main import main
from realdeg.registry import BACKBONES
from realdeg.utils.component import read_component


@pytest.fixture
def pickled(tmp_path):
    """A whole network, as the public VDSR is stored."""
    network = VDSR(depth=3, width=4, bias=False)
    torch.save({"epoch": 50, "model": network}, tmp_path / "model_epoch_50.pth")
    return tmp_path / "model_epoch_50.pth", network


def convert(*words) -> int:
    return main(["convert_weights", *map(str, words)])


SMALL = ("--arguments", "depth=3", "width=4", "bias=False")


def test_conversion_describes_itself(pickled, tmp_path, capsys):
    path, network = pickled
    target = tmp_path / "out" / "vdsr.safetensors"
    words = ("--backbone", "VDSR", "--scale", 3, "--source", "github.com/x/y", *SMALL)
    assert convert(path, target, *words) == 0
    assert "VDSR, 216 parameters" in capsys.readouterr().out
    file = read_component(target)
    assert file.type == "VDSR" and file.arguments["scale"] == 3
    assert file.meta["source"] == "github.com/x/y" and file.meta["colour"] == "y"
    assert file.meta["source_file"] == path.name and file.meta["value_range"] == 1.0
    found = create_backbone(target, scale=3)
    assert torch.equal(found.input.weight, network.input.weight)


def test_without_output_tensors_are_listed(pickled, capsys):
    assert convert(pickled[0]) == 0
    out = capsys.readouterr().out
    assert "input.weight (4, 1, 3, 3)" in out and "3 tensors, 216 numbers" in out


def test_partial(pickled, tmp_path, capsys):
    target = tmp_path / "vdsr.safetensors"
    words = (pickled[0], target, "--backbone", "VDSR", "--arguments", "depth=4", "width=4")
    assert convert(*words, "bias=False") == 2
    assert "depth=3, and depth=4 is asked for" in capsys.readouterr().err
    assert convert(*words, "bias=False", "--partial") == 0
    assert "not loaded: missing residual_layer.1.conv.weight" in capsys.readouterr().out
    assert len(read_component(target).meta["not_loaded"]) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("out.safetensors",), "--backbone"),
        (("out.pth", "--backbone", "VDSR"), ".safetensors"),
        (("out.safetensors", "--backbone", "VDSRR"), "Did you mean 'VDSR'"),
        (("out.safetensors", "--backbone", "VDSR", "--arguments", "bias=True"), "bias=False, and"),
    ],
)
def test_mistakes(pickled, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    assert convert(pickled[0], *words) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out.safetensors").exists()


def test_nothing_is_overwritten(pickled, tmp_path, capsys):
    target = tmp_path / "w.safetensors"
    target.write_text("mine")
    words = (pickled[0], target, "--backbone", "VDSR", *SMALL)
    assert convert(*words) == 2
    assert "--overwrite" in capsys.readouterr().err and target.read_text() == "mine"
    assert convert(*words, "--overwrite") == 0


def test_a_network_of_ones_own(pickled, tmp_path, capsys, monkeypatch):
    (tmp_path / "my_vdsr.py").write_text(
        "from realdeg.backbones import VDSR\nfrom realdeg.registry import BACKBONES\n\n\n"
        "@BACKBONES.register_module()\nclass MyVDSR(VDSR):\n    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(BACKBONES, "_module_dict", dict(BACKBONES.module_dict))
    words = (pickled[0], tmp_path / "w.safetensors", "--backbone", "MyVDSR", *SMALL)
    assert convert(*words) == 2
    assert "MyVDSR" in capsys.readouterr().err
    assert convert(*words, "--custom-imports", "nothing_here") == 2
    assert "--custom-imports names 'nothing_here'" in capsys.readouterr().err
    assert convert(*words, "--custom-imports", "my_vdsr") == 0
    assert read_component(tmp_path / "w.safetensors").type == "MyVDSR"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_none(tmp_path, capsys, number):
    network = VDSR(depth=3, width=4, bias=False)
    network.output.weight.data[0, 0, 0, 0] = number
    torch.save(network.state_dict(), tmp_path / "w.pth")
    target = tmp_path / "w.safetensors"
    assert convert(tmp_path / "w.pth", target, "--backbone", "VDSR", *SMALL) == 2
    assert "NaN or infinity (output.weight)" in capsys.readouterr().err and not target.exists()


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float16, torch.float64])
def test_numbers_of_other_types(tmp_path, dtype):
    network = VDSR(depth=3, width=4, bias=False)
    save_file({k: v.to(dtype) for k, v in network.state_dict().items()}, tmp_path / "w.safetensors")
    target = tmp_path / "out.safetensors"
    assert convert(tmp_path / "w.safetensors", target, "--backbone", "VDSR", *SMALL) == 0
    wanted = network.input.weight.to(dtype).float()
    assert torch.equal(read_component(target).state["input.weight"], wanted)


@pytest.mark.parametrize("wrapper", ["params", "params_ema"])
def test_files_of_basicsr(tmp_path, wrapper):
    network, other = (VDSR(depth=3, width=4, bias=False) for _ in range(2))
    content = {wrapper: network.state_dict()}
    if wrapper == "params_ema":
        content["params"] = other.state_dict()
    torch.save(content, tmp_path / "net_g_5.pth")
    target = tmp_path / "w.safetensors"
    assert convert(tmp_path / "net_g_5.pth", target, "--backbone", "VDSR", *SMALL) == 0
    assert torch.equal(read_component(target).state["input.weight"], network.input.weight)


def test_what_a_killed_conversion_left_is_removed(pickled, tmp_path):
    left = tmp_path / ".realdeg-abcdefgh.tmp.safetensors"
    left.write_bytes(b"half")
    target = tmp_path / "w.safetensors"
    assert convert(pickled[0], target, "--backbone", "VDSR", *SMALL) == 0
    assert not left.exists() and target.is_file()
