"""Networks that take a map of the degradation are told an estimated kernel at every pixel."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
import torch

from realdeg import super_resolve
from realdeg.apis import SuperResolver
from realdeg.apis.told import Teller, Told
from realdeg.backbones import SFTMD, SRMD, USRNet
from realdeg.degradations.estimation import (
    AdaptiveKernelBasis,
    KernelEstimate,
    KernelEstimator,
    KernelField,
    representatives,
)
from realdeg.degradations.primitives.kernels import gaussian_kernel
from realdeg.degradations.primitives.reduction_kernels import blur_and_reduce
from realdeg.errors import GeometryError
from realdeg.utils.component import save_component
from realdeg.utils.image import read_image, write_image

SIZE = (40, 46)
WIDTHS = ((0.8, 0.8, 0.0), (2.2, 1.1, 0.6))
# A field, and images of float: nothing is rounded.
PIXELS = np.random.default_rng(3).random((*SIZE, 3), np.float32)


class Known(KernelEstimator):
    """Finds what it was given."""

    def __init__(self, field: KernelField | None, kernel: torch.Tensor | None = None) -> None:
        self.found = KernelEstimate(field.mean() if kernel is None else kernel, field)

    @property
    def arguments(self):
        return {}

    def estimate(self, image, scale, progress=None):
        return self.found


def basis() -> torch.Tensor:
    return torch.stack([blur_and_reduce(gaussian_kernel(15, *one).double(), 2) for one in WIDTHS])


def halves(share: float = 1.0) -> KernelField:
    """The first kernel on the left, the second on the right."""
    weights = torch.full((2, *SIZE), 1 - share, dtype=torch.float64)
    weights[0, :, :23], weights[1, :, 23:] = share, share
    return KernelField(basis(), weights)


def networks():
    torch.manual_seed(0)
    yield SRMD(2, num_features=6, num_layers=3, kernel_size=9).eval()
    yield SFTMD(2, num_features=4, num_blocks=1, kernel_size=11, code_length=4).eval()


def enlarged(network, estimator, told=None):
    teller = Teller(network, Told(estimator=estimator, **told or {"kernel": "auto"}))
    cond, record = teller.of(PIXELS, "a.png")
    return SuperResolver(network).upscale(PIXELS, cond=cond), cond, record


@pytest.mark.parametrize("told", [{"kernel": "auto", "noise": 5.0}, {"kernel_width": "auto"}])
def test_a_constant_field_is_one_kernel(told):
    shares = torch.tensor([0.3, 0.7], dtype=torch.float64)
    field = KernelField(basis(), shares[:, None, None].expand(-1, *SIZE))
    srmd, _ = networks()
    made, cond, record = enlarged(srmd, Known(field), told)
    wanted, one, _ = enlarged(srmd, Known(None, field.mean()), told)
    assert cond.shape == (1, 16, *SIZE) and record["kernels"] == 1
    assert torch.equal(cond, one[..., None, None].expand_as(cond))
    np.testing.assert_allclose(made, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("number", [0, 1])
def test_two_halves_are_each_their_own(number):
    network = list(networks())[number]
    made, cond, record = enlarged(network, Known(halves()))
    assert record["kernels"] == 2 and record["kernel_distance"] < 1e-12
    # A result reaches as far as the network sees, in HR pixels.
    edge, reach = 46, 2 * network.halo
    assert reach < edge
    sides = [slice(None, edge - reach), slice(edge + reach, None)]
    for kernel, side in zip(basis(), sides, strict=True):
        wanted, _, _ = enlarged(network, Known(None, kernel))
        np.testing.assert_allclose(made[:, side], wanted[:, side], rtol=0, atol=1e-6)
        assert np.abs(made - wanted).max() > 1e-3


@pytest.mark.parametrize("ensemble", [False, True])
def test_tiles_equal_the_whole(ensemble):
    for network in networks():
        length = len(network.condition_of({}))
        cond = torch.randn(1, length, *SIZE, generator=torch.Generator().manual_seed(1))
        whole = SuperResolver(network, self_ensemble=ensemble).upscale(PIXELS, cond=cond)
        resolver = SuperResolver(network, tile=16, self_ensemble=ensemble)
        tiles = resolver.upscale(PIXELS, cond=cond)
        np.testing.assert_allclose(tiles, whole, rtol=0, atol=1e-5)
        with pytest.raises(GeometryError, match="map of the degradation has 40 x 45 pixels"):
            resolver.upscale(PIXELS, cond=cond[..., :-1])


def test_the_memory_of_large_images_is_measured_with_a_map(monkeypatch):
    monkeypatch.setattr("realdeg.apis.super_resolver.UNMEASURED", 0)
    network = next(networks())
    wanted, cond, _ = enlarged(network, Known(halves()))
    resolver = SuperResolver(network)
    assert np.array_equal(resolver.upscale(PIXELS, cond=cond), wanted)
    assert all(resolver._footprints.values())


def test_networks_of_one_kernel_are_told_the_mean(caplog):
    settings = USRNet.example_arguments | {"kernel_size": 23}
    network, field = USRNet(**settings).eval(), halves()
    teller = Teller(network, Told(kernel="auto", estimator=Known(field)))
    with caplog.at_level(logging.INFO):
        cond, record = teller.of(PIXELS, "a.png")
        teller.of(PIXELS, "b.png")
    assert torch.equal(cond[0], network.condition_of({"reduction": field.mean()}))
    assert "kernels" not in record
    said = [one for one in caplog.messages if "told one kernel for an image" in one]
    assert said == ["USRNet is told one kernel for an image: the mean of its field"]


def test_the_command_tells_of_every_pixel(tmp_path, monkeypatch):
    monkeypatch.setattr("realdeg.apis.told._MOST_KERNELS", 2)
    torch.manual_seed(4)
    estimator = AdaptiveKernelBasis(**AdaptiveKernelBasis.example_arguments)
    for name in ("masks_end", "kernels_end"):  # so that kernels differ, and over the image
        estimator.network.state_dict()[f"{name}.4.weight"].mul_(100)
    estimator.save(tmp_path / "e.safetensors")
    network = next(networks())
    arguments = network.arguments
    file = tmp_path / "srmd.safetensors"
    save_component(file, network, kind="backbone", type="SRMD", arguments=arguments)
    (tmp_path / "lr").mkdir()
    photo = tmp_path / "lr" / "a.png"
    write_image(photo, (PIXELS * 255).astype(np.uint8))
    told = {"kernel": "auto", "estimator": str(tmp_path / "e.safetensors"), "progress": False}
    one = super_resolve(file, photo, tmp_path / "a.png", **told)
    super_resolve(file, photo.parent, tmp_path / "sr", tile=20, **told)
    record = json.loads((tmp_path / "sr" / "manifest.jsonl").read_text().splitlines()[1])["told"]
    assert record["kernels"] == 3 and 0 < record["kernel_distance"] < 0.5
    assert f"{record['kernels']} kernels over the image" in one.notes[0]
    made, tiled = (read_image(tmp_path / name).astype(int) for name in ("a.png", "sr/a.png"))
    assert np.abs(made - tiled).max() <= 1


def test_representatives_are_near_to_every_kernel():
    draws = torch.Generator().manual_seed(0)
    weights = torch.rand(3, 9, 11, generator=draws, dtype=torch.float64)
    weights = weights / weights.sum(0)
    kernels = torch.rand(3, 5, 5, generator=draws, dtype=torch.float64)
    field = KernelField(kernels / kernels.sum((1, 2), keepdim=True), weights)
    found = representatives(field, most=6)
    assert len(found.kernels) <= 7 and found.nearest.max() == len(found.kernels) - 1
    points = [(row, column) for row in range(9) for column in range(11)]
    every = field.at(points)
    apart = (every[:, None] - found.kernels[None]).flatten(2).norm(dim=2)
    least = apart.min(1)
    assert torch.allclose(apart.gather(1, found.nearest.view(-1, 1))[:, 0], least.values)
    assert found.distance == pytest.approx(float(least.values.max() / field.mean().norm()))
    assert representatives(field, most=40).distance < found.distance
