"""ONNX and torch.export give the picture of the network, or leave no file."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from realdeg.backbones import EDSR, ESPCN, IPT, IRCNNHQS, PixelRecursiveSR
from realdeg.backbones.parts.common import pad_to_multiple
from realdeg.backbones.parts.wavelet import even
from realdeg.backbones.running import predict_image
from realdeg.errors import ConfigError, DataError, OutputError
from realdeg.export import export_onnx, export_program, onnx, portable, program
from realdeg.ops import kernel_apply

FOLDER = Path(onnx.__file__).parent  # what a file says of the machine that made it
needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")),
    reason="the optional packages of realdeg[onnx] are absent",
)


@pytest.fixture(scope="module")
def model_of_espcn():
    """What is converted is the same for several tests, and takes seconds."""
    torch.manual_seed(0)
    network = ESPCN.example().eval()
    traced = program.traced(portable.portable(network), None, "onnx")
    return onnx._converted(traced, "ESPCN", None, onnx.OPSET)


@needs_onnx
class TestOnnx:
    def test_any_size_in_0_to_1(self, edsr, tmp_path):
        import numpy as np
        import onnxruntime

        done = export_onnx(edsr, tmp_path / "x.onnx")
        assert done.compared.difference < 1e-5 and len(done.compared.shapes) == 4
        assert {shape[0] for shape in done.compared.shapes} == {1, 2}
        session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
        (given,), (result,) = session.get_inputs(), session.get_outputs()
        assert given.name == "lr" and given.shape == ["batch", 3, "height", "width"]
        assert result.name == "sr" and result.shape == ["batch", 3, "2*height", "2*width"]
        lr = torch.rand(3, 3, 9, 31)
        found = session.run(None, {"lr": lr.numpy()})[0]
        assert np.abs(found - predict_image(edsr, lr).detach().numpy()).max() < 1e-5

    def test_metadata(self, espcn, tmp_path, model_of_espcn, monkeypatch):
        import onnxruntime

        monkeypatch.setattr(onnx, "_converted", lambda *rest: model_of_espcn)
        path = export_onnx(espcn, tmp_path / "x.onnx").path
        notes = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
        assert notes["type"] == "ESPCN" and notes["colour"] == "y" and notes["scale"] == "2"
        assert json.loads(notes["arguments"]) == espcn.arguments
        assert len(notes["hash"]) == 16
        assert str(FOLDER).encode() not in path.read_bytes()

    def test_an_opset_out_of_reach_is_no_other_one(self, model_of_espcn):
        with pytest.raises(ConfigError, match=rf"opset is 99, .* wrote {onnx.OPSET}"):
            onnx._check_opset(model_of_espcn, 99)

    def test_one_size(self, espcn, tmp_path):
        import onnxruntime

        done = export_onnx(espcn, tmp_path / "x.onnx", size=(10, 13))
        assert done.size == (10, 13)
        session = onnxruntime.InferenceSession(done.path)
        assert session.get_inputs()[0].shape == ["batch", 1, 10, 13]

    def test_another_picture_leaves_no_file(self, espcn, tmp_path, model_of_espcn, monkeypatch):
        monkeypatch.setattr(onnx, "_converted", lambda *rest: model_of_espcn)
        with torch.no_grad():
            espcn.get_parameter(next(iter(dict(espcn.named_parameters())))).add_(1)
        (tmp_path / "x.onnx").write_text("mine")
        with pytest.raises(OutputError, match=r"ESPCN .* differs from the network.* was not kept"):
            export_onnx(espcn, tmp_path / "x.onnx", overwrite=True)
        assert [file.name for file in tmp_path.iterdir()] == ["x.onnx"]
        assert (tmp_path / "x.onnx").read_text() == "mine"

    def test_a_wrong_shape_is_noticed(self, espcn, tmp_path):
        with pytest.raises(OutputError, match=r"returns \(2, 1, 5, 5\) for \(2, 1, 25, 28\)"):
            program.compare(
                espcn, lambda lr: torch.zeros(2, 1, 5, 5), None, tmp_path / "x", "onnxruntime"
            )

    def test_without_onnxruntime(self, espcn, tmp_path, model_of_espcn, monkeypatch):
        monkeypatch.setattr(onnx, "_converted", lambda *rest: model_of_espcn)
        monkeypatch.setattr(onnx, "has_onnxruntime", lambda: False)
        done = export_onnx(espcn, tmp_path / "x.onnx")
        assert done.compared is None and done.path.is_file()


def test_without_onnx(espcn, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'realdeg\[onnx\]'"):
        export_onnx(espcn, tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_an_old_opset(espcn, tmp_path):
    with pytest.raises(ConfigError, match="opset is 11"):
        export_onnx(espcn, tmp_path / "x.onnx", opset=11)


class TestProgram:
    def test_any_size_in_0_to_1(self, edsr, tmp_path):
        done = export_program(edsr, tmp_path / "x.pt2")
        assert done.compared.difference < 1e-5
        network = torch.export.load(done.path).module()
        for shape in ((1, 3, 9, 31), (3, 3, 8, 8)):
            lr = torch.rand(shape)
            torch.testing.assert_close(network(lr), predict_image(edsr, lr), rtol=0, atol=1e-5)

    def test_blocks_of_pixels_take_any_size(self, tmp_path):
        torch.manual_seed(0)
        network = EDSR(same_size=True, num_blocks=1, num_features=4).eval()
        assert network.size_multiple == 4
        done = export_program(network, tmp_path / "x.pt2")
        assert any(shape[2] % 4 for shape in done.compared.shapes)

    def test_the_same_file_twice_and_no_folder_in_it(self, espcn, tmp_path):
        first, second = (export_program(espcn, tmp_path / name) for name in ("a.pt2", "b.pt2"))
        assert first.sha256 == second.sha256
        with zipfile.ZipFile(first.path) as archive:
            content = b"".join(archive.read(name) for name in archive.namelist())
        assert str(FOLDER).encode() not in content and str(tmp_path).encode() not in content

    def test_no_operator_of_ours_is_left(self, espcn, tmp_path, monkeypatch):
        def forward(self, lr, *, scale=None, cond=None):
            return kernel_apply(lr, torch.ones_like(lr), torch.full((1, 3, 3), 0.1))

        monkeypatch.setattr(ESPCN, "forward", forward)
        monkeypatch.setattr(espcn, "same_size", True)
        done = export_program(espcn, tmp_path / "x.pt2")
        targets = {str(node.target) for node in torch.export.load(done.path).graph.nodes}
        assert not [name for name in targets if name.startswith("realdeg")]
        before = program.traced(portable.portable(espcn), None, "torch-export").graph.nodes
        assert [node for node in before if str(node.target).startswith("realdeg")]

    def test_another_picture_leaves_no_file(self, espcn, tmp_path, monkeypatch):
        monkeypatch.setattr(portable, "LARGEST_DIFFERENCE", -1.0)
        with pytest.raises(OutputError, match="was not kept"):
            export_program(espcn, tmp_path / "x.pt2")
        assert not list(tmp_path.iterdir())


def test_the_network_stays_as_it_is(espcn, tmp_path):
    espcn.train()
    wanted = {name: value.clone() for name, value in espcn.state_dict().items()}
    export_program(espcn, tmp_path / "x.pt2")
    assert espcn.training and all(p.requires_grad for p in espcn.parameters())
    assert all(torch.equal(value, wanted[name]) for name, value in espcn.state_dict().items())


@pytest.mark.parametrize("export", [export_onnx, export_program])
class TestRefusals:
    suffix = {"export_onnx": ".onnx", "export_program": ".pt2"}

    def target(self, export, tmp_path):
        return tmp_path / f"x{self.suffix[export.__name__]}"

    def test_tiles(self, export, tmp_path):
        with pytest.raises(ConfigError, match=r"IPT .* tiles .* size=\(H, W\)"):
            export(IPT.example(), self.target(export, tmp_path))
        assert not list(tmp_path.iterdir())

    def test_pixel_after_pixel(self, export, tmp_path):
        drawn = PixelRecursiveSR(**{**PixelRecursiveSR.example().arguments, "sampling": "draw"})
        with pytest.raises(ConfigError, match="PixelRecursiveSR .* sampling='one_pass'"):
            export(drawn, self.target(export, tmp_path))

    def test_a_condition(self, export, espcn, tmp_path):
        espcn.needs = ("cond",)
        with pytest.raises(ConfigError, match="ESPCN .* needs cond"):
            export(espcn, self.target(export, tmp_path))

    def test_no_graph(self, export, espcn, tmp_path, monkeypatch):
        monkeypatch.setattr(onnx, "find_spec", lambda name: name)

        def forward(lr, *, scale=None, cond=None):
            return lr if float(lr.sum()) > 0 else -lr

        monkeypatch.setattr(espcn, "forward", forward)
        with pytest.raises(ConfigError, match="ESPCN cannot be exported to .* no graph"):
            export(espcn, self.target(export, tmp_path))
        assert not list(tmp_path.iterdir())

    def test_size(self, export, espcn, tmp_path):
        with pytest.raises(ConfigError, match="1 or more"):
            export(espcn, self.target(export, tmp_path), size=(0, 5))

    def test_suffix(self, export, espcn, tmp_path):
        with pytest.raises(OutputError, match="change its suffix"):
            export(espcn, tmp_path / "x.safetensors")


def test_spectra_are_not_for_onnx(tmp_path):
    network = IRCNNHQS.example()
    assert network.arguments["form"] != "back_projection"
    with pytest.raises(ConfigError, match="IRCNNHQS cannot be exported to onnx: .* spectra"):
        export_onnx(network, tmp_path / "x.onnx")


def test_a_branch_on_the_size_says_so(espcn, tmp_path, monkeypatch):
    def forward(lr, *, scale=None, cond=None):
        return lr * int(lr.shape[-1])

    monkeypatch.setattr(espcn, "forward", forward)
    with pytest.raises(ConfigError, match=r"depends on the image size.* size=\(H, W\)"):
        export_program(espcn, tmp_path / "x.pt2")


class TestDecompositions:
    @pytest.mark.parametrize("size", [(7, 7), (3, 20), (13, 8), (50, 49)])
    @pytest.mark.parametrize("grid", [(1, 1), (7, 7), (2, 5)])
    def test_pooling(self, size, grid):
        x = torch.rand(2, 3, *size)
        found = onnx._pool_to_grid(x, grid)
        torch.testing.assert_close(found, F.adaptive_avg_pool2d(x, grid))

    def test_remainder(self):
        x = torch.arange(-9, 10)
        assert torch.equal(onnx._remainder(x, 4), torch.remainder(x, 4))


class Padded(nn.Module):
    def __init__(self, pad):
        super().__init__()
        self.pad = pad

    def forward(self, x):
        return self.pad(x)


@pytest.mark.parametrize("pad", [lambda x: pad_to_multiple(x, 4), even], ids=["multiple", "even"])
def test_padding_for_sizes_that_are_symbols(pad):
    sides = {0: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    found = torch.export.export(
        Padded(pad), (torch.rand(2, 1, 9, 14),), dynamic_shapes={"x": sides}, strict=False
    )
    program._drop_guards(found)
    for size in ((9, 14), (8, 8), (5, 7), (6, 12)):
        x = torch.rand(2, 1, *size)
        assert torch.equal(found.module()(x), pad(x))


def test_weights_that_are_not_finite_are_not_exported(tmp_path):
    network = ESPCN.example().eval()
    torch.nn.init.constant_(next(network.parameters()), float("nan"))
    with pytest.raises(DataError, match="NaN or infinity"):
        export_program(network, tmp_path / "x.pt2")
    assert not list(tmp_path.iterdir())
