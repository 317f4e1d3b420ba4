"""KMSR against its published structure, written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from realdeg import create_backbone
from realdeg.backbones.kmsr import KMSR
from realdeg.errors import GeometryError


def written_out(state: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
    """``test_code/model.py`` of the published program, by its names of tensors."""

    def convolve(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state.get(f"{name}.bias"), padding=1)

    features = F.relu(convolve(image, "input"))
    number = 0
    while f"resblock_layer.{number}.conv1.weight" in state:
        name = f"resblock_layer.{number}"
        inner = F.relu(convolve(features, f"{name}.conv1"))
        features = F.relu(convolve(inner, f"{name}.conv2") + features)
        number += 1
    return convolve(features, "output")


@pytest.mark.parametrize("skip", [False, True])
def test_equals_the_published_program(skip: bool) -> None:
    torch.manual_seed(0)
    network = KMSR(num_blocks=3, width=5, same_size=True, global_skip=skip).double()
    image = torch.rand(2, 3, 7, 9, dtype=torch.float64)
    if skip:  # it starts from the image
        assert torch.equal(network(image), image)
        torch.nn.init.normal_(network.output.weight)
    wanted = written_out(dict(network.state_dict()), image) + (image if skip else 0)
    assert torch.allclose(network(image), wanted, atol=1e-12)


def test_names_and_shapes_of_the_published_program() -> None:
    state = KMSR().state_dict()
    assert len(state) == 2 + 16 * 4
    assert state["input.weight"].shape == (64, 3, 3, 3) and "input.bias" not in state
    assert state["output.weight"].shape == (3, 64, 3, 3) and "output.bias" not in state
    assert state["resblock_layer.15.conv2.bias"].shape == (64,)


def test_what_was_trained_on_blurred_hr_enlarges_photos(tmp_path) -> None:
    """Weights of the same size serve a network that is given smaller LR images."""
    trained = KMSR(scale=4, num_blocks=1, width=4, same_size=True, global_skip=True)
    file = tmp_path / "kmsr.pth"
    torch.save(trained.state_dict(), file)
    network = create_backbone({"type": "KMSR", "checkpoint": str(file)}, scale=4, same_size=False)
    assert network.skip is not None  # read from the file
    assert network.output_size(64, 32) == (64, 32) and network.upsample == "pre"
    from realdeg.backbones.running import network_input

    small = torch.rand(1, 3, 8, 6)
    assert network_input(network, small).shape == (1, 3, 32, 24)
    assert network_input(trained, small).shape == (1, 3, 8, 6)


def test_scales_that_it_lacks() -> None:
    with pytest.raises(GeometryError):
        KMSR(scale=0)
