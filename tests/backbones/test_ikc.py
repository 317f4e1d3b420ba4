"""SFTMD and IKC: steps against plain formulas, codes, files, and how IKC holds an SFTMD."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg import create_backbone
from realdeg.backbones import IKC, SFTMD, load_weights
from realdeg.degradations import BlurDown
from realdeg.degradations.primitives.kernel_code import gaussian_pca
from realdeg.degradations.primitives.kernels import delta_kernel, gaussian_kernel
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.tasks import SuperResolution
from realdeg.utils.component import save_component
from tests.backbones.judging import on_meta, parameters, shapes
from tests.tasks.test_tasks import _batch


def small(cls=SFTMD, **settings):
    torch.manual_seed(0)
    return cls(**dict(cls.example_arguments) | settings).eval()


def conv(state, name, x, padding=1, stride=1):
    return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride, padding)


def leaky(x):
    return F.leaky_relu(x, 0.2)


def sft(state, name, x, told):
    both = torch.cat([x, told], 1)
    factor = conv(state, f"{name}.mul_conv2", leaky(conv(state, f"{name}.mul_conv1", both)))
    shift = conv(state, f"{name}.add_conv2", leaky(conv(state, f"{name}.add_conv1", both)))
    return x * torch.sigmoid(factor) + shift


def slow_sftmd(state, lr, code, steps):
    """The paper's network, from its tensors."""
    told = code[:, :, None, None].expand(-1, -1, *lr.shape[-2:])
    first = conv(state, "conv2", leaky(conv(state, "conv1", lr)))
    first = x = conv(state, "conv3", leaky(first))
    for index in (1, 2):
        name = f"SFT-residual{index}"
        y = conv(state, f"{name}.conv1", sft(state, f"{name}.sft1", x, told).relu())
        x = x + conv(state, f"{name}.conv2", sft(state, f"{name}.sft2", y, told).relu())
    x = conv(state, "conv_mid", sft(state, "sft", x + first, told))
    for index, step in enumerate(steps):
        x = leaky(F.pixel_shuffle(conv(state, f"upscale.{3 * index}", x), step))
    return conv(state, "conv_output", x, 4)


@pytest.mark.parametrize(("scale", "steps"), [(2, [2]), (3, [3]), (4, [2, 2])])
def test_sftmd(scale, steps):
    network = small(scale=scale).double()
    lr, code = torch.rand(2, 3, 5, 4).double(), torch.rand(2, 3).double()
    with torch.no_grad():
        found = network(lr, cond=code)
    torch.testing.assert_close(found, slow_sftmd(network.state_dict(), lr, code, steps))


def test_ikc():
    """The predictor's code, and two corrections by the restorer's images."""
    network = small(IKC).double()
    lr = torch.rand(2, 3, 6, 5).double()
    with torch.no_grad():
        made = network(lr)
        state = network.predictor.state_dict()
        x = lr
        for index, stride in enumerate((1, 1, 1, 2, 1, 1)):
            x = leaky(conv(state, f"ConvNet.{2 * index}", x, 2, stride))
        code = x.mean((-2, -1))
        state, restorer = network.corrector.state_dict(), network.restorer.state_dict()
        codes, images = [code], [slow_sftmd(restorer, lr, code, [2])]
        for _ in range(2):
            x = images[-1].clamp(0, 1)
            for index, stride in enumerate((1, 2, 1, 2, 1, 1, 1)):
                x = leaky(conv(state, f"ConvNet.{2 * index}", x, 2, stride))
            told = code
            for index in (0, 2):
                weight, bias = (state[f"code_dense.{index}.{n}"] for n in ("weight", "bias"))
                told = leaky(told @ weight.T + bias)
            x = torch.cat([x, told[:, :, None, None].expand_as(x)], 1)
            for index in (0, 2):
                x = leaky(conv(state, f"global_dense.{index}", x, 0))
            code = code + conv(state, "global_dense.4", x, 0).mean((-2, -1))
            codes.append(code)
            images.append(slow_sftmd(restorer, lr, code, [2]))
    torch.testing.assert_close(made.aux["estimates"], torch.stack(codes, 1))
    torch.testing.assert_close(made.aux["images"], torch.stack(images, 1))
    assert torch.equal(made.sr, made.aux["images"][:, -1]) and network.rounds == 3


def test_sizes():
    assert [parameters(on_meta(SFTMD, scale=s)) for s in (2, 3, 4)] == [4086979, 4271619, 4234691]
    assert [parameters(on_meta(IKC, scale=s)) for s in (2, 3, 4)] == [5167639, 5352279, 5315351]
    found = shapes(on_meta(IKC))
    assert found["restorer.SFT-residual16.sft2.add_conv1.weight"] == (32, 74, 3, 3)
    assert found["restorer.basis"] == (10, 441)
    assert found["predictor.ConvNet.10.weight"] == (10, 64, 5, 5)
    assert found["corrector.global_dense.0.weight"] == (128, 128, 1, 1)


