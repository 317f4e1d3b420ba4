"""Folders of photos become folders of pairs, and every fault is one sentence."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import realdeg
from realdeg.cli.main import main
from realdeg.datasets import PairedFolderDataset
from realdeg.errors import ConfigError, DataError, OutputError
from realdeg.evaluation import measure_alignment
from realdeg.registration.matching import match_shots
from realdeg.registration.photos import Shot, read_photo, read_shot
from realdeg.utils.image import read_image, to_tensor, write_image
from tests.registration.photos import known


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two scenes at a ratio of 2: one pair is a 16-bit TIFF, the other was taken upright."""
    folder = tmp_path_factory.mktemp("photos")
    known(seed=0).write(folder, "a", ".png", ".tif")
    known(seed=1, rotation=-0.4, shift=(-3.0, 5.2)).write(folder, "b")
    turned = Image.open(folder / "wide/b.png").transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[274] = 6  # the camera was held so that the stored image has to be turned clockwise
    (folder / "wide/b.png").unlink()
    turned.save(folder / "wide/b.jpg", quality=95, exif=exif)
    return folder


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "pairs"
    return realdeg.register_photos(photos / "wide", photos / "tele", out, progress=False)


def content(folder):
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {file.name: file.read_bytes() for file in files if file.name != ".realdeg.lock"}


def test_pairs_are_aligned_and_readable(made):
    assert (made.scale, made.same_size, made.matched) == (2, False, "name")
    assert [pair.name for pair in made.accepted] == ["a", "b"] and not made.rejected
    data = PairedFolderDataset(made.folder / "HR", made.folder / "LR", scale=2)
    assert len(data) == 2
    for index, pair in enumerate(made.accepted):
        sample = data.load(index)
        found = measure_alignment(to_tensor(sample["hr"]), to_tensor(sample["lr"]), 2)
        assert found.shift < 0.06, pair.describe()
        values = pair.values
        assert values["residual"]["median"] == pytest.approx(found.shift, abs=0.02)
        assert values["ratio"] == pytest.approx(2.04, abs=0.005)
        assert 0.6 < values["share"] <= 1 and values["correlation"] > 0.9
        assert values["sharpness"] < 1 and len(values["residual"]["regions"]) > 3
        matrix = np.array(values["colour"]["matrix"])
        assert np.abs(matrix @ np.diag([1.14, 1.1, 1.05]) - np.eye(3)).max() < 0.12
    assert read_image(made.folder / "HR/a.png").dtype == np.uint16
    assert read_image(made.folder / "LR/a.png").dtype == np.uint8
    picture = read_image(made.folder / "registration.png")
    assert picture.shape[1] > 900 and picture.std() > 20


def test_the_record_is_read_back(made):
    found, options = realdeg.read_registration(made.folder)
    assert found.record() == made.record() and options["crop"] == 1.0
    assert found.residual == made.residual < 0.06
    (made.folder.parent / "bad").mkdir()
    bad = made.folder.parent / "bad/registration.json"
    bad.write_text('{"format": 1, "pairs": {"a": {}}}')
    with pytest.raises(DataError, match="is damaged"):
        realdeg.read_registration(bad)
    with pytest.raises(DataError, match="cannot be read"):
        realdeg.read_registration(made.folder.parent / "none")


