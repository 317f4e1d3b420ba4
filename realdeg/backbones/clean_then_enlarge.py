"""Two networks in a row: one that cleans LR images, and one that enlarges them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from realdeg.backbones.base import Backbone, BackboneLike
from realdeg.backbones.build import backbone_from_config
from realdeg.backbones.running import network_input, run_backbone
from realdeg.errors import ConfigError
from realdeg.registry import BACKBONES
from realdeg.utils.argument_types import Scale
from realdeg.utils.geometry import GEOMETRY

PARTS = ("cleaner", "enlarger")


@BACKBONES.register_module()
class CleanThenEnlarge(Backbone):
    """Cleans the LR image with one network, then enlarges it with another.

    The network that enlarges may know clean LR only, for instance that of a bicubic reduction. Both
    are trained by the task ``CinCGAN``, which needs no pairs, or by any other task as one network.
    A network that expects interpolated images gets them after the cleaning. Auxiliary outputs are
    not passed on.

    Args:
        scale: HR pixels per LR pixel; those of ``enlarger`` can be built.
        same_size: The LR image lies on the HR grid.
        cleaner: Config of the network that cleans, which is built at scale 1, or the network.
        enlarger: Config of the network that enlarges, or the network. Each config may have
            ``start_from``, weights for the beginning of training.

    Shape:
        (B, 3 or 1, h, w) -> (B, 3 or 1, s*h, s*w), or the same size.

    Raises:
        ConfigError: If the two work on different colours, or one needs more than the image.
        GeometryError: If ``enlarger`` lacks the geometry.

    Source:
        Yuan et al., Unsupervised Image Super-Resolution using Cycle-in-Cycle Generative Adversarial
        Networks, CVPRW 2018, arXiv 1809.00437: ``SR(G1(x))``.
    """

    same_size_form = "native"
    example_arguments = {
        "scale": 2,
        "cleaner": {"type": "CinCGANTranslator", "width": 6, "num_blocks": 1},
        "enlarger": {"type": "EDSR", "num_blocks": 2, "num_features": 8},
    }

    def __init__(
        self,
        scale: Scale = 4,
        same_size: bool = False,
        cleaner: BackboneLike = {"type": "CinCGANTranslator"},  # noqa: B006 - never changed
        enlarger: BackboneLike = {"type": "EDSR"},  # noqa: B006
    ) -> None:
        second = _built(enlarger, "enlarger", scale, same_size)
        first = _built(cleaner, "cleaner", 1, False)
        if first.colour != second.colour:
            raise ConfigError(
                f"CleanThenEnlarge: the cleaner works on colour '{first.colour}' and the enlarger"
                f" on '{second.colour}': set backbone.cleaner.colour='{second.colour}'."
            )
        super().__init__(scale=scale, same_size=same_size, colour=second.colour)
        self.cleaner, self.enlarger = first, second
        self.size_multiple = math.lcm(first.size_multiple, second.size_multiple)
        self.whole_image = first.whole_image or second.whole_image
        self.draws = first.draws or second.draws

    @property
    def halo(self) -> int:  # type: ignore[override]
        """The sum of both."""
        return self.cleaner.halo + self.enlarger.halo

    @property
    def arguments(self) -> dict[str, Any]:
        """The constructor's arguments, the networks as configs: none depends on a file."""
        return {**super().arguments, **{name: _config_of(getattr(self, name)) for name in PARTS}}

    def clean(self, lr: Tensor) -> Tensor:
        """Run the first network on (B, C, h, w) in [0, 1]."""
        return run_backbone(self.cleaner, lr).sr

    def enlarge(self, clean: Tensor) -> Tensor:
        """Run the second network on (B, C, h, w) in [0, 1]."""
        return run_backbone(self.enlarger, network_input(self.enlarger, clean)).sr

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve (B, C, h, w) in [0, 1]."""
        return self.enlarge(self.clean(lr))


def _built(part: BackboneLike, name: str, scale: int, same_size: bool) -> Backbone:
    if not isinstance(part, Backbone):
        part = backbone_from_config(
            {"type": part} if isinstance(part, str) and part in BACKBONES.names() else part,
            scale=scale,
            same_size=same_size,
        )
    asks = [what for what in ("zero_shot", "teacher_forced", "needs") if getattr(part, what)]
    if asks:
        raise ConfigError(
            f"CleanThenEnlarge: {type(part).__name__} as '{name}' works on more than the image"
            f" ({', '.join(asks)}): take an ordinary network."
        )
    return part


def _config_of(part: Backbone) -> Mapping[str, Any]:
    """Return the config of a network without the geometry, which follows from the container's."""
    own = {key: value for key, value in part.arguments.items() if key not in GEOMETRY}
    return {"type": type(part).__name__, **own}
