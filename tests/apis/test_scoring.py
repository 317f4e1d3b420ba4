"""Scores of finished pictures: names that pair, mistakes that are refused, numbers that agree."""

import json
import math

import numpy as np
import pytest
import torch

import realdeg
from realdeg.cli.main import main
from realdeg.errors import ConfigError, DataError
from realdeg.utils.image import write_image
from realdeg.utils.named_pairs import match_folders

SIZE = 32


def picture(seed, side=SIZE, channels=3):
    return np.random.default_rng(seed).integers(0, 256, (side, side, channels), dtype=np.uint8)


def write(folder, **images):
    for name, pixels in images.items():
        write_image(folder / f"{name}.png", pixels)


def touch(folder, *names):
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")


@pytest.fixture
def folders(tmp_path):
    pred, gt = tmp_path / "pred", tmp_path / "gt"
    write(pred, a=picture(0), b=picture(1))
    write(gt, a=picture(2), b=picture(3))
    return pred, gt


def names(matching):
    return [(pair.first.name, pair.second.name) for pair in matching.pairs]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (["0001.png"], ["0001.jpg"]),
        (["Canon_001_LR4.png"], ["Canon_001_HR.png"]),
        (["0801x4.png"], ["0801.png"]),
        (["img_001_SRF_4_SR.png"], ["img_001_SRF_4_HR.png"]),
        (["babyx4_SR.png"], ["baby.png"]),
        (["baby_HR_x4.png"], ["babyx4.png"]),
        (["0001_x4_SR.png", "0002_x4_SR.png"], ["0001_GT.png", "0002_GT.png"]),
        (["0001x4_SwinIR.png", "0002x4_SwinIR.png"], ["0001.png", "0002.png"]),
        (["butterfly_rlt.png", "head_rlt.png"], ["butterfly.bmp", "head.bmp"]),
    ],
)
def test_usual_names_pair(tmp_path, first, second):
    touch(tmp_path / "a", *first)
    touch(tmp_path / "b", *second)
    assert names(match_folders(tmp_path / "a", tmp_path / "b")) == list(
        zip(first, second, strict=True)
    )


def test_a_number_at_the_end_is_not_an_ending(tmp_path):
    """What tells images apart is never dropped, not even if it looks like a method's name."""
    touch(tmp_path / "a", "scene_1.png", "scene_2.png")
    touch(tmp_path / "b", "scene_2.png", "scene_1.png")
    found = match_folders(tmp_path / "a", tmp_path / "b")
    assert names(found) == [("scene_1.png", "scene_1.png"), ("scene_2.png", "scene_2.png")]
    assert found.notes == ()


def test_lr_beside_hr_is_not_taken_for_the_truth(tmp_path):
    """RealSR keeps both in one folder; V1 and V2 have them in one size, so no size would tell."""
    touch(tmp_path / "a", "Nikon_001_LR4.png")
    touch(tmp_path / "b", "Nikon_001_HR.png", "Nikon_001_LR4.png")
    assert names(match_folders(tmp_path / "a", tmp_path / "b")) == [
        ("Nikon_001_LR4.png", "Nikon_001_HR.png")
    ]


def test_an_ignored_ending_is_noted(tmp_path):
    touch(tmp_path / "a", "x_Mine.png", "y_Mine.png")
    touch(tmp_path / "b", "x.png", "y.png")
    (note,) = match_folders(tmp_path / "a", tmp_path / "b").notes
    assert "'_Mine'" in note


def test_subfolders(tmp_path):
    touch(tmp_path / "a", "001.png", "002.png")
    touch(tmp_path / "b", "Canon/001_HR.png", "Nikon/002_HR.png")
    with pytest.raises(DataError, match="subfolders are not searched"):
        match_folders(tmp_path / "a", tmp_path / "b")
    found = match_folders(tmp_path / "a", tmp_path / "b", recursive=True)
    assert names(found) == [("001.png", "001_HR.png"), ("002.png", "002_HR.png")]


