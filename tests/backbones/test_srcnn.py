from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import correlate

from realdeg.backbones import load_weights
from realdeg.backbones.srcnn import SRCNN


def test_equals_a_reference():
    torch.manual_seed(0)
    network = SRCNN(kernels="5-1-3", width=4, mapped=3).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    lr = torch.rand(1, 1, 7, 6, dtype=torch.float64)

    found = lr[0].numpy()
    for layer in (network.conv1, network.conv2, network.conv3):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        edge = weight.shape[-1] // 2
        padded = np.pad(found, ((0, 0), (edge, edge), (edge, edge)))
        found = np.stack(
            [correlate(padded, w, mode="valid")[0] + b for w, b in zip(weight, bias, strict=True)]
        )
        if layer is not network.conv3:  # the last layer is linear
            found = np.maximum(found, 0)
    np.testing.assert_allclose(network(lr)[0].detach().numpy(), found, atol=1e-12)


def test_first_weights_are_the_papers():
    torch.manual_seed(0)
    network = SRCNN()
    assert network.conv2.weight.std().item() == pytest.approx(0.001, rel=0.02)
    assert all(p.abs().sum() == 0 for name, p in network.named_parameters() if "bias" in name)


@pytest.mark.parametrize(("kernels", "radius"), [("9-1-5", 6), ("9-3-5", 7), ("9-5-5", 8)])
def test_halo_is_tight(reach, kernels, radius):
    network = SRCNN(kernels=kernels, width=2, mapped=2, same_size=True)
    assert reach(network) == network.halo == radius


def test_names_of_mmagic(tmp_path):
    source, target = SRCNN(width=4, mapped=3), SRCNN(width=4, mapped=3)
    state = {f"generator.{name}": value for name, value in source.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "srcnn.pth")
    load_weights(target, tmp_path / "srcnn.pth")
    assert torch.equal(source.conv2.weight, target.conv2.weight)
