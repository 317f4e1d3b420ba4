"""Files of torch.save that are damaged, or made to fill memory or to take for ever."""

from __future__ import annotations

import io
import pickletools
import struct
import time
import zipfile

import pytest
import torch

from realdeg.errors import CheckpointError
from realdeg.utils.budget import Budget, LimitError
from realdeg.utils.torch_file import check_archive, open_torch_file
from tests.utils.hostile import archive, shared_lists, state, tensor, text, whole


@pytest.fixture(scope="module")
def training_state(tmp_path_factory):
    """A file like a checkpoint of a training."""
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8))
    optimiser = torch.optim.Adam(net.parameters())
    net(torch.rand(1, 3, 8, 8)).sum().backward()
    optimiser.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [3, 5])
    content = {
        "meta": {"iter": 7, "seed": 1, "pair": (1, 2.5), "none": None},
        "state_dict": net.state_dict(),
        "optimizer": optimiser.state_dict(),
        "param_schedulers": [schedule.state_dict()],
        "view": torch.arange(12.0).reshape(3, 4)[:, 1:],
    }
    path = tmp_path_factory.mktemp("state") / "iter_7.pth"
    torch.save(content, path)
    return path


def test_a_training_state_passes(training_state, tmp_path):
    check_archive(training_state)
    old = tmp_path / "old.pth"
    content = torch.load(training_state, weights_only=True)
    torch.save(content, old, _use_new_zipfile_serialization=False)
    check_archive(old)


def test_every_flipped_byte_of_a_storage_is_seen(training_state, tmp_path):
    whole_file = training_state.read_bytes()
    with zipfile.ZipFile(training_state) as opened:
        entries = [each for each in opened.infolist() if "/data/" in each.filename]
    path = tmp_path / "x.pth"
    for entry in entries:
        name_and_extra = struct.unpack_from("<HH", whole_file, entry.header_offset + 26)
        at = entry.header_offset + 30 + sum(name_and_extra)
        for offset in {0, entry.file_size // 2, entry.file_size - 1}:
            content = bytearray(whole_file)
            content[at + offset] ^= 1
            path.write_bytes(content)
            with pytest.raises(CheckpointError, match=r"x\.pth .*damaged.*CRC"):
                check_archive(path)


def test_truncated_anywhere(training_state, tmp_path):
    content, path = training_state.read_bytes(), tmp_path / "x.pth"
    for length in range(0, len(content), len(content) // 23):
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="truncated"):
            check_archive(path)


DEEP = b"\x80\x02" + b"]" * 150 + b"a" * 149 + b"."
HOSTILE = {
    "a list shared until it is 2^60 long": b"\x80\x02" + shared_lists(60) + b".",
    "a key whose hash takes for ever": b"\x80\x02}" + shared_lists(60, b")") + b"K\x01s.",
    "deep": DEEP,
    "a tensor of stride 0": state(a=tensor("0", 1, (10**9,), (0,))),
    "a tensor beyond its storage": state(a=tensor("0", 4, (2, 4), (4, 1))),
    "a storage that lies": state(a=tensor("0", 10**9, (10**9,), (1,))),
    "an empty tensor with a side of 2^40": state(a=tensor("0", 4, (2**40, 0), (1, 1))),
    "bytes of 64 GB": b"\x80\x04\x8e" + struct.pack("<Q", 2**36) + b"ab.",
    "text of 4 GB": b"\x80\x02X\xff\xff\xff\xffab.",
    "a byte array of 64 GB": b"\x80\x02cbuiltins\nbytearray\n" + whole(2**36) + b"\x85R.",
    "a tuple with too little": b"\x80\x02K\x01\x87.",
    "below a mark": b"\x80\x02K\x01(\x85.",
    "nothing in the memo": b"\x80\x02h\x05.",
    "an extension": b"\x80\x02\x82\x01.",
    "no end": b"\x80\x02K\x01",
    "a call of a number": b"\x80\x02K\x01)R.",
    "a call of code": b"\x80\x02cos\nsystem\n" + text("touch mark") + b"\x85R.",
    "an instance": b"\x80\x02(" + text("touch mark") + b"ios\nsystem\n.",
    "code by its text": b"\x80\x04" + text("os") + text("system") + b"\x93)R.",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(tmp_path, name):
    path = archive(tmp_path / "x.pth", HOSTILE[name], _0=bytes(16))
    begun = time.process_time()
    with pytest.raises(CheckpointError, match=r"x\.pth"):
        check_archive(path)
    assert time.process_time() - begun < 5


def test_steps_are_bounded(tmp_path, monkeypatch):
    path = archive(tmp_path / "x.pth", b"\x80\x02" + b"K\x010" * 3000 + b"N.")
    monkeypatch.setenv("REALDEG_MAX_STEPS", "5000")
    with pytest.raises(CheckpointError, match="more than 5,000 steps.*REALDEG_MAX_STEPS"):
        check_archive(path)
    monkeypatch.setenv("REALDEG_MAX_STEPS", "7000")
    check_archive(path)
    with pytest.raises(LimitError):
        Budget(3).spend(4)


def test_calls_cost_what_they_copy(tmp_path):
    made = b"\x80\x02](" + b"N" * 20_000 + b"e\x85q\x000"
    path = archive(tmp_path / "x.pth", made + b"ccollections\nCounter\nh\x00R0" * 2000 + b"N.")
    with pytest.raises(CheckpointError, match="REALDEG_MAX_STEPS"):
        check_archive(path)


class TestArchives:
    def test_unpacking_is_bounded(self, tmp_path, monkeypatch):
        path = tmp_path / "x.pth"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            out.writestr("archive/data.pkl", state(a=tensor("0", 4, (4,), (1,))))
            out.writestr("archive/data/0", bytes(100 * 2**20))
        with pytest.raises(CheckpointError, match=r"unpack to more than 67,108,864.*MAX_UNPACKED"):
            check_archive(path)
        monkeypatch.setenv("REALDEG_MAX_UNPACKED", str(2**28))
        check_archive(path)

    def test_two_of_one_name(self, tmp_path):
        path = archive(tmp_path / "x.pth", state(a=b"N"))
        with zipfile.ZipFile(path, "a") as out, pytest.warns(UserWarning, match="Duplicate"):
            out.writestr("archive/data.pkl", state(b=b"N"))
        with pytest.raises(CheckpointError, match="two files called"):
            check_archive(path)

    @pytest.mark.parametrize("name", ["/etc/data.pkl", "a/../../data.pkl"])
    def test_names_outside(self, tmp_path, name):
        path = tmp_path / "x.pth"
        with zipfile.ZipFile(path, "w") as out:
            out.writestr(name, state(a=b"N"))
        with pytest.raises(CheckpointError, match="outside of it"):
            check_archive(path)

    def test_a_directory_of_impossible_length(self, tmp_path):
        path = tmp_path / "x.pth"
        with zipfile.ZipFile(path, "w") as out:
            for number in range(3):
                out.writestr(f"archive/{'x' * 60_000}{number}", b"")
        entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 60_000) + bytes(16) + b"x" * 60_000
        directory = entry * 300
        end = b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 300, 300, len(directory), 0, 0)
        path.write_bytes(directory + end)
        with pytest.raises(CheckpointError, match="directory of impossible length"):
            check_archive(path)

    def test_torchscript_says_so(self, tmp_path):
        path = tmp_path / "x.pth"
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
        with pytest.raises(CheckpointError, match="TorchScript"):
            check_archive(path)

    def test_no_checksums(self, tmp_path):
        before = torch.serialization.get_crc32_options()
        torch.serialization.set_crc32_options(False)
        try:
            torch.save({"a": torch.ones(3)}, tmp_path / "x.pth")
        finally:
            torch.serialization.set_crc32_options(before)
        check_archive(tmp_path / "x.pth")

    def test_big_endian_numbers(self, tmp_path):
        path = archive(tmp_path / "x.pth", state(a=tensor("0", 2, (2,), (1,))), _0=bytes(8))
        with zipfile.ZipFile(path, "w") as out:
            out.writestr("archive/data.pkl", state(a=tensor("0", 2, (2,), (1,))))
            out.writestr("archive/data/0", struct.pack(">2f", 1.5, -2.0))
            out.writestr("archive/byteorder", b"big")
        with open_torch_file(path) as opened:
            assert opened.numbers(opened.tree["a"].storage).tolist() == [1.5, -2.0]


