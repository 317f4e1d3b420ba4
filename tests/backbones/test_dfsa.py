from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from realdeg.backbones.dfsa import (
    DFSA,
    FREQUENCIES,
    DynamicHighPass,
    SpectralAttention,
    cosine_basis,
)
from realdeg.backbones.parts.common import post_upsampling_halo
from realdeg.errors import ConfigError
from tests.backbones.judging import losses_of_training, on_meta, parameters, shapes


@pytest.mark.parametrize(
    ("scale", "count"), [(2, 24_535_843), (3, 24_720_483), (4, 24_683_555), (8, 24_831_267)]
)
def test_parameters(scale, count):
    """Our reading's, not the paper's, which is not known."""
    assert parameters(on_meta(DFSA, scale=scale)) == count


def test_what_the_paper_leaves_open_is_marked_as_such():
    assert "are guesses" in DFSA.__doc__
    assert on_meta(DFSA).arguments | {"scale": 4} == {
        "scale": 4,
        "same_size": False,
        "num_groups": 10,
        "num_blocks": 20,
        "num_features": 64,
        "reduction": 16,
        "num_frequencies": 16,
        "kernel_size": 3,
        "filter_groups": 8,
        "unshuffle": None,
    }


def test_keys():
    found = shapes(on_meta(DFSA))
    block = "body.9.body.19."
    some = {
        "sub_mean.bias": (3,),
        "head.0.weight": (64, 3, 3, 3),
        f"{block}high_pass.conv.weight": (72, 64, 3, 3),
        f"{block}high_pass.bn.running_mean": (72,),
        f"{block}body.2.weight": (64, 64, 3, 3),
        f"{block}body.3.conv_du.0.weight": (4, 1024, 1, 1),
        f"{block}body.3.conv_du.2.weight": (64, 4, 1, 1),
        "body.9.body.20.weight": (64, 64, 3, 3),
        "body.10.weight": (64, 64, 3, 3),
        "tail.0.2.weight": (256, 64, 3, 3),
        "tail.1.weight": (3, 64, 3, 3),
    }
    assert {name: found[name] for name in some} == some
    assert len(found) == 4 + 2 + 200 * (6 + 4 + 4) + 10 * 2 + 2 + 4 + 2


class TestDynamicHighPass:
    def test_equals_the_stacked_form(self):
        """Taps by unfolding, softmax over them, the filtered image taken off."""
        torch.manual_seed(0)
        layer = DynamicHighPass(6, 3, 2).double().eval()
        x = torch.randn(2, 6, 5, 7, dtype=torch.float64)
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        taps = layer.bn(F.conv2d(padded, layer.conv.weight)).unflatten(1, (2, 9)).softmax(2)
        windows = F.unfold(padded, 3).reshape(2, 2, 3, 9, 5, 7)
        low = (windows * taps[:, :, None]).sum(3).flatten(1, 2)
        torch.testing.assert_close(layer(x), x - low)

    def test_constants_have_no_high_frequencies(self):
        layer = DynamicHighPass(4, 3, 2).eval()
        assert layer(torch.full((1, 4, 6, 6), 3.0)).abs().max() < 1e-5


class TestSpectralAttention:
    def test_basis_is_the_orthonormal_cosine_transform(self):
        basis = cosine_basis(16)
        torch.testing.assert_close(basis.T @ basis, torch.eye(16), rtol=0, atol=1e-6)
        torch.testing.assert_close(basis[:, 0], torch.full((49,), 1 / 7))
        down, across = FREQUENCIES[9]
        waves = [
            [math.sqrt(2 / 7) * math.cos(math.pi * k * (i + 0.5) / 7) for i in range(7)]
            for k in (down, across)
        ]
        wanted = torch.outer(*map(torch.tensor, waves)).flatten()
        torch.testing.assert_close(basis[:, 9], wanted)

    def test_lowest_frequency_is_the_mean(self):
        torch.manual_seed(0)
        layer = SpectralAttention(8, 2, 1)
        x = torch.randn(2, 8, 14, 7)
        gate = layer.conv_du(7 * x.mean((2, 3), keepdim=True))
        torch.testing.assert_close(layer(x), x * gate)

    def test_small_and_odd_images(self):
        layer = SpectralAttention(4, 2, 16)
        for size in ((1, 1), (3, 20), (8, 6)):
            assert layer(torch.randn(1, 4, *size)).shape == (1, 4, *size)


def test_same_size_form():
    network = DFSA(
        same_size=True, num_groups=1, num_blocks=1, num_features=8, reduction=2, filter_groups=2
    ).eval()
    assert network.size_multiple == network.unshuffle == 4
    assert network(255 * torch.rand(1, 3, 9, 10)).shape == (1, 3, 9, 10)
    assert network.halo == post_upsampling_halo(1 + 1 * (3 + 1) + 1, 4, 4)


def test_learns():
    torch.manual_seed(0)
    first, last = losses_of_training(DFSA.example(), F.l1_loss)
    assert last < 0.9 * first


def test_bad_settings_are_named():
    for settings in (
        {"filter_groups": 7},
        {"kernel_size": 2},
        {"num_frequencies": 17},
        {"num_features": 8},
    ):
        with pytest.raises(ConfigError, match=f"DFSA.*{next(iter(settings))}"):
            DFSA(**settings)
