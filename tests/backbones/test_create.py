from __future__ import annotations

import time

import pytest
import torch

from realdeg import create_backbone
from realdeg.backbones import RCAN, VDSR
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.utils.component import save_component


@pytest.fixture
def file(tmp_path):
    network = RCAN(scale=2, num_groups=1, num_blocks=1, num_features=8, reduction=2)
    path = tmp_path / "rcan.safetensors"
    save_component(path, network, kind="backbone", type="RCAN", arguments=network.arguments)
    return path, network


def test_by_name():
    network = create_backbone("VDSR", 3, depth=3, width=4)
    assert isinstance(network, VDSR) and network.scale == 3
    assert create_backbone("VDSR", depth=3, width=4).scale == 4


def test_a_file_that_describes_itself_gives_the_arguments(file):
    path, wanted = file
    found = create_backbone("RCAN", weights=path)
    assert found.arguments == wanted.arguments
    assert torch.equal(found.head[0].weight, wanted.head[0].weight)
    assert create_backbone("RCAN", 2, weights=path).scale == 2


def test_a_bare_file_needs_the_arguments(file, tmp_path):
    _, wanted = file
    torch.save(wanted.state_dict(), tmp_path / "w.pth")
    arguments = {k: v for k, v in wanted.arguments.items() if k != "scale"}
    found = create_backbone("RCAN", 2, weights=tmp_path / "w.pth", **arguments)
    assert torch.equal(found.head[0].weight, wanted.head[0].weight)
    with pytest.raises(CheckpointError, match="num_blocks=1"):
        create_backbone("RCAN", 2, weights=tmp_path / "w.pth", **{**arguments, "num_blocks": 2})


def test_another_scale(file, caplog):
    path, wanted = file
    with pytest.raises(GeometryError, match="trained with scale=2 and scale=4"):
        create_backbone("RCAN", 4, weights=path)
    found = create_backbone("RCAN", 4, weights=path, partial=True)
    assert found.scale == 4 and torch.equal(found.head[0].weight, wanted.head[0].weight)
    assert "RCAN has only a part of" in caplog.text and "tail.0" in caplog.text


def test_refusals(file, tmp_path):
    with pytest.raises(CheckpointError, match="holds a RCAN and VDSR is asked for"):
        create_backbone("VDSR", weights=file[0])
    with pytest.raises(ConfigError, match="Did you mean 'RCAN'"):
        create_backbone("RCANN")
    with pytest.raises(ConfigError, match="no argument 'deep'"):
        create_backbone("VDSR", deep=3)
    with pytest.raises(CheckpointError, match="does not exist"):
        create_backbone("VDSR", weights=tmp_path / "no.pth")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (dict(type="ProSR", preset="prosrs", blocks=[[60_000], [1]]), "GB of weights|layers"),
        (dict(type="EDSR", num_blocks=10**5, num_features=2), "20000 layers|num_blocks"),
        (dict(type="EDSR", num_blocks=1, num_features=60_000), "GB of weights|num_features"),
    ],
)
def test_a_network_without_bounds_is_refused_at_once(arguments, said):
    from realdeg import create_backbone

    began = time.perf_counter()
    with pytest.raises(ConfigError, match=said):
        create_backbone(dict(arguments, scale=4))
    assert time.perf_counter() - began < 40
