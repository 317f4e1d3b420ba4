"""Trained feature networks (trunks): VGG16 and VGG19, layers by name, one copy in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast
from weakref import WeakValueDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from realdeg.errors import ConfigError, GeometryError, nearest
from realdeg.utils.trunk_files import published_file, read_convolutions, stlpips_file

_WIDTHS = (64, 128, 256, 512, 512)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""What torchvision's networks subtract from RGB in [0, 1], and then divide it by."""


class BlurPool(nn.Module):
    """Every second pixel of a binomial low-pass (1, 2, 1) / 4, on 2 reflected pixels at each side.

    Shape:
        (B, C, H, W) -> (B, C, ceil((H + 2) / 2), ceil((W + 2) / 2))

    Source:
        Zhang, Making Convolutional Networks Shift-Invariant Again, ICML 2019, with the padding of
        ST-LPIPS (Ghildyal and Liu, ECCV 2022).
    """

    def forward(self, features: Tensor) -> Tensor:
        """Filter and reduce (B, C, H, W)."""
        taps = features.new_tensor((0.25, 0.5, 0.25))
        kernel = torch.outer(taps, taps).expand(features.shape[1], 1, 3, 3)
        padded = F.pad(features, (2, 2, 2, 2), mode="reflect")
        return F.conv2d(padded, kernel, stride=2, groups=features.shape[1])


@dataclass(frozen=True)
class TrunkKind:
    """A trunk that is known by name.

    Attributes:
        shown: Its name in messages.
        convolutions: The number of convolutions in each of the five stages of a VGG.
        find: Returns the file of its weights, given a path or None, and who needs it.
        shift_tolerant: Whether its pools are those of ST-LPIPS.
    """

    shown: str
    convolutions: tuple[int, ...]
    find: Callable[[str | os.PathLike[str] | None, str], Path]
    shift_tolerant: bool = False

    def empty(self) -> nn.Sequential:
        """Return the trunk with random weights, its layers by name: conv1_1, relu1_1, ..."""
        trunk, width = nn.Sequential(), 3
        for stage, (count, wider) in enumerate(
            zip(self.convolutions, _WIDTHS, strict=True), start=1
        ):
            for number in range(1, count + 1):
                trunk.add_module(f"conv{stage}_{number}", nn.Conv2d(width, wider, 3, padding=1))
                trunk.add_module(f"relu{stage}_{number}", nn.ReLU())
                width = wider
            pool: nn.Module = nn.MaxPool2d(2, 2)
            if self.shift_tolerant:
                pool = nn.Sequential(nn.MaxPool2d(2, 1), BlurPool())
            trunk.add_module(f"pool{stage}", pool)
        return trunk

    def layers(self) -> tuple[str, ...]:
        """Return the names of the layers; a position is torchvision's index in ``features``."""
        with torch.device("meta"):
            return tuple(dict(self.empty().named_children()))

    def least_side(self, names: Collection[str]) -> int:
        """Return the smallest side in pixels of an image that reaches these layers.

        Args:
            names: Names of layers.
        """
        known = self.layers()
        last = max(known.index(name) for name in names)
        pools = sum(name.startswith("pool") for name in known[: last + 1])
        if not self.shift_tolerant:
            return 2**pools
        # A pool takes 4 pixels or more, and makes floor(side / 2) + 1 of them.
        return 2**pools + 2 if pools else 1

    def fill(self, file: Path, needed_by: str) -> nn.Sequential:
        """Return the trunk with the weights of a file."""
        with torch.device("meta"):  # nothing random is drawn
            trunk = self.empty()
        convolutions = [layer for layer in trunk if isinstance(layer, nn.Conv2d)]
        shapes = [tuple(layer.weight.shape) for layer in convolutions]
        read = read_convolutions(file, shapes, self.shown, needed_by, check=False)
        for layer, (weight, bias) in zip(convolutions, read, strict=True):
            layer.weight = nn.Parameter(weight, requires_grad=False)
            layer.bias = nn.Parameter(bias, requires_grad=False)
        return trunk

    def check(self, file: Path, needed_by: str) -> None:
        """Refuse a file of another network, from the shapes that it lists."""
        with torch.device("meta"):
            trunk = self.empty()
        shapes = [tuple(layer.weight.shape) for layer in trunk if isinstance(layer, nn.Conv2d)]
        read_convolutions(file, shapes, self.shown, needed_by, check=True)


