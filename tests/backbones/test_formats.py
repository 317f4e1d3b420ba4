"""Files of other programs, written here byte by byte, and damaged ones."""

from __future__ import annotations

import argparse
import random
import struct
import zipfile

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch import nn

from realdeg.backbones import IRCNN, load_weights, read_weights
from realdeg.backbones.formats import read_caffe, read_matconvnet, read_pickled
from realdeg.errors import CheckpointError


def varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def blob(values: torch.Tensor, legacy: bool, packed: bool = True) -> bytes:
    if legacy:
        sizes = (1,) * (4 - values.ndim) + tuple(values.shape)
        shape = b"".join(varint(n << 3) + varint(size) for n, size in enumerate(sizes, 1))
    else:
        shape = message(7, message(1, b"".join(varint(size) for size in values.shape)))
    numbers = [struct.pack("<f", float(value)) for value in values.reshape(-1)]
    if packed:
        return shape + message(5, b"".join(numbers))
    return shape + b"".join(varint(5 << 3 | 5) + number for number in numbers)


def layer(name: str, kind: str, blobs: list[bytes], v1: bool) -> bytes:
    if v1:
        text = message(4, name.encode()) + varint(5 << 3) + varint(4)
        return message(2, text + b"".join(message(6, b) for b in blobs))
    text = message(1, name.encode()) + message(2, kind.encode())
    return message(100, text + b"".join(message(7, b) for b in blobs))


@pytest.fixture
def tensors() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(4, 2, 3, 3), torch.randn(4)


class TestCaffe:
    @pytest.mark.parametrize("v1", [False, True])
    @pytest.mark.parametrize("packed", [False, True])
    def test_layers(self, tmp_path, tensors, v1, packed):
        weight, bias = tensors
        blobs = [blob(weight, v1, packed), blob(bias, v1, packed)]
        path = tmp_path / "net.caffemodel"
        net = message(1, b"net") + layer("data", "HDF5Data", [], v1)
        path.write_bytes(net + layer("conv1", "Convolution", blobs, v1))
        found = read_weights(path)
        assert list(found) == ["conv1.weight", "conv1.bias"]
        assert torch.equal(found["conv1.weight"], weight)
        assert torch.equal(found["conv1.bias"], bias)

    def test_batch_norm_is_divided_by_its_factor(self, tmp_path):
        values = [torch.tensor([2.0, 4.0]), torch.tensor([6.0, 8.0]), torch.tensor([2.0])]
        path = tmp_path / "net.caffemodel"
        path.write_bytes(layer("bn", "BatchNorm", [blob(v, False) for v in values], False))
        found = read_caffe(path)
        assert torch.equal(found["bn.running_mean"], torch.tensor([1.0, 2.0]))
        assert torch.equal(found["bn.running_var"], torch.tensor([3.0, 4.0]))

    def test_damaged(self, tmp_path, tensors):
        path = tmp_path / "net.caffemodel"
        whole = layer("conv1", "Convolution", [blob(tensors[0], False)], False)
        wrong = message(7, message(1, varint(5))) + message(5, bytes(8))  # 5 numbers, 2 stored
        huge = message(7, message(1, varint(2**62) + varint(2**62)))
        cases = [b"", b"plain text, no network", whole[:-5], whole[:20], b"\xff" * 40]
        cases += [layer("a", "Convolution", [part], False) for part in (wrong, huge)]
        cases += [whole + whole, message(100, varint(7 << 3) + varint(3)), b"\x0b\x0c"]
        for content in cases:
            path.write_bytes(content)
            with pytest.raises(CheckpointError, match="caffemodel"):
                read_caffe(path)

    def test_any_bytes_end_in_our_error(self, tmp_path, tensors):
        noise = random.Random(0)
        path = tmp_path / "net.caffemodel"
        whole = layer("c", "Convolution", [blob(tensors[1], False)], False)
        for _ in range(200):
            content = bytearray(whole)
            for _ in range(3):
                content[noise.randrange(len(content))] = noise.randrange(256)
            path.write_bytes(content)
            try:
                read_caffe(path)
            except CheckpointError:
                pass


def cell(items: list) -> np.ndarray:
    out = np.empty((1, len(items)), dtype=object)
    for index, item in enumerate(items):
        out[0, index] = item
    return out


def filters(weight: torch.Tensor) -> np.ndarray:
    """Store as MATLAB does: height x width x in x out, without trailing ones."""
    array = weight.permute(2, 3, 1, 0).numpy()
    while array.ndim > 2 and array.shape[-1] == 1:
        array = array[..., 0]
    return array


