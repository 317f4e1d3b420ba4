"""Flips and transposition."""

from __future__ import annotations

import numpy as np

from realdeg.datasets.transforms.base import Transform, place_in
from realdeg.registry import TRANSFORMS
from realdeg.utils.samples import Sample


@TRANSFORMS.register_module()
class Flip(Transform):
    """Flip HR and LR together, each direction with probability one half.

    DML and the networks trained with it use both flips without transposition; all three give the
    eight symmetries of the square.

    Args:
        horizontal: Whether left and right may be exchanged.
        vertical: Whether top and bottom may be exchanged.
        transpose: Whether rows and columns may be exchanged.
    """

    keeps_size = True
    config_fields = {name: f"flip.{name}" for name in ("horizontal", "vertical", "transpose")}

    def __init__(
        self, horizontal: bool = True, vertical: bool = True, transpose: bool = False
    ) -> None:
        self.horizontal = horizontal
        self.vertical = vertical
        self.transpose = transpose

    def __call__(self, results: Sample) -> Sample:
        """Return the flipped sample, the decisions noted in ``meta['flip']``."""
        # All three are always drawn, so that no setting changes the others' outcome.
        drawn = results["stream"].rng("flip").random(3) < 0.5
        horizontal = bool(drawn[0]) and self.horizontal
        vertical = bool(drawn[1]) and self.vertical
        transpose = bool(drawn[2]) and self.transpose

        def flipped(image: np.ndarray) -> np.ndarray:
            image = image[:, ::-1] if horizontal else image
            image = image[::-1] if vertical else image
            return image.swapaxes(0, 1) if transpose else image

        lr = results.get("lr")
        results["hr"] = flipped(results["hr"])
        if lr is not None:
            results["lr"] = flipped(lr)
        results["meta"]["flip"] = (horizontal, vertical, transpose)
        place = place_in(results)
        if place is not None:
            results["meta"]["place"] = place.flipped(horizontal, vertical, transpose)
        return results