def test_again_is_kept_and_from_scratch_is_equal(made, photos, tmp_path, capsys):
    before = content(made.folder)
    words = ["register", str(photos / "wide"), str(photos / "tele"), "--quiet"]
    assert main([*words[:3], str(made.folder), "--quiet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == made.record()
    assert content(made.folder) == before
    # One file was lost: that pair is made again, to the same bytes.
    (made.folder / "LR/b.png").unlink()
    again = realdeg.register_photos(photos / "wide", photos / "tele", made.folder, progress=False)
    assert again.kept == ("a",) and content(made.folder) == before
    assert "1 from an earlier run" in again.describe()


def test_other_options_and_foreign_files_are_refused(made, photos, tmp_path):
    wide, tele = photos / "wide", photos / "tele"
    with pytest.raises(ConfigError, match="was made with colour 'match', not 'keep'"):
        realdeg.register_photos(wide, tele, made.folder, colour="keep", progress=False)
    (tmp_path / "out/HR").mkdir(parents=True)
    write_image(tmp_path / "out/HR/z.png", np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(OutputError, match="z.png is not of these photos"):
        realdeg.register_photos(wide, tele, tmp_path / "out", progress=False)


def test_same_size_and_lr_that_keeps_its_pixels(photos, tmp_path):
    out = tmp_path / "pairs"
    options = ["--geometry", "same-size", "--crop", "0.8", "--colour", "keep", "--quiet"]
    files = [str(photos / "wide/b.jpg"), str(photos / "tele/b.png")]
    assert main(["register", *files, str(out), *options]) == 0
    found, _ = realdeg.read_registration(out)
    assert found.same_size and found.scale == 2
    hr, lr = (read_image(out / side / "b.png") for side in ("HR", "LR"))
    assert hr.shape == lr.shape and hr.shape[0] < 0.82 * 224
    cut = found.pairs["b"].values["cut"]
    rows = slice(cut["top"], cut["top"] + cut["height"])
    columns = slice(cut["left"], cut["left"] + cut["width"])
    assert np.array_equal(hr, read_image(photos / "tele/b.png")[rows, columns])
    with pytest.raises(ConfigError, match="cannot keep its pixels"):
        realdeg.register_photos(
            *files, tmp_path / "x", geometry="same-size", resample="hr", progress=False
        )
    assert not (tmp_path / "x").exists()


def test_options_that_do_not_fit_a_later_pair_are_refused_before_the_first(photos, tmp_path):
    known(seed=0, ratio=1.0, tele=(128, 144)).write(tmp_path, "a")
    sides = [
        [tmp_path / "wide/a.png", photos / "wide/b.jpg"],
        [tmp_path / "tele/a.png", photos / "tele/b.png"],
    ]
    with pytest.raises(ConfigError, match=r"leave out resample='hr', or choose geometry='scaled'"):
        realdeg.register_photos(
            *sides, tmp_path / "x", geometry="same-size", resample="hr", progress=False
        )
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_one_bad_pair_does_not_stop_the_others(photos, tmp_path, capsys):
    shutil.copytree(photos, tmp_path / "photos")
    place = tmp_path / "photos"
    (place / "wide/c.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    write_image(place / "tele/c.png", np.zeros((64, 64, 3), np.uint8))
    write_image(place / "tele/d.png", np.zeros((64, 64, 3), np.uint8))
    shutil.copy(place / "wide/b.jpg", place / "wide/e.jpg")
    known(seed=8).write(tmp_path, "e")
    shutil.move(tmp_path / "tele/e.png", place / "tele/e.png")
    words = ["register", str(place / "wide"), str(place / "tele"), str(tmp_path / "pairs")]
    assert main([*words, "--quiet"]) == 0
    heard = capsys.readouterr().out
    assert "2 rejected of 4:" in heard and "c: the image" in heard
    assert "e: e.jpg and e.png do not overlap" in heard
    assert "1 without a partner: d.png" in heard
    assert sorted(file.name for file in (tmp_path / "pairs/HR").iterdir()) == ["a.png", "b.png"]
    assert main([*words, "--quiet", "--strict"]) == 1


def faults(photos, place):
    """Arguments and the sentence."""
    wide, tele = photos / "wide", photos / "tele"
    other = place / "other"
    known(seed=8).write(other, "b")
    (place / "empty").mkdir()
    known(seed=0, ratio=1.0, tele=(128, 144)).write(place / "equal", "b")
    return [
        ((wide, wide), {}, "is given as wide and as tele photo"),
        ((place / "empty", tele), {}, "contains no photos"),
        ((place / "none", tele), {}, "there is no photo or folder"),
        ((wide / "b.jpg", other / "tele/b.png"), {}, "no pair can be used: b: b.jpg and b.png do"),
        ((wide, [tele / "a.tif", other / "tele/b.png"]), {"match": "time"}, "make no pair: no two"),
        ((tele / "b.png", wide / "b.jpg"), {}, "swap the two"),
        ((place / "equal/wide", place / "equal/tele"), {"geometry": "scaled"}, "equal focal"),
        ((wide, tele), {"scale": 3, "geometry": "scaled"}, "scale 3 would be interpolated"),
        ((wide, tele), {"scale": 1}, "makes no LR smaller than HR"),
        ((wide, tele), {"crop": 0.0}, "crop is a fraction"),
        ((wide, tele), {"model": "affin"}, "Did you mean 'affine'?"),
    ]


def test_every_fault_is_a_sentence_and_nothing_is_written(photos, tmp_path):
    for sides, options, sentence in faults(photos, tmp_path):
        with pytest.raises((ConfigError, DataError)) as caught:
            realdeg.register_photos(*sides, tmp_path / "out", progress=False, **options)
        assert sentence in str(caught.value) and "\n" not in str(caught.value)
        assert not (tmp_path / "out").exists(), sentence


def shots(side, *names, start=None, step=30.0, later=0.0):
    return [
        Shot(side / name, None if start is None else start + number * step + later)
        for number, name in enumerate(names)
    ]


class TestMatching:
    def by(self, wide, tele, how="auto"):
        found = match_shots(wide, tele, how, self.unused)
        return {name: (a.path.name, b.path.name) for name, (a, b) in found.pairs.items()}, found.how

    def unused(self, shot, side):
        raise AssertionError("no photo has to be read")

    def test_names_may_say_the_side(self, tmp_path):
        wide = shots(tmp_path / "w", "a_wide.jpg", "b_28mm.jpg", "c.jpg", "Canon_1_LR4.png")
        tele = shots(tmp_path / "t", "a_tele.jpg", "b-105mm.jpg", "Canon_1_HR.png", "d.jpg")
        found, how = self.by(wide, tele)
        assert how == "name" and found == {
            "a": ("a_wide.jpg", "a_tele.jpg"),
            "b": ("b_28mm.jpg", "b-105mm.jpg"),
            "Canon_1": ("Canon_1_LR4.png", "Canon_1_HR.png"),
        }

    def test_times_pair_what_was_taken_together(self, tmp_path):
        wide = shots(tmp_path / "w", "1.jpg", "3.jpg", "5.jpg", start=1000.0, step=200)
        tele = shots(tmp_path / "t", "2.jpg", "4.jpg", "6.jpg", start=1000.0, step=200, later=12)
        found, how = self.by(wide, [*tele, *shots(tmp_path / "t", "9.jpg", start=9000.0)])
        assert how == "time"
        assert sorted(found.values()) == [
            ("1.jpg", "2.jpg"),
            ("3.jpg", "4.jpg"),
            ("5.jpg", "6.jpg"),
        ]

    def test_no_partner_is_a_sentence(self, tmp_path):
        with pytest.raises(DataError, match="2 wide and 1 tele photos make no pair: no name"):
            self.by(shots(tmp_path, "a.jpg", "b.jpg"), shots(tmp_path, "c.jpg"), "name")


def test_content_finds_the_partners(photos, tmp_path):
    for number, (wide, tele) in enumerate((("a.png", "a.tif"), ("b.jpg", "b.png"))):
        for side, name in (("wide", wide), ("tele", tele)):
            (tmp_path / side).mkdir(exist_ok=True)
            mark = f"{'x' if side == 'wide' else 'y'}{(number + (side == 'tele')) % 2}"
            target = tmp_path / side / f"{mark}{(photos / side / name).suffix}"
            shutil.copy(photos / side / name, target)
    from realdeg.apis.registration_pairs import PairMaker

    maker = PairMaker(tmp_path / "out", {"raw": "developed"}, None, False)
    sides = [[Shot(file) for file in sorted((tmp_path / n).iterdir())] for n in ("wide", "tele")]
    found = match_shots(*sides, "auto", maker.features)
    assert found.how == "content" and not found.alone
    assert {(a.path.name, b.path.name) for a, b in found.pairs.values()} == {
        ("x0.png", "y1.tif"),
        ("x1.jpg", "y0.png"),
    }


def test_exif_data_are_read(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "One"
    detail = exif.get_ifd(0x8769)
    detail[0x9003], detail[0x9291], detail[0x920A] = "2024:05:01 10:20:30", "25", 105.0
    Image.new("RGB", (16, 16)).save(tmp_path / "a.jpg", exif=exif)
    shot = read_shot(tmp_path / "a.jpg")
    assert shot.focal == 105 and shot.camera == "Maker One" and shot.time % 60 == 30.25
    (tmp_path / "b.jpg").write_bytes(b"nothing")
    assert read_shot(tmp_path / "b.jpg") == Shot(tmp_path / "b.jpg")


def test_one_camera_at_one_focal_length_makes_no_pairs(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "One"
    exif.get_ifd(0x8769)[0x920A] = 50.0
    image = known(seed=0, ratio=1.0, tele=(128, 144))
    for side, levels in (("wide", image.wide), ("tele", image.tele)):
        (tmp_path / side).mkdir()
        pixels = levels.round().clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / side / "b.png", exif=exif)
    words = ["register", str(tmp_path / "wide"), str(tmp_path / "tele"), str(tmp_path / "out")]
    assert main([*words, "--quiet"]) == 2
    assert not (tmp_path / "out").exists()
    assert main([*words, "--quiet", "--geometry", "same-size"]) == 0


def test_a_scene_that_has_moved_is_one_sentence(tmp_path, capsys):
    image = known(seed=0)
    half = image.tele.shape[1] // 2
    # Two things at different distances, seen from another place.
    near, far = np.roll(image.tele, 7, (0, 1)), np.roll(image.tele, -7, (0, 1))
    image.tele[:, :half], image.tele[:, half:] = near[:, :half], far[:, half:]
    image.write(tmp_path, "b")
    words = ["register", str(tmp_path / "wide"), str(tmp_path / "tele"), str(tmp_path / "out")]
    assert main([*words, "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "no pair can be used: b: " in said and "the scene or the camera has moved" in said
    assert not (tmp_path / "out").exists()


def write_dng(path, rgb, orientation=1):
    """A raw file whose camera has the colours of linear sRGB, with an RGGB mosaic."""
    import tifffile

    mosaic = rgb[..., 1].copy()
    mosaic[0::2, 0::2], mosaic[1::2, 1::2] = rgb[0::2, 0::2, 0], rgb[1::2, 1::2, 2]
    to_xyz = [[0.41246, 0.35758, 0.18044], [0.21267, 0.71515, 0.07217], [0.01933, 0.11919, 0.95030]]
    colour = [part for v in np.linalg.inv(to_xyz).flat for part in (round(v * 10000), 10000)]
    tags = [
        *((33421, "H", 2, (2, 2), True), (33422, "B", 4, bytes([0, 1, 1, 2]), True)),
        *((50706, "B", 4, bytes([1, 4, 0, 0]), True), (50708, "s", 0, "test", True)),
        *((50721, 10, 9, tuple(colour), True), (50728, 5, 3, (1,) * 6, True)),
        *((50714, "H", 1, 0, True), (50717, "H", 1, 65535, True), (50778, "H", 1, 21, True)),
        (274, "H", 1, orientation, True),
    ]
    tifffile.imwrite(path, mosaic, photometric=32803, extratags=tags, metadata=None, software=False)


def test_raw_files_are_developed_upright(tmp_path):
    pytest.importorskip("rawpy", reason="raw files need realdeg[raw]")
    rgb = np.full((48, 64, 3), (30000, 20000, 10000), np.uint16)
    rgb[:, 32:] //= 2
    write_dng(tmp_path / "a.dng", rgb, orientation=6)
    linear = read_photo(tmp_path / "a.dng", "linear").pixels
    assert linear.shape == (64, 48, 3) and linear.dtype == np.uint16
    assert np.abs(linear[16, 20].astype(int) - (30000, 20000, 10000)).max() < 30
    assert np.abs(linear[48, 20].astype(int) - (15000, 10000, 5000)).max() < 30
    assert read_photo(tmp_path / "a.dng").pixels[16, 20].min() > 20000
    (tmp_path / "b.dng").write_bytes(b"II*\0nothing")
    with pytest.raises(DataError, match="b.dng cannot be developed"):
        read_photo(tmp_path / "b.dng")


def test_without_rawpy_a_raw_file_is_one_sentence(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rawpy", None)
    (tmp_path / "a.nef").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"needs rawpy: pip install realdeg\[raw\]"):
        realdeg.register_photos(tmp_path / "a.nef", photos / "tele/a.tif", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_rejected_pair_leaves_no_files(made, photos, tmp_path):
    pairs = tmp_path / "pairs"
    shutil.copytree(made.folder, pairs)
    shutil.copytree(photos, tmp_path / "photos")
    wide, tele = tmp_path / "photos/wide", tmp_path / "photos/tele"
    known(seed=8).write(tmp_path / "other", "b")
    shutil.copy(tmp_path / "other/tele/b.png", tele / "b.png")
    theirs = pairs / "HR/b.png"
    ours = theirs.read_bytes()
    theirs.write_bytes(b"something else")
    with pytest.raises(DataError, match=r"b\.png is already there"):
        realdeg.register_photos(wide, tele, pairs, progress=False)
    theirs.write_bytes(ours)
    found = realdeg.register_photos(wide, tele, pairs, progress=False)
    assert [pair.name for pair in found.rejected] == ["b"] and found.kept == ("a",)
    assert [file.name for file in sorted(pairs.glob("?R/*"))] == ["a.png", "a.png"]


def test_from_scratch_leaves_nothing_of_photos_that_are_gone(made, photos, tmp_path):
    pairs = tmp_path / "pairs"
    shutil.copytree(made.folder, pairs)
    one = (photos / "wide/b.jpg", photos / "tele/b.png")
    found = realdeg.register_photos(*one, pairs, crop=0.9, overwrite=True, progress=False)
    assert list(found.pairs) == ["b"]
    assert [file.name for file in sorted(pairs.glob("?R/*"))] == ["b.png", "b.png"]


def test_the_picture_of_an_interrupted_run_is_drawn(made, photos, tmp_path):
    pairs = tmp_path / "pairs"
    shutil.copytree(made.folder, pairs)
    picture = (pairs / "registration.png").read_bytes()
    (pairs / "registration.png").unlink()
    sides = (photos / "wide", photos / "tele")
    assert realdeg.register_photos(*sides, pairs, progress=False).kept == ("a", "b")
    assert (pairs / "registration.png").read_bytes() == picture


def without(*keys):
    def change(data):
        place = data
        for key in keys[:-1]:
            place = place[key]
        del place[keys[-1]]

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(scale="4"),
        lambda data: data.update(same_size=None),
        lambda data: data["pairs"].update({"../b": data["pairs"]["b"]}),
        lambda data: data["pairs"]["a"].update(files={"HR": "0", "../b": "0"}),
        lambda data: data["pairs"]["a"].update(rejected=5),
        without("pairs", "a", "files"),
        without("pairs", "a", "transform", "matrix"),
        without("pairs", "a", "cut"),
    ],
)
def test_a_damaged_record_is_one_sentence(made, photos, tmp_path, change):
    data = json.loads((made.folder / "registration.json").read_text())
    change(data)
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs/registration.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match=r"registration\.json is damaged: register"):
        realdeg.register_photos(photos / "wide", photos / "tele", tmp_path / "pairs")
