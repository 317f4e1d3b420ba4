"""Photos as they come from cameras and editors, through the commands."""

from __future__ import annotations

import io
import json
import os
import time

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps

from realdeg.backbones import FSRCNN
from realdeg.cli.main import main
from realdeg.utils.component import save_component
from realdeg.utils.image import read_image, write_image
from tests.utils.image_files import jpeg_claiming

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    net = FSRCNN.example()
    path = tmp_path_factory.mktemp("weights") / "backbone.safetensors"
    save_component(path, net, kind="backbone", type="FSRCNN", arguments=net.arguments)
    return path


def picture(channels=3, dtype=np.uint8):
    top = np.iinfo(dtype).max
    rows = np.linspace(top // 4, top // 2, 24)[:, None, None]
    return np.broadcast_to(rows, (24, 36, channels)).astype(dtype)


def infer(*words):
    return main(["infer", *map(str, words), "--quiet"])


def degrade(*words):
    return main(["degrade", "Bicubic", *map(str, words), "--scale", "2", "--quiet", "--jobs", "1"])


@pytest.mark.parametrize(
    ("dtype", "channels", "suffix", "words"),
    [
        (np.uint16, 3, ".bmp", "BMP does not hold 16 bit; use .png or .tif"),
        (np.uint16, 3, ".webp", "WebP does not hold 16 bit; use .png or .tif"),
        (np.uint16, 1, ".jpg", "JPEG does not hold 16 bit"),
        (np.uint8, 4, ".jpg", "JPEG does not hold alpha"),
        (np.uint8, 2, ".jpeg", "JPEG does not hold alpha"),
        (np.uint8, 3, ".gif", "'.gif' is not supported"),
        (np.uint8, 3, ".xyz", "'.xyz' is not supported"),
    ],
)
def test_a_format_that_cannot_hold_it_is_refused_before_the_work(
    weights, tmp_path, capsys, monkeypatch, dtype, channels, suffix, words
):
    write_image(tmp_path / "a.png", picture(channels, dtype))

    def work(*_, **__):
        raise AssertionError("the network was run")

    monkeypatch.setattr("realdeg.backbones.running.predict_image", work)
    assert infer(weights, tmp_path / "a.png", tmp_path / f"out{suffix}") == 2
    assert words in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["a.png"]


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
@pytest.mark.parametrize("orientation", [3, 6])
def test_photos_come_out_upright(weights, tmp_path, kind, suffix, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    (tmp_path / "in").mkdir()
    photo = Image.fromarray(picture())
    photo.save(tmp_path / "in" / f"a.{suffix}", kind, exif=exif)
    with Image.open(tmp_path / "in" / f"a.{suffix}") as opened:
        shown = np.asarray(ImageOps.exif_transpose(opened))
    assert degrade(tmp_path / "in", tmp_path / "out") == 0
    assert infer(weights, tmp_path / "in" / f"a.{suffix}", tmp_path / "large.png") == 0
    for name in ("out/a.png", "large.png"):
        with Image.open(tmp_path / name) as made:
            assert made.getexif().get(274, 1) == 1
            small = np.asarray(made.convert("RGB").resize(shown.shape[1::-1]))
        if name == "out/a.png":
            assert np.abs(small.astype(int) - shown).mean() < 3
        assert small.shape == shown.shape


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_a_profile_is_kept_and_converted_on_request(weights, tmp_path, capsys, suffix):
    source = tmp_path / f"a{suffix}"
    write_image(source, picture(), icc=PROFILE)
    for target in (".png", ".jpg", ".tif", ".webp"):
        assert infer(weights, source, tmp_path / f"out{target}", "--overwrite") == 0
        with Image.open(tmp_path / f"out{target}") as made:
            assert made.info.get("icc_profile") == PROFILE
    capsys.readouterr()
    assert infer(weights, source, tmp_path / "out.bmp") == 0
    assert "BMP cannot store a colour profile" in capsys.readouterr().out
    assert infer(weights, source, tmp_path / "srgb.png", "--to-srgb") == 0
    assert "converted to sRGB" in capsys.readouterr().out
    with Image.open(tmp_path / "srgb.png") as made:
        assert "icc_profile" not in made.info
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / f"a{suffix}", picture(), icc=PROFILE)
    assert degrade(tmp_path / "in", tmp_path / "out") == 0
    with Image.open(tmp_path / "out" / "a.png") as made:
        assert made.info.get("icc_profile") == PROFILE


def test_motion_photos_are_photos(weights, tmp_path):
    (tmp_path / "in").mkdir()
    for name, kind in (("a.jpg", "JPEG"), ("b.png", "PNG")):
        stream = io.BytesIO()
        Image.fromarray(picture()).save(stream, kind)
        film = b"\0\0\0\x18ftypmp42" + bytes(5000)
        (tmp_path / "in" / name).write_bytes(stream.getvalue() + film)
        assert infer(weights, tmp_path / "in" / name, tmp_path / f"large_{name}.png") == 0
    assert degrade(tmp_path / "in", tmp_path / "out") == 0


def test_grey_and_alpha_stay_so(weights, tmp_path):
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "a.png", picture(2))
    write_image(tmp_path / "in" / "b.tif", picture(2, np.uint16))
    assert degrade(tmp_path / "in", tmp_path / "out") == 0
    assert infer(weights, tmp_path / "in" / "a.png", tmp_path / "large.png") == 0
    assert read_image(tmp_path / "out" / "a.png").shape == (12, 18, 2)
    assert read_image(tmp_path / "out" / "b.png").dtype == np.uint16
    assert read_image(tmp_path / "large.png").shape[2] == 2


