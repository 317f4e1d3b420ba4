"""What every registered discriminator promises, and what the papers say of ours."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from realdeg.discriminators import BulatDiscriminator, DSGANDiscriminator
from realdeg.discriminators.fixed_size import FixedSizeDiscriminator
from realdeg.errors import ConfigError, DataError
from realdeg.registry import DISCRIMINATORS, list_discriminators

OURS = [
    name
    for name in list_discriminators()
    if DISCRIMINATORS.get(name).__module__.startswith("realdeg.")
]


@pytest.fixture(autouse=True)
def same_start():
    """Small networks at random may be dead; every test begins with the same living ones."""
    torch.manual_seed(0)


def _images(channels: int = 3, size: int = 16) -> torch.Tensor:
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(0))


def test_listed():
    assert {"BulatDiscriminator", "DSGANDiscriminator"} <= set(OURS)


@pytest.mark.parametrize("name", OURS)
class TestContract:
    @pytest.mark.parametrize("channels", [1, 3])
    def test_logits_and_gradients(self, name, channels):
        network = DISCRIMINATORS.build({"type": name, "width": 8, "in_channels": channels})
        images = _images(channels, max(16, network.least_size)).requires_grad_()
        logits = network(images)
        assert logits.shape[:2] == (2, 1) and logits.dtype == torch.float32
        logits.square().sum().backward()
        assert images.grad.abs().sum() > 0
        assert all(p.grad is not None for p in network.parameters())

    def test_any_size_from_the_least_on(self, name):
        network = DISCRIMINATORS.build({"type": name, "width": 4}).eval()
        least = network.least_size
        sizes = (least, least + 1, max(37, least))
        if isinstance(network, FixedSizeDiscriminator):
            sizes = (least,)
            with pytest.raises(DataError, match="only"):
                network(_images(size=least + 1))
        for size in sizes:
            assert torch.isfinite(network(_images(size=size))).all()

    def test_bad_input_is_named(self, name):
        network = DISCRIMINATORS.build({"type": name, "width": 4})
        with pytest.raises(DataError, match="in_channels"):
            network(_images(1))
        with pytest.raises(DataError, match="raise patch_size"):
            network(_images(size=network.least_size)[..., : network.least_size - 1])
        with pytest.raises(ConfigError, match="in_channels"):
            DISCRIMINATORS.build({"type": name, "in_channels": 2})
        with pytest.raises(ConfigError, match="width"):
            DISCRIMINATORS.build({"type": name, "width": 0})


def test_dsgan_is_the_paper_s():
    network = DSGANDiscriminator()
    sizes = [tuple(m.weight.shape) for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert sizes == [(64, 3, 5, 5), (128, 64, 5, 5), (256, 128, 5, 5), (1, 256, 1, 1)]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 2
    assert network(_images(size=20)).shape == (2, 1, 20, 20)


@pytest.mark.parametrize("filter", ["average", "gaussian", "wavelet"])
def test_a_filter_hides_colours(filter):
    network = DSGANDiscriminator(width=4, filter=filter).eval()
    images = _images()
    torch.testing.assert_close(network(images + 0.1), network(images), atol=1e-5, rtol=1e-5)
    bare = DSGANDiscriminator(width=4, filter="none").eval()
    assert (bare(images + 0.1) - bare(images)).abs().max() > 1e-3
    with pytest.raises(ConfigError, match="filter"):
        DSGANDiscriminator(filter="median")


def test_bulat_s_at_its_two_sizes():
    low, high = BulatDiscriminator(width=8), BulatDiscriminator(width=8, halvings=4, blocks=1)
    assert low(_images(size=16)).shape == high(_images(size=64)).shape == (2, 1)
    assert (low.least_size, high.least_size) == (4, 16)
    assert len(low.blocks) == len(high.blocks) == 5


def test_spectral_norms_approach_one():
    network = BulatDiscriminator(width=8)
    for _ in range(50):
        network(_images())
    network.eval()
    matrices = [m.weight.flatten(1) for m in network.modules() if hasattr(m, "parametrizations")]
    # Eleven convolutions (two blocks need no shortcut but the first three) and the last layer.
    assert len(matrices) == 2 * 5 + 2 + 1
    for matrix in matrices:
        assert torch.linalg.matrix_norm(matrix, 2).item() == pytest.approx(1, abs=0.02)
