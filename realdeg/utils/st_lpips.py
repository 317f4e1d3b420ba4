"""The ST-LPIPS network, built here; only its weights are read from the authors' package."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from realdeg.errors import CheckpointError, ConfigError, first_line
from realdeg.utils.precision import full_precision
from realdeg.utils.torch_state import Shapes, read_state
from realdeg.utils.trunk_files import PerceptualUnavailableError, stlpips_file
from realdeg.utils.trunks import TRUNKS, BlurPool, faster_layout

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_EPSILON = 1e-10
NETWORKS = ("alex", "vgg")
"""The trunks that the authors trained and that their package carries."""


def _alexnet() -> tuple[nn.Sequential, tuple[int, ...]]:
    """Return AlexNet with low-pass filters in place of strides, and where its five layers end."""
    trunk = nn.Sequential(
        nn.Conv2d(3, 64, 11, padding=2),
        BlurPool(),
        nn.ReLU(),
        nn.MaxPool2d(3, 1),
        BlurPool(),
        nn.Conv2d(64, 192, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 1),
        BlurPool(),
        nn.Conv2d(192, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1),
        nn.ReLU(),
    )
    return trunk, (2, 6, 10, 12, 14)


def _vgg() -> tuple[nn.Sequential, tuple[int, ...]]:
    """Return VGG16 up to relu5_3, its pools split into the modules that the package numbers."""
    trunk, ends = nn.Sequential(), []
    layers = list(TRUNKS["vgg16_shift_tolerant"].empty())
    for layer in layers[:-1]:
        if isinstance(layer, nn.Sequential):
            ends.append(len(trunk) - 1)
            trunk.extend(layer)
        else:
            trunk.append(layer)
    return trunk, (*ends, len(trunk) - 1)


class ShiftTolerantLPIPS(nn.Module):
    """LPIPS in a trunk that a shift by a pixel changes little.

    The features of five layers are divided by their norm over channels; their squared differences
    are summed with learned weights over channels, averaged over positions and summed over layers.

    Args:
        network: ``"alex"`` or ``"vgg"``.

    Shape:
        (B, 3, H, W), (B, 3, H, W) in [-1, 1] -> (B,)

    Raises:
        ConfigError: If there is no such network.

    Source:
        Ghildyal, Liu, Shift-tolerant Perceptual Similarity Metric, ECCV 2022 (package
        ``stlpips_pytorch`` 0.0.2, weights vST0.0).
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, network: str = "alex") -> None:
        super().__init__()
        if network not in NETWORKS:
            raise ConfigError(f"ST-LPIPS has the networks alex and vgg, got {network!r:.80}.")
        self.trunk, self.ends = _alexnet() if network == "alex" else _vgg()
        widths = {
            index: layer.out_channels
            for index, layer in enumerate(self.trunk)
            if isinstance(layer, nn.Conv2d)
        }
        self.heads = nn.ModuleList(
            nn.Conv2d(widths[max(i for i in widths if i <= end)], 1, 1, bias=False)
            for end in self.ends
        )
        for name, values in (("shift", _SHIFT), ("scale", _SCALE)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def names_in_package(self) -> dict[str, str]:
        """Return, for each tensor of the state dict, its name in the package's file."""
        found = {}
        for name in self.state_dict():
            part, index, *kind = name.split(".")
            if part == "heads":
                found[name] = f"lin{index}.model.1.weight"
            else:
                layer = next(n for n, end in enumerate(self.ends, start=1) if int(index) <= end)
                found[name] = f"net.slice{layer}.{index}.{kind[0]}"
        return found

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the distance of each pair of images; 0 for equal ones.

        Args:
            first: RGB in [-1, 1], (B, 3, H, W).
            second: The same shape.
        """
        with full_precision(first):
            x, y = (self._normalised(image) for image in (first, second))
            total = x.new_zeros(x.shape[0])
            for index, layer in enumerate(self.trunk):
                x, y = layer(x), layer(y)
                if index in self.ends:
                    head = self.heads[self.ends.index(index)]
                    difference = (_unit(x) - _unit(y)).square()
                    total = total + head(difference).mean((1, 2, 3))
            return total

    def _normalised(self, image: Tensor) -> Tensor:
        image = (image.float() - self.shift) / self.scale
        return image.contiguous(memory_format=torch.channels_last)


def _unit(features: Tensor) -> Tensor:
    """Divide the features of every position by their norm."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + _EPSILON)


def load_st_lpips(
    network: str = "alex", weights: str | os.PathLike[str] | None = None
) -> ShiftTolerantLPIPS:
    """Return the ST-LPIPS network with the authors' weights, on the CPU.

    Args:
        network: ``"alex"`` or ``"vgg"``.
        weights: The package's file of that network; None looks in the installed package, of which
            nothing is imported.

    Returns:
        The frozen network in evaluation mode.

    Raises:
        ConfigError: If there is no such network.
        PerceptualUnavailableError: If package or file are missing, or of another network.
    """
    with torch.random.fork_rng(devices=[]):
        built = ShiftTolerantLPIPS(network)
    path = Path(weights).expanduser() if weights else stlpips_file(network, "ST-LPIPS")
    names, own = built.names_in_package(), built.state_dict()

    def choose(shapes: Shapes) -> list[str]:
        for name, theirs in names.items():
            if shapes.get(theirs) != tuple(own[name].shape):
                raise CheckpointError(
                    f"{theirs} is {shapes.get(theirs, 'missing')}, wanted {tuple(own[name].shape)}"
                )
        return list(names.values())

    try:
        state = read_state(path, choose)
    except CheckpointError as error:
        raise PerceptualUnavailableError(
            f"ST-LPIPS cannot use {path} as weights of '{network}' ({first_line(error)}): install"
            " stlpips-pytorch 0.0.2."
        ) from error
    built.load_state_dict({name: state[theirs] for name, theirs in names.items()})
    return faster_layout(built, torch.device("cpu")).eval().requires_grad_(False)
