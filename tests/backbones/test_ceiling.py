"""What other people's loaders may build of a file's tensors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from realdeg.backbones.parts.ceiling import Ceiling, check_scale
from realdeg.errors import CheckpointError

STATE = {"a": torch.zeros(1000)}


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Conv2d(30_000, 30_000, 3),
        lambda: nn.Linear(2**20, 2**12),
        lambda: torch.arange(2**30),
        lambda: STATE["a"].new_zeros(2**16, 2**16),
        lambda: [torch.zeros(1) for _ in range(20_000)],
    ],
)
def test_much_more_than_the_weights_is_refused_before_memory_is_taken(build):
    with Ceiling(STATE, "x.pth"), pytest.raises(CheckpointError, match="many times larger"):
        build()


def test_a_network_of_the_size_of_its_weights_is_built():
    with Ceiling(STATE, "x.pth"):
        network = nn.Sequential(*(nn.Conv2d(16, 16, 3) for _ in range(20)))
        assert network(torch.rand(1, 16, 42, 42)).shape[-1] == 2
        torch.empty(2**20, 2**20, device="meta")


@pytest.mark.parametrize("scale", [0, -1, 17, 10**9])
def test_scales(scale):
    check_scale(16, "x")
    with pytest.raises(CheckpointError, match="16 is the largest"):
        check_scale(scale, "x is an ESRGAN")
