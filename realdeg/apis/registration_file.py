"""``registration.json``: what was registered, how well, and what was rejected."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.errors import DataError
from realdeg.registration.cutting import Cut
from realdeg.registration.transform import Transform
from realdeg.runs.text import read_text
from realdeg.utils.files import atomic_path
from realdeg.utils.notebook import Table, html_block, picture_file
from realdeg.utils.plain_json import read_json
from realdeg.utils.tables import columns

REGISTRATION_NAME = "registration.json"
_FORMAT = 1
_LARGEST = 1 << 28


@dataclass(frozen=True)
class RegisteredPair:
    """One pair of photos.

    Args:
        name: The name of its files in ``HR`` and ``LR``, without suffix.
        reason: Why it was rejected, as the end of a sentence; nothing if it was not.
        values: What was measured, as in ``registration.json``: ``residual``, ``correlation``,
            ``gain``, ``colour``, ``sharpness``, ``share``, ``transform`` and more.
    """

    name: str
    reason: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def rejected(self) -> bool:
        """Whether there are no files of it."""
        return bool(self.reason)

    def describe(self) -> str:
        """Return one line of numbers, or the reason."""
        return f"{self.name}: {self.reason or ', '.join(self._cells()[1:])}"

    def _cells(self) -> tuple[str, ...]:
        values = self.values
        residual = values["residual"]
        median = residual["median"]
        gain = sum(values["gain"]) / 3
        return (
            self.name,
            f"ratio {values['ratio']:.3f}",
            f"rotation {values['rotation']:+.2f}",
            "residual not measured"
            if median is None
            else f"residual {median:.3f} px ({residual['worst']:.3f})",
            f"correlation {values['correlation']:.3f}",
            f"gain {gain:.3f}",
            f"sharpness {values['sharpness']:.2f}",
            f"{100 * values['share']:.0f} % kept",
        )


@dataclass(frozen=True)
class RegisteredPairs:
    """A folder of registered pairs.

    Args:
        folder: The folder, with ``HR``, ``LR``, ``registration.json`` and ``registration.png``.
        scale: HR pixels per LR pixel; with ``same_size``, how many times smaller LR showed the
            scene.
        same_size: Whether LR lies on the HR grid.
        pairs: The pairs, rejected ones included, by name.
        kept: Names of the pairs that an earlier run made.
        alone: Photos without a partner.
        matched: How partners were found: ``"name"``, ``"time"`` or ``"content"``.
    """

    folder: Path
    scale: float
    same_size: bool
    pairs: Mapping[str, RegisteredPair]
    kept: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    matched: str = "name"

    def __repr__(self) -> str:
        """Return the counts."""
        return f"RegisteredPairs({self._counted()}, {len(self.rejected)} rejected)"

    def _repr_html_(self) -> str:
        """Return the numbers of the pairs, and the picture, for a notebook."""
        pairs = [pair._cells() for pair in self.accepted]
        refused = [(pair.name, pair.reason) for pair in self.rejected]
        return html_block(
            self._counted(),
            tables=[Table((), pairs), Table(("rejected", "why"), refused)],
            pictures=picture_file(self.folder / "registration.png", "registered pairs"),
        )

    @property
    def accepted(self) -> tuple[RegisteredPair, ...]:
        """The pairs that have files."""
        return tuple(pair for pair in self.pairs.values() if not pair.rejected)

    @property
    def rejected(self) -> tuple[RegisteredPair, ...]:
        """The pairs that were refused."""
        return tuple(pair for pair in self.pairs.values() if pair.rejected)

    @property
    def residual(self) -> float | None:
        """Median over the pairs of their median residual shift in LR pixels."""
        medians = [pair.values["residual"]["median"] for pair in self.accepted]
        known = [median for median in medians if median is not None]
        return float(np.median(known)) if known else None

    def describe(self) -> str:
        """Return a table of the pairs, and what was left out."""
        lines = columns([pair._cells() for pair in self.accepted])
        counted = self._counted()
        if self.kept:
            counted += f"; {len(self.kept)} from an earlier run"
        lines.append(counted)
        if self.rejected:
            lines.append(f"{len(self.rejected)} rejected of {len(self.pairs)}:")
            lines += [f"  {pair.describe()}" for pair in self.rejected]
        if self.alone:
            lines.append(f"{len(self.alone)} without a partner: {', '.join(self.alone)}")
        return "\n".join(lines)

    def _counted(self) -> str:
        grid = "LR on the HR grid" if self.same_size else "LR smaller than HR"
        number = f"{len(self.accepted)} pair{'' if len(self.accepted) == 1 else 's'}"
        counted = f"{self.folder}: {number}, scale {self.scale:g}, {grid}"
        if self.residual is not None:
            counted += f", median residual shift {self.residual:.3f} px"
        return counted

    def record(self) -> dict[str, Any]:
        """Return it as plain data, as it is in ``registration.json``."""
        return {
            "format": _FORMAT,
            "scale": self.scale,
            "same_size": self.same_size,
            "matched": self.matched,
            "alone": list(self.alone),
            "pairs": {
                name: {"rejected": pair.reason, **pair.values}
                for name, pair in sorted(self.pairs.items())
            },
        }


def write_registration(found: RegisteredPairs, options: Mapping[str, Any]) -> None:
    """Write ``registration.json``, whole or not at all."""
    text = json.dumps({**found.record(), "options": dict(options)}, indent=1, allow_nan=False)
    with atomic_path(found.folder / REGISTRATION_NAME) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_registration(folder: str | os.PathLike[str]) -> tuple[RegisteredPairs, dict[str, Any]]:
    """Read what :func:`realdeg.register_photos` wrote.

    Args:
        folder: The folder of the pairs, or its ``registration.json``.

    Returns:
        The pairs, and the options of the run.

    Raises:
        DataError: If the file is missing or damaged.
    """
    path = Path(folder)
    path = path / REGISTRATION_NAME if path.is_dir() else path
    data = _read(path)
    try:
        if data["format"] != _FORMAT:
            raise DataError(f"{path} has format {data['format']!r:.40}; this release reads 1.")
        pairs = {name: _read_pair(name, values) for name, values in data["pairs"].items()}
        scale, same_size = _geometry_of(data)
        if scale is None or same_size is None:
            raise ValueError("it states no geometry")
        found = RegisteredPairs(
            path.parent,
            scale,
            same_size,
            pairs,
            alone=tuple(map(str, data["alone"])),
            matched=str(data["matched"]),
        )
        options = dict(data["options"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} is damaged: register the photos again.") from error
    return found, options


def registered_geometry(folder: str | os.PathLike[str]) -> tuple[float | None, bool | None]:
    """Return scale and ``same_size`` of a folder of pairs, by its ``registration.json``.

    Args:
        folder: The folder of the pairs.

    Returns:
        What the file states; None for what it does not, or if there is no such file.

    Raises:
        DataError: If it cannot be read.
    """
    path = Path(folder) / REGISTRATION_NAME
    return _geometry_of(_read(path)) if path.is_file() else (None, None)


def _read(path: Path) -> Any:
    return read_json(read_text(path, _LARGEST), str(path), DataError, largest=_LARGEST)


def _geometry_of(data: Any) -> tuple[float | None, bool | None]:
    scale = data.get("scale") if isinstance(data, dict) else None
    same_size = data.get("same_size") if isinstance(data, dict) else None
    if not isinstance(scale, int | float) or isinstance(scale, bool) or not 1 <= scale <= 64:
        scale = None
    return (
        None if scale is None else float(scale),
        same_size if isinstance(same_size, bool) else None,
    )


def _read_pair(name: str, values: Mapping[str, Any]) -> RegisteredPair:
    """Return a pair whose record has everything that is read of it later."""
    reason = values["rejected"]
    if not isinstance(reason, str) or Path(name).name != name:
        raise ValueError("it is no record of a pair")
    pair = RegisteredPair(
        name, reason, {key: value for key, value in values.items() if key != "rejected"}
    )
    if not reason:
        pair.describe()
        Transform.from_record(values["transform"])
        Cut.from_record(values["cut"], 1)
        if not all(isinstance(values["files"][side], str) for side in ("HR", "LR")):
            raise ValueError("it has no hashes of files")
    return pair
