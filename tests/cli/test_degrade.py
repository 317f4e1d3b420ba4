from __future__ import annotations

import json

import numpy as np
import pytest

from realdeg.apis import Degrader
from realdeg.cli.main import main
from realdeg.degradations import DML
from realdeg.utils.image import read_image, write_image


def picture(height=12, width=16, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def hr(tmp_path):
    write_image(tmp_path / "hr" / "a.png", picture(seed=1))
    write_image(tmp_path / "hr" / "b.png", picture(13, 16, seed=2))
    return tmp_path / "hr"


def run(*words):
    return main(["degrade", *map(str, words), "--quiet"])


def test_registered_type(hr, tmp_path, capsys):
    assert run("AWGN", hr, tmp_path / "lr", "--scale", 2, "--seed", 3) == 0
    out = capsys.readouterr().out
    assert "AWGN x2" in out and "2 made" in out and "1 cropped" in out and "b.png" in out
    header = json.loads((tmp_path / "lr" / "manifest.jsonl").read_text().splitlines()[0])
    assert header["seed"] == 3 and header["scale"] == 2 and header["colour"] == "rgb"
    assert run("AWGN", hr, tmp_path / "lr", "--scale", 2, "--seed", 3) == 0
    assert "2 kept" in capsys.readouterr().out


def test_learned_weights(hr, tmp_path):
    dml = DML(scale=2, same_size=True, num_kernels=2, kernel_size=5, width=4, levels=1)
    dml.mark_trained()
    dml.save(tmp_path / "camera.safetensors")
    assert run(tmp_path / "camera.safetensors", hr, tmp_path / "lr") == 0
    expected, _ = Degrader(dml).degrade(picture(seed=1))
    np.testing.assert_array_equal(read_image(tmp_path / "lr" / "a.png"), expected)


def test_config_and_its_options(hr, tmp_path):
    config = tmp_path / "mine.py"
    config.write_text("degradation = dict(type='AWGN', sigma=3)\nscale = 2\nsame_size = False\n")
    words = ("--cfg-options", "degradation.sigma=9", "--colour", "y")
    assert run(config, hr, tmp_path / "lr", *words) == 0
    header = json.loads((tmp_path / "lr" / "manifest.jsonl").read_text().splitlines()[0])
    assert header["degradation"]["arguments"]["sigma"] == 9 and header["colour"] == "y"
    words = ("--cfg-options", "degradation.sigma=8", "--scale", 2)
    assert run("AWGN", hr, tmp_path / "typed", *words) == 0
    header = json.loads((tmp_path / "typed" / "manifest.jsonl").read_text().splitlines()[0])
    assert header["degradation"]["arguments"]["sigma"] == 8


@pytest.mark.parametrize(
    "words, message",
    [
        (("Bicubik", "{hr}", "{lr}"), "Bicubic"),
        (("DML", "{hr}", "{lr}"), "is untrained"),
        (("Bicubic", "{hr}", "{hr}"), "same folder"),
        (("Bicubic", "{lr}", "{hr}"), "no folder"),
        (("Bicubic", "{hr}", "{lr}", "--device", "abacus"), "abacus"),
        (("Bicubic", "{hr}", "{lr}", "--cfg-options", "sigma=5"), "degradation."),
        (("{lr}.safetensors", "{hr}", "{lr}"), "does not exist"),
        (("{lr}.safetensors", "{hr}", "{lr}", "--cfg-options", "a=5"), "file of weights"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(words, message, hr, tmp_path, capsys):
    assert run(*(word.format(hr=hr, lr=tmp_path / "lr") for word in words)) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "lr").exists()


def test_bad_image_is_named_and_the_exit_code_says_so(hr, tmp_path, capsys):
    (hr / "aa.png").write_bytes(b"no image")
    assert run("Bicubic", hr, tmp_path / "lr", "--scale", 2) == 2
    error = capsys.readouterr().err
    assert "1 FAILED" in error and "aa.png" in error
    assert (tmp_path / "lr" / "a.png").exists() and (tmp_path / "lr" / "b.png").exists()
    assert run("Bicubic", hr, tmp_path / "other", "--scale", 2, "--remainder", "refuse") == 2
    assert "b.png" in capsys.readouterr().err