class TestMatConvNet:
    def test_graph(self, tmp_path, tensors):
        weight, bias = tensors
        last = torch.randn(1, 4, 3, 3)
        values = {
            "conv1_f": filters(weight),
            "conv1_b": bias.numpy()[None],
            "last_f": filters(last),
            "img_up_f": filters(torch.ones(1, 1, 4, 4)),
        }
        params = np.zeros((1, 4), dtype=[("name", object), ("value", object)])
        for index, pair in enumerate(values.items()):
            params[0, index] = pair
        layers = np.zeros((1, 1), dtype=[("name", object), ("params", object)])
        layers[0, 0] = ("conv1", cell(["conv1_f", "conv1_b"]))
        savemat(tmp_path / "net.mat", {"net": {"params": params, "layers": layers}, "stats": 1.0})
        found = read_weights(tmp_path / "net.mat")
        assert torch.equal(found["conv1_f"], weight) and torch.equal(found["conv1_b"], bias)
        assert torch.equal(found["last_f"], last)
        assert found["img_up_f"].shape == (1, 1, 4, 4)

    @pytest.mark.parametrize("old", [False, True])
    def test_chain_and_cells_of_chains(self, tmp_path, tensors, old):
        weight, bias = tensors
        pair = (filters(weight), bias.numpy()[:, None])
        arrays = {"filters": pair[0], "biases": pair[1]} if old else {"weights": cell(list(pair))}
        chain = cell([{"type": "conv", **arrays}, {"type": "relu"}, {"type": "conv", **arrays}])
        savemat(tmp_path / "chain.mat", {"net": {"layers": chain}})
        found = read_matconvnet(tmp_path / "chain.mat")
        names = [f"model.{i}.{kind}" for i in (0, 2) for kind in ("weight", "bias")]
        assert list(found) == names
        assert torch.equal(found["model.2.weight"], weight)
        assert torch.equal(found["model.2.bias"], bias)
        for cells in (cell([chain, chain]), cell([{"layers": chain}, {"layers": chain}])):
            savemat(tmp_path / "cells.mat", {"CNNdenoiser": cells})
            found = read_matconvnet(tmp_path / "cells.mat")
            assert list(found) == [f"{i}.{name}" for i in (0, 1) for name in names]

    def test_names_of_a_chain(self, tmp_path, tensors):
        weights = cell([filters(tensors[0]), tensors[1].numpy()[None]])
        for name, found in (("conv1", "conv1.weight"), ("layer1", "model.0.weight")):
            chain = cell([{"name": name, "type": "conv", "weights": weights}])
            savemat(tmp_path / "net.mat", {"net": {"layers": chain}})
            assert next(iter(read_matconvnet(tmp_path / "net.mat"))) == found

    def test_others(self, tmp_path):
        path = tmp_path / "w.mat"
        savemat(path, {"image": np.zeros((3, 3))})
        with pytest.raises(CheckpointError, match="no MatConvNet network .found image"):
            read_weights(path)
        savemat(path, {"net": {"params": np.zeros((1, 2))}})
        with pytest.raises(CheckpointError, match="w.mat"):
            read_weights(path)
        path.write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(200))
        with pytest.raises(CheckpointError, match="-v7"):
            read_weights(path)

    def test_damaged(self, tmp_path, tensors):
        path = tmp_path / "w.mat"
        savemat(path, {"net": {"layers": cell([{"weights": cell([filters(tensors[0])])}])}})
        whole = path.read_bytes()
        for content in (b"", b"nothing", whole[:150], whole[:-30], whole[:130] + bytes(300)):
            path.write_bytes(content)
            with pytest.raises(CheckpointError, match="w.mat"):
                read_matconvnet(path)


