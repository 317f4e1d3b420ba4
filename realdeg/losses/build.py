"""Build a loss from a config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, TypeAlias

from torch import nn

from realdeg.errors import ConfigError
from realdeg.registry import LOSSES
from realdeg.utils.argument_types import Component

LossConfig: TypeAlias = Annotated[Mapping[str, Any], Component("loss", "image")]
"""The config of a loss that compares or judges images: ``dict(type="L1Loss", weight=1.0)``."""
AdversarialLossConfig: TypeAlias = Annotated[Mapping[str, Any], Component("loss", "adversarial")]
"""The config of a loss that judges a discriminator's logits: ``dict(type="HingeGANLoss")``."""
PenaltyConfig: TypeAlias = Annotated[Mapping[str, Any], Component("loss", "penalty")]
"""The config of a penalty on a discriminator's gradient."""
TermConfig: TypeAlias = Annotated[
    Mapping[str, Any], Component("loss", "image", keys=("name", "target", "outputs"))
]
"""The config of a term of ``WeightedLoss``: a loss, its name, the picture that it compares with,
and the outputs that it judges."""

TARGETS = ("hr", "sharpened")
"""The pictures that a term of ``WeightedLoss`` can be compared with."""


def build_loss(cfg: Mapping[str, Any], kind: str | None = None, place: str = "loss") -> nn.Module:
    """Build a loss from its config.

    Args:
        cfg: For instance ``dict(type='L1Loss', weight=1.0)``.
        kind: What the place takes: ``"image"``, ``"adversarial"``, ``"penalty"`` or ``"kernel"``;
            None takes all. A loss whose class has no ``kind`` fits everywhere.
        place: The place in the config, for messages.

    Returns:
        The loss: ``loss(prediction, target)`` returns a scalar, or a dict of named scalars.

    Raises:
        ConfigError: If the type or an argument is unknown, or the loss is of another kind.
    """
    loss: nn.Module = LOSSES.build(dict(cfg))
    LOSSES.check_kind(type(loss), kind, place)
    return loss


def build_optional_loss(cfg: Mapping[str, Any] | None, place: str) -> nn.Module | None:
    """Build a loss of images that may be left out.

    Args:
        cfg: Its config, or None.
        place: The place in the config, for messages.

    Returns:
        None as well where its weight is 0.

    Raises:
        ConfigError: As :func:`build_loss`.
    """
    if cfg is None or cfg.get("weight", 1) == 0:
        return None
    return build_loss(cfg, "image", place)


def needs_of(loss: Any) -> tuple[str, ...]:
    """Return the pictures that a loss or its class takes as keywords, beside HR."""
    return tuple(getattr(loss, "needs", ()))


def references_of(cfg: Mapping[str, Any], place: str = "loss") -> dict[str, str]:
    """Return the pictures beside HR that a loss or its terms need, from its config.

    Args:
        cfg: The config of a loss.
        place: Its place in the config.

    Returns:
        By name of the picture, the place of the first term that needs it.

    Raises:
        ConfigError: If a loss needs pictures and is not a term of ``WeightedLoss``, which alone
            hands them on.
    """
    component = component_of(cfg)
    terms = terms_of(cfg, place)
    if needs_of(component) and place in terms:
        raise ConfigError(
            f"'{place}' is {getattr(component, '__name__', component)}, which needs the picture"
            f" '{needs_of(component)[0]}': make it a term,"
            f" dict(type='WeightedLoss', terms=[dict(type={cfg['type']!r})])."
        )
    found: dict[str, str] = {}
    for where, term in terms.items():
        for name in pictures_of(term):
            found.setdefault(name, where)
    return found


def pictures_of(term: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the pictures beside HR that a configured term needs."""
    target = term.get("target", "hr")
    return (*needs_of(component_of(term)), *((target,) if target in TARGETS[1:] else ()))


def terms_of(cfg: Mapping[str, Any], place: str = "loss") -> dict[str, Mapping[str, Any]]:
    """Return the configs of a loss's terms by their places, or its own if it has none."""
    terms = cfg.get("terms")
    if not isinstance(terms, list | tuple):
        return {place: cfg}
    return {f"{place}.terms.{n}": term for n, term in enumerate(terms) if isinstance(term, Mapping)}


def names_image(outputs: Any) -> bool:
    """Return whether one of the patterns of ``outputs`` names the image, ``"sr"``."""
    return any(fnmatchcase("sr", str(pattern)) for pattern in outputs)


def component_of(cfg: Mapping[str, Any]) -> Any:
    """Return the class that a loss's config names, or None if it is unknown."""
    kind = cfg.get("type")
    return LOSSES.get(kind) if isinstance(kind, str) else kind


def build_gan_loss(cfg: Mapping[str, Any], place: str = "model.gan_loss") -> Any:
    """Build an adversarial loss.

    Args:
        cfg: For instance ``dict(type='RelativisticGANLoss', weight=5e-3)``.
        place: The place in the config, for messages.

    Raises:
        ConfigError: If it has no term for a discriminator, or cannot be built.
    """
    loss = build_loss(cfg, "adversarial", place)
    if not hasattr(loss, "discriminator"):
        raise ConfigError(
            f"'{place}' is {type(loss).__name__}, which has no term for a discriminator; take"
            " CrossEntropyGANLoss, LSGANLoss, HingeGANLoss, WGANLoss or RelativisticGANLoss."
        )
    return loss


def build_penalties(
    cfgs: Sequence[Mapping[str, Any]], place: str = "model.penalties"
) -> nn.ModuleList:
    """Build penalties of a discriminator's gradient.

    Args:
        cfgs: For instance ``[dict(type='GradientPenalty', weight=10.0)]``.
        place: The place in the config, for messages.

    Raises:
        ConfigError: If one is another kind of loss or occurs twice, or cannot be built.
    """
    found: dict[str, int] = {}
    penalties = []
    for number, cfg in enumerate(cfgs):
        penalty = build_loss(cfg, "penalty", f"{place}.{number}")
        name = type(penalty).__name__
        if name in found:
            raise ConfigError(
                f"'{place}.{number}' is {name}, as is '{place}.{found[name]}': make them one, with"
                " the sum of their weights."
            )
        found[name] = number
        penalties.append(penalty)
    return nn.ModuleList(penalties)
