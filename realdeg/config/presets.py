"""Degradations by the name of their settings: the files of ``configs/_base_/degradations``."""

from __future__ import annotations

import re

from realdeg.config.find import config_root

_FOLDER = "_base_/degradations"


def list_presets() -> list[str]:
    """Return the names of all settings of degradations, such as ``osediff``, sorted."""
    return sorted(file.stem for file in (config_root() / _FOLDER).glob("*.py"))


def preset_named(name: str) -> str | None:
    """Return the recipe's name of a preset, or None if there is none of that name.

    Args:
        name: Such as ``"diffbir_face"``; hyphens stand for underscores.
    """
    stem = name.replace("-", "_")
    if not re.fullmatch(r"[a-z0-9_]+", stem) or stem not in list_presets():
        return None
    return f"{_FOLDER}/{stem}"
