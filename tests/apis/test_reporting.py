"""A page about a run that was trained and tested here, and what is refused."""

import json
import re
import shutil

import pytest

import realdeg
from realdeg.cli.main import main
from realdeg.errors import ConfigError, DataError, OutputError

FAST = {"train_cfg.max_iters": 2, "train_cfg.val_interval": 2, "default_hooks.logger.interval": 1}


def data_of(text):
    block = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    return json.loads(block[1])


@pytest.fixture(scope="module")
def camera(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "camera"
    realdeg.train("dml/dml_n8_realsr_x4_cpu", sample=True, options=FAST, work_dir=folder)
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "network"
    options = {**FAST, "batch_size": 1}
    realdeg.train("srcnn/srcnn_t91_x3_cpu", sample=True, options=options, work_dir=folder)
    realdeg.test(folder, pictures=False)
    return folder


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_degradation_shows_what_it_learned(camera, tmp_path):
    before = files(camera)
    made = realdeg.write_report(camera, tmp_path / "r.html", images=2, crop=64)
    assert files(camera) == before
    text = made.path.read_text(encoding="utf-8")
    assert made.size == made.path.stat().st_size == len(text.encode())
    data = data_of(text)
    titles = [chart["title"] for chart in data["charts"]]
    assert titles[0] == "loss" and "psnr[lr-fidelity]" in titles
    assert titles[-3:] == [
        "transfer function",
        "power against the simulated camera's LR",
        "noise in flat regions",
    ]
    (field,) = data["fields"]
    assert set(field["models"]) == {"camera", "true camera"}
    learned = field["models"]["camera"]
    assert learned["size"] == 15 and len(learned["peaks"]) == field["rows"] * field["columns"]
    assert learned["sums"] == pytest.approx([1.0] * len(learned["sums"]), abs=1e-3)
    (bases,) = data["bases"]
    assert len(bases["peaks"]) == 8
    assert text.count('class="layer"') == 2 * 3
    assert "No test yet" in text and "Sample run: camera." in text


def test_the_same_call_writes_the_same_bytes(camera, tmp_path):
    pages = [
        realdeg.write_report(camera, tmp_path / name, images=1, crop=48).path.read_bytes()
        for name in ("a.html", "b.html")
    ]
    assert pages[0] == pages[1]


def test_runs_of_several_kinds_stand_on_one_page(camera, network, tmp_path, capsys):
    out = tmp_path / "sub" / "r.html"
    arguments = ["report", str(camera), str(network), "-o", str(out), "--labels", "<i>", "b"]
    assert main([*arguments, "--images", "1", "--crop", "48", "--title", "Two"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1].startswith(f"wrote {out}, ") and printed[-1].endswith(": <i>, b")
    text = out.read_text(encoding="utf-8")
    assert "<title>Two</title>" in text and "<i>" not in text
    assert text.count('class="gallery"') == 2
    assert 'data-layer="bicubic"' in text
    assert 'data-layer="simulated camera&#x27;s LR"' in text
    tables = data_of(text)["tables"]
    assert "scores-0" in tables and "between-runs" in tables
    assert "train_cfg.max_iters" in tables["recipe-1"]["csv"]


def test_without_images_neither_weights_nor_data_are_needed(camera, tmp_path):
    bare = tmp_path / "camera"
    shutil.copytree(camera, bare, ignore=shutil.ignore_patterns("*.safetensors", "*.pth"))
    made = realdeg.write_report(bare, tmp_path / "r.html", images=0)
    assert made.left_out == () and "<img" not in made.path.read_text(encoding="utf-8")
    made = realdeg.write_report(bare, tmp_path / "r.html", images=1)
    (sentence,) = made.left_out
    assert sentence.startswith("No images of camera: ")
    assert sentence.split(": ", 1)[1][:40] in made.path.read_text(encoding="utf-8")


def test_pictures_of_the_test_take_the_place_of_images(camera, tmp_path):
    bare = tmp_path / "camera"
    shutil.copytree(camera, bare, ignore=shutil.ignore_patterns("*.safetensors", "*.pth"))
    import numpy as np

    realdeg.write_image(bare / "comparison.png", np.zeros((4, 4, 3), np.uint8))
    (bare / "other.png").write_text("<script>alert(1)</script>", encoding="utf-8")
    text = realdeg.write_report(bare, tmp_path / "r.html").path.read_text(encoding="utf-8")
    assert 'alt="camera: comparison.png, as its test drew it"' in text
    assert "other.png" not in text


def test_equal_names_are_told_apart(camera, tmp_path):
    for name in ("x", "y"):
        shutil.copytree(camera, tmp_path / name / "run")
    made = realdeg.write_report(
        [tmp_path / "x" / "run", tmp_path / "y" / "run"], tmp_path / "r.html", images=0
    )
    assert [record.label for record in made.runs] == ["x/run", "y/run"]


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"runs": []}, ConfigError, "at least one run"),
        ({"labels": ["a", "b"]}, ConfigError, "labels names each run once: got 2 for 1 runs"),
        ({"images": -1}, ConfigError, "images is 0 or more"),
        ({"crop": 31}, ConfigError, "crop 32 or more"),
        ({"limit": float("nan")}, ConfigError, "limit 0 or more"),
        ({"runs": "nowhere"}, DataError, "nowhere is not a run's folder: it does not exist"),
        ({"out": "/dev/null/r.html"}, OutputError, "cannot write"),
    ],
)
def test_one_sentence_and_nothing_written(camera, tmp_path, changes, error, words):
    settings = {"runs": camera, "out": tmp_path / "r.html", "images": 0, **changes}
    with pytest.raises(error, match=re.escape(words)):
        realdeg.write_report(settings.pop("runs"), settings.pop("out"), **settings)
    assert not list(tmp_path.iterdir())
