"""The form in which a network leaves: images in [0, 1] in and out, nothing but the picture."""

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
"""How far an exported network may be from the one that it was made of, for images in [0, 1]."""

_TILES = (
    "its tiles are laid out in Python for one size, with the last ones shifted against the border"
)
# What no formulation mends; found by running every network (tests/export/test_every_backbone.py).
FIXED_SIZE_ONLY: dict[str, dict[str, str]] = {
    "IPT": {"onnx": _TILES, "torch-export": _TILES},
}
# Type, form and why.
WITHOUT_GRAPH: dict[tuple[str, str], str] = {
    ("IRCNNHQS", "onnx"): (
        "its steps towards the data work on complex spectra, which torch's translation to ONNX"
        " does not know"
    ),
}


class Portable(nn.Module):
    """A network that takes and gives [0, 1], whatever range it works on inside.

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
    """Take a copy of a network for export: on the CPU, in float32, merged where it can be.

    Args:
        backbone: The network; it is left as it is.
    """
    own = copy.deepcopy(backbone).cpu().float().eval().requires_grad_(False)
    fuse = getattr(own, "fuse", None)
    if inspect.ismethod(fuse) and not getattr(own, "fused", False):
        own = fuse().eval().requires_grad_(False)
    return Portable(own).eval()


def check_form(backbone: Backbone, form: str, size: Size | None) -> None:
    """Refuse what cannot be exported in a form.

    Args:
        backbone: The network.
        form: ``"onnx"`` or ``"torch-export"``.
        size: Height and width that the exported network shall take; None: any.

    Raises:
        ConfigError: With the reason.
    """
    name = type(backbone).__name__
    if backbone.needs:
        raise ConfigError(
            f"{name} cannot be exported to {form}: beside the image it wants"
            f" {', '.join(backbone.needs)}, for which there is no input."
        )
    if backbone.teacher_forced and getattr(backbone, "sampling", "") != "one_pass":
        raise ConfigError(
            f"{name} cannot be exported to {form}: it draws its pixels one after the other, each"
            " from those before, which is no graph. Build it with sampling='one_pass', or export"
            " safetensors."
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
            raise ConfigError(f"the size to export for is {size}: both sides are 1 or more.")
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
    """Return batch, height and width of the example, and then of what is checked.

    Odd sizes, multiples of the network's blocks, and one image alone are among them.

    Args:
        backbone: The network.
        size: The one size that is exported, or None.
    """
    if size is not None:
        return [(2, *size), (1, *size), (3, *size)]
    block = backbone.size_multiple
    base = -(-24 // block) * block if block <= 8 else 3 * block
    # No two sides are equal or a multiple of the block: a coincidence would become a rule.
    return [
        (2, base + 1, base + block + 3),
        (1, base, base + block),
        (2, base + 3, base + 10),
        (1, base + 17, base - 1),
    ]


def least_size(backbone: Backbone, size: Size | None) -> int | None:
    """Return the shortest side that a network exported for any size takes, None for one size."""
    return None if size is not None else backbone.size_multiple + 1


@dataclass(frozen=True)
class Comparison:
    """How an exported network was compared with the one that it was made of.

    Attributes:
        shapes: The inputs (B, C, h, w).
        difference: The largest difference of any number, for images in [0, 1].
        largest: The largest number of any result, 1 where it is less.
    """

    shapes: list[tuple[int, int, int, int]]
    difference: float
    largest: float

    @property
    def good(self) -> bool:
        """Whether the two are the same network."""
        return self.difference <= LARGEST_DIFFERENCE * self.largest


def trial(backbone: Backbone, batch: int, height: int, width: int) -> Tensor:
    """Return an image to try a network on, the same at each call."""
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.rand((batch, backbone.channels, height, width), generator=generator)


def reference(backbone: Backbone, image: Tensor) -> Tensor:
    """Return what the network itself makes of an image in [0, 1]."""
    with torch.no_grad():
        return predict_image(backbone, image)
