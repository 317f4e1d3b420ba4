"""Durations as people write them: ``90``, ``90s``, ``10m``, ``1h``, ``1h30m``."""

from __future__ import annotations

import math
import re

from realdeg.errors import ConfigError

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_FORM = re.compile(r"(?:([0-9.]+)h)?(?:([0-9.]+)m(?:in)?)?(?:([0-9.]+)s)?")


def parse_duration(value: float | str, name: str = "time") -> float:
    """Return a duration in seconds.

    Args:
        value: Seconds, or text: ``"90"``, ``"90s"``, ``"10m"``, ``"10min"``, ``"1h"``, ``"1h30m"``.
        name: What it is called in the message.

    Raises:
        ConfigError: If it is not a positive, finite duration.

    Examples:
        >>> [parse_duration(text) for text in ("90", "90s", "10m", "1h", "1h30m", 5)]
        [90.0, 90.0, 600.0, 3600.0, 5400.0, 5.0]
    """
    seconds = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str):
        word = value.strip().lower().replace(" ", "")
        # Only a number alone is one of seconds: in 1h30 it would be taken for minutes by many.
        match = _FORM.fullmatch(word if re.search("[a-z]", word) else f"{word}s")
        if match is not None and any(match.groups()):
            try:
                parts = zip(match.groups(), _UNITS.values(), strict=True)
                seconds = sum(float(text) * unit for text, unit in parts if text)
            except ValueError:  # "1.2.3"
                seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigError(f"'{value}' is not a {name}: write 90, 90s, 10m, 1h or 1h30m.")
    return seconds


def format_duration(seconds: float) -> str:
    """Return a duration for people.

    Examples:
        >>> [format_duration(value) for value in (0.42, 42, 100, 7290)]
        ['0.4 s', '42 s', '1 min 40 s', '2 h 1 min']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
