"""Examine data before anything is trained on it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from realdeg.apis.doctor_picture import draw_worst
from realdeg.apis.doctor_targets import sets_of
from realdeg.diagnosis import Diagnosis, diagnose, distinct
from realdeg.errors import ConfigError, argument_name
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.progress import Shown
from realdeg.visualization.style import figure_path

PAIRS = 64
"""How many images or pairs of each data set are measured by default."""


def doctor(
    *targets: str | os.PathLike[str],
    test: str | os.PathLike[str] | None = None,
    pairs: int | None = PAIRS,
    scale: float | None = None,
    same_size: bool | None = None,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    sample: bool = False,
    data_root: str | os.PathLike[str] | None = None,
    picture: str | os.PathLike[str] | None = None,
    progress: Shown = False,
) -> Diagnosis:
    """Examine data sets, as ``realdeg doctor`` does.

    Sizes, names, alignment, brightness, colour, detail, compression, exposure, depth, profiles,
    copies and leaks; docs/doctor.md lists the checks and their limits. Images are decoded one at a
    time.

    Args:
        *targets: A recipe, a config, a run's folder, the name of a registered data set, or a
            folder: with ``HR`` and ``LR``, with ``train`` and ``test``, of RealSR or City100, or of
            HR images alone. Or two folders, of HR and of LR.
        test: A folder of images that will be tested on, in which leaks are sought.
        pairs: How many images or pairs of each set are measured; None: all. Headers are read of
            all files, and fingerprints taken of all HR images, in any case.
        scale: HR pixels per LR pixel; None: the recipe's, or found from the sizes. Where LR lies on
            the HR grid, 4 is assumed.
        same_size: Whether LR lies on the HR grid; None: the recipe's, or found from the sizes.
        seed: What the choice of images depends on.
        options: Dotted keys that override a config.
        sample: Use the built-in images instead of a recipe's data.
        data_root: The folder of all data sets.
        picture: A file for a picture of the worst cases; None draws none.
        progress: Whether there are progress bars.

    Returns:
        The findings, errors first.

    Raises:
        ConfigError: If a target or number is not valid.
        DataError: If a folder is missing or has no images.
        OutputError: If the picture cannot be written.
    """
    if not targets:
        raise ConfigError("there is nothing to examine: give a recipe, a run's folder or folders.")
    if pairs is not None and pairs < 1:
        raise ConfigError(f"{argument_name('pairs')} is 1 or more, got {pairs}.")
    if picture is not None:
        picture = figure_path(picture)
        ensure_writable_dir(Path(picture).parent)
    geometry: dict[str, Any] = dict(scale=scale, same_size=same_size)
    sets, findings = sets_of(
        targets, options=options, sample=sample, data_root=data_root, **geometry
    )
    if test is not None:
        more, faults = sets_of([test], role="test", **geometry)
        sets += [replace(one, role="test") for one in more]
        findings += faults
    sets = distinct(sets)
    summaries, found = diagnose(sets, pairs, seed, progress)
    diagnosis = Diagnosis(
        " ".join(os.fspath(one) for one in _with(targets, test)),
        tuple(summaries),
        tuple(sorted([*findings, *found], key=lambda one: one.severity != "error")),
        seed,
    )
    if picture is None or not diagnosis.findings:
        return diagnosis
    return replace(diagnosis, picture=draw_worst(diagnosis, sets, picture))


def _with(
    targets: Sequence[str | os.PathLike[str]], test: str | os.PathLike[str] | None
) -> list[str | os.PathLike[str]]:
    return [*targets] if test is None else [*targets, test]
