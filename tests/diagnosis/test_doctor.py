"""What is accepted as a target, leaks between sets, and what the command prints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from realdeg import Diagnosis, Finding, doctor
from realdeg.cli.main import main
from realdeg.errors import ConfigError, DataError, OutputError
from realdeg.utils.image import read_image, write_image
from tests.diagnosis.planted import ONE, SAMPLE, clean, compressed, moved

RECIPE = "fsrcnn/fsrcnn_t91_x3_cpu"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return clean(tmp_path_factory.mktemp("pairs") / "mine")


def photo(name: str, split: str = "train") -> np.ndarray:
    return read_image(SAMPLE / split / f"{name}.png")


def divided(folder: Path, test: np.ndarray) -> Path:
    """Write a folder with train and test: HR alone."""
    for name in ("astronaut", "chelsea", "hubble"):
        write_image(folder / "train" / f"{name}.png", photo(name))
    write_image(folder / "test" / "one.png", test)
    return folder


@pytest.mark.parametrize(
    ("test", "severity", "words"),
    [
        (lambda: photo("coffee", "test"), None, ""),
        (lambda: compressed(70)(photo("astronaut")), "error", "is a copy of astronaut.png"),
        (
            lambda: np.ascontiguousarray(photo("astronaut")[::-1]),
            "error",
            "is a mirrored or turned copy of astronaut.png",
        ),
        (lambda: photo("astronaut")[40:240, 30:230], "warning", "the same scene as astronaut.png"),
        (
            lambda: moved(turn=7, grow=1.3)(photo("astronaut"))[40:250, 40:250],
            "warning",
            "the same scene as astronaut.png",
        ),
    ],
    ids=["another photo", "copy", "mirrored", "crop", "turned and enlarged crop"],
)
def test_leaks(tmp_path, test, severity, words):
    found = doctor(divided(tmp_path / "photos", test()))
    leaks = [one for one in found.findings if one.check == "leak"]
    assert [one.severity for one in leaks] == ([severity] if severity else [])
    assert all(words in one.message for one in leaks)
    assert [one.role for one in found.sets] == ["train", "test"]


def test_the_same_file_in_training_and_test(pairs):
    found = doctor(pairs / "HR", test=pairs / "HR")
    (leak,) = found.of("error")
    assert leak.check == "leak" and "9 of 9 test images also in training" in leak.message


def test_a_recipe_and_its_sets():
    found = doctor(RECIPE, sample=True)
    assert {one.role for one in found.sets} == {"train", "test"}
    assert found.is_healthy()


def test_a_set_that_cannot_be_listed_is_a_finding(tmp_path):
    found = doctor(RECIPE, options={"test_dataloader.dataset": missing(tmp_path)}, sample=True)
    (fault,) = found.of("error")
    assert fault.check == "unreadable" and "was not found" in fault.message


def missing(folder: Path) -> dict[str, object]:
    return dict(type="HRFolderDataset", folder=str(folder / "nothing"))


def test_layouts(pairs, tmp_path):
    two = doctor(pairs / "HR", pairs / "LR", pairs=1)
    assert two.sets[0].scale == 2 and two.sets[0].examined == 1 and two.sets[0].images == 9
    alone = doctor(pairs / "HR", pairs=1)
    assert (
        not alone.sets[0].paired and "9 HR images, 1 of them examined" in alone.sets[0].describe()
    )
    registered = Path(shutil.copytree(pairs, tmp_path / "registered"))
    (registered / "registration.json").write_text(json.dumps(dict(scale=2, same_size=False)))
    assert doctor(registered, pairs=1).sets[0].scale == 2
    realsr = tmp_path / "RealSR"
    for part in ("Train", "Test"):
        for name in (ONE, "hubble.png"):
            stem = Path(name).stem
            for side, end in (("HR", "HR"), ("LR", "LR2")):
                target = realsr / "Canon" / part / "2" / f"{part}{stem}_{end}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(pairs / side / name, target)
    found = doctor(realsr, pairs=1)
    assert [(one.label, one.scale) for one in found.sets] == [
        ("RealSR V3 train", 2),
        ("RealSR V3 test", 2),
    ]
    assert {one.check for one in found.findings} == {"leak"}


def test_the_choice_depends_on_the_seed_alone(pairs):
    chosen = [doctor(pairs, pairs=2, seed=seed).to_dict() for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1] and chosen[2]["seed"] == 2


def test_the_command(pairs, tmp_path, capsys):
    bad = Path(shutil.copytree(pairs, tmp_path / "bad"))
    write_image(bad / "LR" / ONE, moved(down=1.5)(read_image(bad / "LR" / ONE)))
    assert main(["doctor", str(pairs), "--pairs", "2", "--strict"]) == 0
    assert "nothing found" in capsys.readouterr().out
    picture = tmp_path / "worst.png"
    assert main(["doctor", str(pairs), "--pairs", "2", "--picture", str(picture)]) == 0
    assert f"{picture} is not written: nothing was found." in capsys.readouterr().err
    assert not picture.exists()
    assert main(["doctor", str(bad), "--pairs", "all", "--picture", str(picture)]) == 0
    printed = capsys.readouterr().out
    assert "alignment" in printed and "1 warning" in printed and str(picture) in printed
    assert read_image(picture).shape[1] > 800
    assert main(["doctor", str(bad), "--strict", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["findings"][0]["check"] == "alignment" and data["healthy"]
    (bad / "LR" / ONE).unlink()
    assert main(["doctor", str(bad), "--pairs", "2"]) == 1


def test_bad_targets(pairs, tmp_path):
    with pytest.raises(ConfigError, match="nothing to examine"):
        doctor()
    with pytest.raises(ConfigError, match="no config 'nowhere/at_all'"):
        doctor("nowhere/at_all")
    with pytest.raises(DataError, match="holds no images"):
        doctor(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        doctor(pairs / "HR", tmp_path / "LR")
    with pytest.raises(DataError, match="HR and LR are the same folder"):
        doctor(pairs / "HR", pairs / "HR")
    with pytest.raises(DataError, match="there is no file or folder"):
        doctor(tmp_path / "none")
    with pytest.raises(DataError, match="is a single image: name its folder"):
        doctor(pairs / "HR" / ONE)
    with pytest.raises(ConfigError, match="pairs is 1 or more, got 0"):
        doctor(pairs, pairs=0)
    with pytest.raises(ConfigError, match="needs arguments of its own"):
        doctor("PairedFolderDataset")
    with pytest.raises(OutputError, match="a figure is one of"):
        doctor(pairs, picture=tmp_path / "worst.doc")
    (tmp_path / "registered").mkdir()
    for side in ("HR", "LR"):
        shutil.copytree(pairs / side, tmp_path / "registered" / side)
    (tmp_path / "registered" / "registration.json").write_text("{")
    with pytest.raises(DataError, match="not readable JSON"):
        doctor(tmp_path / "registered")


def test_a_finding_is_plain_data():
    finding = Finding("sizes", "error", "mine", "wrong", "mend it", (Path("a.png"),), {"a.png": 1})
    whole = Diagnosis("mine", (), (finding,))
    assert json.loads(json.dumps(whole.to_dict()))["findings"][0]["files"] == ["a.png"]
    assert not whole.is_healthy() and whole.summary() == "1 error"
