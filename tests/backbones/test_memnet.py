from __future__ import annotations

import torch

from realdeg.backbones.memnet import MemNet


def test_equals_the_equations():
    """Units share convolutions; gates see old memories first, then the units; weights add up."""
    torch.manual_seed(0)
    network = MemNet(blocks=3, units=2, width=4).double().eval()
    for name, parameter in network.named_parameters():
        if parameter.ndim < 4:
            torch.nn.init.normal_(parameter, mean=0.5, std=0.3)
        assert parameter.requires_grad, name
    lr = torch.rand(2, 1, 6, 5, dtype=torch.float64)
    with torch.no_grad():
        outputs = network(lr)
        memories = [network.feature.conv(network.feature.bn(lr).relu())]
        total = 0
        for m, block in enumerate(network.blocks):
            unit, units = memories[-1], []
            for r in range(2):
                inner = block.conv_a(block.bn_a[r](unit).relu())
                unit = unit + block.conv_b(block.bn_b[r](inner).relu())
                units.append(unit)
            joined = torch.cat(memories + units, dim=1)
            assert joined.shape[1] == 4 * (m + 1 + 2)
            memories.append(block.gate.conv(block.gate.bn(joined).relu()))
            image = network.recon_conv(network.recon_bn[m](memories[-1]).relu()) + lr
            torch.testing.assert_close(outputs.aux[f"memory_{m + 1}"], image)
            total = total + network.weights[m] * image
    torch.testing.assert_close(outputs.sr, total)


def test_first_weights_average_the_memories():
    network = MemNet(blocks=4, units=1, width=2)
    torch.testing.assert_close(network.weights, torch.full((4,), 0.25))


def test_halo_is_tight(reach):
    network = MemNet(blocks=2, units=2, width=2, same_size=True).eval()
    assert reach(network) == network.halo == 10
    with torch.device("meta"):
        assert MemNet(same_size=True).halo == 74
