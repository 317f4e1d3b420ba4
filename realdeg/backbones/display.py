"""How a network shows itself in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from realdeg.utils.notebook import html_block

if TYPE_CHECKING:
    from realdeg.backbones.base import Backbone

_COLOURS = {"rgb": "RGB", "y": "luma; colour is enlarged by bicubic interpolation"}


class ShowsNetwork:
    """Mix-in of backbones: the block that a notebook shows."""

    def _repr_html_(self) -> str:
        """Return scale, colour, size and arguments for a notebook; ``repr`` shows the layers."""
        network = cast("Backbone", self)
        learned = sum(parameter.numel() for parameter in network.parameters())
        grid = "LR on the HR grid" if network.same_size else f"x{network.scale:g}"
        facts: dict[str, object] = {
            "works on": _COLOURS.get(network.colour, network.colour),
            "parameters": f"{learned:,}",
            "needs": ", ".join(network.needs),
        }
        shown = {"scale", "same_size", "colour"}
        facts |= {name: value for name, value in network.arguments.items() if name not in shown}
        return html_block(f"{type(network).__name__}, {grid}", facts)
