"""The exported form of a network: one image in [0, 1] in, one out."""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from realdeg.backbones.base import Backbone
from realdeg.backbones.running import predict_image, run_backbone
from realdeg.errors import ConfigError, as_given

Size = tuple[int, int]
LARGEST_DIFFERENCE = 1e-4
"""Largest difference allowed between the exported and the original network, for [0, 1]."""

_TILES = "its tiles are laid out in Python for one size, with the last ones shifted to the border"
# Found by running every network (tests/export/test_every_backbone.py).
FIXED_SIZE_ONLY: dict[str, dict[str, str]] = {
    "IPT": {"onnx": _TILES, "torch-export": _TILES},
}
# Reasons by type and format.
_SPECTRA = "its data steps use complex spectra, which torch's translation to ONNX does not support"
_GROUPS = (
    "it blurs each image with its own kernel, which makes the groups of its convolutions depend on"
    " the number of images"
)
WITHOUT_GRAPH: dict[tuple[str, str], str] = {
    **{(name, "onnx"): _SPECTRA for name in ("IRCNNHQS", "USRNet")},
    **{("KXNet", form): _GROUPS for form in ("onnx", "torch-export")},
}


class Portable(nn.Module):
    """Wraps a network so that input and output are in [0, 1].

    Args:
        backbone: The network, in evaluation mode.

    Shape:
        (B, C, h, w) -> (B, C, H, W), both in [0, 1] (the result is not clipped).
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve a batch."""
        return run_backbone(self.backbone, lr).sr


def portable(backbone: Backbone) -> Portable:
    """Return a copy of a network for export: on the CPU, in float32, fused if possible."""
    own = copy.deepcopy(backbone).cpu().float().eval().requires_grad_(False)
    fuse = getattr(own, "fuse", None)
    if inspect.ismethod(fuse) and not getattr(own, "fused", False):
        own = fuse().eval().requires_grad_(False)
    return Portable(own).eval()


def check_form(backbone: Backbone, form: str, size: Size | None) -> None:
    """Refuse a network that cannot be exported in a format.

    Args:
        backbone: The network to export.
        form: ``"onnx"`` or ``"torch-export"``.
        size: The only input height and width; None: any size.

    Raises:
        ConfigError: With the reason.
    """
    name = type(backbone).__name__
    if backbone.zero_shot:
        raise ConfigError(
            f"{name} cannot be exported to {form}: it has no weights, and trains on each image that"
            " it is called with, which is not a graph."
        )
    if backbone.needs:
        raise ConfigError(
            f"{name} cannot be exported to {form}: besides the image it needs"
            f" {', '.join(backbone.needs)}, for which there is no input."
        )
    if backbone.teacher_forced and getattr(backbone, "sampling", "") != "one_pass":
        raise ConfigError(
            f"{name} cannot be exported to {form}: it draws each pixel from the previous ones,"
            " which is not a graph. Build it with sampling='one_pass', or export safetensors."
        )
    # IRCNNHQS has a form without spectra, which is its default.
    spatial = backbone.arguments.get("form") == "back_projection"
    if (name, form) in WITHOUT_GRAPH and not spatial:
        raise ConfigError(
            f"{name} cannot be exported to {form}: {WITHOUT_GRAPH[name, form]}. Export safetensors"
            " or torch-export."
        )
    if size is not None:
        if min(size) < 1:
            raise ConfigError(f"size is {size}, but height and width must be 1 or more.")
        return
    reason = FIXED_SIZE_ONLY.get(name, {}).get(form)
    if reason:
        raise ConfigError(
            f"{name} cannot be exported to {form} for images of any size ({reason}): give the one"
            f" size that it is to take, {as_given(size=('H', 'W'))}."
        )


def size_hint(size: Size | None) -> str:
    """Return the advice that ends a message where an export for any size failed."""
    return "" if size else f" Fixing the size may help: {as_given(size=('H', 'W'))}."


def trial_sizes(backbone: Backbone, size: Size | None) -> list[tuple[int, int, int]]:
    """Return (batch, height, width) of the traced example, followed by those that are checked.

    They include odd sizes, multiples of the network's blocks, and a single image.

    Args:
        backbone: The network to export; its size multiple sets the sizes.
        size: The only exported size, or None.
    """
    if size is not None:
        return [(2, *size), (1, *size), (3, *size)]
    block = backbone.size_multiple
    base = -(-24 // block) * block if block <= 8 else 3 * block
    # Unequal sides, not multiples of the block: the tracer would turn a coincidence into a rule.
    return [
        (2, base + 1, base + block + 3),
        (1, base, base + block),
        (2, base + 3, base + 10),
        (1, base + 17, base - 1),
    ]


def least_size(backbone: Backbone, size: Size | None) -> int | None:
    """Return the smallest input side of a network exported for any size; None for one size."""
    return None if size is not None else backbone.size_multiple + 1


@dataclass(frozen=True)
class Comparison:
    """Comparison of an exported network with the original.

    Attributes:
        shapes: Shapes of the inputs (B, C, h, w).
        difference: The largest absolute difference, for images in [0, 1].
        largest: The largest value of any output, at least 1.
    """

    shapes: list[tuple[int, int, int, int]]
    difference: float
    largest: float

    @property
    def good(self) -> bool:
        """Whether the difference is within tolerance."""
        return self.difference <= LARGEST_DIFFERENCE * self.largest


def trial(backbone: Backbone, batch: int, height: int, width: int) -> Tensor:
    """Return a fixed random input for a network."""
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.rand((batch, backbone.channels, height, width), generator=generator)


def reference(backbone: Backbone, image: Tensor) -> Tensor:
    """Return the output of the original network for an image in [0, 1]."""
    with torch.no_grad():
        return predict_image(backbone, image)
