from __future__ import annotations

import pytest
import torch

from realdeg.backbones.cnf import CNF


@pytest.mark.parametrize("colour", ["y", "rgb"])
def test_one_convolution_for_each_member(colour):
    torch.manual_seed(0)
    network = CNF(depths="3-4-5", width=4, colour=colour).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    lr = torch.rand(2, network.channels, 6, 7, dtype=torch.float64)
    with torch.no_grad():
        outputs = network(lr)
        wanted = network.bias.reshape(1, -1, 1, 1)
        for member, (net, weight) in enumerate(zip(network.nets, network.fuse, strict=True), 1):
            image = lr
            for layer in net.convs[:-1]:
                image = layer(image).relu()
            image = net.convs[-1](image)
            torch.testing.assert_close(outputs.aux[f"member_{member}"], image)
            wanted = wanted + torch.nn.functional.conv2d(image, weight, padding=1)
    torch.testing.assert_close(outputs.sr, wanted)


def test_members_are_deep_srcnns():
    with torch.device("meta"):
        network = CNF()
    found = [[conv.kernel_size[0] for conv in net.convs] for net in network.nets]
    assert found == [[9, 5, *[3] * (depth - 3), 5] for depth in (7, 9, 11)]
    assert [conv.out_channels for conv in network.nets[0].convs] == [64, 32, 32, 32, 32, 32, 1]


def test_starts_as_the_mean_of_its_members():
    network = CNF.example()
    with torch.no_grad():
        outputs = network(torch.rand(1, 1, 8, 8))
    torch.testing.assert_close(outputs.sr, sum(outputs.aux.values()) / 2)


def test_halo_is_tight(reach):
    network = CNF(depths="3-5", width=4, same_size=True)
    for weight in network.fuse:  # at first they see one pixel
        torch.nn.init.normal_(weight)
    assert reach(network) == network.halo == 11