def test_patterns(tmp_path):
    touch(tmp_path / "a", "net-12-a.png", "net-7-b.png", "other.png")
    touch(tmp_path / "b", "truth a.png", "truth b.png")
    found = match_folders(
        tmp_path / "a", tmp_path / "b", first_pattern="net-*-{name}", second_pattern="truth {name}",
        allow_missing=True,
    )  # fmt: skip
    assert names(found) == [("net-12-a.png", "truth a.png"), ("net-7-b.png", "truth b.png")]
    assert "other.png" in found.notes[0]
    with pytest.raises(ConfigError, match=r"\{name\} once"):
        match_folders(tmp_path / "a", tmp_path / "b", first_pattern="net")
    both = match_folders(
        tmp_path / "a", tmp_path / "a", first_pattern="net-*-{name}",
        second_pattern="net-*-{name}*", allow_missing=True,
    )  # fmt: skip
    assert len(both.pairs) == 2


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (["a.png", "b.png"], ["a.png"], "b.png has no partner in .*/b: a mean over some"),
        (["a.png"], ["a.png", "b.png", "c.png"], r"b.png \(and 1 more\) has no partner"),
        (["a_HR.png", "a_SR.png"], ["a.png"], "a_HR.png and a_SR.png, which are one image"),
        (["one.png"], ["two.png"], "no image of .*one.png and .*two.png"),
    ],
)
def test_names_that_do_not_pair(tmp_path, first, second, message):
    touch(tmp_path / "a", *first)
    touch(tmp_path / "b", *second)
    with pytest.raises(DataError, match=message):
        match_folders(tmp_path / "a", tmp_path / "b")


def test_numbers_are_those_of_measure(folders, tmp_path):
    from realdeg.evaluation import measure
    from realdeg.utils.image import to_tensor

    report = realdeg.score_folders(
        *folders, protocol=["benchmark-y", "rgb"], metrics=["psnr", "gmsd"], scale=4,
        work_dir=tmp_path / "out",
    )  # fmt: skip
    wanted = [
        measure(*(to_tensor(picture(s)) for s in seeds), p, ["psnr", "gmsd"], scale=4)
        for p in ("benchmark-y", "rgb")
        for seeds in ((0, 2), (1, 3))
    ]
    for first, second in (wanted[:2], wanted[2:]):
        for label, (value,) in first.items():
            assert report.averages[label] == pytest.approx((value + second[label][0]) / 2)
            assert report.images["a"]["values"][label] == value
    written = json.loads((tmp_path / "out" / "test" / "report.json").read_text())
    assert written == report.to_dict() and [one["key"] for one in written["images"]] == ["a", "b"]


