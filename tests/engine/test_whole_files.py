"""No flipped bit passes, in a checkpoint or a component; what is whole goes on."""

from __future__ import annotations

import io
import json
import random

import pytest
import torch
from safetensors.torch import save

from realdeg.engine import newest_readable, read_checkpoint, write_checkpoint
from realdeg.errors import CheckpointError
from realdeg.utils.component import (
    FORMAT,
    component_hash,
    describes_itself,
    read_component,
    save_component,
)
from realdeg.utils.sealed import damage
from tests.engine.tiny import Line, train


def flipped(whole: bytes, bit: int) -> bytes:
    content = bytearray(whole)
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(folder, iterations=8)
    return folder


@pytest.mark.parametrize("name", ["iter_8.pth", "best.pth", "backbone.safetensors"])
def test_every_flipped_bit_is_found(run, tmp_path, name):
    read = read_component if name.endswith("safetensors") else read_checkpoint
    whole, file = (run / name).read_bytes(), tmp_path / name
    file.write_bytes(whole)
    read(file)
    drawn = random.Random(11)
    bits = {drawn.randrange(8 * len(whole)) for _ in range(200)}
    bits |= set(range(8 * len(whole) - 900, 8 * len(whole), 7))  # the end, where hashes stand
    if name.endswith("safetensors"):
        bits |= set(range(0, 8 * 1200, 13))  # the header, meta in it
    accepted = []
    for bit in sorted(bits):
        file.write_bytes(flipped(whole, bit))
        try:
            read(file)
        except CheckpointError:
            continue
        accepted.append(bit)
    assert accepted == []


def test_a_damaged_newest_falls_back_and_none_that_is_whole_is_said(run, tmp_path, capsys):
    for name in ("iter_4.pth", "iter_8.pth"):
        (tmp_path / name).write_bytes((run / name).read_bytes())
    newest = tmp_path / "iter_8.pth"
    newest.write_bytes(flipped(newest.read_bytes(), 8 * (newest.stat().st_size // 2)))
    runner = train(tmp_path, iterations=9, resume=True)
    assert runner.loaded_from.endswith("iter_4.pth")
    assert "does not match" in (said := capsys.readouterr().out) or "do not match" in said
    for file in tmp_path.glob("iter_*.pth"):
        file.write_bytes(flipped(file.read_bytes(), 8 * (file.stat().st_size // 2)))
    with pytest.raises(CheckpointError, match="none of the .* can be read"):
        train(tmp_path, iterations=9, resume=True)


def test_a_checkpoint_under_another_name_is_not_the_newest(run, tmp_path, capsys):
    (tmp_path / "iter_4.pth").write_bytes((run / "iter_4.pth").read_bytes())
    (tmp_path / "iter_900.pth").write_bytes((run / "iter_8.pth").read_bytes())
    found = newest_readable(tmp_path)
    assert found is not None and found[0].name == "iter_4.pth"
    assert "holds iteration 8, not the one in its name" in found[2][0]


def test_files_without_a_hash_still_load_and_their_checksums_count(run, tmp_path):
    file = tmp_path / "iter_8.pth"
    stream = io.BytesIO()
    torch.save(read_checkpoint(run / "iter_8.pth"), stream)
    whole = stream.getvalue()
    file.write_bytes(whole)
    assert damage(file) is None and train(tmp_path, iterations=9, resume=True).iter == 9
    weights = read_checkpoint(file)["state_dict"]["backbone.layer.weight"]
    at = whole.index(weights.numpy().tobytes())
    file.write_bytes(flipped(whole, 8 * at + 5))
    with pytest.raises(CheckpointError, match=r"iter_8\.pth"):
        read_checkpoint(file)


def old_component(path, meta="{}", **more):
    module = Line()
    state = {name: value.detach().clone() for name, value in module.state_dict().items()}
    digest = component_hash("Line", module.arguments, state)
    header = dict(format=FORMAT, kind="backbone", type="Line", meta=meta, hash=digest, **more)
    path.write_bytes(save(state, metadata={**header, "arguments": json.dumps(module.arguments)}))
    return digest


def test_components_without_a_hash_of_the_file_still_load(tmp_path):
    digest = old_component(tmp_path / "old.safetensors")
    assert read_component(tmp_path / "old.safetensors").hash == digest
    old_component(tmp_path / "odd.safetensors", file_hasi="0" * 64)
    assert describes_itself(tmp_path / "odd.safetensors")
    with pytest.raises(CheckpointError, match="was altered"):
        read_component(tmp_path / "odd.safetensors")


def test_the_identity_of_a_component_is_what_it_was(tmp_path):
    """Model cards and traces name it: a second hash beside it must not change it."""
    module = Line()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(0.25)
    arguments = dict(module.arguments)
    meta = dict(note='a text with "file_hash":"' + "0" * 64 + '" in it')
    for name in ("one", "two"):
        saved = save_component(
            tmp_path / name, module, kind="backbone", type="Line", arguments=arguments, meta=meta
        )
        assert saved == component_hash("Line", arguments, module.state_dict()) == "f4b59f796494b7c1"
        assert read_component(tmp_path / name).meta == meta


def test_any_torch_reads_a_checkpoint_with_a_hash(tmp_path):
    write_checkpoint(tmp_path / "iter_1.pth", {"meta": {"iter": 1}, "state_dict": {}})
    for mapped in (False, True):
        loaded = torch.load(tmp_path / "iter_1.pth", weights_only=True, mmap=mapped)
        assert loaded["meta"] == {"iter": 1}
