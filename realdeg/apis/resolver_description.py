"""What a resolver says about itself: for people, notebooks and manifests."""

from __future__ import annotations

from typing import Any, Literal

import torch

from realdeg.backbones.base import Backbone
from realdeg.backbones.refinement import Refinement
from realdeg.utils.component import component_hash, plain
from realdeg.utils.notebook import arguments_in_short, html_block


class DescribesResolver:
    """Mix-in of :class:`realdeg.SuperResolver`.

    Attributes:
        backbone: The network.
        refinement: What is done beside one pass.
        tile: How tiles are chosen.
        device: Where it computes.
    """

    backbone: Backbone
    refinement: Refinement
    tile: int | Literal["auto"] | None
    device: torch.device

    def __repr__(self) -> str:
        """Return the network, its scale and how it is applied."""
        return f"SuperResolver({self._title()}; {arguments_in_short(self._facts())})"

    def _repr_html_(self) -> str:
        """Return the same, and the network's arguments, for a notebook."""
        shown = {"scale", "same_size"}
        more = {name: v for name, v in self.backbone.arguments.items() if name not in shown}
        return html_block(f"SuperResolver: {self._title()}", {**self._facts(), **more})

    def settings(self) -> dict[str, Any]:
        """Return the settings that determine the results, as plain data for a manifest."""
        backbone, refinement = self.backbone, self.refinement
        projection = refinement.back_projection
        name = type(backbone).__name__
        return {
            "backbone": {
                "type": name,
                "arguments": plain(backbone.arguments),
                "hash": component_hash(name, backbone.arguments, backbone.state_dict()),
            },
            "scale": backbone.scale,
            "same_size": backbone.same_size,
            "tile": self.tile,
            "device": self.device.type,
            # Only where it is used: folders of earlier versions continue.
            **({"self_ensemble": True} if refinement.self_ensemble else {}),
            **({"back_projection": projection.settings()} if projection is not None else {}),
        }

    def _title(self) -> str:
        grid = "LR on the HR grid" if self.backbone.same_size else f"x{self.backbone.scale:g}"
        return f"{type(self.backbone).__name__} {grid}"

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"tile": self.tile or "never", "device": str(self.device)}
        if self.refinement.self_ensemble:
            facts["self_ensemble"] = True
        if self.refinement.back_projection is not None:
            facts["back_projection"] = type(self.refinement.back_projection.degradation).__name__
        return facts
