from __future__ import annotations

import pytest
import torch

from realdeg.backbones import load_weights
from realdeg.backbones.ircnn import IRCNN, denoiser_level
from realdeg.errors import CheckpointError


def test_layers():
    with torch.device("meta"):
        model = IRCNN().model
    assert [layer.dilation[0] for layer in model[::2]] == [1, 2, 3, 4, 3, 2, 1]
    assert [layer.padding for layer in model[::2]] == [layer.dilation for layer in model[::2]]
    assert all(isinstance(layer, torch.nn.ReLU) for layer in model[1::2])
    assert len(model) == 13


def test_takes_the_predicted_noise_off():
    torch.manual_seed(0)
    network, image = IRCNN.example(), torch.rand(2, 1, 9, 8)
    torch.testing.assert_close(network(image), image - network.model(image))


def test_halo_is_tight(reach):
    network = IRCNN(width=2, same_size=True)
    assert reach(network) == network.halo == 16


@pytest.mark.parametrize(
    ("sigma", "level"), [(0.5, 0), (2, 0), (2.1, 1), (4 + 1e-12, 1), (15, 7), (50, 24), (70, 24)]
)
def test_which_network_is_for_which_noise(sigma, level):
    assert denoiser_level(sigma) == level


def test_one_network_out_of_twenty_five():
    networks = [IRCNN(width=3) for _ in range(25)]
    state = {
        f"{i}.{name}": value
        for i, network in enumerate(networks)
        for name, value in network.state_dict().items()
    }
    target = IRCNN(width=3, sigma=25)
    target.load_state_dict(target.adapt_state(state, "ircnn_gray.pth"))
    assert torch.equal(target.model[4].weight, networks[12].model[4].weight)
    with pytest.raises(CheckpointError, match=r"no tensors '12\.\*'"):
        target.adapt_state({k: v for k, v in state.items() if k.startswith("3.")}, "half.pth")


def test_dncnn_is_named(tmp_path):
    """Its tensors have the same names, but there are 17 or 20 convolutions."""
    state = {f"model.{2 * i}.weight": torch.zeros(64, 64, 3, 3) for i in range(17)}
    torch.save(state, tmp_path / "dncnn_15.pth")
    with pytest.raises(CheckpointError, match="17 convolutions, IRCNN has 7"):
        load_weights(IRCNN(), tmp_path / "dncnn_15.pth")