def _published(network: str) -> Callable[[str | os.PathLike[str] | None, str], Path]:
    return lambda weights, needed_by: published_file(
        network, weights, needed_by, "the argument weights"
    )


def _of_package(weights: str | os.PathLike[str] | None, needed_by: str) -> Path:
    if weights is None:
        return stlpips_file("vgg", needed_by)
    return published_file("vgg16", weights, needed_by, "the argument weights")


TRUNKS: Mapping[str, TrunkKind] = {
    "vgg19": TrunkKind("VGG19", (2, 2, 4, 4, 4), _published("vgg19")),
    "vgg16": TrunkKind("VGG16", (2, 2, 3, 3, 3), _published("vgg16")),
    "vgg16_shift_tolerant": TrunkKind("VGG16", (2, 2, 3, 3, 3), _of_package, shift_tolerant=True),
}
"""The trunks by name. ``vgg16_shift_tolerant`` is the one of ST-LPIPS: VGG16 with low-pass filters
in its pools, retrained on ImageNet; it stands in for VGG19 where that cannot be had."""

_in_memory: WeakValueDictionary[tuple[Any, ...], nn.Sequential] = WeakValueDictionary()


class Trunk:
    """A frozen feature network that several losses share; it belongs to no state dict.

    It is loaded at the first call of :meth:`at`. A copy of it is the same object.

    Args:
        kind: A key of ``TRUNKS``, or a module: a ``Sequential`` whose children have names, or one
            that returns its features by name.
        weights: A file of weights; None looks in the usual place. Only for a key.
        needed_by: What needs it, for messages.

    Raises:
        ConfigError: If the name is unknown, or a module is given weights.
    """

    def __init__(
        self, kind: str | nn.Module, weights: str | os.PathLike[str] | None, needed_by: str
    ) -> None:
        self.kind, self.weights, self.needed_by = kind, weights, needed_by
        self._at: dict[tuple[torch.device, torch.dtype], nn.Module] = {}
        if isinstance(kind, str) and kind not in TRUNKS:
            raise ConfigError(
                f"{needed_by}: trunk is '{kind:.80}', wanted {', '.join(map(repr, TRUNKS))}, or a"
                f" module.{nearest(kind[:80], set(TRUNKS))}"
            )
        if isinstance(kind, nn.Module):
            kind.eval().requires_grad_(False)
            if weights is not None:
                raise ConfigError(
                    f"{needed_by}: 'weights' are of a trunk by name, and trunk is a"
                    f" {type(kind).__name__}, which has its own: remove 'weights'."
                )

    def __deepcopy__(self, memo: dict[int, Any]) -> Trunk:
        """Return itself: a moving average of a task needs no second copy."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle how it is found; another process reads it again."""
        return (Trunk, (self.kind, self.weights, self.needed_by))

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return TRUNKS[self.kind].shown if isinstance(self.kind, str) else type(self.kind).__name__

    def layers(self) -> tuple[str, ...]:
        """Return the names of the layers, in order; none if the module does not list them."""
        if isinstance(self.kind, str):
            return TRUNKS[self.kind].layers()
        return tuple(dict(self.kind.named_children())) if _is_chain(self.kind) else ()

    def resolve(self, name: str, before_relu: bool) -> str:
        """Return the layer that a name asks for.

        Args:
            name: A layer's name.
            before_relu: Whether a convolution means its own output, or that of the ReLU after it.

        Raises:
            ConfigError: If there is no such layer, naming those there are.
        """
        known = self.layers()
        if not known:
            return name
        if name not in known:
            raise ConfigError(
                f"{self.needed_by}: {self.shown} has no layer '{name}', it has"
                f" {', '.join(known)}.{nearest(name, known)}"
            )
        if before_relu or name == known[-1]:
            return name
        after = known[known.index(name) + 1]
        return after if isinstance(self._layer(after), nn.ReLU) else name

    def _layer(self, name: str) -> nn.Module:
        if isinstance(self.kind, nn.Module):
            return self.kind.get_submodule(name)
        with torch.device("meta"):
            return TRUNKS[self.kind].empty().get_submodule(name)

    def check(self) -> None:
        """Refuse weights that are missing, or of another network, without reading them.

        Raises:
            PerceptualUnavailableError: Saying what was looked for, where, and what to do.
        """
        if isinstance(self.kind, str):
            kind = TRUNKS[self.kind]
            kind.check(kind.find(self.weights, self.needed_by), self.needed_by)

    def at(self, device: torch.device, dtype: torch.dtype) -> nn.Module:
        """Return the network on a device, loading it first.

        Args:
            device: Where it is to run.
            dtype: The type of its weights, for a trunk by name; a module keeps its own.

        Raises:
            PerceptualUnavailableError: If its weights are missing or damaged.
        """
        if isinstance(self.kind, nn.Module):
            return self.kind.to(device).eval()
        found = self._at.get((device, dtype))
        if found is None:
            found = self._at[device, dtype] = self._load(self.kind, device, dtype)
        return found

    def _load(self, kind: str, device: torch.device, dtype: torch.dtype) -> nn.Sequential:
        file = TRUNKS[kind].find(self.weights, self.needed_by)
        status = file.stat()
        key = (kind, file.resolve(), status.st_mtime_ns, status.st_size, device, dtype)
        trunk = _in_memory.get(key)
        if trunk is None:
            trunk = TRUNKS[kind].fill(file, self.needed_by).eval().requires_grad_(False)
            trunk = _in_memory[key] = faster_layout(trunk.to(device=device, dtype=dtype), device)
        return trunk

    def features(self, image: Tensor, names: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the outputs of layers, running no further than the last of them.

        Args:
            image: What the network takes, (B, 3, H, W).
            names: The layers.

        Raises:
            ConfigError: If a module returns no features of such a name.
            GeometryError: If the image is too small for the last layer.
        """
        trunk = self.at(image.device, image.dtype)
        if image.device.type == "cpu":
            image = image.contiguous(memory_format=torch.channels_last)
        if not _is_chain(trunk):
            return self._returned(trunk(image), names)
        found: dict[str, Tensor] = {}
        last = max(names, key=list(dict(trunk.named_children())).index)
        former, kept = "", True
        for name, layer in trunk.named_children():
            if min(image.shape[-2:]) < _least_side(layer):
                raise GeometryError(
                    f"{self.needed_by}: an image is too small for the layer '{last}' of"
                    f" {self.shown}, whose '{name}' sees {tuple(image.shape[-2:])} of it: use"
                    " larger patches, or an earlier layer."
                )
            # Half of the memory: a convolution's output is not needed again unless it is wanted.
            overwrite = isinstance(layer, nn.ReLU) and former == "Conv2d" and not kept
            image = torch.relu_(image) if overwrite else layer(image)
            former = type(layer).__name__
            kept = name in names
            if kept:
                found[name] = image
            if name == last:
                break
        return found

    def _returned(self, found: Any, names: Mapping[str, Any]) -> dict[str, Tensor]:
        if not isinstance(found, Mapping) or not set(names) <= set(found):
            held = ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found)
            raise ConfigError(
                f"{self.needed_by}: the trunk {self.shown} returns {held}, wanted features by name"
                f" with {', '.join(names)}."
            )
        return {name: cast(Tensor, found[name]) for name in names}


Network = TypeVar("Network", bound=nn.Module)


def faster_layout(network: Network, device: torch.device) -> Network:
    """Store weights as the CPU's convolutions want them: up to 1.6 times faster, measured.

    Args:
        network: A network of convolutions; it is changed in place.
        device: Where it is. On others the layout follows the image's.
    """
    if device.type == "cpu":
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _least_side(layer: nn.Module) -> int:
    """Return the smallest side in pixels that a pool of this module can reduce."""
    if isinstance(layer, nn.Sequential) and any(isinstance(part, BlurPool) for part in layer):
        return 4
    return 2 if isinstance(layer, nn.MaxPool2d) else 1


def _is_chain(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential)
