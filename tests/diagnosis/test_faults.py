"""Every planted fault is found, and nothing else; clean pairs are silent."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from realdeg import doctor
from realdeg.diagnosis import running
from realdeg.diagnosis.facts import Item, examine
from tests.diagnosis.planted import FAULTS, clean


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    return {grid: clean(tmp_path_factory.mktemp("pairs") / "mine", grid) for grid in (False, True)}


@pytest.fixture(scope="module", autouse=True)
def _measured_once():
    """Measure each pair once in this module: most are the same in every test."""
    known: dict[bytes, Item] = {}

    def remembering(images, index):
        record = images.records[index]
        files = [file.read_bytes() for file in (record.hr, record.lr) if file is not None]
        state = repr((images.scale, images.same_size, record.hr.suffix)).encode()
        key = hashlib.sha256(state + b"|".join(files)).digest()
        if key not in known:
            known[key] = examine(images, index)
        found = known[key]
        fault = tuple(
            (record.lr if p.parent.name == "LR" else record.hr, t) for p, t in found.fault
        )
        return Item(record, found.hr, found.lr, found.alignment, fault)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "examine", remembering)
        yield


@pytest.mark.parametrize("same_size", [False, True])
def test_clean_pairs_are_silent(pairs, same_size):
    found = doctor(pairs[same_size], **({"scale": 2} if same_size else {}))
    assert found.findings == () and found.is_healthy(strict=True)
    assert found.sets[0].same_size is same_size and found.sets[0].scale == 2
    assert found.summary() == "nothing found"


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_and_nothing_else(pairs, name, tmp_path):
    fault = FAULTS[name]
    folder = Path(shutil.copytree(pairs[fault.same_size], tmp_path / "mine"))
    fault.plant(folder)
    found = doctor(folder, scale=2, same_size=fault.same_size)
    told = "\n".join(f"{one.check} {one.severity}: {one.message}" for one in found.findings)
    assert {(one.check, one.severity) for one in found.findings} == fault.found, told
    named = {file for one in found.findings for file in one.files}
    assert folder.absolute() / fault.file in named, told
    assert all(one.advice and one.message for one in found.findings)
    assert found.is_healthy() is not any(severity == "error" for _, severity in fault.found)
