"""A checkpoint knows which files it learned from, and a resume says what has changed in them."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from realdeg.datasets import Record
from realdeg.engine import read_checkpoint
from realdeg.engine.hooks.data_list import _read
from realdeg.registry import DATASETS
from tests.engine.tiny import TinyData, train

QUIET = dict(val_dataloader=None, val_evaluator=None, val_cfg=None)


@DATASETS.register_module(force=True)
class ListedData(TinyData):
    """Tiny data whose items are said to lie in files."""

    label = "ListedData train"

    def __init__(self, folder: str) -> None:
        self.records = [Record(f.stem, hr=f, lr=f) for f in sorted(Path(folder).glob("*.png"))]
        super().__init__(len(self.records))


@DATASETS.register_module(force=True)
class Around(TinyData):
    """A data set with others inside, as a mixture has."""

    def __init__(self, folder: str) -> None:
        self.parts = [ListedData(folder), TinyData()]
        super().__init__(7)


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.png").write_bytes(bytes([number]) * (10 + number))
    return folder


def run(folder: Path, photos: Path, iterations: int, kind: str = "ListedData", **changes) -> None:
    data = dict(type=kind, folder=str(photos))
    hooks = dict(checkpoint=dict(type="SaveCheckpointHook", interval=4))
    hooks |= changes.pop("hooks", {})
    train(
        folder,
        iterations=iterations,
        data=data,
        default_hooks=hooks,
        resume=iterations > 4,
        **QUIET,
        **changes,
    )


def add(photos: Path) -> None:
    (photos / "9.png").write_bytes(b"new")


def remove(photos: Path) -> None:
    (photos / "3.png").unlink()


def lengthen(photos: Path) -> None:
    (photos / "1.png").write_bytes(b"longer than before")


def edit(photos: Path) -> None:
    file = photos / "2.png"
    file.write_bytes(bytes(reversed(range(12))))
    os.utime(file, ns=(1, 1))


def touch(photos: Path) -> None:
    os.utime(photos / "2.png", ns=(1, 1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (add, "2 files added (ListedData train/9 hr, ListedData train/9 lr)"),
        (remove, "2 files gone (ListedData train/3 hr, ListedData train/3 lr)"),
        (lengthen, "2 files of another size (ListedData train/1 hr, ListedData train/1 lr)"),
        (edit, "2 files with another time and the same size (ListedData train/2 hr"),
        (touch, "2 files with another time and the same size (ListedData train/2 hr"),
        (lambda photos: None, ""),
    ],
    ids=["added", "gone", "longer", "edited", "touched", "unchanged"],
)
def test_a_resume_says_what_changed(tmp_path, photos, capsys, change, said):
    run(tmp_path / "run", photos, 4)
    before = read_checkpoint(tmp_path / "run" / "iter_4.pth")["data_list"]
    assert before["files"] == 10 and before["bytes"] == 2 * sum(range(10, 15))
    capsys.readouterr()
    change(photos)
    run(tmp_path / "run", photos, 8)
    text = " ".join(capsys.readouterr().out.split())
    after = read_checkpoint(tmp_path / "run" / "iter_8.pth")["data_list"]
    if said:
        assert f"the training data changed since: {said}" in text
        assert after["sha256"] != before["sha256"]
    else:
        assert "changed since" not in text.replace("changed since: train_cfg", "")
        assert after == before
    # What was said once is the new state.
    run(tmp_path / "run", photos, 12)
    assert "the training data changed" not in capsys.readouterr().out


@pytest.mark.parametrize(("change", "told"), [(edit, True), (touch, False)])
def test_contents_tell_an_edit_from_a_copy(tmp_path, photos, capsys, change, told):
    hooks = dict(data_list=dict(type="DataListHook", contents=True))
    run(tmp_path / "run", photos, 4, hooks=hooks)
    change(photos)
    capsys.readouterr()
    run(tmp_path / "run", photos, 8, hooks=hooks)
    assert ("2 files with other contents" in capsys.readouterr().out) == told


def test_without_the_former_list_numbers_are_compared(tmp_path, photos, capsys):
    run(tmp_path / "run", photos, 4)
    (tmp_path / "run" / "data_list.tsv").write_text("not the list\n")
    add(photos)
    capsys.readouterr()
    run(tmp_path / "run", photos, 8)
    text = " ".join(capsys.readouterr().out.split())
    assert "12 files of 126 bytes in all, were 10 of 120" in text


def test_data_sets_inside_others_are_listed(tmp_path, photos):
    run(tmp_path / "run", photos, 4, kind="Around")
    lines = (tmp_path / "run" / "data_list.tsv").read_text().splitlines()
    assert len(lines) == 10 and lines[0].startswith("parts[0].ListedData train/0 hr\t10\t")


def test_it_can_be_left_out_and_old_checkpoints_resume(tmp_path, photos, capsys):
    run(tmp_path / "run", photos, 4, hooks=dict(data_list=None))
    assert "data_list" not in read_checkpoint(tmp_path / "run" / "iter_4.pth")
    run(tmp_path / "run", photos, 8)
    assert "the training data changed" not in capsys.readouterr().out
    assert "data_list" in read_checkpoint(tmp_path / "run" / "iter_8.pth")


@pytest.mark.parametrize("content", [b"no columns\n", b"a\tb\tc\td\n", b"a\tmany\t0\n"])
def test_a_list_of_another_program_counts_as_none(tmp_path, content):
    """A checkpoint from elsewhere may come with any file, and with its hash."""
    (tmp_path / "data_list.tsv").write_bytes(content)
    assert _read(tmp_path / "data_list.tsv", {"sha256": sha256(content).hexdigest()}) is None