def test_the_reader_agrees_with_torch(training_state):
    """What the reader makes of every tensor is what torch.load gives."""
    wanted = torch.load(training_state, weights_only=True)
    with open_torch_file(training_state, strict=True) as opened:
        ref = opened.tree["view"]
        found = opened.numbers(ref.storage).as_strided(ref.shape, ref.stride, ref.offset)
        assert torch.equal(found, wanted["view"])
        assert opened.tree["meta"] == wanted["meta"]
        assert opened.tree["optimizer"]["param_groups"] == wanted["optimizer"]["param_groups"]


def test_every_opcode_of_protocol_5_is_known_or_refused():
    """Nothing but buffers and extensions is left out."""
    from realdeg.utils import pickles

    known = {name.upper().removeprefix("_DO_") for name in dir(pickles.PickleReader)}
    known |= pickles._PUSHED | pickles._NOTHING | set(pickles._TUPLES) | set(pickles._CONSTANTS)
    known |= set(pickles._EMPTY)
    known |= {"BINGET", "LONG_BINGET", "GET", "BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE", "MARK"}
    every = {opcode.name for opcode in pickletools.opcodes}
    assert every - known == {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}


def test_plain_data_of_every_protocol_come_back():
    import pickle

    from realdeg.utils.torch_pickle import reader

    data = {"a": [1, 2.5, None, True, "é", -(2**40)], 3: (1, (2,), {"x": []}), "b": b"xy"}
    for protocol in range(2, 6):
        stream = io.BytesIO(pickle.dumps(data, protocol))
        assert reader(Budget()).read(stream) == {**data, "b": data["b"] if protocol > 2 else "xy"}
