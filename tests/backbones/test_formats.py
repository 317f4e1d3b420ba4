"""Files of other programs, written here byte by byte, and damaged ones."""

from __future__ import annotations

import argparse
import random
import struct
import time
import zipfile

import numpy as np
import pytest
import scipy.sparse
import torch
from safetensors.torch import save_file
from scipy.io import savemat
from torch import nn

from realdeg.backbones import IRCNN, VDSR, load_weights, read_weights
from realdeg.backbones.formats import read_caffe, read_matconvnet, read_pickled
from realdeg.errors import CheckpointError
from tests.utils.foreign import (
    array,
    blob,
    cell,
    element,
    filters,
    layer,
    mat,
    message,
    nested,
    packed,
    varint,
)
from tests.utils.hostile import archive, nested_modules, state, tensor


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

    def test_an_empty_blob_of_impossible_shape(self, tmp_path):
        path = tmp_path / "net.caffemodel"
        for sizes in ((0, *[2**31 - 1] * 7), (0, 2**62)):
            empty = message(7, message(1, b"".join(map(varint, sizes))))
            path.write_bytes(layer("a", "Convolution", [empty], False))
            with pytest.raises(CheckpointError, match="impossible shape"):
                read_caffe(path)

    def test_fields_are_bounded(self, tmp_path, monkeypatch):
        path = tmp_path / "net.caffemodel"
        path.write_bytes(varint(7 << 3) + bytes(1) + varint(7 << 3) + bytes(1))
        monkeypatch.setenv("REALDEG_MAX_STEPS", "1")
        with pytest.raises(CheckpointError, match="more than 1 steps"):
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


class TestHostileMatlab:
    """What SciPy alone would take memory or the stack for."""

    CASES = {
        "unpacks": mat(packed(array(6, (2**27, 1), element(2, bytes(2**27)), name="a"))),
        "nested": mat(packed(nested(20_000))),
        "cells": mat(array(1, (2**30, 1), name="a")),
        "structs": mat(array(2, (2**30, 1), element(5, b"\1\0\0\0"), element(1, b"a"), name="a")),
        "text": mat(array(4, (1, 2**30), element(4, b""), name="a")),
        "numbers": mat(array(6, (2**30, 1), element(9, bytes(8)), name="a")),
        "negative": mat(array(6, (-1, -8), element(9, bytes(64)), name="a")),
        "long": mat(struct.pack("<2I", 14, 2**32 - 1)),
        "fields": mat(array(2, (0, 0), element(5, b"\1\0\0\0"), element(1, b"a" * 10_000))),
        "wide": mat(array(2, (0, 0), element(5, b"\0\0\0\0"), element(1, b"a" * 8), name="a")),
        "cut": mat(packed(array(6, (1, 1), element(9, bytes(8)), name="a"))[:-9]),
        "matlab 4": bytes(20),
    }

    @pytest.mark.parametrize("name", CASES)
    def test_refused(self, tmp_path, name):
        path = tmp_path / "w.mat"
        path.write_bytes(self.CASES[name])
        begun = time.process_time()
        with pytest.raises(CheckpointError, match=r"w\.mat"):
            read_weights(path)
        assert time.process_time() - begun < 5

    def test_elements_are_bounded(self, tmp_path, monkeypatch):
        path = tmp_path / "w.mat"
        path.write_bytes(mat(array(1, (50, 1), *[element(14, b"")] * 50, name="a")))
        monkeypatch.setenv("REALDEG_MAX_STEPS", "50")
        with pytest.raises(CheckpointError, match="more than 50 steps.*REALDEG_MAX_STEPS"):
            read_weights(path)

    def test_the_bound_on_unpacking_can_be_set(self, tmp_path, monkeypatch):
        path = tmp_path / "w.mat"
        savemat(path, {"image": np.zeros((300, 300))}, do_compression=True)
        monkeypatch.setenv("REALDEG_MAX_UNPACKED", "1000")
        with pytest.raises(CheckpointError, match="more than 1,000;.*REALDEG_MAX_UNPACKED"):
            read_weights(path)

    def test_what_no_network_is_made_of_is_left_out(self, tmp_path, tensors):
        path = tmp_path / "w.mat"
        weights = cell([filters(tensors[0]), tensors[1].numpy()[None]])
        chain = {"layers": cell([{"type": "conv", "weights": weights}])}
        for packing in (False, True):
            stranger = scipy.sparse.csc_array(np.eye(3))
            savemat(path, {"aaa": stranger, "net": chain}, do_compression=packing)
            assert list(read_weights(path)) == ["model.0.weight", "model.0.bias"]

    @pytest.mark.parametrize("packing", [False, True])
    def test_any_bytes_end_in_our_error(self, tmp_path, tensors, packing):
        noise, path = random.Random(0), tmp_path / "w.mat"
        weights = cell([filters(tensors[0]), tensors[1].numpy()[None]])
        layers = cell([{"name": "conv1", "type": "conv", "weights": weights}])
        savemat(path, {"net": {"layers": layers, "meta": "text"}}, do_compression=packing)
        whole = path.read_bytes()
        for _ in range(200):
            content = bytearray(whole)
            for _ in range(2):
                content[noise.randrange(120, len(content))] = noise.randrange(256)
            path.write_bytes(content)
            try:
                read_weights(path)
            except CheckpointError:
                pass


