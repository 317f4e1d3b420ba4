"""KMSR's generator of kernels: its published structure, its kernels, and what it refuses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg import convert_weights, create_degradation
from realdeg.degradations import KernelGenerator
from realdeg.degradations.coded_kernel import CodeParams
from realdeg.discriminators import KernelCritic
from realdeg.errors import CheckpointError, ConfigError, GeometryError


def written_out(state, code):
    """``models/wgan_clipping.py`` of the published program, by its names of tensors."""
    x = code[:, :, None, None]
    for number, (stride, padding) in zip((0, 3, 6), ((1, 0), (2, 1), (2, 1)), strict=True):
        name = f"main_module.{number}"
        x = F.conv_transpose2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride, padding)
        norm = f"main_module.{number + 1}"
        mean, variance = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
        x = (x - mean.view(-1, 1, 1)) / (variance.view(-1, 1, 1) + 1e-5).sqrt()
        x = F.relu(
            x * state[f"{norm}.weight"].view(-1, 1, 1) + state[f"{norm}.bias"].view(-1, 1, 1)
        )
    x = F.conv_transpose2d(x, state["main_module.9.weight"], state["main_module.9.bias"], 2, 1)
    return torch.tanh(F.conv2d(x, state["main_module.10.weight"], state["main_module.10.bias"]))


def small(**more):
    torch.manual_seed(1)
    return KernelGenerator(2, True, width=8, code_size=6, **more)


def test_equals_the_published_program():
    generator = small().double()
    for number in (1, 4, 7):  # statistics of a training
        torch.nn.init.uniform_(generator.main_module[number].running_mean, -0.1, 0.1)
        torch.nn.init.uniform_(generator.main_module[number].running_var, 0.5, 2)
    torch.nn.init.constant_(generator.main_module[10].bias, 0.01)
    torch.nn.init.constant_(generator.main_module[9].bias, 0)
    codes = torch.randn(3, 6, dtype=torch.float64)
    raw = written_out(dict(generator.state_dict()), codes)
    assert raw.shape == (3, 1, 25, 25)
    assert torch.allclose(generator.eval().raw_kernels(codes), raw[:, 0], atol=1e-12)
    wanted = raw.clamp(0, 1)[:, 0]  # as generate.py
    assert 0 < int((wanted == 0).sum()) < wanted.numel()
    wanted = wanted / wanted.sum((1, 2), keepdim=True)
    assert torch.allclose(generator.train().kernels(codes), wanted, atol=1e-10)


def test_published_numbers():
    with torch.device("meta"):
        generator, critic = KernelGenerator(), KernelCritic()
    assert sum(p.numel() for p in generator.parameters()) == 12_133_698
    assert sum(p.numel() for p in critic.parameters()) == 10_504_449
    assert generator.main_module[10].weight.shape[-2:] == (8, 8)
    assert KernelCritic(width=4)(torch.rand(2, 1, 25, 25)).shape == (2, 1, 1, 1)


def test_blurs_on_the_grid_it_is_built_for():
    """On the HR grid with one kernel for all channels; else at every second pixel."""
    hr = torch.rand(2, 3, 32, 34, generator=torch.Generator().manual_seed(0))
    generator = small(kernel_size=9).eval()
    traces = generator.sample(hr, [1, 2])
    lr = generator.replay(hr, traces)
    kernel = generator.condition(traces[1])["kernel"]
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-5) and kernel.min() >= 0
    wide = F.pad(hr[1:], (4,) * 4, mode="reflect")
    wanted = F.conv2d(wide, kernel.expand(3, 1, 9, 9), groups=3)
    assert torch.allclose(lr[1:], wanted, atol=1e-5)
    torch.manual_seed(1)
    other = KernelGenerator(2, False, kernel_size=9, width=8, code_size=6).eval()
    assert other(hr, [1, 2]).shape == (2, 3, 16, 17)


def test_each_image_by_itself_even_while_training():
    hr, generator = torch.rand(2, 3, 32, 32), small(kernel_size=9).train()
    both = generator(hr, [3, 4])
    assert torch.allclose(generator(hr[1:], [4]), both[1:], atol=1e-6)
    assert generator.main_module.training
    trace = generator.sample(hr[:1], [3])[0]
    assert trace.read(CodeParams).code_seed >= 0


def test_published_weights_are_converted(tmp_path):
    generator = small(kernel_size=21).eval()
    torch.save(generator.state_dict(), tmp_path / "generator.pkl")
    file = tmp_path / "g.safetensors"
    settings = {"scale": 2, "same_size": True}
    convert_weights(
        tmp_path / "generator.pkl", file, degradation="KernelGenerator", arguments=settings
    )
    again = create_degradation(str(file))
    assert again.is_trained and again.arguments["width"] == 8 and again.same_size
    codes = torch.randn(2, 6)
    assert torch.equal(again.kernels(codes), generator.kernels(codes))
    state = generator.state_dict()
    with pytest.raises(CheckpointError, match="kernel_size=21, and 25"):
        KernelGenerator.from_published(state, "generator.pkl", {"kernel_size": 25})
    with pytest.raises(CheckpointError, match="generator.pkl"):
        KernelGenerator.from_published({}, "x.pth", {})


def test_mistakes():
    with pytest.raises(ConfigError, match="kernel_size"):
        KernelGenerator(kernel_size=33)
    with pytest.raises(ConfigError, match="width"):
        KernelGenerator(width=6)
    with pytest.raises(GeometryError, match="25 x 25: take images of at least 13"):
        small()(torch.rand(1, 3, 12, 40), [1])
    with pytest.raises(GeometryError):
        KernelGenerator(scale=0)


def test_without_positive_values_there_is_a_kernel_still():
    """An untrained generator may make negative values only: the largest ones are the kernel."""
    generator = small().double()
    torch.nn.init.constant_(generator.main_module[10].bias, -3)
    codes = torch.randn(2, 6, dtype=torch.float64)
    raw = generator.eval().raw_kernels(codes)
    assert raw.max() < 0
    found = generator.kernels(codes)
    assert torch.allclose(found.sum((1, 2)), torch.ones(2, dtype=torch.float64))
    assert found.min() >= 0 and torch.equal(found.flatten(1).argmax(1), raw.flatten(1).argmax(1))
