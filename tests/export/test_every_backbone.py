"""Every registered network is exported, or refused with a reason that docs/export.md gives."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from realdeg.errors import ConfigError
from realdeg.export import export_onnx, export_program
from realdeg.export.portable import FIXED_SIZE_ONLY, WITHOUT_GRAPH
from realdeg.registry import BACKBONES

WAYS = {"onnx": (export_onnx, ".onnx"), "torch-export": (export_program, ".pt2")}


def types() -> list[str]:
    return [name for name in BACKBONES.names() if BACKBONES.get(name).__module__[:8] == "realdeg."]


def example(name: str):
    torch.manual_seed(0)
    try:
        return BACKBONES.get(name).example().eval()
    except ConfigError as error:  # an optional package is absent
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("form", WAYS)
@pytest.mark.parametrize("name", types())
def test_it_is_exported_or_refused(name, form, tmp_path):
    if form == "onnx" and importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("the optional packages of realdeg[onnx] are absent")
    export, suffix = WAYS[form]
    backbone, target = example(name), tmp_path / f"x{suffix}"
    if (name, form) in WITHOUT_GRAPH:
        with pytest.raises(ConfigError, match=name):
            export(backbone, target)
        return
    size = None
    if form in FIXED_SIZE_ONLY.get(name, {}):
        with pytest.raises(ConfigError, match=r"size=\(H, W\)"):
            export(backbone, target)
        size = (17, 14)
    done = export(backbone, target, size=size)
    assert done.compared.good and done.path.is_file()


def test_the_page_gives_every_exception(repository):
    page = (repository / "docs" / "export.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for name in {*FIXED_SIZE_ONLY, *(name for name, _ in WITHOUT_GRAPH)}:
        assert any(row.startswith(f"| `{name}`") for row in rows), name
    assert set(FIXED_SIZE_ONLY) <= set(types())


@pytest.mark.parametrize("name", [*FIXED_SIZE_ONLY, *(name for name, _ in WITHOUT_GRAPH)])
def test_no_exception_is_a_stranger(name):
    assert name in types()
