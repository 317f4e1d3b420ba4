"""ST-LPIPS: its arithmetic with random weights, and its values where the package is installed."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from realdeg.errors import ConfigError
from realdeg.evaluation import ImageQuality
from realdeg.evaluation.metrics import PerceptualUnavailableError, load_st_lpips, lpips_distance
from realdeg.utils.st_lpips import ShiftTolerantLPIPS
from realdeg.utils.trunks import BlurPool

installed = pytest.mark.skipif(
    find_spec("stlpips_pytorch") is None, reason="the package stlpips-pytorch is not installed"
)
ALEX = (
    *("net.slice1.0.weight", "net.slice1.0.bias", "net.slice2.5.weight", "net.slice2.5.bias"),
    *("net.slice3.9.weight", "net.slice3.9.bias", "net.slice4.11.weight", "net.slice4.11.bias"),
    *("net.slice5.13.weight", "net.slice5.13.bias"),
    *(f"lin{n}.model.1.weight" for n in range(5)),
)
VGG = (0, 2), (6, 8), (12, 14, 16), (20, 22, 24), (28, 30, 32)


def state_of(network, seed=0):
    """Random weights as the package's file names them, the heads' not negative."""
    generator = torch.Generator().manual_seed(seed)
    built, state = ShiftTolerantLPIPS(network), {}
    for name, theirs in built.names_in_package().items():
        shape = built.state_dict()[name].shape
        values = torch.randn(shape, generator=generator) / max(1, shape[1:].numel()) ** 0.5
        state[theirs] = values.abs() if theirs.startswith("lin") else values
    return state


@pytest.fixture(scope="module")
def alex(tmp_path_factory):
    path = tmp_path_factory.mktemp("st") / "alex.pth"
    torch.save({**state_of("alex"), "scaling_layer.shift": torch.zeros(1)}, path)
    return str(path)


def test_the_names_are_those_of_the_package():
    assert tuple(sorted(ShiftTolerantLPIPS("alex").names_in_package().values())) == tuple(
        sorted(ALEX)
    )
    wanted = {
        f"net.slice{n}.{index}.{kind}"
        for n, indices in enumerate(VGG, start=1)
        for index in indices
        for kind in ("weight", "bias")
    } | {f"lin{n}.model.1.weight" for n in range(5)}
    with torch.device("meta"):
        found = set(ShiftTolerantLPIPS("vgg").names_in_package().values())
    assert found == wanted


def test_blur_pool_against_its_definition():
    x = np.random.default_rng(0).random((1, 2, 5, 6))
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="reflect")
    taps = np.array([0.25, 0.5, 0.25])
    wanted = np.zeros((1, 2, 4, 4))
    for i in range(4):
        for j in range(4):
            cut = padded[..., 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            wanted[..., i, j] = np.einsum("bcij,i,j->bc", cut, taps, taps)
    np.testing.assert_allclose(BlurPool()(torch.tensor(x)).numpy(), wanted, rtol=1e-12)


def blurred(x):
    taps = torch.tensor([1.0, 2.0, 1.0])
    kernel = (taps[:, None] * taps / 16).repeat(x.shape[1], 1, 1, 1)
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=x.shape[1])


def test_the_distance_from_the_package_s_names(alex):
    state = state_of("alex")
    generator = torch.Generator().manual_seed(0)
    x, y = (2 * torch.rand(2, 3, 40, 37, generator=generator) - 1 for _ in range(2))
    shift, scale = (
        torch.tensor(values)[:, None, None]
        for values in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450))
    )

    def features(image):
        def conv(f, name, padding):
            return F.conv2d(f, state[f"{name}.weight"], state[f"{name}.bias"], padding=padding)

        first = blurred(conv((image - shift) / scale, "net.slice1.0", 2)).relu()
        second = conv(blurred(F.max_pool2d(first, 3, 1)), "net.slice2.5", 2).relu()
        third = conv(blurred(F.max_pool2d(second, 3, 1)), "net.slice3.9", 1).relu()
        fourth = conv(third, "net.slice4.11", 1).relu()
        return first, second, third, fourth, conv(fourth, "net.slice5.13", 1).relu()

    wanted = 0.0
    for number, (f, g) in enumerate(zip(features(x), features(y), strict=True)):
        f, g = (each / (each.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for each in (f, g))
        head = state[f"lin{number}.model.1.weight"]
        wanted = wanted + ((f - g).pow(2) * head[0]).sum(1).mean((1, 2))
    network = load_st_lpips("alex", alex)
    assert torch.allclose(network(x, y), wanted, rtol=1e-5)
    assert torch.equal(network(x, x), torch.zeros(2))
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_metric(alex):
    before = torch.get_rng_state()
    metric = ImageQuality("rgb", metrics=["psnr", "st_lpips"], st_lpips_weights=alex)
    assert torch.equal(before, torch.get_rng_state())
    assert metric.labels == ("psnr[rgb]", "st_lpips[alex-vST0.0]")
    target = torch.rand(3, 48, 40, generator=torch.Generator().manual_seed(0))
    made = (target + 0.1).clamp(0, 1)
    metric.process(None, [{"key": "a", "prediction": made, "target": target}])
    found = metric.evaluate(1)["st_lpips[alex-vST0.0]"]
    levels = [(255 * image).add(0.5).floor() for image in (made, target)]
    network = load_st_lpips("alex", alex)
    assert found == pytest.approx(lpips_distance(network, *levels), rel=1e-5) and found > 0
    tiny = {"key": "tiny", "prediction": made[:, :4, :4], "target": target[:, :4, :4]}
    metric.process(None, [tiny])
    assert "image 'tiny'" in metric.measure_image(tiny).missing["st_lpips[alex-vST0.0]"]
    luma = {"key": "luma", "prediction": made[:1], "target": target}
    scores = ImageQuality("realsr-official", metrics=["st_lpips"], st_lpips_weights=alex)
    assert "only Y" in scores.measure_image(luma).missing["st_lpips[alex-vST0.0]"]


def test_a_missing_package_is_one_warning_and_wrong_files_are_named(tmp_path, monkeypatch, alex):
    monkeypatch.setattr("realdeg.utils.trunk_files.find_spec", lambda name: None)
    metric = ImageQuality("rgb", metrics=["psnr", "st_lpips"])
    image = torch.rand(3, 24, 24)
    metric.process(None, [{"key": "a", "prediction": image, "target": image}])
    assert list(metric.evaluate(1)) == ["psnr[rgb]"]
    assert "pip install 'realdeg[perceptual]'" in metric.missing["st_lpips[alex-vST0.0]"]
    with pytest.raises(PerceptualUnavailableError, match=r"weights of 'vgg' \(net.slice1.0.weight"):
        load_st_lpips("vgg", alex)
    (tmp_path / "damaged.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(PerceptualUnavailableError, match="damaged.pth.*stlpips-pytorch 0.0.2"):
        load_st_lpips("alex", tmp_path / "damaged.pth")
    with pytest.raises(ConfigError, match="'squeeze'"):
        load_st_lpips("squeeze")
    with pytest.raises(ConfigError, match="st_lpips_network.*'alex' or 'vgg'"):
        ImageQuality(st_lpips_network="squeeze")


@installed
@pytest.mark.parametrize(("network", "value"), [("alex", 0.0896194), ("vgg", 0.2752979)])
def test_the_package_s_own_value(network, value):
    """Computed once by the package's own code (0.0.2) on these two images."""
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(80.0), indexing="ij")
    image = torch.stack([(rows * 0.3).sin(), (columns * 0.2).cos(), (rows * columns / 99).sin()])
    x, y = image[None], torch.roll(image[None], 3, 3) * 0.8
    assert load_st_lpips(network)(x, y).item() == pytest.approx(value, rel=1e-4)
