"""The check that scale and grid are those asked for."""

from __future__ import annotations

from collections.abc import Mapping

from realdeg.errors import GeometryError

GEOMETRY = ("scale", "same_size")
"""The two settings that data, degradation and backbone must agree on."""


def check_geometry(
    found: object,
    scale: float | None,
    same_size: bool | None,
    what: str,
    advice: str = "Take a config, data or weights of the same geometry.",
) -> None:
    """Refuse something that was made for another scale or grid.

    Args:
        found: A component with ``scale`` and ``same_size``, or the arguments of one. A setting
            that is missing or None fits anything.
        scale: The scale asked for; None accepts any.
        same_size: Whether LR must lie on the HR grid; None accepts both.
        what: The thing or its file, as the subject of the message.
        advice: What the user can do.

    Raises:
        GeometryError: If they differ. Its ``fits`` is the geometry found.
    """
    asked = {"scale": scale, "same_size": same_size}
    stored = {
        key: found.get(key) if isinstance(found, Mapping) else getattr(found, key, None)
        for key in GEOMETRY
    }
    differing = [
        key
        for key in GEOMETRY
        if asked[key] is not None and stored[key] is not None and stored[key] != asked[key]
    ]
    if not differing:
        return
    has = ", ".join(f"{key}={stored[key]}" for key in differing)
    wanted = ", ".join(f"{key}={asked[key]}" for key in differing)
    own_scale = stored["scale"] if stored["scale"] is not None else scale
    own_grid = stored["same_size"] if stored["same_size"] is not None else same_size
    fits = None if own_scale is None else (own_scale, bool(own_grid))
    raise GeometryError(f"{what} was made for {has}, and {wanted} is asked for. {advice}", fits)
