from __future__ import annotations

import torch

from realdeg.backbones.drcn import DRCN


def small():
    torch.manual_seed(0)
    network = DRCN(recursions=4, width=5).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, mean=0.1, std=0.3)
    return network


def test_recursions_share_every_layer():
    """The recursions one after the other, each reconstructed by the same two layers."""
    network, lr = small(), torch.rand(2, 1, 6, 5, dtype=torch.float64)
    with torch.no_grad():
        outputs = network(lr)
        features = network.embedding(lr)
        for number in range(1, 5):
            features = network.recursion(features).relu()
            wanted = lr + network.reconstruction(features)
            torch.testing.assert_close(outputs.aux[f"recursion_{number}"], wanted)
        shares = network.weights / network.weights.sum()
        images = torch.stack(list(outputs.aux.values()))
    torch.testing.assert_close(outputs.sr, torch.einsum("d,dbchw->bchw", shares, images))


def test_only_ratios_of_the_weights_matter():
    network, lr = small(), torch.rand(1, 1, 4, 4, dtype=torch.float64)
    with torch.no_grad():
        before = network(lr).sr
        network.weights.mul_(7)
        torch.testing.assert_close(network(lr).sr, before)


def test_first_weights():
    """The recursion is the identity and every recursion counts the same."""
    network = DRCN(recursions=5, width=3)
    with torch.no_grad():
        outputs = network(torch.rand(1, 1, 5, 5))
    for image in outputs.aux.values():
        torch.testing.assert_close(image, outputs.sr)
    torch.testing.assert_close(network.weights, torch.full((5,), 0.2))


def test_halo_is_tight(reach):
    network = DRCN(recursions=3, width=2, same_size=True)
    torch.nn.init.normal_(network.recursion.weight)  # at first it sees one pixel
    assert reach(network) == network.halo == 7
    with torch.device("meta"):
        assert DRCN(same_size=True).halo == 20
