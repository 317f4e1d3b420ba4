"""What one call of a network shows of its reach."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from realdeg.backbones import Backbone
from realdeg.backbones.parts.tracing import trace


def found(network, channels=1, scale=1):
    lr = torch.rand(1, channels, 24, 20)
    return trace(network, lr, scale)[0]


def test_convolutions():
    plain = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(True), nn.Conv2d(2, 1, 5))
    assert found(plain).halo == 1 + 4  # not padded: its pixels lie off by 2
    assert found(nn.Conv2d(1, 1, 3, padding=4, dilation=4)).halo == 4
    network = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4, 4, 3, padding=1))
    coarse = found(nn.Sequential(*network, nn.PixelShuffle(2)))
    assert (coarse.halo, coarse.multiple) == (3, 2)
    assert found(nn.ConvTranspose2d(1, 1, 6, 2, 2), scale=2).halo == 1


def test_crops_and_strips():
    """Rows are cropped, and a part of the channels is written into place."""

    def crops(lr):
        return F.pad(lr, (3, 3, 3, 3), "reflect")[..., 3:-3, 3:-3]

    def writes(lr):
        wide = lr.repeat(1, 2, 1, 1)
        wide[:, :1] = F.avg_pool2d(lr, 7, 1, 3)
        return wide[:, 1:]

    assert 1 <= found(crops).halo <= 6
    assert found(writes).halo == 3


@pytest.mark.parametrize(
    "network",
    [
        lambda lr: lr * lr.mean((2, 3), keepdim=True),
        lambda lr: lr + torch.arange(20.0),
        lambda lr: lr.softmax(-1),
        lambda lr: lr.roll(1, -1),
        lambda lr: lr.transpose(2, 3).flip(2).transpose(2, 3),
        lambda lr: lr.reshape(1, 1, 12, 2, 10, 2).permute(0, 1, 2, 4, 3, 5).reshape(lr.shape),
        lambda lr: F.interpolate(lr, scale_factor=2),  # not of the scale that it should have
        lambda lr: lr * lr[..., 5:6, 5:6],
        lambda lr: lr[..., :1, :1].expand_as(lr),
    ],
)
def test_what_reaches_over_the_image(network):
    assert found(network).halo is None


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_corners_on_corners_depend_on_the_size(mode):
    """A tile's pixels would lie elsewhere than those of the whole image."""

    def network(align):
        return nn.Upsample(scale_factor=2, mode=mode, align_corners=align)

    assert found(network(False), scale=2).halo is not None
    assert found(network(True), scale=2).halo is None


def test_dilated_windows():
    assert found(nn.MaxPool2d(5, 1, padding=2)).halo == 2
    assert found(nn.MaxPool2d(5, 1, padding=2, dilation=2)).halo == 6


class Found(Backbone):
    """States no halo."""

    scales = (2,)
    runs = 0

    def __init__(self, scale=2, dilation=1):
        super().__init__(scale)
        self.conv = nn.Conv2d(3, 12, 3, padding=dilation, dilation=dilation)

    @classmethod
    def example(cls):
        return cls()

    def forward(self, lr):
        type(self).runs += 1
        return F.pixel_shuffle(self.conv(lr), 2)


def test_a_network_is_followed_once_when_it_is_asked():
    networks = [Found(), Found(), Found(dilation=3)]
    networks[0].register_forward_pre_hook(lambda *_: pytest.fail("a hook of somebody's was run"))
    assert Found.runs == 0
    assert [network.halo for network in networks] == [1, 1, 3] and Found.runs == 2
    with torch.device("meta"):
        assert Found(dilation=4).halo == 4
    networks[1].halo = 7  # an instance may say it
    assert networks[1].halo == 7


def test_what_cannot_be_followed_states_its_halo():
    class Rolled(Found):
        def forward(self, lr):
            return super().forward(lr.roll(1, -1))

    class Reading(Found):
        def forward(self, lr):
            return super().forward(lr) * lr.mean().item()

    assert (Rolled().halo, Reading().halo) == (0, 0)


def test_phases_are_followed_one_by_one():
    """Pixels of a block that do not see alike, through resampling by anything."""
    up, down = nn.ConvTranspose2d(1, 1, 12, 8, 2), nn.Conv2d(1, 1, 12, 8, 2)
    projections = nn.Sequential(up, down, up, down, up)
    assert found(projections, scale=8).halo == 3
    assert found(lambda lr: F.interpolate(lr, scale_factor=3, mode="bicubic"), scale=3).halo == 2
    rows = torch.stack([torch.eye(24)[i // 2] for i in range(48)])
    columns = torch.stack([torch.eye(20)[max(i // 2 - 1, 0)] for i in range(40)])
    assert found(lambda lr: rows @ lr @ columns.T, scale=2).halo == 1


def test_randomness():
    assert found(lambda lr: lr + torch.randn(1)).random
    assert not found(nn.Dropout().eval()).random
    assert found(nn.Dropout()).random
