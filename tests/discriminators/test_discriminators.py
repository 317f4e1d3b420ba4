"""What every registered discriminator promises, and what the papers say of ours."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from realdeg.discriminators import BulatDiscriminator, DSGANDiscriminator
from realdeg.errors import ConfigError
from realdeg.registry import DISCRIMINATORS, list_discriminators
from realdeg.testing import DiscriminatorContract
from realdeg.testing.discriminators import random_images

OURS = [
    name
    for name in list_discriminators()
    if DISCRIMINATORS.get(name).__module__.startswith("realdeg.")
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

    def test_no_width_is_refused(self):
        with pytest.raises(ConfigError, match="width"):
            self.build(width=0)


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
