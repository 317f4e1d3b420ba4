"""What every registered discriminator promises, and what the papers say of ours."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from realdeg.discriminators import (
    BulatDiscriminator,
    DSGANDiscriminator,
    FilteredDiscriminator,
)
from realdeg.errors import ConfigError
from realdeg.registry import DISCRIMINATORS, list_discriminators
from realdeg.testing import DiscriminatorContract
from realdeg.testing.discriminators import random_images

OURS = [
    name
    for name in list_discriminators()
    if DISCRIMINATORS.get(name).__module__.startswith("realdeg.")
    and name != "FilteredDiscriminator"  # it has no width of its own
]


@pytest.fixture(autouse=True)
def same_start():
    """Small networks at random may be dead; every test begins with the same living ones."""
    torch.manual_seed(0)


def test_listed():
    assert {"BulatDiscriminator", "DSGANDiscriminator"} <= set(OURS)


class TestEveryDiscriminator(DiscriminatorContract):
    @pytest.fixture(params=OURS, autouse=True)
    def each(self, request):
        self.component, self.arguments = DISCRIMINATORS.get(request.param), {"width": 8}
        if request.param == "KernelCritic":  # of one channel, if nothing is said
            self.arguments = {"width": 8, "in_channels": 3}

    def test_no_width_is_refused(self):
        with pytest.raises(ConfigError, match="width"):
            self.build(width=0)


class TestFilteredDiscriminator(DiscriminatorContract):
    component = FilteredDiscriminator
    arguments = {"discriminator": {"type": "PatchGANDiscriminator", "width": 4, "halvings": 1}}

    @pytest.fixture(
        params=[("average", "high"), ("gaussian", "low"), ("wavelet", "high")], autouse=True
    )
    def each(self, request):
        filter, band = request.param
        self.arguments = {**self.arguments, "filter": filter, "band": band}


def test_a_filtered_discriminator_judges_what_passes():
    inner = {"type": "DSGANDiscriminator", "width": 4, "filter": "none"}
    images = random_images(size=24)
    network = FilteredDiscriminator(inner).eval()
    # ESRGAN-FS: 9 x 9 average, 0.5 + 0.5 (x - low), here away from the border.
    low = nn.functional.avg_pool2d(images, 9, 1)
    expected = 0.5 + 0.5 * (images[..., 4:-4, 4:-4] - low)
    seen = []
    network.discriminator.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    torch.testing.assert_close(network(images + 0.25), network(images), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen[0][..., 4:-4, 4:-4], expected, atol=1e-6, rtol=1e-5)
    lower = FilteredDiscriminator(inner, band="low").eval()
    assert (lower(images + 0.25) - lower(images)).abs().max() > 1e-3


def test_the_channels_behind_a_filter_follow():
    inner = {"type": "VGGDiscriminator", "width": 4, "size": 16}
    network = FilteredDiscriminator(inner, filter="wavelet")
    assert network.discriminator.in_channels == 9 and network.least_size == 32
    assert network(random_images(size=32)).shape == (2, 1)
    with pytest.raises(ConfigError, match="hands 9 channels.*VGGDiscriminator.*is 3"):
        FilteredDiscriminator({**inner, "in_channels": 3}, filter="wavelet")
    with pytest.raises(ConfigError, match="hands 1 channels.*in_channels=1"):
        FilteredDiscriminator(DSGANDiscriminator(width=4), in_channels=1)
    with pytest.raises(ConfigError, match="wavelet is a high-pass"):
        FilteredDiscriminator(inner, filter="wavelet", band="low")
    with pytest.raises(ConfigError, match="filter"):
        FilteredDiscriminator(inner, filter="median")


def test_dsgan_is_the_paper_s():
    network = DSGANDiscriminator()
    sizes = [tuple(m.weight.shape) for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert sizes == [(64, 3, 5, 5), (128, 64, 5, 5), (256, 128, 5, 5), (1, 256, 1, 1)]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 2
    assert network(random_images(size=20)).shape == (2, 1, 20, 20)


@pytest.mark.parametrize("filter", ["average", "gaussian", "wavelet"])
def test_a_filter_hides_colours(filter):
    network = DSGANDiscriminator(width=4, filter=filter).eval()
    images = random_images()
    torch.testing.assert_close(network(images + 0.1), network(images), atol=1e-5, rtol=1e-5)
    bare = DSGANDiscriminator(width=4, filter="none").eval()
    assert (bare(images + 0.1) - bare(images)).abs().max() > 1e-3
    with pytest.raises(ConfigError, match="filter"):
        DSGANDiscriminator(filter="median")


def test_bulat_s_at_its_two_sizes():
    low, high = BulatDiscriminator(width=8), BulatDiscriminator(width=8, halvings=4, blocks=1)
    assert low(random_images(size=16)).shape == high(random_images(size=64)).shape == (2, 1)
    assert (low.least_size, high.least_size) == (4, 16)
    assert len(low.blocks) == len(high.blocks) == 5


def test_spectral_norms_approach_one():
    network = BulatDiscriminator(width=8)
    for _ in range(50):
        network(random_images())
    network.eval()
    matrices = [m.weight.flatten(1) for m in network.modules() if hasattr(m, "parametrizations")]
    # Eleven convolutions (two blocks need no shortcut but the first three) and the last layer.
    assert len(matrices) == 2 * 5 + 2 + 1
    for matrix in matrices:
        assert torch.linalg.matrix_norm(matrix, 2).item() == pytest.approx(1, abs=0.02)
