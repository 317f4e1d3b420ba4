"""Which losses fit a task and its patches, checked when a config is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from realdeg.errors import ConfigError
from realdeg.losses.build import component_of, names_image, terms_of
from realdeg.tasks.player_checks import patch_sizes


def check_compared(loss: Mapping[str, Any], place: str = "model.loss") -> None:
    """Refuse a loss of class logits where it would be given the image.

    Args:
        loss: The loss's config.
        place: Its place in the config.

    Raises:
        ConfigError: Naming the place, and how such a loss is used.
    """
    for where, term, kind in _losses(loss, place):
        if getattr(kind, "compares", "image") == "image":
            continue
        outputs = term.get("outputs") or loss.get("outputs")
        if isinstance(outputs, Mapping) and outputs and not names_image(outputs):
            continue
        raise ConfigError(
            f"'{where}' is {kind.__name__}, which compares class logits of pixels, and would be"
            " given the image: take an image loss such as L1Loss, or for a network with such an"
            " output (PixelRecursiveSR) make it a term of WeightedLoss with"
            " outputs={'logits': 1.0}."
        )


def check_images(cfg: Mapping[str, Any], channels: int | None, place: str = "loss") -> None:
    """Refuse a loss of other images than the HR patches that training compares.

    Args:
        cfg: The whole config.
        channels: The channels of the images; None: not known yet.
        place: The loss's argument of the task.

    Raises:
        ConfigError: If the patches are too small for a loss, or not in colour.
    """
    loss = cfg["model"].get(place)
    if not isinstance(loss, Mapping):
        return
    for where, term, kind in _losses(loss, f"model.{place}"):
        name = getattr(kind, "__name__", str(kind))
        if getattr(kind, "needs_rgb", False) and channels == 1 and term.get("weight", 1) != 0:
            raise ConfigError(
                f"'{where}' is {name}, which compares RGB images, and the network makes luma:"
                " set backbone.colour='rgb', or remove the term."
            )
        side_for = getattr(kind, "least_side_for", None)
        least = getattr(kind, "least_side", 1) if side_for is None else side_for(term)
        for size in patch_sizes(cfg):
            if size < least:
                raise ConfigError(
                    f"'{where}' is {name}, which needs images of at least {least} pixels per side,"
                    f" and training shows it patches of {size} x {size} (patch_size={size}): set"
                    f" patch_size={least} or more, or take a loss for smaller images."
                )


def _losses(loss: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    for where, term in terms_of(loss, place).items():
        yield where, term, component_of(term)