class TestCaffeVdsr:
    """The two forms of huangzehao/caffe-vdsr: a struct of two cells, and layers conv1 to conv20."""

    @pytest.fixture
    def network(self):
        torch.manual_seed(1)
        return VDSR(depth=4, width=3)

    def convolutions(self, network):
        return [network.input, *(part.conv for part in network.residual_layer), network.output]

    def test_mat(self, tmp_path, network):
        layers = self.convolutions(network)
        model = {
            "weight": cell([filters(each.weight.detach()) for each in layers]),
            "bias": cell([each.bias.detach().numpy()[:, None] for each in layers]),
        }
        savemat(tmp_path / "VDSR_Official.mat", {"model": model})
        self.check(tmp_path / "VDSR_Official.mat", network)

    def test_caffemodel_lies_on_its_side(self, tmp_path, network):
        content = b""
        for number, each in enumerate(self.convolutions(network), 1):
            weight = each.weight.detach().transpose(2, 3).contiguous()
            blobs = [blob(weight, False), blob(each.bias.detach(), False)]
            content += layer(f"conv{number}", "Convolution", blobs, False)
        (tmp_path / "VDSR_Adam.caffemodel").write_bytes(content)
        self.check(tmp_path / "VDSR_Adam.caffemodel", network)

    def check(self, path, network):
        found = VDSR(depth=4, width=3)
        assert load_weights(found, path) == []
        wanted = network.state_dict()
        assert all(torch.equal(value, wanted[name]) for name, value in found.state_dict().items())
        with pytest.raises(CheckpointError, match="depth=4 and this network depth=6"):
            load_weights(VDSR(depth=6, width=3), path)


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

    def test_modules_of_shared_modules_do_not_explode(self, tmp_path):
        path = archive(tmp_path / "w.pth", nested_modules(40, with_tensor=False))
        with pytest.raises(CheckpointError, match="holds no state dict"):
            read_weights(path)
        path = archive(tmp_path / "w.pth", nested_modules(60, with_tensor=True), _0=bytes(16))
        begun = time.process_time()
        with pytest.raises(CheckpointError, match="share modules until"):
            read_weights(path)
        assert time.process_time() - begun < 5
        # A recursive network shares its blocks, and each place has a name.
        path = archive(tmp_path / "w.pth", nested_modules(5, with_tensor=True), _0=bytes(16))
        assert len(read_weights(path)) == 32

    def test_numbers_that_are_shared_are_bounded(self, tmp_path):
        names = {f"w{n}": tensor("0", 2**20, (2**20,), (1,)) for n in range(100)}
        path = archive(tmp_path / "w.pth", state(**names), _0=bytes(2**22))
        with pytest.raises(CheckpointError, match="are shared by tensors of"):
            read_weights(path)

    @pytest.mark.parametrize("name", ["a\x1b[2Jb", "x" * 600, "two\nlines"])
    def test_names_that_no_network_has(self, tmp_path, name):
        for suffix, write in ((".pth", torch.save), (".safetensors", save_file)):
            path = tmp_path / f"w{suffix}"
            write({name: torch.ones(2), "b": torch.ones(1)}, path)
            with pytest.raises(CheckpointError) as caught:
                read_weights(path)
            assert str(caught.value).isprintable() and len(str(caught.value)) < 400

    def test_training_states_say_what_they_are(self, tmp_path):
        path = tmp_path / "w.state"
        optimiser = torch.optim.Adam(Net().parameters()).state_dict()
        basicsr = {"epoch": 1, "iter": 500, "optimizers": [optimiser], "schedulers": [{}]}
        torch.save(basicsr, path)
        with pytest.raises(
            CheckpointError, match=r"BasicSR training run, iteration 500.*no weights.*net_g_"
        ):
            read_weights(path)
        torch.save(optimiser, path)
        with pytest.raises(CheckpointError, match="state of an optimiser and no weights"):
            read_weights(path)

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
