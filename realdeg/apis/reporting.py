"""Write one page about one or several runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from realdeg.apis.report_pictures import make_pictures
from realdeg.config import load_config
from realdeg.errors import ConfigError, RealdegError, argument_name, first_line
from realdeg.reporting import render
from realdeg.runs import RunRecord, read_run
from realdeg.utils.files import atomic_path, ensure_writable_dir

_LEAST_SIDE = 32


@dataclass(frozen=True)
class RunReport:
    """A page that was written.

    Attributes:
        path: The file.
        size: Its bytes.
        runs: The runs on it, in order.
        left_out: Sentences that say which pictures are missing, and why.
    """

    path: Path
    size: int
    runs: tuple[RunRecord, ...]
    left_out: tuple[str, ...]


def write_report(
    runs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str] = "report.html",
    *,
    labels: Sequence[str] | None = None,
    title: str | None = None,
    images: int = 4,
    crop: int = 320,
    limit: float = 12.0,
    device: str = "cpu",
    options: Mapping[str, Any] | None = None,
) -> RunReport:
    """Write a page about runs, as ``realdeg report`` does: one HTML file, which loads nothing.

    It shows curves, scores with their protocols, the spread over seeds, a few test images before
    and after, what a degradation learned, configs and environment. What a run does not have is left
    out, and the page says why. Images are made again from the weights and the test data of each
    run, so nothing but the folder must be kept of a test; nothing is written into it.

    Args:
        runs: The folder of a run, or several.
        out: The page.
        labels: The runs' names on the page; None: those of the folders.
        title: The heading; None: the labels.
        images: How many test images are shown; 0: none, which needs no weights and no data.
        crop: Side of the part of each image that is shown, in HR pixels, 32 or more.
        limit: The most megabytes of all pictures. Beyond three quarters of it they are compressed
            with loss, beyond it they are left out.
        device: Where to compute.
        options: Dotted keys that override the config of each run (``{"data_root": "data"}``).

    Returns:
        The page's path and size, and what it lacks.

    Raises:
        ConfigError: If an argument is out of range, or a run's config cannot be read.
        DataError: If a folder is not a run's, or holds damaged files.
        OutputError: If the page cannot be written.

    Example:
        >>> import realdeg
        >>> realdeg.write_report("work_dirs/dml", "report.html")  # doctest: +SKIP
    """
    folders = [runs] if isinstance(runs, str | os.PathLike) else list(runs)
    _check(folders, labels, images, crop, limit)
    target = Path(out)
    ensure_writable_dir(target.parent)  # refused before the work, not after it
    records = _labelled([read_run(folder) for folder in folders], labels)
    pictures = make_pictures(records, images=images, side=crop, device=device, options=options)
    names = [record.label for record in records]
    heading = title or (
        ", ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} more"
    )
    text, budget = render(
        records,
        pictures,
        bases={record.label: _recipe(record) for record in records},
        title=heading,
        limit=round(limit * 1e6),
    )
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    left = [*pictures.left_out]
    if budget.left_out:
        left.append(
            f"{budget.left_out} pictures did not fit into {limit:g} MB: raise"
            f" {argument_name('limit')}, or show fewer images or smaller parts."
        )
    return RunReport(target, len(text.encode()), tuple(records), tuple(left))


def _check(
    folders: Sequence[Any], labels: Sequence[str] | None, images: int, crop: int, limit: float
) -> None:
    if not folders:
        raise ConfigError("a report needs at least one run: name the work dir of a run.")
    if labels is not None and len(labels) != len(folders):
        raise ConfigError(
            f"{argument_name('labels')} names each run once: got {len(labels)} for"
            f" {len(folders)} runs."
        )
    if images < 0 or crop < _LEAST_SIDE or not limit >= 0:
        raise ConfigError(
            f"{argument_name('images')} is 0 or more, {argument_name('crop')} {_LEAST_SIDE} or"
            f" more and {argument_name('limit')} 0 or more, got {images}, {crop} and {limit:g}."
        )


def _labelled(records: Sequence[RunRecord], labels: Sequence[str] | None) -> list[RunRecord]:
    """Return the runs with labels that differ."""
    names = list(labels) if labels is not None else [record.label for record in records]
    if labels is not None and len(set(names)) < len(names):
        raise ConfigError(f"two runs are labelled alike: {', '.join(names)}.")
    found: list[RunRecord] = []
    for index, (record, name) in enumerate(zip(records, names, strict=True)):
        clear = name
        if names.count(name) > 1:
            clear = f"{record.folder.resolve().parent.name}/{name}"
        while clear in [one.label for one in found]:
            clear = f"{name} ({index + 1})"
        found.append(replace(record, label=clear))
    return found


def _recipe(record: RunRecord) -> Mapping[str, Any] | str:
    """Return the config of the recipe that a run came from, or why there is none."""
    if record.recipe is None:
        return "its config names no recipe."
    logger = logging.getLogger("realdeg")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)  # what the run itself has said
        scale = record.config.get("scale")
        found = load_config(record.recipe, sample=record.sample, check=False)
        if found.get("scale") != scale:
            found = load_config(f"{record.recipe}@x{scale}", sample=record.sample, check=False)
    except RealdegError as error:
        return first_line(error)
    finally:
        logger.setLevel(level)
    return dict(found.to_dict())
