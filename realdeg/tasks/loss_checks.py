"""Which losses fit a task and its patches, checked when a config is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from realdeg.errors import ConfigError
from realdeg.losses.build import component_of, names_image, references_of, terms_of
from realdeg.tasks.player_checks import hr_size, patch_sizes, source_of_patch

_SPECIAL = {
    "classes": (
        "class logits of pixels",
        "take an image loss such as L1Loss, or for a network with such an output (PixelRecursiveSR)"
        " make it a term of WeightedLoss with outputs={'logits': 1.0}",
    ),
    "bands": (
        "bands of a wavelet",
        "set levels=1 or more, or for a network with such an output (WaveletSRNet) make it a term"
        " of WeightedLoss with outputs={'high': 1.0}",
    ),
}


def check_compared(loss: Mapping[str, Any], place: str = "model.loss") -> None:
    """Refuse a loss of something else where it would be given the image.

    Args:
        loss: The loss's config.
        place: Its place in the config.

    Raises:
        ConfigError: Naming the place, and how such a loss is used; or if no term compares
            anything with the target.
    """
    alone = []
    for where, term, kind in _losses(loss, place):
        compares = kind.compares_for(term) if hasattr(kind, "compares_for") else "image"
        if compares in _SPECIAL and judges_image(term, loss):
            what, advice = _SPECIAL[compares]
            raise ConfigError(
                f"'{where}' is {kind.__name__}, which compares {what}, and would be given the"
                f" image: {advice}."
            )
        alone.append(getattr(kind, "judges_alone", False) and kind.kind == "image")
    if alone and all(alone):
        raise ConfigError(
            f"'{place}' judges the result alone, so nothing would compare it with the target: add a"
            " term such as L1Loss, dict(type='WeightedLoss', terms=[dict(type='L1Loss'), ...])."
        )


def check_names(
    loss: Mapping[str, Any], own: Sequence[str], task: str, place: str = "model.loss"
) -> None:
    """Refuse a term with the name of a loss that the task adds, which would take its place.

    Args:
        loss: The loss's config.
        own: The names, or patterns, of the losses that the task adds.
        task: The task's type, for messages.
        place: The loss's place in the config.

    Raises:
        ConfigError: Naming the term and the name that is taken.
    """
    names_of = getattr(component_of(loss), "term_names", None)
    terms = loss.get("terms")
    if names_of is None or not isinstance(terms, list | tuple):
        return
    images = {number: term for number, term in enumerate(terms) if _judges_images(term)}
    for number, name in zip(images, names_of(images.values()), strict=True):
        if any(fnmatchcase(name, pattern) for pattern in own):
            raise ConfigError(
                f"'{place}.terms.{number}' has the name '{name}', which {task} gives to a loss of"
                " its own: give the term another 'name'."
            )


def check_single(loss: Any, task: str, place: str) -> None:
    """Refuse a loss of two images, beside a task's ``loss``, that needs more than the two.

    Args:
        loss: The loss's config; None passes.
        task: The task's type, for messages.
        place: Its place in the config.

    Raises:
        ConfigError: If it compares class logits, or a picture that the task does not make here.
    """
    if not isinstance(loss, Mapping):
        return
    check_compared(loss, place)
    for name, where in references_of(loss, place).items():
        raise ConfigError(
            f"'{where}' needs the picture '{name}', which {task} makes for 'model.loss' at most:"
            " take a loss of two images, such as L1Loss."
        )


def check_images(
    cfg: Mapping[str, Any],
    channels: int | None,
    place: str = "loss",
    sizes: Sequence[int] | None = None,
    rgb: str = "backbone.colour='rgb'",
    cropped: bool = False,
) -> None:
    """Refuse a loss of other images than the patches that training compares.

    Args:
        cfg: The whole config.
        channels: The channels of the images; None: not known yet.
        place: The loss's argument of the task.
        sizes: The sides of the patches in pixels; None: those of HR.
        rgb: The setting that makes the images RGB, for messages.
        cropped: Whether a border is cropped before they are compared, so that sides that a loss
            needs to divide are not known.

    Raises:
        ConfigError: If the patches are too small for a loss or do not divide into its parts, or are
            not in colour.
    """
    loss = cfg["model"].get(place)
    if not isinstance(loss, Mapping):
        return
    for where, term, kind in _losses(loss, f"model.{place}"):
        if term.get("weight", 1) == 0:
            continue
        name = getattr(kind, "__name__", str(kind))
        if getattr(kind, "needs_rgb", False) and channels == 1:
            raise ConfigError(
                f"'{where}' is {name}, which compares RGB images, and these are luma: set {rgb},"
                " or remove the term."
            )
        side_for, parts_for = (getattr(kind, key, None) for key in ("least_side_for", "parts_for"))
        least = getattr(kind, "least_side", 1) if side_for is None else side_for(term)
        parts = 1 if parts_for is None else parts_for(term)
        for size in patch_sizes(cfg) if sizes is None else sizes:
            shown = f"patches of {size} x {size} ({source_of_patch(cfg, size)})"
            enough = -(-least * hr_size(cfg, size) // max(size, 1))
            if size < least:
                raise ConfigError(
                    f"'{where}' is {name}, which needs images of at least {least} pixels per side,"
                    f" and training shows it {shown}: set patch_size={enough} or more, or take a"
                    " loss for smaller images."
                )
            if size % parts and not cropped and judges_image(term, loss):
                raise ConfigError(
                    f"'{where}' is {name}, which needs sides divisible by {parts}, and training"
                    f" shows it {shown}: choose another patch_size."
                )


def judges_image(term: Mapping[str, Any], loss: Mapping[str, Any]) -> bool:
    """Return whether a term compares the image, and not other outputs alone.

    Args:
        term: The term's config.
        loss: The config of the loss that it belongs to, or its own.
    """
    outputs = term.get("outputs") or loss.get("outputs")
    return not (isinstance(outputs, Mapping) and outputs and not names_image(outputs))


def _judges_images(term: Any) -> bool:
    """Return whether a term is a loss of images; others are refused for what they are."""
    found = component_of(term) if isinstance(term, Mapping) else None
    return found is not None and getattr(found, "kind", "image") == "image"


def _losses(loss: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any], Any]]:
    for where, term in terms_of(loss, place).items():
        yield where, term, component_of(term)
