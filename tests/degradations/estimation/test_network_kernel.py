"""The kernel of a blind network, in the convention of estimators."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg import create_backbone
from realdeg.backbones import DANv2, KXNet, Outputs
from realdeg.degradations.estimation import NetworkKernel, estimator_from_config
from realdeg.degradations.primitives.filtering import filter_image
from realdeg.degradations.primitives.kernels import gaussian_kernel
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import CheckpointError, ConfigError, GeometryError


class Told(DANv2):
    """A network that knows the kernel."""

    def forward(self, lr):
        made = super().forward(lr)
        kernel = gaussian_kernel(self.kernel_size, 1.1, 0.8, 0.3).to(lr)
        return Outputs(made.sr, {**made.aux, "estimates": kernel.expand(len(lr), 2, -1, -1)})


def told(scale):
    settings = {**DANv2.example_arguments, "scale": scale, "kernel_size": 9}
    return Told(**settings)


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("reduction", ["bicubic", "s_fold"])
def test_it_is_the_kernel_of_blur_and_reduction(scale, reduction, monkeypatch):
    """The kernel reduces an image as the two steps do, up to the shift of every s-th pixel."""
    network = told(scale)
    monkeypatch.setattr(Told, "reduction", reduction)
    found = NetworkKernel(network).estimate(torch.rand(1, 3, 9, 9), scale).kernel
    hr = torch.zeros(1, 1, 30 * scale, 30 * scale, dtype=torch.float64)
    ramp = torch.arange(30 * scale, dtype=torch.float64)
    hr += torch.sin(ramp[:, None] / 3) * torch.cos(ramp / 4)
    blurred = filter_image(hr, gaussian_kernel(9, 1.1, 0.8, 0.3))
    side = found.shape[-1]
    first = (scale - side) // 2
    reach = 30
    wide = F.pad(hr, (reach,) * 4, mode="reflect")[..., reach + first :, reach + first :]
    made = F.conv2d(wide, found[None, None].double(), stride=scale)[..., 10:20, 10:20]
    if reduction == "bicubic":
        wanted = imresize(blurred, 1 / scale)[..., 10:20, 10:20]
        torch.testing.assert_close(made, wanted, rtol=0, atol=1e-5)
        return
    # In the middle of each block, where LR of this convention lies.
    phase = (scale - 1) / 2
    if phase == int(phase):
        wanted = blurred[..., int(phase) :: scale, int(phase) :: scale][..., 10:20, 10:20]
        torch.testing.assert_close(made, wanted, rtol=0, atol=1e-6)
    else:
        corners = [
            blurred[..., i::scale, j::scale][..., 10:20, 10:20] for i in (0, 1) for j in (0, 1)
        ]
        assert (made - sum(corners) / 4).abs().max() < 0.02


def test_the_last_round_counts(monkeypatch):
    torch.manual_seed(0)
    network = KXNet.example()
    image = torch.rand(1, 3, 12, 11)
    with torch.no_grad():
        rounds = network.eval()(image).aux["estimates"][0]
    assert not torch.allclose(rounds[0], rounds[1], atol=1e-4)
    monkeypatch.setattr(
        "realdeg.degradations.estimation.network_kernel.centred", lambda kernel, scale: kernel
    )
    monkeypatch.setattr("realdeg.degradations.estimation.base.CENTRE_TOLERANCE", 9.0)
    found = NetworkKernel(network).estimate(image, 2).kernel
    assert float((found.sum() - 1).abs()) < 1e-6
    weights = found[found > 0]
    torch.testing.assert_close(weights, rounds[1].double().flatten(), rtol=1e-5, atol=1e-7)


def test_it_gives_zssr_its_kernel(tmp_path):
    """The name with a file is what `kernel` of a zero-shot method takes."""
    from realdeg.zero_shot import ZSSR
    from tests.degradations.estimation.test_estimator_contract import save_network

    file = save_network(tmp_path / "x.safetensors")
    method = ZSSR(
        **{**ZSSR.example_arguments, "scale": 2, "preset": "kernel"},
        kernel={"type": "NetworkKernel", "backbone": file},
    )
    image = torch.rand(1, 3, 24, 24)
    with torch.no_grad():
        assert method(image).shape == (1, 3, 48, 48)
    wanted = estimator_from_config({"type": "networkkernel", "backbone": file}).estimate(image, 2)
    torch.testing.assert_close(method.kernel.double(), wanted.kernel)


class TestRefused:
    def test_without_weights(self, tmp_path):
        with pytest.raises(ConfigError, match="needs a trained network, and its config names no"):
            NetworkKernel({"type": "KXNet", "scale": 2})
        with pytest.raises(CheckpointError, match="none.safetensors"):
            NetworkKernel(str(tmp_path / "none.safetensors"))

    def test_a_network_without_estimates(self):
        with pytest.raises(ConfigError, match="that estimates the kernel .*, got VDSR"):
            NetworkKernel(create_backbone({"type": "VDSR", "depth": 2, "width": 2, "scale": 2}))

    def test_a_scale_that_the_network_lacks(self):
        with pytest.raises(GeometryError, match="was trained for scale 2, asked for is scale 3"):
            NetworkKernel(KXNet.example()).estimate(torch.rand(1, 3, 9, 9), 3)