def test_several_pages_are_refused_or_noted(weights, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    pages = [Image.fromarray(picture()), Image.fromarray(picture() // 2)]
    pages[0].save(tmp_path / "in" / "a.tif", save_all=True, append_images=pages[1:])
    write_image(tmp_path / "in" / "b.png", picture())
    assert degrade(tmp_path / "in", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "a.tif" in said and "holds 2 pictures" in said and "--first-frame" in said
    assert os.path.exists(tmp_path / "out" / "b.png")
    assert degrade(tmp_path / "in", tmp_path / "first", "--first-frame") == 0
    assert "1 with notes in the manifest: a.tif" in capsys.readouterr().out
    lines = (tmp_path / "first" / "manifest.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert records[0]["first_frame"] is True
    assert records[1]["notes"] == ["the first of 2 pictures"] and "notes" not in records[2]
    # The settings are part of what the folder was made with.
    assert degrade(tmp_path / "in", tmp_path / "first") == 2
    assert infer(weights, tmp_path / "in" / "a.tif", tmp_path / "large.png") == 2
    assert infer(weights, tmp_path / "in" / "a.tif", tmp_path / "large.png", "--first-frame") == 0
    assert "the first of 2 pictures" in capsys.readouterr().out


def test_bombs_and_pipes_end_no_folder(weights, tmp_path, capsys):
    source = tmp_path / "in"
    source.mkdir()
    (source / "bomb.jpg").write_bytes(jpeg_claiming(30000, 30000))
    os.mkfifo(source / "pipe.png")
    (source / "link.png").symlink_to("/dev/zero")
    write_image(source / "z.png", picture())
    started = time.monotonic()
    assert degrade(source, tmp_path / "out") == 2
    assert time.monotonic() - started < 5
    said = capsys.readouterr().err
    assert "30000 x 30000 pixels, more than the limit of 200000000" in said
    assert "1 made" in said and "pipe.png" in said and "link.png" in said
    assert infer(weights, source / "bomb.jpg", tmp_path / "a.png") == 2
    assert "REALDEG_MAX_PIXELS" in capsys.readouterr().err


def test_the_limit_is_an_option(weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("REALDEG_MAX_PIXELS", "1000000")
    write_image(tmp_path / "a.png", picture())
    assert infer(weights, tmp_path / "a.png", tmp_path / "b.png", "--max-pixels", "863") == 2
    assert "24 x 36 pixels, more than the limit of 863" in capsys.readouterr().err
    assert infer(weights, tmp_path / "a.png", tmp_path / "b.png", "--max-pixels", "864") == 0
    for text in ("0", "-1", "many", "1e9"):
        with pytest.raises(SystemExit):
            infer(weights, tmp_path / "a.png", tmp_path / "c.png", "--max-pixels", text)
