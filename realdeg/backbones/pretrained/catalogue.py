"""All published weights that are known by name, from ``catalogue.json``.

Each object there is an entry, with the fields of :class:`Pretrained`, or a group: fields that its
``files`` share. ``{file}`` in a ``url`` stands for the file's name; a ``comment`` is not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from realdeg.backbones.pretrained.entry import Pretrained, scales_text
from realdeg.errors import ConfigError, GeometryError, nearest


def _entries() -> Iterator[Pretrained]:
    text = Path(__file__).with_name("catalogue.json").read_text(encoding="utf-8")
    for group in json.loads(text):
        for own in group.pop("files", [{}]):
            fields = {**group, **own}
            fields.pop("comment", None)
            for name in ("scales", "set5"):
                fields[name] = tuple(fields.get(name, ()))
            if "url" in fields:
                fields["url"] = fields["url"].format(file=fields["file"])
            yield Pretrained(**fields)


CATALOGUE: tuple[Pretrained, ...] = tuple(
    sorted(_entries(), key=lambda entry: (entry.type.lower(), entry.name, entry.scales))
)


def list_pretrained(pattern: str = "") -> list[Pretrained]:
    """Return the published weights whose network or name contains a string.

    Args:
        pattern: The string; case does not matter. Empty: all.
    """
    wanted = pattern.lower()
    return [entry for entry in CATALOGUE if wanted in f"{entry.type} {entry.name}".lower()]


def find_pretrained(kind: str, name: str, scale: float | None = None) -> Pretrained:
    """Return the entry of published weights.

    Args:
        kind: The network's registered name.
        name: The weights' name.
        scale: The scale asked for; None: 4, or the only one there is.

    Raises:
        ConfigError: If the network has no weights of that name.
        GeometryError: If they do not come in that scale.
    """
    of_type = [entry for entry in CATALOGUE if entry.type == kind]
    named = [entry for entry in of_type if entry.name == name]
    if not named:
        names = list(dict.fromkeys(entry.name for entry in of_type))
        known = f"it has {', '.join(names)}" if names else "it has none in the catalogue"
        raise ConfigError(
            f"there are no weights '{name}' of {kind}: {known}.{nearest(str(name), names)}"
            " `realdeg list pretrained` lists all."
        )
    scales = tuple(sorted(each for entry in named for each in entry.scales))
    if scale is None and len(scales) > 1 and 4 not in scales:
        raise GeometryError(
            f"the weights '{name}' of {kind} come in {scales_text(scales)}: say which, with scale=."
        )
    if scale is None:
        scale = 4 if 4 in scales else scales[0]
    for entry in named:
        if scale in entry.scales:
            return entry
    raise GeometryError(
        f"the weights '{name}' of {kind} come in {scales_text(scales)}, and scale {scale} is asked"
        " for: take one of these, or other weights.",
        fits=(scales[-1], False),
    )
