"""What the tests of single networks share: counting, training a little, judging on Set5."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from realdeg.backbones import Backbone, Outputs
from realdeg.degradations.primitives.resize import imresize
from realdeg.utils.image import as_rgb, read_image, to_tensor


def on_meta(cls: type[Backbone], **settings) -> Backbone:
    """Build a full-sized network without its memory."""
    with torch.device("meta"):
        return cls(**settings)


def parameters(network: Backbone) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def weights_only(network: Backbone) -> int:
    """Count as older papers do: no biases, no PReLU slopes."""
    return sum(p.numel() for p in network.parameters() if p.ndim > 1)


def stored(network: Backbone) -> int:
    """Count everything in the state dict, mean shifts included."""
    return sum(value.numel() for value in network.state_dict().values())


def shapes(network: Backbone) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def losses_of_training(
    network: Backbone, loss: Callable[[Tensor, Tensor], Tensor], lr: float = 1e-3
) -> tuple[float, float]:
    """Train 30 iterations of Adam on one small batch; return the loss before and after."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(4, network.channels, 6, 6, generator=generator)
    hr = F.interpolate(coarse, scale_factor=4 * network.scale / 2, mode="bicubic").clamp(0, 1)
    small = imresize(hr, 1 / network.scale) * network.value_range
    optimiser = torch.optim.Adam(network.train().parameters(), lr=lr)
    history = []
    for _ in range(31):
        output = network(small)
        image = output.sr if isinstance(output, Outputs) else output
        value = loss(image / network.value_range, hr)
        history.append(value.item())
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    return history[0], history[-1]


def set5(folder: Path, scale: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Give the LR and HR pairs of Set5, RGB in [0, 1]."""
    files = sorted((folder / "Set5" / "HR" / f"x{scale}").glob("*.png"))
    assert len(files) == 5
    for file in files:
        name = file.name.replace(f"HR_x{scale}", f"LRBI_x{scale}")
        lr = file.parents[2] / "LR_bicubic" / f"x{scale}" / name
        low, high = (to_tensor(as_rgb(read_image(path)))[None] for path in (lr, file))
        yield low, high


def decibels(first: Tensor, second: Tensor, border: int) -> float:
    """Return the PSNR of images in [0, 1] without a border."""
    error = (first.double() - second.double())[..., border:, border:]
    error = error[..., : error.shape[-2] - border, : error.shape[-1] - border]
    return -10 * math.log10(error.square().mean().item())


def rounded(image: Tensor) -> Tensor:
    """Clip and round to 8 bit."""
    return image.clamp(0, 1).mul(255).round().div(255)