class Net(nn.Module):
    """A network with everything that state_dict treats in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        self.tied = self.body[0].weight
        self.register_buffer("kept", torch.arange(4.0)[1:3])
        self.register_buffer("passing", torch.ones(2), persistent=False)
        self.register_parameter("absent", None)
        self.settings = argparse.Namespace(lr=0.1)


class Evil:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *args) -> None:
        self.call = (function, args)

    def __reduce__(self):
        return self.call


class TestPickled:
    @pytest.mark.parametrize("legacy", [False, True])
    def test_a_network_gives_its_state_dict(self, tmp_path, legacy):
        net = Net().half()
        torch.save(
            nn.DataParallel(net), tmp_path / "net.pth", _use_new_zipfile_serialization=not legacy
        )
        found, wanted = read_weights(tmp_path / "net.pth"), net.state_dict()
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)
        assert all(found[name].dtype == wanted[name].dtype for name in wanted)

    def test_what_stands_beside_the_tensors(self, tmp_path):
        optimiser = torch.optim.Adam(Net().parameters())
        content = {"state_dict": Net().state_dict(), "args": argparse.Namespace(a=1), "best": 3.5}
        torch.save({**content, "optimizer": optimiser.state_dict()}, tmp_path / "ckpt.pth")
        found = read_pickled(tmp_path / "ckpt.pth")
        assert found["best"] == 3.5 and found["args"] is None
        assert read_weights(tmp_path / "ckpt.pth").keys() == Net().state_dict().keys()

    @pytest.mark.parametrize("legacy", [False, True])
    def test_nothing_is_called(self, tmp_path, legacy):
        mark = tmp_path / "mark"
        evils = [
            Evil(mark.write_text, "ran"),
            Evil(eval, f"open({str(mark)!r}, 'w')"),
            Evil(__import__, "this"),
            Evil(torch.load, str(mark)),
            Evil(setattr, Net, "forward", None),
        ]
        before = Net.forward
        for evil in evils:
            path = tmp_path / "evil.pth"
            settings = {"_use_new_zipfile_serialization": not legacy}
            torch.save({"state_dict": Net().state_dict(), "x": evil}, path, **settings)
            try:
                read_weights(path)
            except CheckpointError:
                pass
        assert not mark.exists() and Net.forward is before

    def test_our_own_functions_cannot_be_changed(self, tmp_path):
        path = tmp_path / "evil.pth"
        for name in (b"ctorch._utils\n_rebuild_tensor_v2\n", b"ccollections\nOrderedDict\n"):
            pickled = b"\x80\x02" + name + b"}(X\x01\x00\x00\x00aK\x01ub."
            pickled_slots = b"\x80\x02" + name + b"N}(X\x01\x00\x00\x00aK\x01u\x86b."
            for content in (pickled, pickled_slots):
                with zipfile.ZipFile(path, "w") as archive:
                    archive.writestr("archive/data.pkl", content)
                with pytest.raises(CheckpointError, match="given a state"):
                    read_pickled(path)

    def test_tensors_stay_within_their_storage(self, tmp_path):
        path = tmp_path / "w.pth"
        torch.save({"m": Net(), "x": torch.zeros(3, 2)}, path)
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        pickled = next(name for name in parts if name.endswith("data.pkl"))
        assert parts[pickled].count(b"K\x03K\x02\x86") == 1
        parts[pickled] = parts[pickled].replace(b"K\x03K\x02\x86", b"K\xffK\x02\x86")
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        with pytest.raises(CheckpointError, match="beyond its storage"):
            read_pickled(path)

    @pytest.mark.filterwarnings("ignore:Detected pickle protocol")
    @pytest.mark.parametrize("legacy", [False, True])
    def test_any_bytes_end_in_our_error(self, tmp_path, legacy):
        noise = random.Random(0)
        path = tmp_path / "w.pth"
        torch.save(nn.Linear(2, 2), path, _use_new_zipfile_serialization=not legacy)
        whole = path.read_bytes()
        for number in range(150):
            content = bytearray(whole)
            for _ in range(2):
                content[noise.randrange(min(len(content), 900))] = noise.randrange(256)
            path.write_bytes(content if number % 3 else content[: noise.randrange(len(content))])
            try:
                read_weights(path)
            except CheckpointError:
                pass

    def test_lists_of_lists_do_not_explode(self, tmp_path):
        tree: list = [1]
        for _ in range(60):
            tree = [tree, tree]
        torch.save({"tree": tree, "m": Net()}, tmp_path / "w.pth")
        assert read_weights(tmp_path / "w.pth").keys() == Net().state_dict().keys()


def test_a_cell_of_denoisers_fills_ircnn(tmp_path):
    source = IRCNN(width=4, sigma=4)

    def chain(network: IRCNN) -> np.ndarray:
        layers: list[dict] = []
        for part in network.model:
            layers.append({"type": "relu"})
            if isinstance(part, nn.Conv2d):
                pair = [filters(part.weight.detach()), part.bias.detach().numpy()]
                layers[-1] = {"type": "conv", "weights": cell(pair)}
        return cell(layers)

    both = cell([chain(IRCNN(width=4)), chain(source)])
    savemat(tmp_path / "modelgray.mat", {"CNNdenoiser": both})
    target = IRCNN(width=4, sigma=4)
    load_weights(target, tmp_path / "modelgray.mat")
    assert all(torch.equal(v, source.state_dict()[k]) for k, v in target.state_dict().items())