class TestCodes:
    def test_codes_and_kernels(self):
        network = small(kernel_size=9, code_length=6)
        basis, mean = gaussian_pca(9, 6, (0.2, 2.0))
        kernel = gaussian_kernel(9, 1.1)
        code = network.encode(kernel)
        torch.testing.assert_close(code, (basis @ kernel.flatten()).float())
        inner = gaussian_kernel(5, 0.6)
        torch.testing.assert_close(network.encode(inner), network.encode(F.pad(inner, (2,) * 4)))
        assert (network.decode(code[None])[0] - kernel).abs().max() < 0.02
        ikc = small(IKC, kernel_size=9, code_length=6)
        found = ikc.kernel_of(ikc.target_of({"kernel": kernel})[None])
        assert found.shape == (1, 1, 9, 9) and float(found.sum()) == pytest.approx(1)
        assert (found[0, 0] - kernel).abs().max() < 0.03

    def test_nothing_stands_for_no_blur(self):
        network, lr = small(), torch.rand(2, 3, 5, 4)
        told = network.encode(delta_kernel(5))
        torch.testing.assert_close(network(lr), network(lr, cond=told[None]))
        torch.testing.assert_close(network.condition_of({}), told)

    def test_bad_ones(self):
        network, lr = small(), torch.rand(2, 3, 5, 4)
        for kernel in (torch.ones(4, 4) / 16, torch.ones(7, 7) / 49, torch.ones(3, 5) / 15):
            with pytest.raises(GeometryError, match="square kernels with an odd side of at most 5"):
                network.encode(kernel)
        with pytest.raises(GeometryError, match="sums to 9.0000: divide it by its sum"):
            network.encode(torch.ones(3, 3))
        for shape in ((2, 4), (3, 3), (3,), (2, 3, 5), (2, 3, 4, 4), (2, 4, 5, 4)):
            with pytest.raises(GeometryError, match=r"code, \(B or 1, 3\)"):
                network(lr, cond=torch.zeros(shape))
        with pytest.raises(ConfigError, match="have 9 weights: take a shorter code"):
            small(kernel_size=3, code_length=10)
        with pytest.raises(GeometryError, match="scale"):
            small(scale=8)


class TestFiles:
    def test_an_authors_file(self, tmp_path):
        """Without the basis, and with the branch that they do not use."""
        network = small(kernel_size=21)
        state = network.state_dict()
        del state["basis"], state["mean_kernel"]
        state["sft_branch.0.conv1.weight"] = torch.zeros(4, 4, 3, 3)
        torch.save(state, tmp_path / "latest_G.pth")
        found = create_backbone("SFTMD", weights=tmp_path / "latest_G.pth").eval()
        assert found.arguments["num_blocks"] == 2 and found.scale == 2
        lr, code = torch.rand(1, 3, 5, 4), torch.rand(1, 3)
        with torch.no_grad():
            assert torch.equal(found(lr, cond=code), network(lr, cond=code))
        with pytest.raises(CheckpointError, match="basis of these SFTMD weights is unknown"):
            found.encode(gaussian_kernel(21, 1.0))
        with pytest.raises(CheckpointError, match="num_blocks=2 and this network num_blocks=3"):
            load_weights(small(kernel_size=21, num_blocks=3), tmp_path / "latest_G.pth")

    def test_ikc_starts_from_an_sftmd(self, tmp_path):
        network, path = small(), tmp_path / "sftmd.safetensors"
        arguments = network.arguments
        save_component(path, network, kind="backbone", type="SFTMD", arguments=arguments, meta={})
        cfg = dict(IKC.example_arguments) | {"type": "IKC", "start_from": {"checkpoint": str(path)}}
        found = create_backbone(cfg)
        own = found.restorer.state_dict()
        assert all(torch.equal(own[name], value) for name, value in network.state_dict().items())
        with pytest.raises(CheckpointError, match="num_blocks"):
            create_backbone(cfg | {"num_blocks": 3})

    def test_its_own_file(self, tmp_path):
        network = small(IKC)
        torch.save(network.state_dict(), tmp_path / "own.pth")
        found = create_backbone({"type": "IKC", "corrections": 2}, weights=tmp_path / "own.pth")
        lr = torch.rand(1, 3, 5, 4)
        with torch.no_grad():
            assert torch.equal(found.eval()(lr).sr, network(lr).sr)


def test_sftmd_is_told_what_was_drawn():
    network = small(kernel_size=21)
    degradation = BlurDown(2, kind="IKC")
    task, batch = SuperResolution(network, degradation), _batch((False, False))
    cond = task.condition(batch)
    for code, trace in zip(cond, degradation.sample(batch["hr"], batch["seeds"]), strict=True):
        torch.testing.assert_close(code, network.encode(degradation.condition(trace)["kernel"]))
    assert not torch.equal(cond[0], cond[1])
