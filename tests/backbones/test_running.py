from __future__ import annotations

import pytest
import torch

from realdeg.backbones import RCAN, VDSR, Backbone, Outputs
from realdeg.backbones.running import complete_colour, network_input, predict_image, run_backbone
from realdeg.degradations.primitives.resize import imresize
from realdeg.errors import DataError
from realdeg.utils.colour import rgb_to_y


def test_pre_upsampling_in_y():
    network = VDSR(scale=3, depth=2, width=2)
    rgb = torch.rand(2, 3, 5, 4)
    given = network_input(network, rgb)
    assert torch.equal(given, imresize(rgb_to_y(rgb), size=(15, 12)))
    same_size = VDSR(scale=3, same_size=True, depth=2, width=2)
    assert torch.equal(network_input(same_size, rgb), rgb_to_y(rgb))


def test_a_y_network_that_changes_nothing_keeps_the_colours():
    network = VDSR(same_size=True, depth=2, width=2)
    torch.nn.init.zeros_(network.output.weight)
    rgb = torch.rand(1, 3, 6, 5)
    sr = predict_image(network, network_input(network, rgb))
    assert sr.shape == (1, 1, 6, 5)
    torch.testing.assert_close(complete_colour(network, sr, rgb), rgb, rtol=0, atol=1e-5)


def test_the_value_range_is_undone():
    network = RCAN(scale=2, num_groups=1, num_blocks=1, num_features=4, reduction=1)
    rgb = torch.rand(1, 3, 6, 5)
    found = run_backbone(network, network_input(network, rgb)).sr
    assert torch.equal(found, network(rgb * 255) / 255)
    assert complete_colour(network, found, rgb) is found
    torch.nn.init.zeros_(network.tail[1].weight)
    torch.nn.init.zeros_(network.tail[1].bias)
    mean = torch.tensor([0.4488, 0.4371, 0.4040]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(predict_image(network, rgb), mean.expand(1, 3, 12, 10))


class Pair(Backbone):
    """Two outputs, the second of them in its own numbers."""

    value_range = 255.0

    @classmethod
    def example(cls):
        return cls()

    def forward(self, lr, *, scale=None, cond=None):
        return Outputs(lr, {"logits": lr * float("nan")})


def test_further_outputs_are_left_alone():
    lr = torch.rand(1, 3, 4, 4)
    network = Pair()
    outputs = run_backbone(network, lr)
    torch.testing.assert_close(outputs.sr, lr)
    assert list(outputs.aux) == ["logits"]
    predict_image(network, lr)


def test_not_a_number_is_an_error():
    with pytest.raises(DataError, match="VDSR"):
        predict_image(VDSR(depth=2, width=2), torch.full((1, 1, 4, 4), float("nan")))
