from __future__ import annotations

import json

import numpy as np
import pytest

from realdeg.cli.main import main
from realdeg.degradations import AWGN
from realdeg.utils.image import image_size, to_array, to_tensor, write_image

CONFIG = """
scale = 2
same_size = False
seed = 4
degradation = dict(type='DML')
model = dict(type='DegradationLearning')
test_dataloader = dict(
    batch_size=1,
    dataset=dict(type='PairedFolderDataset', hr_dir='{hr}', lr_dir='{lr}'),
)
test_cfg = dict(type='EvalLoop')
test_evaluator = dict(type='Evaluator', metrics=[dict(type='ImageQuality')])
"""


@pytest.fixture
def config(tmp_path):
    rng = np.random.default_rng(0)
    for name in "ab":
        hr = np.kron(rng.integers(40, 200, (24, 24, 3)), np.ones((6, 6, 1))).astype(np.uint8)
        lr = AWGN(scale=2, sigma=2)(to_tensor(hr)[None], [ord(name)])[0]
        write_image(tmp_path / "hr" / f"{name}.png", hr)
        write_image(tmp_path / "lr" / f"{name}.png", to_array(lr))
    file = tmp_path / "mine.py"
    file.write_text(CONFIG.format(hr=tmp_path / "hr", lr=tmp_path / "lr"))
    return str(file)


def run(config, out, *words):
    return main(["compare_degradations", config, *words, "--out", str(out)])


def test_table_and_picture(config, tmp_path, capsys):
    words = ("Bicubic", "strong=dict(type='AWGN',sigma=20)", "--shown", "1")
    assert run(config, tmp_path / "out", *words) == 0
    printed = capsys.readouterr().out
    assert "| number | the camera | Bicubic | strong |" in printed
    read = json.loads((tmp_path / "out" / "comparison.json").read_text())
    numbers = {name: item["numbers"] for name, item in read["degradations"].items()}
    noise = "noise[lr-statistics]"
    assert numbers["Bicubic"][noise] < read["camera"][noise] < numbers["strong"][noise]
    assert read["seed"] == 4
    for name in ("comparison.png", "comparison_curves.png"):
        assert min(image_size(tmp_path / "out" / name)) > 300


def test_mistakes(config, tmp_path, capsys):
    out = tmp_path / "out"
    for words, found in (
        (("Bicubic", "Bicubic"), "'Bicubic' is taken"),
        (("camera=Bicubic",), "'camera' is taken"),
        (("Bicubi",), "Did you mean 'Bicubic'"),
        (("DML",), "is untrained"),
        (("x=dict(type='AWGN'",), "cannot be read as a dict"),
        (("Bicubic", "--shown", "0"), "shown is at least 1"),
        (("Bicubic", "--draws", "0"), "one draw"),
    ):
        assert run(config, out, *words) == 2, words
        assert found in capsys.readouterr().err
    (tmp_path / "lr" / "b.png").unlink()
    assert run(config, out, "Bicubic") == 2
    assert "has no LR" in capsys.readouterr().err


def test_what_was_measured_before_a_fault_is_kept(config, tmp_path, monkeypatch, capsys):
    from realdeg.apis import comparison

    measure = comparison._measure

    def fail(name, *rest):
        if name == "C":
            raise RuntimeError("an unforeseen fault")
        return measure(name, *rest)

    monkeypatch.setattr(comparison, "_measure", fail)
    words = ("A=Bicubic", "B=dict(type='AWGN',sigma=5)", "C=Bicubic")
    assert main(["compare_degradations", config, *words, "--out", str(tmp_path / "out")]) == 1
    found = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert list(found["degradations"]) == ["A", "B"] and found["complete"] is False
    assert found["unfinished"].startswith("C had not been measured")
    assert "INCOMPLETE: C" in (tmp_path / "out" / "comparison.md").read_text(encoding="utf-8")
    assert "2 of 3 degradations are measured (A, B): kept in" in capsys.readouterr().err


def test_a_crop_without_pixels_is_refused_before_the_work(config, tmp_path, capsys):
    words = ("Bicubic", "--out", str(tmp_path / "out"), "--crop", "-2")
    assert main(["compare_degradations", config, *words]) == 2
    assert capsys.readouterr().err.strip() == "error: crop is 1 pixel or more, got -2."


def test_real_pairs_are_no_sample_whatever_their_camera_is_called(config, tmp_path):
    from realdeg.apis.comparison import compare_degradations
    from realdeg.datasets import PairedFolderDataset
    from realdeg.degradations import Bicubic

    pairs = PairedFolderDataset(tmp_path / "hr", tmp_path / "lr", scale=2, same_size=False)
    pairs.camera = "iPhoneX"
    assert compare_degradations({"A": Bicubic(2)}, pairs, shown=1).sample is False
