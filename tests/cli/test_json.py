"""``--json``: one document on stdout and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from realdeg.backbones import list_pretrained
from realdeg.cli.main import main
from realdeg.registry import list_backbones
from realdeg.utils.image import write_image

PAIRS = """
scale = 2
same_size = False
degradation = "Bicubic"
model = dict(type="DegradationLearning")
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    dataset=dict(type="PairedFolderDataset", hr_dir={hr!r}, lr_dir={lr!r}),
)
test_evaluator = dict(metrics=[dict(type="ImageQuality")])
test_cfg = dict(type="EvalLoop")
"""


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        lr = np.kron(rng.integers(40, 200, (6, 6, 3)), np.ones((6, 6, 1))).astype(np.uint8)
        write_image(tmp_path / "hr" / f"{name}.png", np.kron(lr, np.ones((2, 2, 1), np.uint8)))
        write_image(tmp_path / "lr" / f"{name}.png", lr)
    file = tmp_path / "pairs.py"
    file.write_text(PAIRS.format(hr=str(tmp_path / "hr"), lr=str(tmp_path / "lr")))
    return str(file)


def printed(capfd, *words):
    """Run a command and return its stdout as one JSON document."""
    assert main([*words, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_a_report(config, tmp_path, capfd):
    found = printed(
        capfd, "test", config, "--work-dir", str(tmp_path / "run"), "--no-pictures", "--device=cpu"
    )
    written = json.loads((tmp_path / "run" / "test" / "report.json").read_text())
    assert found == written and found["format"] == "realdeg-report-1"
    assert [image["key"] for image in found["images"]] == ["a", "b"]


def test_a_comparison(config, tmp_path, capfd):
    out = tmp_path / "out"
    found = printed(capfd, "compare_degradations", config, "Bicubic", "--out", str(out))
    assert found == json.loads((out / "comparison.json").read_text())
    assert found["format"] == "realdeg-comparison-1"


def test_lists(capfd):
    found = printed(capfd, "list", "backbones")
    assert found["format"] == "realdeg-list-1"
    assert found["entries"] == [{"kind": "backbones", "name": name} for name in list_backbones()]
    found = printed(capfd, "list", "components", "espcn")
    assert found["entries"] == [{"kind": "backbones", "name": "ESPCN"}]
    found = printed(capfd, "list", "configs", "vdsr_syn_dml_x4")
    assert found["entries"] == [{"kind": "configs", "name": "vdsr/vdsr_syn_dml_x4"}]


def test_published_weights(capfd):
    entries = printed(capfd, "list", "pretrained")["entries"]
    names = {(entry["network"], entry["weights"]) for entry in entries}
    assert names == {(each.type, each.name) for each in list_pretrained()}
    (span,) = printed(capfd, "list", "pretrained", "ntire2024-tiny")["entries"]
    assert (span["name"], span["scales"]) == ("SPAN:ntire2024-tiny", [4])
    (file,) = span["files"]
    assert file["url"].endswith(file["file"]) and not file["here"] and len(file["sha256"]) == 64


def test_mistakes_leave_stdout_empty(capfd):
    assert main(["list", "backbones", "nothing-of-that-name", "--json"]) == 2
    assert main(["list", "backbones", "--json", "--table"]) == 2
    told = capfd.readouterr()
    assert not told.out and "leave out one of them" in told.err