def test_the_default_protocol_needs_no_scale_and_writes_nothing(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = realdeg.score_folders(*folders)
    assert set(report.averages) == {"psnr[stablesr-testsets]", "ssim[stablesr-testsets]"}
    assert report.files == [] and not (tmp_path / "work_dirs").exists()


def test_equal_pictures(folders):
    pred, gt = folders
    for name, seed in (("a", 2), ("b", 3)):
        write(pred, **{name: picture(seed)})
    report = realdeg.score_folders(pred, gt)
    assert report.averages["psnr[stablesr-testsets]"] == math.inf
    assert report.averages["ssim[stablesr-testsets]"] == 1


def test_other_sizes(folders):
    pred, gt = folders
    write(pred, a=picture(0, SIZE // 4))
    with pytest.raises(DataError, match=r"8 x 8 pixels, but .*a.png is 32 x 32, 4 times.*LR image"):
        realdeg.score_folders(pred, gt)
    write(pred, a=picture(0, SIZE - 3))
    with pytest.raises(DataError, match="29 x 29 pixels, but"):
        realdeg.score_folders(pred, gt)
    # A protocol that cuts to a multiple of the scale leaves one size of these two.
    write(pred, a=picture(0, 30))
    write(gt, a=picture(2, 31))
    assert realdeg.score_folders(pred, gt, protocol="benchmark-y", scale=3).averages


def test_grey_and_colour(folders):
    pred, gt = folders
    write(gt, a=picture(2, channels=1))
    with pytest.raises(DataError, match="gt/a.png is grey and .*pred/a.png has colour"):
        realdeg.score_folders(pred, gt)
    # A network that writes three equal channels for a grey image has made a grey image.
    grey = picture(0, channels=1)
    write(pred, a=np.repeat(grey, 3, axis=2))
    three = realdeg.score_folders(pred, gt, protocol="benchmark-y-uint8", scale=2)
    write(pred, a=grey)
    one = realdeg.score_folders(pred, gt, protocol="benchmark-y-uint8", scale=2)
    assert three.averages == one.averages
    difference = grey[2:-2, 2:-2].astype(float) - picture(2, channels=1)[2:-2, 2:-2]
    psnr = 10 * math.log10(255**2 / (difference**2).mean())
    assert one.images["a"]["values"]["psnr[benchmark-y-uint8]"] == pytest.approx(psnr)


def test_transparent_pictures(folders):
    pred, gt = folders
    opaque = np.dstack((picture(0), np.full((SIZE, SIZE, 1), 255, np.uint8)))
    before = realdeg.score_folders(pred, gt).averages
    write(pred, a=opaque)
    assert realdeg.score_folders(pred, gt).averages == before
    opaque[0, 0, 3] = 254
    write(pred, a=opaque)
    with pytest.raises(DataError, match="partly transparent"):
        realdeg.score_folders(pred, gt)


def test_mistakes(folders, tmp_path):
    pred, gt = folders
    with pytest.raises(ConfigError, match="nothing to measure"):
        realdeg.score_folders(pred, gt, metrics=[])
    with pytest.raises(ConfigError, match="both folders are"):
        realdeg.score_folders(pred, pred)
    with pytest.raises(DataError, match="does not exist"):
        realdeg.score_folders(pred, tmp_path / "none")
    with pytest.raises(DataError, match="is a file"):
        realdeg.score_folders(pred / "a.png", gt)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no images"):
        realdeg.score_folders(pred, tmp_path / "empty")
    with pytest.raises(ConfigError, match="crops by the super-resolution scale"):
        realdeg.score_folders(pred, gt, protocol="benchmark-y")
    with pytest.raises(ConfigError, match="given twice"):
        realdeg.score_folders(pred, gt, protocol=["rgb", "rgb"])
    with pytest.raises(ConfigError, match="Did you mean 'psnr'"):
        realdeg.score_folders(pred, gt, metrics=["psnt"])
    touch(pred, "a.png")
    with pytest.raises(DataError, match="a.png"):
        realdeg.score_folders(pred, gt)


def test_the_command(folders, tmp_path, capsys, monkeypatch):
    pred, gt = map(str, folders)
    monkeypatch.chdir(tmp_path)
    words = ["test", "--pred", pred, "--gt", gt, "--protocol", "rgb", "--protocol"]
    assert main([*words, "dict(base='rgb',border=4)", "--metrics", "psnr"]) == 0
    out = capsys.readouterr().out
    assert "psnr[rgb] " in out and "psnr[rgb,border=4]" in out and "work_dirs/scores/pred" in out
    assert main(["test", "--pred", pred, "--gt", gt, "--json", "--work-dir", "other"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "realdeg-report-1"
    # Two methods' pictures are compared as two runs are.
    write(tmp_path / "mine", a=picture(0), b=picture(3))
    assert main(["test", "--pred", "mine", "--gt", gt, "--work-dir", "mine_scores"]) == 0
    assert main(["compare", "other", "mine_scores"]) == 0
    assert "mine_scores" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to test"),
        (["--pred", "{pred}"], "--gt is missing"),
        (["--gt", "{gt}"], "--pred is missing"),
        (["vdsr/vdsr_realsr_x4", "--pred", "{pred}", "--gt", "{gt}"], "config is for a model"),
        (["--sample", "--pred", "{pred}", "--gt", "{gt}"], "--sample is for a model"),
        (["vdsr/vdsr_realsr_x4", "--recursive"], "--recursive is for finished pictures"),
        (["--pred", "{pred}", "--gt", "{gt}", "--protocol", "benchmark-y"], "add --scale 4"),
    ],
)
def test_options_that_do_not_fit(folders, capsys, words, message):
    places = dict(zip(("pred", "gt"), map(str, folders), strict=True))
    assert main(["test", *(word.format(**places) for word in words)]) == 2
    assert message in capsys.readouterr().err


def test_a_test_of_a_model_under_two_protocols():
    from realdeg.apis.test_protocol import use_protocol
    from realdeg.config import load_config

    cfg = load_config("vdsr/vdsr_ntire19_real_x4_cpu")
    use_protocol(cfg, ["rgb", dict(base="rgb", border=4)])
    first, second = cfg.test_evaluator["metrics"]
    assert first["protocol"] == "rgb" and first["metrics"] == ["psnr", "ssim", "lpips"]
    # LPIPS has a protocol of its own and is measured once.
    assert second["protocol"] == dict(base="rgb", border=4)
    assert second["metrics"] == ["psnr", "ssim"]


def test_negative_contrast_counts_as_nothing_where_the_protocol_says_so():
    """An image and its negative: Wang's index is below 0, pyiqa's is not."""
    from realdeg.evaluation import measure

    image = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(0))
    base = dict(base="stablesr-testsets", ssim_floor=-1, name="wang")
    (signed,) = measure(image, 1 - image, base, ["ssim"])["ssim[wang]"]
    (floored,) = measure(image, 1 - image, "stablesr-testsets", ["ssim"])["ssim[stablesr-testsets]"]
    assert signed < -0.5 and floored == 0
