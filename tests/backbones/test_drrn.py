from __future__ import annotations

import pytest
import torch

from realdeg.backbones import load_weights
from realdeg.backbones.drrn import DRRN
from realdeg.errors import CheckpointError


def small(**settings):
    torch.manual_seed(0)
    return DRRN(**{"units": 3, "width": 4} | settings).double()


@pytest.mark.parametrize("use_bn", [False, True])
def test_units_add_to_the_head_of_the_block(use_bn):
    """Not to the unit before, as a residual network's would."""
    network, lr = small(use_bn=use_bn), torch.rand(2, 1, 6, 5, dtype=torch.float64)
    with torch.no_grad():
        head = features = network.input(network.input_bn(lr).relu())
        for unit in range(3):
            inner = network.conv1(network.bn1[unit](features).relu())
            features = head + network.conv2(network.bn2[unit](inner).relu())
        wanted = lr + network.output(network.output_bn(features).relu())
        torch.testing.assert_close(network(lr), wanted)


def test_blocks_have_layers_of_their_own():
    network, lr = small(blocks=2, use_bn=False), torch.rand(1, 1, 5, 5, dtype=torch.float64)
    second = network.further[0]
    with torch.no_grad():
        head = features = second.input(network.run_layers(lr).relu())
        for _ in range(3):
            features = head + second.conv2(second.conv1(features.relu()).relu())
        torch.testing.assert_close(network(lr), lr + network.output(features.relu()))
    assert second.conv1.weight.data_ptr() != network.conv1.weight.data_ptr()


def test_normalisations_are_not_shared():
    network = small()
    network(torch.rand(2, 1, 8, 8, dtype=torch.float64))
    assert not torch.equal(network.bn1[0].running_mean, network.bn1[1].running_mean)


@pytest.mark.parametrize("blocks", [1, 2])
def test_halo_is_tight(reach, blocks):
    network = DRRN(blocks=blocks, units=2, width=2, use_bn=False, same_size=True)
    assert reach(network) == network.halo == 5 * blocks + 1


def test_forms_are_not_mixed(tmp_path):
    public = DRRN(units=2, width=4, use_bn=False, bias=False)
    torch.save({f"module.{k}": v for k, v in public.state_dict().items()}, tmp_path / "drrn.pth")
    with pytest.raises(CheckpointError, match=r"DRRN\(use_bn=False, bias=False\)"):
        load_weights(DRRN(units=2, width=4), tmp_path / "drrn.pth")
    again = DRRN(units=25, width=4, use_bn=False, bias=False)  # the units share their weights
    load_weights(again, tmp_path / "drrn.pth")
    assert torch.equal(again.conv2.weight, public.conv2.weight)
