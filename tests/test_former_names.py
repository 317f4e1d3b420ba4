"""Names of realdeg before its second edition: they still work, and say what to write instead."""

import importlib

import pytest

from realdeg import create_backbone
from realdeg.backbones import VDSR
from realdeg.degradations import Degradation
from realdeg.errors import ConfigError

NETWORK = {"type": "VDSR", "depth": 2, "width": 4}


def old(place: str, name: str):
    return getattr(importlib.import_module(place), name)


@pytest.mark.parametrize("place", ["realdeg", "realdeg.backbones"])
def test_build_backbone(place):
    with pytest.warns(DeprecationWarning, match=r"build_backbone .* use realdeg\.create_backbone"):
        network = old(place, "build_backbone")(NETWORK, 2, True)
    assert isinstance(network, VDSR) and network.same_size


@pytest.mark.parametrize("place", ["realdeg", "realdeg.degradations"])
def test_build_degradation(place):
    with pytest.warns(DeprecationWarning, match=r"use realdeg\.create_degradation"):
        build = old(place, "build_degradation")
    assert isinstance(build("DML", 2, False), Degradation)


def test_create_backbone_where_it_stood_and_as_it_was_called(monkeypatch):
    with pytest.warns(DeprecationWarning, match=r"use realdeg\.create_backbone"):
        create = old("realdeg.backbones", "create_backbone")
    assert create("VDSR", 3, depth=2, width=4).scale == 3
    with (
        pytest.warns(DeprecationWarning, match=r"create_backbone\(weights="),
        pytest.raises(ConfigError, match="no weights 'nothing' of VDSR"),
    ):
        create_backbone("VDSR", pretrained="nothing")


def test_loading_wants_weights(tmp_path):
    resolve = importlib.import_module("realdeg.apis.resolve")
    with (
        pytest.warns(DeprecationWarning, match=r"create_backbone\(\.\.\., trained=True\)"),
        pytest.raises(ConfigError, match="has no weights"),
    ):
        resolve.load_backbone(NETWORK)
    with pytest.warns(DeprecationWarning, match="create_degradation"):
        degradation = resolve.load_degradation("AWGN", scale=2, options={"degradation.sigma": 5})
    assert degradation.scale == 2 and not any(p.requires_grad for p in degradation.parameters())


def test_exported_file():
    with pytest.warns(DeprecationWarning, match=r"use realdeg\.export\.ExportedFile"):
        assert old("realdeg.export", "Exported").__name__ == "ExportedFile"
