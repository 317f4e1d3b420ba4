from __future__ import annotations

import pytest
import torch

from realdeg.backbones import load_weights
from realdeg.backbones.rednet import REDNet
from realdeg.errors import CheckpointError


@pytest.mark.parametrize(
    ("depth", "skips"),
    [
        # Transposed convolution: the convolution whose features it gets.
        (30, {1: 14, 3: 12, 5: 10, 7: 8, 9: 6, 11: 4, 13: 2}),
        (10, {1: 4, 3: 2}),
        (2, {}),
    ],
)
def test_skips(depth, skips):
    torch.manual_seed(0)
    network = REDNet(depth=depth, width=3).double()
    lr = torch.rand(1, 1, 5, 4, dtype=torch.float64)
    with torch.no_grad():
        features, encoded = lr, {}
        for number, layer in enumerate(network.conv_layers, start=1):
            features = encoded[number] = layer(features).relu()
        for number, layer in enumerate(network.deconv_layers, start=1):
            features = layer(features)
            if number in skips:
                features = features + encoded[skips[number]]
            if number < depth // 2:
                features = features.relu()
        torch.testing.assert_close(network(lr), features + lr)


def test_halo_is_tight(reach):
    network = REDNet(depth=6, width=2, same_size=True)
    assert reach(network) == network.halo == 6


def test_the_network_for_jpeg_is_refused(tmp_path):
    state = {
        "conv_layers.0.0.weight": torch.zeros(64, 3, 3, 3),
        "deconv_layers.14.bias": torch.zeros(3),
    }
    torch.save(state, tmp_path / "rednet30.pth")
    with pytest.raises(CheckpointError, match="JPEG"):
        load_weights(REDNet(width=64, colour="rgb"), tmp_path / "rednet30.pth")
