"""Read a run's folder; nothing in it is imported, run or unpickled."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from realdeg.errors import DataError
from realdeg.runs.logs import read_curves, read_session
from realdeg.runs.record import Curve, RunRecord, Session, TestReport
from realdeg.runs.tested import read_report
from realdeg.utils.data_file import RUN_CONFIG, read_assignments, read_data

_SESSION = re.compile(r"(\d{8}_\d{6})(?:_(\d{1,4}))?")
_LAST = "last_checkpoint"
_CHECKPOINT = re.compile(r"iter_(\d{1,12})\.pth")
_MOST_TESTS = 1000


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder is a run's: it has a saved config and was trained or tested."""
    place = Path(folder)
    return place.is_dir() and bool(_sessions_of(place) or _report_files(place))


def read_run(folder: str | os.PathLike[str], *, label: str | None = None) -> RunRecord:
    """Read what a run's folder holds: config, curves, tests, environment.

    Unfinished and continued runs are read as far as they got. A folder that holds nothing but a
    test, as ``realdeg test`` writes for what needs no training, is a run without curves.

    Args:
        folder: The work dir of ``realdeg train`` or ``realdeg test``, or the folder ``test`` in it.
        label: The run's name in tables; None: the folder's.

    Raises:
        DataError: If the folder is missing or no run's, or a file in it is damaged.
        ConfigError: If its config cannot be read.
    """
    place = Path(folder)
    _refuse_other(place)
    reports = _reports(place)
    of_test = bool(reports) and reports[0].file.parent == place
    sessions = [] if of_test else [_session(file) for file in _sessions_of(place)]
    config = _config(place, reports)
    curves = read_curves([place / session.name / "vis_data" for session in sessions])
    logged = _last(curves)
    saved = _saved(place)
    schedule = config.get("train_cfg")
    planned = schedule.get("max_iters") if isinstance(schedule, Mapping) else None
    planned = planned if type(planned) is int else None
    seed, recipe = config.get("seed"), config.get("recipe")
    return RunRecord(
        folder=place,
        label=label or _name(place),
        config=config,
        recipe=recipe if isinstance(recipe, str) else None,
        seed=seed if type(seed) is int else None,
        sample=bool(config.get("sample")) or any(report.sample for report in reports),
        curves=curves,
        reports=reports,
        sessions=tuple(sessions),
        environment=_environment(sessions, reports),
        iterations=max(logged, saved or 0),
        planned=planned,
        finished=bool(sessions) and (sessions[-1].ended_well or _reached(planned, saved, logged)),
        weights=tuple(_files(place, "*.safetensors")),
        pictures=tuple(
            file for folder in _folders(place, reports) for file in _files(folder, "*.png")
        ),
    )


def _last(curves: Mapping[str, Curve]) -> int:
    return max((curve.iterations[-1] for curve in curves.values()), default=0)


def _reached(planned: int | None, saved: int | None, logged: int) -> bool:
    """Whether the last iteration was saved, and not by an earlier training in the same folder."""
    if saved is None or planned is None:
        return saved is not None
    return saved >= planned and (logged == 0 or logged >= planned)


def _environment(sessions: list[Session], reports: tuple[TestReport, ...]) -> Mapping[str, str]:
    """Return what the newest log of the training states, or else that of a test."""
    for folder in (None, *(report.file.parent for report in reports)):
        found = sessions if folder is None else [_session(item) for item in _sessions_of(folder)]
        if found and found[-1].environment:
            return found[-1].environment
    return {}


def _refuse_other(place: Path) -> None:
    if not place.is_dir():
        found = "it is a file" if place.exists() else "it does not exist"
        raise DataError(f"{place} is not a run's folder: {found}. Name the work dir of a run.")
    if is_run(place):
        return
    inside = sorted(item.name for item in place.iterdir())[:6]
    if (place / RUN_CONFIG).is_file():
        raise DataError(
            f"{place} holds a {RUN_CONFIG}, but no training has begun and no test was run there."
        )
    raise DataError(
        f"{place} is not a run's folder: it has neither a session (20260131_235959/) nor a"
        f" test/report.json, but {', '.join(inside) or 'nothing'}. Name the work dir of"
        " `realdeg train` or `realdeg test`."
    )


def _sessions_of(place: Path) -> list[Path]:
    """Return the folders of the sessions, oldest first."""
    found = []
    for item in place.iterdir():
        match = _SESSION.fullmatch(item.name)
        if match and item.is_dir() and not item.is_symlink():
            # Of two that began in the same second, one has a number.
            found.append((match[1], int(match[2] or 1), item))
    return [item for *_, item in sorted(found)]


def _session(folder: Path) -> Session:
    return read_session(folder / f"{folder.name}.log", folder.name)


def _report_files(place: Path) -> list[Path]:
    """Return the reports of the folder's own tests: in it, in ``test``, or in ``NAME/test``."""
    own = [place / "report.json", place / "test" / "report.json"]
    own = [file for file in own if _lies_in(file, place)]
    if not own and not _sessions_of(place):
        return []  # it may hold runs, and is none
    others = sorted(place.glob("*/test/report.json"))[:_MOST_TESTS]
    return own + [
        file
        for file in others
        if _lies_in(file, place) and not _sessions_of(file.parent.parent)  # another run's
    ]


def _reports(place: Path) -> tuple[TestReport, ...]:
    read = (read_report(file) for file in _report_files(place))
    return tuple(report for report in read if report is not None)


def _config(place: Path, reports: tuple[TestReport, ...]) -> Mapping[str, Any]:
    """Read the config of the training, or else that of a test."""
    for folder in _folders(place, reports):
        if (folder / RUN_CONFIG).is_file():
            return read_data(folder / RUN_CONFIG)
        programs = sorted(folder.glob("*.py"))
        if len(programs) == 1:  # as former versions saved it
            return read_assignments(programs[0])
    pictures = next((one.facts["Pictures"] for one in reports if "Pictures" in one.facts), None)
    if pictures is not None:  # finished pictures were measured, which have no config
        return {"pictures": str(pictures)}
    raise DataError(f"{place} is not a whole run's folder: it has no {RUN_CONFIG}.")


def _folders(place: Path, reports: tuple[TestReport, ...]) -> list[Path]:
    """Return the run's folder and those of its tests, each once."""
    return list(dict.fromkeys([place, *(report.file.parent for report in reports)]))


def _saved(place: Path) -> int | None:
    """Return the iteration of the newest checkpoint, by the file that names it."""
    try:
        with (place / _LAST).open("rb") as stream:
            text = stream.read(200).decode("utf-8", "replace").strip()
    except OSError:
        return None
    match = _CHECKPOINT.fullmatch(text)
    return int(match[1]) if match else None


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    for file in sorted(folder.glob(pattern)):
        if _lies_in(file, folder):
            yield file


def _lies_in(file: Path, folder: Path) -> bool:
    """Whether it is a regular file that no link leads out of the folder.

    A page that shows a run's pictures must not show other files of the machine.
    """
    return file.is_file() and file.resolve().is_relative_to(folder.resolve())


def _name(place: Path) -> str:
    resolved = place.resolve()
    return resolved.parent.name if resolved.name == "test" else resolved.name
