from __future__ import annotations

import numpy as np
import pytest
import torch

from realdeg.apis import SuperResolver
from realdeg.backbones import VDSR
from realdeg.cli.main import main
from realdeg.utils.component import save_component
from realdeg.utils.image import read_image, write_image


def picture(channels=3, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (7, 9, channels), dtype)


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    net = VDSR.example()
    path = tmp_path / "backbone.safetensors"
    save_component(path, net, kind="backbone", type="VDSR", arguments=net.arguments)
    return path


def run(*words):
    return main(["infer", *map(str, words), "--quiet", "--device", "cpu"])


def test_one_image(weights, tmp_path, capsys):
    write_image(tmp_path / "lr.png", picture(4, np.uint16))
    assert run(weights, tmp_path / "lr.png", tmp_path / "sr.png", "--tile", 5) == 0
    assert "7 x 9 -> 14 x 18" in capsys.readouterr().out
    result = read_image(tmp_path / "sr.png")
    assert result.dtype == np.uint16 and result.shape == (14, 18, 4)
    expected = SuperResolver(weights, device="cpu").upscale(picture(4, np.uint16))
    assert np.abs(result.astype(int) - expected).max() <= 1
    assert run(weights, tmp_path / "lr.png", tmp_path / "sr.png") == 2
    assert "already there" in capsys.readouterr().err
    assert run(weights, tmp_path / "lr.png", tmp_path / "sr.png", "--overwrite") == 0
    (tmp_path / "out").mkdir()
    assert run(weights, tmp_path / "lr.png", tmp_path / "out") == 0
    assert (tmp_path / "out" / "lr.png").exists()


def test_folder(weights, tmp_path, capsys):
    write_image(tmp_path / "lr" / "a.png", picture())
    write_image(tmp_path / "lr" / "sub" / "b.jpg", picture(1))
    assert run(weights, tmp_path / "lr", tmp_path / "sr") == 0
    assert read_image(tmp_path / "sr" / "sub" / "b.png").shape == (14, 18, 1)
    (tmp_path / "lr" / "bad.png").write_bytes(b"bad")
    assert run(weights, tmp_path / "lr", tmp_path / "sr") == 2
    assert "bad.png" in capsys.readouterr().err


def test_config_that_names_weights(weights, tmp_path):
    config = tmp_path / "mine.py"
    config.write_text(
        f"backbone = dict(checkpoint={str(weights)!r})\nscale = 2\nsame_size = False\n"
    )
    write_image(tmp_path / "lr.png", picture())
    assert run(config, tmp_path / "lr.png", tmp_path / "sr.png") == 0


@pytest.mark.parametrize(
    "words, message",
    [
        (("VDSR", "{lr}", "{sr}"), "has no weights"),
        (("{weights}", "{lr}", "{lr}"), "same file"),
        (("{weights}", "{lr}", "{sr}.doc"), ".png"),
        (("{weights}", "{sr}", "{sr}"), "same file"),
        (("{weights}", "nowhere.png", "{sr}"), "nowhere.png"),
        (("{weights}", "{lr}", "{sr}", "--scale", "3"), "scale"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(words, message, weights, tmp_path, capsys):
    write_image(tmp_path / "lr.png", picture())
    places = dict(weights=weights, lr=tmp_path / "lr.png", sr=tmp_path / "sr.png")
    assert run(*(word.format(**places) for word in words)) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "sr.png").exists()


def test_tile_is_checked_by_the_parser(weights):
    with pytest.raises(SystemExit):
        run(weights, "a.png", "b.png", "--tile", "big")
