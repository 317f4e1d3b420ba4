"""The demo runs from end to end; that its numbers make sense is seen in the full run."""

import json

import pytest

from realdeg.apis import Degrader
from realdeg.demo import run_demo
from realdeg.demo.plan import SOURCES
from realdeg.utils.component import read_component
from realdeg.utils.image import image_size


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return run_demo(tmp_path_factory.mktemp("demo"), quick=True, seed=3)


def test_one_table_and_one_picture(out):
    table = (out / "table.md").read_text(encoding="utf-8")
    for words in (*SOURCES.values(), "LR as it is", "realsr-official", "do not compare methods"):
        assert words in table
    assert min(image_size(out / "comparison.png")) > 300
    assert [file.name for file in out.glob("*.png")] == ["comparison.png"]


def test_everything_on_the_way_is_left_to_look_at(out):
    camera = out / "camera" / "degradation.safetensors"
    assert read_component(camera).type == "DML"
    assert Degrader(camera).degradation.same_size
    for name in SOURCES:
        assert read_component(out / "networks" / name / "backbone.safetensors").type == "VDSR"
    lines = (out / "lr_synthetic" / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    types = [json.loads(line).get("trace", {}).get("type") for line in lines]
    assert types.count("Compose") == len(list((out / "lr_synthetic").glob("*.png")))
