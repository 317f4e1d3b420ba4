from __future__ import annotations

import numpy as np
import pytest

from realdeg.apis.gallery import make_gallery
from realdeg.cli.main import main
from realdeg.utils.image import image_size, read_image, write_image


@pytest.fixture
def photo(tmp_path):
    rng = np.random.default_rng(0)
    write_image(tmp_path / "photo.png", rng.integers(0, 256, (50, 70, 3), np.uint8))
    return str(tmp_path / "photo.png")


def run(*words):
    return main(["preview", *map(str, words)])


def test_sheet_and_replay(photo, tmp_path, capsys):
    sheet, traces = tmp_path / "new" / "sheet.png", tmp_path / "traces.jsonl"
    saved = ("--save-traces", traces, "--save-images", tmp_path / "first")
    assert run("AWGN", photo, "-n", 3, "--scale", 2, "--size", 40, "--out", sheet, *saved) == 0
    printed = capsys.readouterr().out
    assert printed.count("AWGN: sigma 5") == 3 and "LR 20 x 20" in printed
    assert min(image_size(sheet)) > 400
    again = ("--trace", traces, "--index", 1, "--save-images", tmp_path / "again")
    assert run("AWGN", photo, "--scale", 2, "--out", sheet, *again) == 0
    first, second = (read_image(tmp_path / name) for name in ("first/1.png", "again/0.png"))
    np.testing.assert_array_equal(first, second)
    assert len(list((tmp_path / "again").iterdir())) == 1


def test_mistakes(photo, tmp_path, capsys):
    out = ("--out", tmp_path / "s.png")
    for words, found in (
        (("AWGN",), "needs a degradation and an image"),
        (("AWGN", tmp_path / "none.png"), "no image"),
        (("AWGM", photo), "Did you mean 'AWGN'"),
        (("AWGN", photo, "-n", 0), "-n must be at least 1"),
        (("AWGN", photo, "--size", -1), "size must be 0 or a number"),
        (("AWGN", photo, "--crop", -5), "crop is 1 pixel or more"),
        (("AWGN", photo, "--save-images", photo), "cannot write in the folder"),
        (("AWGN", photo, "--save-traces", f"{photo}/t.jsonl"), "cannot write in the folder"),
        (("AWGN", photo, "--trace", photo), "not text"),
        (("AWGN", photo, "--also", "a=b"), "--gallery"),
        (("--gallery", "--also", "nothing"), "NAME=WEIGHTS"),
    ):
        assert run(*words, *out) == 2, words
        assert found in capsys.readouterr().err
    assert not (tmp_path / "s.png").exists()


@pytest.mark.slow
def test_gallery(tmp_path):
    page, absent = make_gallery(tmp_path / "docs", scale=2, seed=1)
    text = page.read_text()
    pictures = sorted((tmp_path / "docs" / "assets" / "degradations").iterdir())
    assert "## bicubic" in text and any("dml" in line for line in absent)
    for picture in pictures:
        assert f"assets/degradations/{picture.name}" in text
        assert read_image(picture).shape[0] == 192
    assert len(pictures) == text.count("![HR and LR")


def test_a_format_that_figures_do_not_have_is_refused_before_the_work(photo, tmp_path, capsys):
    assert run("AWGN", photo, "--out", tmp_path / "sheet.xyz", "--scale", 2) == 2
    heard = capsys.readouterr()
    assert "a figure is one of .png" in heard.err and not heard.out
    assert run("AWGN", photo, "--out", tmp_path / "sheet", "--scale", 2, "-n", 1) == 0
    assert f"wrote {tmp_path / 'sheet.png'}" in capsys.readouterr().out
