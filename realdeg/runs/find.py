"""Which runs a path stands for."""

from __future__ import annotations

import os
from pathlib import Path

from realdeg.errors import DataError
from realdeg.runs.read import is_run


def find_runs(folder: str | os.PathLike[str]) -> list[Path]:
    """Return the folder if it is a run's, or else the runs directly in it, by name.

    Raises:
        DataError: If there is none.
    """
    place = Path(folder)
    if is_run(place) or not place.is_dir():
        return [place]
    found = sorted(item for item in place.iterdir() if is_run(item))
    if not found:
        raise DataError(
            f"{place} is neither a run's folder nor holds any: name the work dir of `realdeg train`"
            " or `realdeg test`, or the folder of a sweep."
        )
    return found
